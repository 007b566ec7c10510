//! A server of its own for each test, with the door open.

use mission_control::intake;
use nats::{
    decider::append_event,
    jetstream::JetStream,
    log::{Guard, Log},
    registry,
    server::{Managed, Options, Places, find},
    setup,
};
use schemas::{Event, EventId, Fact, MissionId, Tenant, Value, Writer, agent::QuestionAsked, fact::Tail};
use serde_json::json;
use std::time::Duration;
use streams::{registry::Plugin, subject};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

pub struct World {
    managed: Managed,
    stop: CancellationToken,
    /// With a tenant's rights.
    pub person: JetStream,
    _dir: TempDir,
}

impl World {
    /// A server and the door; nobody takes up goals.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::from_vars(|name| std::env::var_os(name));
        let binary = find(&places, &|line| eprintln!("{line}")).await.unwrap();
        let managed = Managed::start(Options::new(dir.path(), &binary)).await.unwrap();
        setup::ensure(&managed.connect("setup").await.unwrap()).await.unwrap();
        let stop = CancellationToken::new();
        let person = JetStream::new(managed.connect("default").await.unwrap());
        let world = Self { managed, stop, person, _dir: dir };
        let run = post_office::run(world.log("door").await, world.stop.clone());
        tokio::spawn(async { run.await.unwrap() });
        world.until_open().await;
        world
    }

    pub async fn log(&self, user: &str) -> JetStream {
        JetStream::new(self.managed.connect(user).await.unwrap())
    }

    /// Somebody takes up goals, and two verbs are there.
    pub async fn with_intake(self) -> Self {
        for (user, writer, verb) in
            [("agent", Writer::Agent, "THINK"), ("capability", Writer::Capability, "TEXT_ANALYSIS")]
        {
            registry::announce(&self.log(user).await, writer, &[plugin(verb, user)]).await.unwrap();
        }
        let options = intake::Options { limits: Default::default(), worker_version: "test0000".into() };
        let run = intake::run(self.log("control").await, options, self.stop.clone());
        tokio::spawn(async { run.await.unwrap() });
        self
    }

    async fn until_open(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        while self.person.client().request("stage7.read.default", "{}".into()).await.is_err() {
            assert!(Instant::now() < until, "the door does not open");
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn ask_raw(&self, subject: &str, body: impl Into<Vec<u8>>) -> Value {
        let answer = self.person.client().request(subject.to_string(), body.into().into()).await;
        serde_json::from_slice(&answer.unwrap().payload).unwrap()
    }

    pub async fn ask(&self, subject: &str, body: Value) -> Value {
        self.ask_raw(subject, body.to_string()).await
    }

    /// A command for a mission: `word` is `noun.verb`.
    pub async fn say(&self, mission: &str, word: &str, data: Value) -> Value {
        self.ask(&format!("stage7.user.default.{mission}.{word}"), data).await
    }

    pub async fn read(&self, body: Value) -> Value {
        self.ask("stage7.read.default", body).await
    }

    /// Submits a goal and waits until it is a mission.
    pub async fn mission(&self, id: &str, data: Value) -> String {
        let answer = self.ask("stage7.submit.default", schemas::cloudevent::goal("/test", id, &data)).await;
        let mission = answer["mission"].as_str().unwrap_or_else(|| panic!("{answer}")).to_string();
        self.until(|| async { self.read(json!({"mission": mission})).await["events"].is_array() }).await;
        mission
    }

    pub async fn until<F: Future<Output = bool>>(&self, mut done: impl FnMut() -> F) {
        let until = Instant::now() + Duration::from_secs(20);
        while !done().await {
            assert!(Instant::now() < until, "it does not come about");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Says a word as a worker would; gives its event's id.
    pub async fn word(&self, mission: &str, writer: Writer, fact: impl Into<Fact>) -> EventId {
        self.said(mission, writer, fact, None).await
    }

    /// The same, as an answer to what an agent asked for.
    pub async fn said(
        &self,
        mission: &str,
        writer: Writer,
        fact: impl Into<Fact>,
        answer_to: Option<EventId>,
    ) -> EventId {
        let log = self.log(writer.as_str()).await;
        let (tenant, mission): (Tenant, MissionId) = (Tenant::default(), mission.parse().unwrap());
        let family = subject::family(&tenant, mission, writer);
        let last = log.last(&family).await.unwrap().map_or(0, |record| record.seq);
        let fact = fact.into();
        let tail = match (&fact, answer_to) {
            (Fact::StepCancelled(said), _) => Tail::Step(said.step.clone()),
            (_, Some(request)) => Tail::Answer { requester: Writer::Agent, request },
            _ => Tail::Bare,
        };
        let event = Event {
            seq: 0,
            id: EventId::of_word(mission, writer, fact.kind(), &last.to_string(), 0),
            time: log.now(),
            tenant,
            mission,
            writer,
            tail,
            fact,
            causation: None,
            basis: None,
            part: None,
            worker_version: String::new(),
            traceparent: None,
            authid: None,
        };
        append_event(&log, &event, &[], &Guard { filter: family, last }).await.unwrap();
        event.id
    }

    pub async fn question(&self, mission: &str, more: Value) -> EventId {
        let mut question = json!({"step": "ask", "attempt": 1, "agent": "executor-1", "text": "Which?"});
        question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.word(mission, Writer::Agent, serde_json::from_value::<QuestionAsked>(question).unwrap()).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn plugin(verb: &str, runner: &str) -> Plugin {
    serde_json::from_value(json!({
        "verb": {
            "name": verb, "version": "1.0.0", "description": "For tests.", "runner": runner, "runtime": "native",
            "input": {"type": "object", "properties": {"text": {"type": "string"}}}, "output": {"type": "object"},
        },
        "digest": "0", "state": "enabled",
    }))
    .unwrap()
}

/// The code of an answer that is an error.
pub fn code(answer: &Value) -> &str {
    let error = &answer["error"];
    assert!(
        error["message"].as_str().is_some_and(|text| !text.is_empty()) && error["at"].is_string(),
        "no error: {answer}"
    );
    error["code"].as_str().unwrap()
}
