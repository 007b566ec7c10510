//! What a decider can't process: its mission alone suffers, and no longer than it must.

use crate::echo::{Echo, mission, said};
use nats::{
    decider::{self, Options},
    log::{Guard, Log},
    memory::{Memory, Trouble},
};
use schemas::{Event, EventId, Fact, MissionId, Tenant, Writer, decider::Retried, value::sha256};
use std::{sync::Arc, time::Duration};
use streams::{
    decide::Decider,
    record::{Dataref, Decoded, Record},
    subject,
};
use tokio_util::sync::CancellationToken;

async fn append(log: &Memory, record: &Record, writer: Writer, mission: MissionId) {
    let filter = subject::family(&Tenant::default(), mission, writer);
    let last = log.last(&filter).await.unwrap().map_or(0, |record| record.seq);
    log.append(record, &Guard { filter, last }).await.unwrap();
}

async fn say(log: &Memory, event: Event) {
    append(log, &Record::encode(&event), event.writer, event.mission).await;
}

/// A line whose bytes lie elsewhere, and the bytes.
fn elsewhere(mission: MissionId, text: &str) -> (Record, Vec<u8>) {
    let mut record = Record::encode(&said(mission, text));
    let bytes = record.payload.to_vec();
    let dataref = Dataref { sha256: sha256(&bytes), size: bytes.len() as u64 };
    record.headers.push(("ce-dataref".into(), dataref.to_urn()));
    record.payload = Default::default();
    (record, bytes)
}

fn retried(mission: MissionId) -> Event {
    let fact = Fact::from(Retried { decider: Writer::Agent });
    Event { id: EventId::of_word(mission, Writer::User, fact.kind(), "", 0), fact, ..said(mission, "") }
}

/// Runs the decider for some (virtual) seconds.
async fn run(log: &Memory, version: &str) {
    let stop = CancellationToken::new();
    let task = tokio::spawn(decider::run::<Echo>(Arc::new(log.clone()), Options::new(version), stop.clone()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    stop.cancel();
    task.await.expect("no panic gets out").expect("ends well");
    assert_eq!(log.floor(Echo::NAME), log.records().len() as u64, "nothing is held up");
}

fn answers(log: &Memory, mission: MissionId) -> Vec<String> {
    let mine = log.records().into_iter().filter_map(|record| match record.decode() {
        Ok(Decoded::Event(Event { writer: Writer::Agent, mission: of, fact: Fact::MessageSaid(said), .. })) => {
            (of == mission).then_some(said.text)
        }
        _ => None,
    });
    mine.collect()
}

fn stuck(log: &Memory) -> usize {
    log.records().iter().filter(|record| record.subject.ends_with("agent.decider.stuck")).count()
}

#[tokio::test(start_paused = true)]
async fn an_own_subject_with_a_wrong_end_holds_up_no_append() {
    let log = Memory::new(1, Trouble::default(), 100);
    say(&log, said(mission(1), "one")).await;
    run(&log, "test0001").await;
    let mut odd = log.records().pop().unwrap();
    odd.subject.push_str(".odd");
    append(&log, &odd, Writer::Agent, mission(1)).await;
    say(&log, said(mission(1), "two")).await;
    run(&log, "test0001").await;
    assert_eq!(answers(&log, mission(1)), ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn missing_bytes_stop_their_mission_once_and_a_retry_goes_on_when_they_are_back() {
    let log = Memory::new(2, Trouble::default(), 100);
    let (line, bytes) = elsewhere(mission(1), "far away");
    append(&log, &line, Writer::User, mission(1)).await;
    say(&log, said(mission(2), "near")).await;
    run(&log, "test0001").await;
    assert_eq!((stuck(&log), answers(&log, mission(2))), (1, vec!["near".to_string()]));
    // More of the mission comes, under the same version and after a restart: it is left alone.
    say(&log, said(mission(1), "also")).await;
    run(&log, "test0001").await;
    assert_eq!(stuck(&log), 1, "said once, not at every start");
    // Another version tries, and finds nothing better.
    run(&log, "test0002").await;
    assert_eq!(stuck(&log), 2);
    log.put(&Tenant::default(), &sha256(&bytes), &bytes).await.unwrap();
    run(&log, "test0002").await;
    assert!(answers(&log, mission(1)).is_empty(), "nobody has asked for another try");
    say(&log, retried(mission(1))).await;
    run(&log, "test0002").await;
    assert_eq!((answers(&log, mission(1)), stuck(&log)), (vec!["also".to_string(), "far away".to_string()], 2));
}
