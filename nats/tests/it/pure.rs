//! Requests that do nothing to the world, on a real server: the log is asked about them only when
//! something was heard.

use crate::fixture::Server;
use async_trait::async_trait;
use nats::{
    effect::{self, Answer, Context, Effect},
    jetstream::JetStream,
    log::{AppendError, Guard, Log},
};
use schemas::{
    Class, Event, EventId, Fact, MissionId, Tenant, Time, Writer,
    agent::PluginRequested,
    capability::{PluginCompleted, PluginFailed},
    control::{MissionPausing, MissionResumed, Standstill},
    fact::Tail,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use streams::{
    record::{Decoded, Record},
    subject,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

struct Pure;

#[async_trait]
impl Effect for Pure {
    const NAME: &'static str = "plugin-runs";
    const WRITER: Writer = Writer::Capability;
    const NOUN: &'static str = "plugin";
    const HAS_PURE: bool = true;

    fn capacity(&self) -> usize {
        4
    }
    fn is_pure(&self, _: &Event) -> bool {
        true
    }
    fn failed(&self, _: &Event, class: Class, message: String) -> Fact {
        PluginFailed { step: "a".into(), attempt: 1, class, message, ms: 0 }.into()
    }
    async fn perform(&self, _: &Event, _: &Context) -> Answer {
        let (outputs, files) = (BTreeMap::new(), BTreeMap::new());
        Fact::from(PluginCompleted { step: "a".into(), attempt: 1, outputs, files, removed: Vec::new(), ms: 0 }).into()
    }
}

fn mission() -> MissionId {
    MissionId(Uuid::from_u128(7))
}

/// A writer with its own place in the mission's log.
struct Speaker {
    log: JetStream,
    writer: Writer,
    last: u64,
    said: u32,
}

impl Speaker {
    async fn new(server: &Server, user: &str, writer: Writer) -> Self {
        let log = JetStream::new(server.managed.connect(user).await.unwrap());
        Self { log, writer, last: 0, said: 0 }
    }

    async fn try_say(&mut self, fact: Fact, last: u64) -> Result<EventId, AppendError> {
        self.said += 1;
        let id = EventId::of_word(mission(), self.writer, fact.kind(), "", self.said);
        let event = Event {
            seq: 0,
            id,
            time: Time(1),
            tenant: Tenant::default(),
            mission: mission(),
            writer: self.writer,
            tail: Tail::Bare,
            fact,
            causation: None,
            basis: None,
            part: None,
            worker_version: String::new(),
            traceparent: None,
            authid: None,
        };
        let filter = subject::family(&Tenant::default(), mission(), self.writer);
        self.last = self.log.append(&Record::encode(&event), &Guard { filter, last }).await?;
        Ok(id)
    }

    async fn say(&mut self, fact: impl Into<Fact>) -> EventId {
        self.try_say(fact.into(), self.last).await.unwrap()
    }

    /// Asks for a run; gives its answer.
    async fn ask(&mut self) -> Fact {
        let asked = PluginRequested {
            step: "a".into(),
            attempt: 1,
            agent: "x".into(),
            verb: "WORK".into(),
            version: "1.0.0".into(),
            inputs: BTreeMap::new(),
            templates: Vec::new(),
            files: BTreeMap::new(),
        };
        let id = self.say(asked).await;
        let answer = subject::answers(&Tenant::default(), mission(), Writer::Capability, "plugin", Writer::Agent, id);
        let answered = async {
            loop {
                if let Some(record) = self.log.last(&answer).await.unwrap() {
                    let Ok(Decoded::Event(event)) = record.decode() else { panic!("an answer") };
                    return event.fact;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(60), answered).await.expect("it is answered")
    }

    /// Asks until what was said meanwhile has been heard.
    async fn ask_until(&mut self, done: impl Fn(&Fact) -> bool) {
        let heard = async { while !done(&self.ask().await) {} };
        timeout(Duration::from_secs(60), heard).await.expect("it is heard");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pure_request_does_not_start_once_its_mission_was_heard_to_stand_still() {
    let server = Server::start().await;
    let stop = CancellationToken::new();
    let log = Arc::new(JetStream::new(server.managed.connect("capability").await.unwrap()));
    let effect = tokio::spawn(effect::run(log, Arc::new(Pure), "test0001".into(), stop.clone()));
    let mut agent = Speaker::new(&server, "agent", Writer::Agent).await;
    let mut control = Speaker::new(&server, "control", Writer::Control).await;
    let ran = |fact: &Fact| matches!(fact, Fact::PluginCompleted(_));
    let held = |fact: &Fact| matches!(fact, Fact::PluginFailed(failed) if failed.class == Class::NotStarted);

    assert!(ran(&agent.ask().await));
    control.say(MissionPausing {}).await;
    agent.ask_until(held).await;
    assert!(held(&agent.ask().await));
    control.say(MissionResumed { from: Standstill::Paused }).await;
    agent.ask_until(ran).await;

    // Heard, but never in the log: whoever goes by it alone would hold the mission up for ever.
    let refused = control.try_say(MissionPausing {}.into(), 1).await;
    assert_eq!(refused, Err(AppendError::Conflict));
    for _ in 0..20 {
        assert!(ran(&agent.ask().await));
    }
    stop.cancel();
    effect.await.unwrap().unwrap();
}
