//! The decider loop on a real server: a long backlog, and connections that are cut.

use crate::{
    echo::{Echo, mission, said},
    fixture::Server,
};
use futures::{StreamExt, stream};
use nats::{
    connect,
    decider::{self, Options},
    jetstream::JetStream,
    log::{Guard, Log},
    setup,
};
use schemas::{Fact, Tenant, Writer};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use streams::{
    record::{Decoded, Record},
    subject,
    topology::{CONSUMERS, STREAMS},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Longer than any of this takes on a slow machine; nothing is measured.
const PATIENCE: Duration = Duration::from_secs(120);

/// People say `lines` lines in each of so many missions.
async fn people_say(server: &Server, missions: u128, lines: usize) {
    let log = JetStream::new(server.managed.connect("door").await.unwrap());
    let (log, tenant) = (&log, Tenant::default());
    stream::iter(0..missions)
        .for_each_concurrent(100, |n| {
            let filter = subject::family(&tenant, mission(n), Writer::User);
            async move {
                let mut last = 0;
                for line in 0..lines {
                    let record = Record::encode(&said(mission(n), &format!("line {line}")));
                    last = log.append(&record, &Guard { filter: filter.clone(), last }).await.unwrap();
                }
            }
        })
        .await;
}

/// Waits until everything is acknowledged, then checks that each line has one answer.
async fn assert_each_line_is_answered_once(server: &Server, missions: u128, lines: usize) {
    let librarian = server.user("librarian").await;
    let drained = async {
        loop {
            // A busy server may not answer in time: the next look will do.
            let Some(info) = librarian.ask("$JS.API.CONSUMER.INFO.MISSIONS.agent-steps", "").await else { continue };
            let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
            if info["num_pending"] == 0 && info["num_ack_pending"] == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, drained).await.expect("the consumer drains");
    let log = JetStream::new(server.managed.connect("door").await.unwrap());
    let mut answers: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for record in log.load("stage7.mission.>", 0).await.unwrap() {
        if let Ok(Decoded::Event(event)) = record.decode()
            && let (Writer::Agent, Fact::MessageSaid(said)) = (event.writer, event.fact)
        {
            answers.entry(event.mission).or_default().push(said.text);
        }
    }
    for n in 0..missions {
        let mut got = answers.remove(&mission(n)).unwrap_or_default();
        got.sort();
        let mut wanted: Vec<String> = (0..lines).map(|line| format!("line {line}")).collect();
        wanted.sort();
        assert_eq!(got, wanted, "mission {n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_triggers_drain_through_a_thousand_places() {
    let server = Server::start().await;
    let mut consumers = CONSUMERS;
    consumers.iter_mut().find(|consumer| consumer.name == "agent-steps").unwrap().max_ack_pending = 1_000;
    setup::ensure_all(&server.managed.connect("setup").await.unwrap(), &STREAMS, &consumers).await.unwrap();
    people_say(&server, 1_000, 20).await;

    let stop = CancellationToken::new();
    let log = Arc::new(JetStream::new(server.managed.connect("agent").await.unwrap()));
    let decider = tokio::spawn(decider::run::<Echo>(log, Options::new("test0001"), stop.clone()));
    assert_each_line_is_answered_once(&server, 1_000, 20).await;
    stop.cancel();
    decider.await.unwrap().unwrap();
}

/// Passes connections on to the server, and cuts all of them whenever told.
async fn fragile_way(to: String, cut: watch::Receiver<u32>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (to, mut cut) = (to.clone(), cut.clone());
            cut.mark_unchanged();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(&to).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    _ = cut.changed() => {}
                }
            });
        }
    });
    format!("nats://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_in_mid_delivery_leaves_no_hole() {
    let server = Server::start().await;
    people_say(&server, 100, 30).await;
    let (cut, cuts) = watch::channel(0);
    let address = server.managed.url().trim_start_matches("nats://").to_string();
    let way = fragile_way(address, cuts).await;

    let stop = CancellationToken::new();
    let seed = server.managed.ring().seed("agent").unwrap().clone();
    let log = Arc::new(JetStream::new(connect::connect(&way, "agent", &seed).await.unwrap()));
    let decider = tokio::spawn(decider::run::<Echo>(log, Options::new("test0001"), stop.clone()));
    for n in 1..=8 {
        tokio::time::sleep(Duration::from_millis(40 + 37 * (n % 4))).await;
        cut.send(n as u32).unwrap();
    }
    assert_each_line_is_answered_once(&server, 100, 30).await;
    stop.cancel();
    decider.await.unwrap().unwrap();
}
