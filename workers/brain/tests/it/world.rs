//! Brains on a nats-server of the test, asked as agents ask.

use brain::{Config, Key, ProviderConfig, model::Models, provider::Known};
use model_servers::Server;
use nats::{
    decider::append_event,
    jetstream::JetStream,
    log::{AppendError, Guard, Log},
    server::{Managed, Options, Places, find},
    setup,
};
use schemas::{
    Class, Event, EventId, Fact, MissionId, Tenant, Value, Writer,
    brain::{LlmCompleted, LlmTried},
    control::StepCancelled,
    fact::Tail,
};
use serde_json::json;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use streams::{record::Decoded, subject};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const MISSION: MissionId = MissionId(Uuid::from_u128(7));

pub struct World {
    managed: Managed,
    agent: JetStream,
    asked: AtomicU64,
    _dir: TempDir,
}

/// A brain that runs until it is stopped, or the test ends.
pub struct Running {
    stop: CancellationToken,
    run: JoinHandle<()>,
}

impl Running {
    pub async fn stop(self) {
        self.stop.cancel();
        self.run.await.unwrap();
    }
}

impl World {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::from_vars(|name| std::env::var_os(name));
        let binary = find(&places, &|line| eprintln!("{line}")).await.unwrap();
        let managed = Managed::start(Options::new(dir.path(), &binary)).await.unwrap();
        setup::ensure(&managed.connect("setup").await.unwrap()).await.unwrap();
        let agent = JetStream::new(managed.connect("agent").await.unwrap());
        let world = Self { managed, agent, asked: AtomicU64::new(0), _dir: dir };
        world.mission(&Tenant::default()).await;
        world
    }

    /// Begins a tenant's mission, in which it then may ask.
    pub async fn mission(&self, tenant: &Tenant) {
        let created = include_str!("../../../../schemas/samples/mission.created.v1.json");
        let log = self.log("control").await;
        say(&log, tenant, Writer::Control, Fact::MissionCreated(serde_json::from_str(created).unwrap()), 0).await;
    }

    pub async fn log(&self, user: &str) -> JetStream {
        JetStream::new(self.managed.connect(user).await.unwrap())
    }

    pub async fn brain(&self, config: Config) -> Running {
        let (log, stop) = (self.log("brain").await, CancellationToken::new());
        let until = stop.clone();
        let run = tokio::spawn(async move { brain::run(log, &config, "test0001".into(), until).await.unwrap() });
        Running { stop, run }
    }

    /// Asks for an answer to one message of a user, with what else the request is to have.
    pub async fn request(&self, text: &str, more: Value) -> EventId {
        self.request_of(&Tenant::default(), text, more).await
    }

    pub async fn request_of(&self, tenant: &Tenant, text: &str, more: Value) -> EventId {
        let n = self.asked.fetch_add(1, Ordering::Relaxed);
        let mut asked = json!({
            "purpose": "think", "step": "s", "attempt": 1, "agent": "writer-1", "task": {"goal": text},
            "messages": [{"role": "system", "text": "You answer briefly."}, {"role": "user", "text": text}],
            "reserve": {},
        });
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let fact = Fact::LlmRequested(serde_json::from_value(asked).unwrap());
        say(&self.agent, tenant, Writer::Agent, fact, n).await
    }

    /// Calls a step off.
    pub async fn cancel(&self, step: &str) {
        let said = StepCancelled { step: step.into(), attempt: 1, class: Class::Permanent, reason: "enough".into() };
        say(&self.log("control").await, &Tenant::default(), Writer::Control, Fact::StepCancelled(said), 1).await;
    }

    /// What the brains have said, of one tenant.
    pub async fn said(&self, tenant: &Tenant) -> Vec<Event> {
        let records = self.agent.load(&subject::family(tenant, MISSION, Writer::Brain), 0).await.unwrap();
        let event = |decoded| match decoded {
            Decoded::Event(event) => event,
            other => panic!("{other:?}"),
        };
        records.into_iter().map(|record| event(record.decode().unwrap())).collect()
    }

    /// The answer to a request.
    pub async fn answer(&self, tenant: &Tenant, request: EventId) -> Fact {
        for _ in 0..1_500 {
            if let Some(answer) = self.said(tenant).await.into_iter().find(|event| event.request() == Some(request)) {
                return answer.fact;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no answer: {:?}", self.said(tenant).await);
    }

    pub async fn ask(&self, text: &str, more: Value) -> Fact {
        let request = self.request(text, more).await;
        self.answer(&Tenant::default(), request).await
    }

    /// The same, where it is answered as it was to be.
    pub async fn completed(&self, text: &str, more: Value) -> LlmCompleted {
        completed(self.ask(text, more).await)
    }

    /// The tries that gave no answer.
    pub async fn tries(&self) -> Vec<LlmTried> {
        let said = self.said(&Tenant::default()).await;
        said.into_iter()
            .filter_map(|event| if let Fact::LlmTried(tried) = event.fact { Some(tried) } else { None })
            .collect()
    }
}

/// Says the nth word of a writer in the mission.
async fn say(log: &JetStream, tenant: &Tenant, writer: Writer, fact: Fact, n: u64) -> EventId {
    let event = Event {
        seq: 0,
        id: EventId::of_word(MISSION, writer, fact.kind(), &n.to_string(), 0),
        time: log.now(),
        tenant: tenant.clone(),
        mission: MISSION,
        writer,
        tail: if let Fact::StepCancelled(said) = &fact { Tail::Step(said.step.clone()) } else { Tail::Bare },
        fact,
        causation: None,
        basis: None,
        part: None,
        worker_version: "test0001".into(),
        traceparent: None,
        authid: None,
    };
    let filter = subject::family(tenant, MISSION, writer);
    loop {
        let last = log.last(&filter).await.unwrap().map_or(0, |record| record.seq);
        match append_event(log, &event, &[], &Guard { filter: filter.clone(), last }).await {
            Err(AppendError::Conflict) => {}
            done => return done.map(|_| event.id).unwrap(),
        }
    }
}

pub fn completed(fact: Fact) -> LlmCompleted {
    match fact {
        Fact::LlmCompleted(completed) => completed,
        other => panic!("{other:?}"),
    }
}

/// A provider before a server, set to a model.
pub fn provider(name: &str, server: &Server, model: &str) -> ProviderConfig {
    ProviderConfig {
        key: Some(Key::new("sk-test")),
        url: Some(server.url.clone()),
        model: Some(model.into()),
        ..ProviderConfig::new(Known::find(name).unwrap())
    }
}

/// Providers that are on, and a file of what is known of their models.
pub fn config(providers: Vec<ProviderConfig>, models: &str) -> Config {
    Config { providers, models: Models::read(models).unwrap(), ..Config::default() }
}
