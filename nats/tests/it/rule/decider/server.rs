//! Those that a real server holds.

use crate::{
    echo::{Echo, mission, said},
    fixture::Server,
};
use nats::{
    decider::{self, Options},
    jetstream::JetStream,
    log::{AppendError, Guard, Log},
};
use schemas::{Event, Fact, Tenant, Writer};
use std::{sync::Arc, time::Duration};
use streams::{
    record::{Decoded, Record},
    subject,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than any of this takes on a slow machine; nothing is measured.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn rule_02_one_filter_and_what_a_decider_does_not_fold_it_skips_itself() {
    let server = Server::start().await;
    for (user, consumer) in [("control", "mission-control"), ("agent", "agent-steps")] {
        let info = server.user(user).await.ask(&format!("$JS.API.CONSUMER.INFO.MISSIONS.{consumer}"), "").await;
        let info: serde_json::Value = serde_json::from_slice(&info.unwrap().payload).unwrap();
        assert_eq!(info["config"]["filter_subject"], "stage7.mission.>", "{consumer}");
        assert!(info["config"]["filter_subjects"].is_null(), "{consumer}: a second filter");
    }
    // Words that Echo doesn't fold, and one that it does: all are acknowledged.
    let control = server.user("control").await;
    for n in 0..50 {
        control.append("stage7.mission.default.0.m1.control.plan.noted", &n.to_string()).await.unwrap();
    }
    let log = Arc::new(JetStream::new(server.managed.connect("agent").await.unwrap()));
    say_there(&door(&server).await, "hello").await;
    let stop = CancellationToken::new();
    let task = tokio::spawn(decider::run::<Echo>(log, Options::new("test0001"), stop.clone()));
    let librarian = server.user("librarian").await;
    let drained = async {
        loop {
            // A busy machine may take longer to answer than is waited for: then it is asked again.
            let info = librarian.ask("$JS.API.CONSUMER.INFO.MISSIONS.agent-steps", "").await;
            let info = info.map_or_else(Default::default, |info| info.payload);
            let info: serde_json::Value = serde_json::from_slice(&info).unwrap_or_default();
            if info["ack_floor"]["stream_seq"] == 52 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, drained).await.expect("51 words of others and one of its own are acknowledged");
    stop.cancel();
    task.await.unwrap().unwrap();
}

async fn door(server: &Server) -> JetStream {
    JetStream::new(server.managed.connect("door").await.unwrap())
}

/// A person's line on a real server.
async fn say_there(log: &JetStream, text: &str) {
    let filter = subject::family(&Tenant::default(), mission(1), Writer::User);
    let last = log.last(&filter).await.unwrap().map_or(0, |record| record.seq);
    log.append(&Record::encode(&said(mission(1), text)), &Guard { filter, last }).await.unwrap();
}

/// Waits for so many answers on a real server: text and worker version of each.
async fn answers_there(log: &JetStream, count: usize) -> Vec<(String, String)> {
    let filter = subject::family(&Tenant::default(), mission(1), Writer::Agent);
    let all = async {
        loop {
            let records = log.load(&filter, 0).await.unwrap();
            if records.len() >= count {
                return records;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let records = timeout(PATIENCE, all).await.expect("the answers come");
    let answer = |record: &Record| match record.decode() {
        Ok(Decoded::Event(Event { fact: Fact::MessageSaid(said), worker_version, .. })) => (said.text, worker_version),
        other => panic!("{other:?}"),
    };
    records.iter().map(answer).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_03_one_hand_works_and_the_other_goes_on_when_it_is_gone() {
    let server = Server::start().await;
    let info = server.user("agent").await.ask("$JS.API.CONSUMER.INFO.MISSIONS.agent-steps", "").await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
    assert_eq!(info["config"]["priority_policy"], "pinned_client");
    assert_eq!(
        (&info["config"]["priority_timeout"], &info["config"]["max_deliver"]),
        (&3_000_000_000_u64.into(), &(-1).into())
    );
    let (people, agent) = (door(&server).await, || server.managed.connect("agent"));
    let start = |version: &'static str, log: JetStream| {
        tokio::spawn(decider::run::<Echo>(Arc::new(log), Options::new(version), CancellationToken::new()))
    };
    let first = start("inst0001", JetStream::new(agent().await.unwrap()));
    say_there(&people, "line 00").await;
    answers_there(&people, 1).await;
    let second = start("inst0002", JetStream::new(agent().await.unwrap()));
    for n in 1..20 {
        say_there(&people, &format!("line {n:02}")).await;
    }
    let by_first = answers_there(&people, 20).await;
    assert!(by_first.iter().all(|(_, version)| version == "inst0001"), "the other stands by: {by_first:?}");
    first.abort();
    for n in 20..25 {
        say_there(&people, &format!("line {n:02}")).await;
    }
    let all = answers_there(&people, 25).await;
    assert!(all[20..].iter().all(|(_, version)| version == "inst0002"), "{all:?}");
    let texts: Vec<_> = all.into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, (0..25).map(|n| format!("line {n:02}")).collect::<Vec<_>>(), "each once, in order");
    second.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_06_guarded_appends_one_after_another_are_held_by_the_server() {
    let server = Server::start().await;
    let log = JetStream::new(server.managed.connect("agent").await.unwrap());
    let filter = subject::family(&Tenant::default(), mission(1), Writer::Agent);
    let word = |text: &str| Record::encode(&Event { writer: Writer::Agent, ..said(mission(1), text) });
    let first = log.append(&word("one"), &Guard { filter: filter.clone(), last: 0 }).await.unwrap();
    for last in [0, first + 1] {
        let refused = log.append(&word("two"), &Guard { filter: filter.clone(), last }).await;
        assert_eq!(refused, Err(AppendError::Conflict), "after {last}");
    }
    log.append(&word("two"), &Guard { filter, last: first }).await.unwrap();
}
