//! A mission in a log in memory, and a brain that answers its calls.

use crate::model::{ANSWER, KEY, NAME, PROMPT};
use brain::{Brain, Config, Key, ProviderConfig, Watch, provider::Known};
use nats::{
    effect,
    jetstream::JetStream,
    log::{Guard, Log},
    memory::{Memory, Trouble, matches},
    server::{Managed, Options, Places, find},
    setup,
};
use schemas::{
    Event, EventId, Fact, MissionId, Tenant, Time, Writer,
    agent::{LlmRequested, Message, Purpose, Reserve, Speaker, Task},
    fact::Tail,
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};
use streams::{record::Record, subject};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What all brains have: a provider, and what is known of models that fail, for which there is a real log.
pub struct Brains {
    url: String,
    watch: Watch,
    _server: Managed,
    _dir: TempDir,
}

/// Calls of one mission.
pub struct Mission {
    log: Memory,
    _stop: DropGuard,
}

impl Brains {
    pub async fn start(url: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let binary = find(&Places::from_vars(|name| std::env::var_os(name)), &|line| eprintln!("{line}")).await;
        let server = Managed::start(Options::new(dir.path(), &binary.expect("a nats-server"))).await.expect("it runs");
        setup::ensure(&server.connect("setup").await.expect("a key")).await.expect("streams");
        let log = JetStream::new(server.connect("brain").await.expect("a key"));
        let watch = Watch::start(log, CancellationToken::new()).await.expect("the log can be read");
        Self { url: url.into(), watch, _server: server, _dir: dir }
    }

    /// One with so many calls at once.
    pub fn brain(&self, parallel: usize) -> Brain {
        let provider = ProviderConfig {
            key: Some(Key::new(KEY)),
            url: Some(self.url.clone()),
            model: Some(NAME.into()),
            // Held for as long as it takes.
            next_word: Duration::from_secs(600),
            ..ProviderConfig::new(Known::find("openai").expect("known"))
        };
        let config = Config { providers: vec![provider], parallel, ..Config::default() };
        Brain::new(&config, self.watch.clone()).expect("a brain")
    }
}

impl Mission {
    pub async fn begin(brain: Brain) -> Self {
        let log = Memory::new(0, Trouble::default(), 1_000);
        log.filter("llm-calls", "stage7.mission.*.*.*.*.llm.requested");
        let stop = CancellationToken::new();
        let running = effect::run(Arc::new(log.clone()), Arc::new(brain), "bench".into(), stop.clone());
        tokio::spawn(running);
        let mission = Self { log, _stop: stop.drop_guard() };
        let catalogue = json!({"stage7:ref": "aa", "type": "json", "size": 1, "media_type": "application/json"});
        let created = json!({"goal": PROMPT, "limits": {}, "catalogue": catalogue, "goal_event": {"source": "/bench", "id": "1"}});
        let created = Fact::from_bytes("mission.created", created.to_string().as_bytes());
        mission.say(Writer::Control, created.expect("a word").expect("of these fields"), 0).await;
        mission
    }

    /// How long a call takes, from asking to its answer in the log.
    pub async fn call(&self, n: usize) -> Duration {
        let begun = Instant::now();
        let id = self.say(Writer::Agent, asked(), n).await;
        self.answered(&[id].into()).await;
        begun.elapsed()
    }

    /// Asks for so many at once.
    pub async fn ask_all(&self, calls: usize) -> BTreeSet<EventId> {
        let mut all = BTreeSet::new();
        for n in 0..calls {
            all.insert(self.say(Writer::Agent, asked(), n).await);
        }
        all
    }

    /// Waits until all of them have the answer.
    pub async fn answered(&self, calls: &BTreeSet<EventId>) {
        let (mut open, mut seen) = (calls.clone(), 0);
        // The latest is among the last few where one is waited for.
        if open.len() == 1 {
            seen = self.log.size() as usize;
        }
        while !open.is_empty() {
            for record in self.log.records_from(seen) {
                seen += 1;
                if matches("stage7.mission.*.*.*.brain.llm.*.*.*", &record.subject) {
                    let data: schemas::Value = serde_json::from_slice(&record.payload).expect("JSON");
                    assert_eq!(data["answer"], ANSWER, "{data}");
                    open.retain(|id| !record.subject.ends_with(&id.to_string()));
                }
            }
            if !open.is_empty() {
                self.log.changes().await;
            }
        }
    }

    async fn say(&self, writer: Writer, fact: Fact, n: usize) -> EventId {
        let mission = MissionId::of_goal(&Tenant::default(), "/bench", "1");
        let id = EventId::of_word(mission, writer, fact.kind(), &n.to_string(), 0);
        let event = Event {
            seq: 0,
            id,
            time: Time(1),
            tenant: Tenant::default(),
            mission,
            writer,
            tail: Tail::Bare,
            fact,
            causation: None,
            basis: None,
            part: None,
            worker_version: "bench".into(),
            traceparent: None,
            authid: None,
        };
        let filter = subject::family(&event.tenant, mission, writer);
        let last = self.log.last(&filter).await.expect("it is in memory").map_or(0, |record| record.seq);
        self.log.append(&Record::encode(&event), &Guard { filter, last }).await.expect("nobody else writes");
        id
    }
}

fn asked() -> Fact {
    let task = Task {
        goal: PROMPT.into(),
        context: None,
        files: Vec::new(),
        catalogue: None,
        outputs: Vec::new(),
        format: None,
        faults: Vec::new(),
    };
    LlmRequested {
        purpose: Purpose::Think,
        step: "think".into(),
        attempt: 1,
        agent: "a".into(),
        model: None,
        optimize: None,
        task,
        messages: vec![Message::new(Speaker::User, PROMPT)],
        inputs: Default::default(),
        schema: None,
        tools: Vec::new(),
        reserve: Reserve::default(),
    }
    .into()
}
