//! The effect loop, over a log that does on purpose what a real one was seen to do.

use async_trait::async_trait;
use nats::{
    effect::{self, Answer, Context, Effect},
    log::{Guard, Log},
    memory::{Memory, Trouble, matches},
};
use schemas::{
    Class, Event, EventId, Fact, MissionId, Tenant, Time, Writer,
    agent::PluginRequested,
    capability::{PluginCompleted, PluginFailed},
    control::{MissionAborted, MissionPausing, MissionResumed, Standstill, StepCancelled},
    fact::Tail,
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
struct Worker {
    seconds: u64,
    begun: Mutex<BTreeMap<EventId, u32>>,
    stopped: Mutex<Vec<EventId>>,
}

#[async_trait]
impl Effect for Worker {
    const NAME: &'static str = "plugin-runs";
    const WRITER: Writer = Writer::Capability;
    const NOUN: &'static str = "plugin";

    fn capacity(&self) -> usize {
        4
    }
    fn failed(&self, _: &Event, class: Class, message: String) -> Fact {
        PluginFailed { step: "a".into(), attempt: 1, class, message, ms: 0 }.into()
    }
    async fn perform(&self, request: &Event, context: &Context) -> Answer {
        *self.begun.lock().unwrap().entry(request.id).or_default() += 1;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(self.seconds)) => {
                Fact::from(PluginCompleted { step: "a".into(), attempt: 1, outputs: BTreeMap::new(), files: BTreeMap::new(), removed: Vec::new(), ms: 0 }).into()
            }
            () = context.stop.cancelled() => {
                self.stopped.lock().unwrap().push(request.id);
                self.failed(request, Class::NotStarted, "stopped".into()).into()
            }
        }
    }
}

fn mission() -> MissionId {
    MissionId(Uuid::from_u128(7))
}

/// Somebody's word gets into the log; gives its id.
async fn say(log: &Memory, writer: Writer, fact: Fact, entity: &str) -> EventId {
    let id = EventId::of_word(mission(), writer, fact.kind(), entity, 0);
    let tail = if let Fact::StepCancelled(said) = &fact { Tail::Step(said.step.clone()) } else { Tail::Bare };
    let event = Event {
        seq: 0,
        id,
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
    };
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

/// A mission's first word.
fn created() -> Fact {
    let catalogue =
        serde_json::json!({"stage7:ref": "aa", "type": "json", "size": 1, "media_type": "application/json"});
    let data = serde_json::json!({"goal": "x", "limits": {}, "catalogue": catalogue, "goal_event": {"source": "/me", "id": "1"}});
    Fact::from_bytes("mission.created", data.to_string().as_bytes()).unwrap().unwrap()
}

async fn request(log: &Memory, n: usize) -> EventId {
    say(log, Writer::Control, created(), "").await;
    request_of(log, n).await
}

/// A request in a mission that may not have begun.
async fn request_of(log: &Memory, n: usize) -> EventId {
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
    say(log, Writer::Agent, asked.into(), &format!("a/{n}")).await
}

/// The answers in the log, by request.
fn answers(log: &Memory) -> BTreeMap<EventId, Vec<Fact>> {
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

fn log(seed: u64, trouble: Trouble) -> Memory {
    let log = Memory::new(seed, trouble, 1_000);
    log.filter("plugin-runs", "stage7.mission.*.*.*.*.plugin.requested");
    log
}

fn start(log: &Memory, worker: &Arc<Worker>, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
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
async fn nothing_starts_in_a_pause_and_what_runs_may_finish() {
    let log = log(1, Trouble::default());
    let (worker, stop) = (Arc::new(Worker { seconds: 5, ..Worker::default() }), CancellationToken::new());
    let task = start(&log, &worker, &stop);
    let running = request(&log, 0).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    say(&log, Writer::Control, MissionPausing {}.into(), "").await;
    let queued = request(&log, 1).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    say(&log, Writer::Control, MissionResumed { from: Standstill::Paused }.into(), "").await;
    let later = request(&log, 2).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    stop.cancel();
    task.await.unwrap();
    let answers = answers(&log);
    assert!(matches!(answers[&running][..], [Fact::PluginCompleted(_)]));
    assert!(matches!(&answers[&queued][..], [Fact::PluginFailed(failed)] if failed.class == Class::NotStarted));
    assert!(matches!(answers[&later][..], [Fact::PluginCompleted(_)]));
    assert!(!worker.begun.lock().unwrap().contains_key(&queued));
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_stopped_when_its_step_is_called_off_or_the_mission_aborted() {
    for abort in [true, false] {
        let log = log(1, Trouble::default());
        let (worker, stop) = (Arc::new(Worker { seconds: 1_000, ..Worker::default() }), CancellationToken::new());
        let task = start(&log, &worker, &stop);
        let running = request(&log, 0).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let end: Fact = match abort {
            true => MissionAborted { reason: None }.into(),
            false => {
                StepCancelled { step: "a".into(), attempt: 1, class: Class::Transient, reason: "late".into() }.into()
            }
        };
        say(&log, Writer::Control, end, "").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(*worker.stopped.lock().unwrap(), [running]);
        assert_eq!(answers(&log)[&running].len(), 1);
        stop.cancel();
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_of_a_mission_that_has_left_the_log_is_acknowledged_and_not_done() {
    for ended in [true, false] {
        let log = log(1, Trouble::default());
        let (worker, stop) = (Arc::new(Worker::default()), CancellationToken::new());
        let task = start(&log, &worker, &stop);
        if ended {
            // Half gone: its beginning has left, its end not yet.
            say(&log, Writer::Control, MissionAborted { reason: None }.into(), "").await;
        }
        request_of(&log, 0).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        stop.cancel();
        task.await.unwrap();
        assert!(answers(&log).is_empty(), "nothing is added to what is archived");
        assert!(worker.begun.lock().unwrap().is_empty());
    }
}
