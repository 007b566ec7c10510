//! The rules of effects.

use crate::{
    effects::{Worker, answers, log, mission, request, say, start},
    fixture::Server,
};
use nats::{
    decider::append_event,
    jetstream::JetStream,
    log::{AppendError, Guard, Log},
    memory::{Fault, Kind, Memory, Op, Trouble},
    rule::Rules,
};
use schemas::{
    Class, Event, EventId, Fact, Tenant, Time, Writer,
    control::{MissionAborted, MissionPausing, MissionResumed, Standstill, StepCancelled},
    fact::Tail,
    value::{Blob, Form},
};
use std::{sync::Arc, time::Duration};
use streams::subject;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than any of this takes on a slow machine; nothing is measured.
const PATIENCE: Duration = Duration::from_secs(90);

/// A log in which these faults happen to the effect.
fn scripted(faults: &[(Op, u32, Kind)]) -> Memory {
    let fault = |&(op, at, kind): &(Op, u32, Kind)| Fault { who: "capability".into(), op, at, kind };
    let log = Memory::scripted(faults.iter().map(fault).collect(), 1_000);
    log.filter("plugin-runs", "stage7.mission.*.*.*.*.plugin.requested");
    log
}

/// Runs instances of an effect, one after the other's death, for so many seconds.
async fn lives(log: &Memory, worker: &Arc<Worker>, seconds: u64) {
    let all = async {
        loop {
            let hand = log.instance("capability");
            let task = start(&hand, worker, &CancellationToken::new());
            hand.dies().await;
            task.abort();
        }
    };
    let _ = timeout(Duration::from_secs(seconds), all).await;
}

fn begun(worker: &Worker, id: EventId) -> u32 {
    worker.begun.lock().unwrap().get(&id).copied().unwrap_or(0)
}

