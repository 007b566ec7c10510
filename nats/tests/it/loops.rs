//! The decider loop, over a log that does on purpose what a real one was seen to do.

use crate::echo::{Echo, mission, said};
use nats::{
    decider::{self, Options},
    log::{Guard, Log},
    memory::{Memory, Trouble},
};
use schemas::{Event, Fact, MissionId, Tenant, Writer};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use streams::{
    decide::Decider,
    record::{Decoded, Record},
    subject,
};
use tokio_util::sync::CancellationToken;

/// A person's line gets into the log, whatever the log does.
async fn say(log: &Memory, mission: MissionId, text: &str) {
    let event = said(mission, text);
    let filter = subject::family(&Tenant::default(), mission, Writer::User);
    loop {
        let own: Vec<Record> =
            log.records().into_iter().filter(|r| nats::memory::matches(&filter, &r.subject)).collect();
        if own.iter().any(|record| record.header("ce-id") == Some(event.id.to_string().as_str())) {
            return;
        }
        let last = own.last().map_or(0, |record| record.seq);
        let _ = decider::append_event(log, &event, &[], &Guard { filter: filter.clone(), last }).await;
    }
}

/// What the agents said, by mission, in the order of the log.
async fn answers(log: &Memory) -> BTreeMap<MissionId, Vec<String>> {
    let mut all: BTreeMap<MissionId, Vec<String>> = BTreeMap::new();
    for mut record in log.records() {
        decider::attach(log, &mut record, &Tenant::default()).await.unwrap();
        if let Ok(Decoded::Event(Event { writer: Writer::Agent, fact: Fact::MessageSaid(said), mission, .. })) =
            record.decode()
        {
            all.entry(mission).or_default().push(said.text);
        }
    }
    all
}

/// Every third line is too long for an event: its data lies elsewhere.
fn line(n: usize) -> String {
    if n % 3 == 1 { format!("line {n} {}", "long ".repeat(15_000)) } else { format!("line {n}") }
}

/// Runs `instances` of the decider while people say `lines` in each of `missions`; gives the log
/// when every line is answered and acknowledged.
async fn run(
    seed: u64,
    trouble: Trouble,
    missions: u128,
    lines: usize,
    instances: usize,
    max_ack_pending: u64,
) -> Memory {
    let log = Memory::new(seed, trouble, max_ack_pending);
    let stop = CancellationToken::new();
    let mut tasks = Vec::new();
    let options = Options { patience: (max_ack_pending / 2) as usize, ..Options::new("test0001") };
    for _ in 0..instances {
        let (log, options, stop) = (Arc::new(log.clone()) as Arc<dyn Log>, options.clone(), stop.clone());
        tasks.push(tokio::spawn(decider::run::<Echo>(log, options, stop)));
    }
    for nth in 0..lines {
        for n in 0..missions {
            say(&log, mission(n), &line(nth)).await;
        }
    }
    log.calm();
    let wanted = (missions as usize) * lines;
    for _ in 0..2_000 {
        let done = answers(&log).await.values().map(Vec::len).sum::<usize>() >= wanted;
        if done && log.floor(Echo::NAME) == log.records().len() as u64 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    for task in tasks {
        task.await.expect("the loop does not panic").expect("the loop ends well");
    }
    log
}

async fn assert_each_line_is_answered_once(log: &Memory, missions: u128, lines: usize, context: &str) {
    let answers = answers(log).await;
    for n in 0..missions {
        let mut got = answers.get(&mission(n)).cloned().unwrap_or_default();
        got.sort();
        let mut wanted: Vec<String> = (0..lines).map(line).collect();
        wanted.sort();
        assert_eq!(got, wanted, "{context}: mission {n}");
    }
    assert_eq!(log.floor(Echo::NAME), log.records().len() as u64, "{context}: everything is acknowledged");
}

#[tokio::test(start_paused = true)]
async fn every_line_is_answered_once_whatever_the_log_does() {
    let all = Trouble { lost_answer: 9, duplicate: 7, hole: 11, new_pin: 23, stale_read: 5, forgotten_acks: 13 };
    for seed in 0..300 {
        let instances = 1 + (seed % 2) as usize;
        let log = run(seed, all, 3, 4, instances, 1_000).await;
        assert_each_line_is_answered_once(&log, 3, 4, &format!("seed {seed}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_drains_though_own_words_come_behind_it() {
    let log = run(1, Trouble::default(), 40, 12, 1, 20).await;
    assert_each_line_is_answered_once(&log, 40, 12, "a small max_ack_pending").await;
}

#[tokio::test(start_paused = true)]
async fn a_mission_that_kills_the_decider_leaves_the_others_alone() {
    let log = Memory::new(5, Trouble::default(), 100);
    say(&log, mission(1), "poison").await;
    say(&log, mission(1), "after").await;
    say(&log, mission(2), "hello").await;
    let stop = CancellationToken::new();
    let task = tokio::spawn(decider::run::<Echo>(Arc::new(log.clone()), Options::new("test0001"), stop.clone()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    stop.cancel();
    task.await.expect("no panic gets out").expect("ends well");
    assert_eq!(answers(&log).await, BTreeMap::from([(mission(2), vec!["hello".to_string()])]));
    let stuck: Vec<_> = log.records().into_iter().filter(|r| r.subject.ends_with("agent.decider.stuck")).collect();
    assert_eq!(stuck.len(), 1, "said once, not at each delivery");
    assert_eq!(log.floor(Echo::NAME), log.records().len() as u64, "a stuck mission holds nothing up");
}
