//! The effect loop, over a log that does on purpose what a real one was seen to do.

use async_trait::async_trait;
use nats::{
    effect::{self, Answer, Context, Effect},
    log::{Guard, Log},
    memory::{Memory, Trouble, matches},
    rule::Rules,
};
use schemas::{
    Class, Event, EventId, Fact, MissionId, Tenant, Time, Writer,
    agent::PluginRequested,
    capability::{PluginCompleted, PluginFailed},
    fact::Tail,
    value::Blob,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use streams::record::{Decoded, Record};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Works for so many seconds at each request, and remembers what it began and was stopped at.
#[derive(Default)]
pub struct Worker {
    pub seconds: u64,
    pub begun: Mutex<BTreeMap<EventId, u32>>,
    pub stopped: Mutex<Vec<EventId>>,
    /// Goes with the answer.
    pub blob: Option<Blob>,
    pub rules: Rules,
}

#[async_trait]
impl Effect for Worker {
    const NAME: &'static str = "plugin-runs";
    const WRITER: Writer = Writer::Capability;
    const NOUN: &'static str = "plugin";

    fn capacity(&self) -> usize {
        4
    }
    fn rules(&self) -> Rules {
        self.rules
    }
    fn failed(&self, _: &Event, class: Class, message: String) -> Fact {
        PluginFailed { step: "a".into(), attempt: 1, class, message, ms: 0 }.into()
    }
    async fn perform(&self, request: &Event, context: &Context) -> Answer {
        *self.begun.lock().unwrap().entry(request.id).or_default() += 1;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(self.seconds)) => {
                let done = PluginCompleted { step: "a".into(), attempt: 1, outputs: BTreeMap::new(), files: BTreeMap::new(), removed: Vec::new(), ms: 0 };
                Answer { fact: done.into(), blobs: self.blob.iter().cloned().collect() }
            }
            () = context.stop.cancelled() => {
                self.stopped.lock().unwrap().push(request.id);
                self.failed(request, Class::NotStarted, "stopped".into()).into()
            }
        }
    }
}

pub fn mission() -> MissionId {
    MissionId(Uuid::from_u128(7))
}

fn word(writer: Writer, fact: Fact, entity: &str) -> Event {
    let tail = if let Fact::StepCancelled(said) = &fact { Tail::Step(said.step.clone()) } else { Tail::Bare };
    Event {
        seq: 0,
        id: EventId::of_word(mission(), writer, fact.kind(), entity, 0),
        time: Time(1),
        tenant: Tenant::default(),
        mission: mission(),
        writer,
        tail,
        fact,
        causation: None,
        basis: None,
        part: None,
        worker_version: String::new(),
        traceparent: None,
        authid: None,
    }
}

/// Somebody's word gets into the log; gives its id.
pub async fn say(log: &Memory, writer: Writer, fact: Fact, entity: &str) -> EventId {
    let event = word(writer, fact, entity);
    let id = event.id;
    loop {
        let records = log.records();
        if records.iter().any(|record| record.header("ce-id") == Some(id.to_string().as_str())) {
            return id;
        }
        let filter = streams::subject::family(&Tenant::default(), mission(), writer);
        let last = records.iter().rev().find(|record| matches(&filter, &record.subject)).map_or(0, |record| record.seq);
        let _ = log.append(&Record::encode(&event), &Guard { filter, last }).await;
    }
}

/// A mission's first word, as it is appended.
pub fn begun() -> Event {
    word(Writer::Control, created(), "")
}

fn created() -> Fact {
    let catalogue =
        serde_json::json!({"stage7:ref": "aa", "type": "json", "size": 1, "media_type": "application/json"});
    let data = serde_json::json!({"goal": "x", "limits": {}, "catalogue": catalogue, "goal_event": {"source": "/me", "id": "1"}});
    Fact::from_bytes("mission.created", data.to_string().as_bytes()).unwrap().unwrap()
}

/// The `n`th request of the agents.
pub fn asked(n: usize) -> Event {
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
    word(Writer::Agent, asked.into(), &format!("a/{n}"))
}

/// The `n`th request, in a mission that has begun.
pub async fn request(log: &Memory, n: usize) -> EventId {
    say(log, Writer::Control, created(), "").await;
    request_of(log, n).await
}

/// A request in a mission that may not have begun.
async fn request_of(log: &Memory, n: usize) -> EventId {
    say(log, Writer::Agent, asked(n).fact, &format!("a/{n}")).await
}

/// The answers in the log, by request.
pub fn answers(log: &Memory) -> BTreeMap<EventId, Vec<Fact>> {
    let mut all: BTreeMap<EventId, Vec<Fact>> = BTreeMap::new();
    for record in log.records() {
        if let Ok(Decoded::Event(event)) = record.decode()
            && let Some(request) = event.request()
        {
            all.entry(request).or_default().push(event.fact);
        }
    }
    all
}