/// A log that is slow to take answers holds up nobody's work: more is begun than there are places.
#[tokio::test(start_paused = true)]
async fn rule_03_a_place_is_free_once_the_work_is_done() {
    let lost: Vec<_> = (1..=400).map(|n| (Op::Append, n, Kind::Lost)).collect();
    let log = scripted(&lost);
    let worker = Arc::new(Worker { seconds: 1, ..Worker::default() });
    let task = start(&log.instance("capability"), &worker, &CancellationToken::new());
    let mut asked = Vec::new();
    for n in 0..8 {
        asked.push(request(&log, n).await);
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(answers(&log).is_empty(), "no answer is in the log");
    assert_eq!(asked.iter().map(|id| begun(&worker, *id)).collect::<Vec<_>>(), [1; 8]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let answers = answers(&log);
    assert!(asked.iter().all(|id| answers.get(id).is_some_and(|all| all.len() == 1)), "{answers:?}");
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn rule_01_answered_once_for_ever_though_two_have_an_answer() {
    for (answered_once, count) in [(true, 1), (false, 2)] {
        // The first stands still with its answer in hand; the second does it too, and answers.
        let log = scripted(&[(Op::Append, 1, Kind::Freeze(9_000))]);
        let rules = Rules { answered_once, ..Rules::default() };
        let worker = Arc::new(Worker { seconds: 1, rules, ..Worker::default() });
        let stop = CancellationToken::new();
        let tasks = [1, 2].map(|_| start(&log.instance("capability"), &worker, &stop));
        let asked = request(&log, 0).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(answers(&log)[&asked].len(), count, "with the rule: {answered_once}");
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_01_answered_once_for_ever_is_held_by_the_server() {
    let server = Server::start().await;
    // Rule 3, as the server has it: silence for 5 s, and nothing is given up in silence.
    let info = server.user("librarian").await.ask("$JS.API.CONSUMER.INFO.MISSIONS.plugin-runs", "").await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
    assert_eq!(
        (&info["config"]["ack_wait"], &info["config"]["max_deliver"]),
        (&5_000_000_000_u64.into(), &(-1).into())
    );
    let connect = async |user: &str| JetStream::new(server.managed.connect(user).await.unwrap());
    let (agent, capability) = (connect("agent").await, connect("capability").await);
    let filter = subject::family(&Tenant::default(), mission(), Writer::Control);
    let control = connect("control").await;
    append_event(&control, &crate::effects::begun(), &[], &Guard { filter, last: 0 }).await.unwrap();
    let asked = crate::effects::asked(0);
    let filter = subject::family(&Tenant::default(), mission(), Writer::Agent);
    append_event(&agent, &asked, &[], &Guard { filter, last: 0 }).await.unwrap();
    let (worker, stop) = (Arc::new(Worker::default()), CancellationToken::new());
    let instances = [connect("capability").await, connect("capability").await].map(|log| {
        let (worker, stop) = (Arc::clone(&worker), stop.clone());
        tokio::spawn(nats::effect::run(Arc::new(log) as Arc<dyn Log>, worker, "test0001".into(), stop))
    });
    let filter = subject::answers(&Tenant::default(), mission(), Writer::Capability, "plugin", Writer::Agent, asked.id);
    let answered = async {
        while agent.last(&filter).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, answered).await.expect("the request is answered");
    let other = Event {
        id: EventId::of_word(mission(), Writer::Capability, "plugin.failed", "other", 0),
        time: Time(2),
        writer: Writer::Capability,
        tail: Tail::Answer { requester: Writer::Agent, request: asked.id },
        fact: nats::effect::Effect::failed(worker.as_ref(), &asked, Class::Lost, "late".into()),
        ..asked
    };
    let refused = append_event(&capability, &other, &[], &Guard { filter: filter.clone(), last: 0 }).await;
    assert_eq!(refused, Err(AppendError::Conflict), "failed after completed: the first stands");
    assert_eq!(agent.load(&filter, 0).await.unwrap().len(), 1);
    stop.cancel();
    for instance in instances {
        instance.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_02_executed_at_least_once_rarely_twice() {
    for looked_up in [true, false] {
        let rules = Rules { looked_up, ..Rules::default() };
        // It comes again while it runs; then the server forgets that it was acknowledged.
        let log = scripted(&[(Op::Delivery, 1, Kind::Duplicate(0)), (Op::Delivery, 3, Kind::FallBack(0))]);
        let worker = Arc::new(Worker { seconds: 1, rules, ..Worker::default() });
        let first = request(&log, 0).await;
        let running = lives(&log, &worker, 20);
        let later = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            request(&log, 1).await
        };
        let (second, ()) = tokio::join!(later, running);
        assert_eq!(begun(&worker, first) == 1, looked_up, "begun {} times", begun(&worker, first));
        assert!(begun(&worker, second) >= 1);
    }
    // Whoever dies at it, another does it: at least once.
    let log = scripted(&[(Op::Append, 1, Kind::Crash)]);
    let worker = Arc::new(Worker { seconds: 1, ..Worker::default() });
    let asked = request(&log, 0).await;
    lives(&log, &worker, 20).await;
    assert_eq!((begun(&worker, asked), answers(&log)[&asked].len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn rule_03_nothing_is_taken_that_cant_be_started_now() {
    let log = log(1, Trouble::default());
    let (first, second, stop) = (
        Arc::new(Worker { seconds: 30, ..Worker::default() }),
        Arc::new(Worker { seconds: 30, ..Worker::default() }),
        CancellationToken::new(),
    );
    let one = start(&log, &first, &stop);
    let mut asked = Vec::new();
    for n in 0..6 {
        asked.push(request(&log, n).await);
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(first.begun.lock().unwrap().len(), 4, "as many as it has places");
    let two = start(&log, &second, &stop);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(second.begun.lock().unwrap().len(), 2, "what the first had no place for is free");
    tokio::time::sleep(Duration::from_secs(60)).await;
    for id in asked {
        let times = begun(&first, id) + begun(&second, id);
        assert_eq!((times, answers(&log)[&id].len()), (1, 1), "signs of life keep what takes long");
    }
    stop.cancel();
    one.await.unwrap();
    two.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rule_03_nothing_is_taken_that_cant_be_started_now_and_what_always_kills_is_lost() {
    let log = scripted(&[1, 2, 3, 4, 5].map(|at| (Op::Append, at, Kind::Crash)));
    let worker = Arc::new(Worker { seconds: 1, ..Worker::default() });
    let asked = request(&log, 0).await;
    lives(&log, &worker, 60).await;
    let [Fact::PluginFailed(failed)] = &answers(&log)[&asked][..] else { panic!("{:?}", answers(&log)) };
    assert_eq!(failed.class, Class::Lost);
    assert_eq!(begun(&worker, asked), 5, "the sixth time it is answered, not done");
}

#[tokio::test(start_paused = true)]
async fn rule_04_wanted_nothing_starts_in_a_pause_and_what_runs_may_finish() {
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
    assert_eq!(begun(&worker, queued), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_04_wanted_what_runs_is_stopped_when_its_step_is_called_off_or_the_mission_aborted() {
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
async fn rule_05_bytes_before_words() {
    let blob = Blob::new(Form::Text, "text/plain", vec![b'x'; 200_000]);
    let reference = blob.reference.clone();
    // It dies between the bytes and the word.
    let log = scripted(&[(Op::Append, 1, Kind::Crash)]);
    let worker = Arc::new(Worker { blob: Some(blob), ..Worker::default() });
    let asked = request(&log, 0).await;
    let there = async |log: &Memory| log.get(&Tenant::default(), &reference.sha256, reference.size).await.is_ok();
    assert!(!there(&log).await);
    lives(&log, &worker, 2).await;
    assert!(there(&log).await, "the bytes are there");
    assert!(answers(&log).is_empty(), "the answer that names them is not");
    lives(&log, &worker, 20).await;
    assert_eq!(answers(&log)[&asked].len(), 1);
}