pub fn log(seed: u64, trouble: Trouble) -> Memory {
    let log = Memory::new(seed, trouble, 1_000);
    log.filter("plugin-runs", "stage7.mission.*.*.*.*.plugin.requested");
    log
}

pub fn start(log: &Memory, worker: &Arc<Worker>, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
    let (log, worker, stop) = (Arc::new(log.clone()), Arc::clone(worker), stop.clone());
    tokio::spawn(async move { effect::run(log, worker, "test0001".into(), stop).await.unwrap() })
}

#[tokio::test(start_paused = true)]
async fn every_request_is_answered_once_whatever_the_log_does() {
    for seed in 0..40 {
        let log = log(seed, Trouble { lost_answer: 5, duplicate: 3, ..Trouble::default() });
        let (first, second, stop) = (
            Arc::new(Worker { seconds: 1, ..Worker::default() }),
            Arc::new(Worker { seconds: 2, ..Worker::default() }),
            CancellationToken::new(),
        );
        let tasks = [start(&log, &first, &stop), start(&log, &second, &stop)];
        let mut asked = Vec::new();
        for n in 0..12 {
            asked.push(request(&log, n).await);
        }
        tokio::time::sleep(Duration::from_secs(8)).await;
        log.calm();
        for _ in 0..120 {
            if answers(&log).len() == asked.len() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        stop.cancel();
        for task in tasks {
            task.await.unwrap();
        }
        let answers = answers(&log);
        for id in asked {
            assert_eq!(answers.get(&id).map_or(0, Vec::len), 1, "seed {seed}: request {id}");
            for worker in [&first, &second] {
                let begun = worker.begun.lock().unwrap().get(&id).copied().unwrap_or(0);
                assert!(begun <= 1, "seed {seed}: one instance began {id} {begun} times");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_can_read_is_answered_as_failed_in_the_end() {
    let log = log(1, Trouble::default());
    let (worker, stop) = (Arc::new(Worker::default()), CancellationToken::new());
    let task = start(&log, &worker, &stop);
    let good = request(&log, 0).await;
    let like = log.records().pop().unwrap();
    let forge = |n: u128, change: &dyn Fn(&mut Record)| {
        let (id, mut record) = (EventId(Uuid::from_u128(n)), like.clone());
        record.headers.iter_mut().filter(|(name, _)| name == "ce-id").for_each(|(_, value)| *value = id.to_string());
        change(&mut record);
        (id, record)
    };
    let set = |record: &mut Record, name: &str, value: &str| {
        record.headers.retain(|(header, _)| header != name);
        record.headers.push((name.into(), value.into()));
    };
    let gone = format!("urn:stage7:artifact:{}:7", "a".repeat(64));
    let forged = [
        forge(1, &|record| set(record, "ce-type", "io.stage7.plugin.requested.v2")),
        forge(2, &|record| record.payload = "{".into()),
        forge(3, &|record| set(record, "ce-dataref", &gone)),
        forge(4, &|record| set(record, "ce-id", "nobody")),
    ];
    let family = streams::subject::family(&Tenant::default(), mission(), Writer::Agent);
    for (_, record) in &forged {
        let last = log.last(&family).await.unwrap().map_or(0, |record| record.seq);
        log.append(record, &Guard { filter: family.clone(), last }).await.unwrap();
    }
    // A newer instance would have had so long to take them.
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(answers(&log).keys().collect::<Vec<_>>(), [&good]);
    let later = request(&log, 1).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    stop.cancel();
    task.await.unwrap();
    let answers = answers(&log);
    for ((id, _), why) in forged.iter().zip(["plugin.requested.v2", "data of `plugin.requested`", "artifact aaaa"]) {
        let [Fact::PluginFailed(failed)] = &answers[id][..] else { panic!("{:?}", answers[id]) };
        assert!(failed.class == Class::Permanent && failed.message.contains(why), "{failed:?}");
    }
    assert!(matches!(answers[&later][..], [Fact::PluginCompleted(_)]));
    assert_eq!(answers.len(), 5, "what has no name has no answer");
}

#[tokio::test(start_paused = true)]
async fn a_request_of_a_mission_that_has_left_the_log_is_acknowledged_and_not_done() {
    for ended in [true, false] {
        let log = log(1, Trouble::default());
        let (worker, stop) = (Arc::new(Worker::default()), CancellationToken::new());
        let task = start(&log, &worker, &stop);
        if ended {
            // Half gone: its beginning has left, its end not yet.
            say(&log, Writer::Control, schemas::control::MissionAborted { reason: None }.into(), "").await;
        }
        request_of(&log, 0).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        stop.cancel();
        task.await.unwrap();
        assert!(answers(&log).is_empty(), "nothing is added to what is archived");
        assert!(worker.begun.lock().unwrap().is_empty());
    }
}
