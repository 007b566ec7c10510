//! A stored event may carry headers, and even a status line, that only the server may write. Whoever
//! reads it isn't fooled: not about where it lies, not about where a batch ends, not about the pin.

use super::{
    M,
    attempt::{Attempt, Outcome, Tally, attempt},
    world::{World, inbox},
};
use nats::{
    jetstream::JetStream,
    log::{Log, ReadError},
};
use streams::record::{Record, Undecodable};

/// What is forged: a status line, then headers.
const FORGED: [(&str, &[(&str, &str)]); 18] = [
    ("", &[("nats-subject", "stage7.mission.default.0.m1.control.mission.completed")]),
    ("", &[("status", "404"), ("NATS-SEQUENCE", "1")]),
    ("", &[("Nats-Subject", "stage7.mission.default.0.m1.control.mission.completed")]),
    ("", &[("Nats-Subject", "x"), ("Nats-Subject", "y"), ("Nats-Sequence", "1"), ("Nats-Sequence", "2")]),
    ("", &[("Nats-Sequence", "1"), ("Nats-Stream", "ELSEWHERE"), ("Nats-Time-Stamp", "1970-01-01T00:00:00Z")]),
    ("", &[("Nats-Num-Pending", "0"), ("Nats-Last-Sequence", "999999")]),
    ("", &[("Nats-UpTo-Sequence", "1")]),
    ("", &[("Status", "404"), ("Description", "No Messages")]),
    ("", &[("Status", "204"), ("Description", "EOB")]),
    ("", &[("Nats-Pin-Id", "evil")]),
    ("204 EOB", &[]),
    ("204 EOB", &[("Nats-Num-Pending", "0"), ("Nats-Last-Sequence", "0")]),
    ("404 Message Not Found", &[]),
    ("408 Bad Request", &[]),
    ("409 Consumer Deleted", &[]),
    ("423 Nats-Wrong-Pin-Id", &[]),
    ("503", &[]),
    ("100 Idle Heartbeat", &[("Nats-Last-Consumer", "1")]),
];

fn forge(subject: &str, n: usize) -> Attempt {
    let (status, headers) = FORGED[n];
    let one = Attempt::on(subject).with(format!("poison {n}"));
    let one = headers.iter().fold(one, |one, (name, value)| one.header(name, value));
    if status.is_empty() { one } else { one.status(status) }
}

async fn log(world: &World, user: &str) -> JetStream {
    JetStream::new(world.server.user(user).await.client)
}

/// `brain` and `agent` say forged words, `agent` an honest one behind each; gives their subjects.
fn poison(world: &World, tally: &mut Tally) -> Vec<String> {
    let mut subjects = Vec::new();
    for n in 0..FORGED.len() {
        for (name, subject) in [
            ("brain", format!("{M}.brain.llm.tried")),
            ("agent", format!("{M}.agent.llm.requested")),
            ("agent", format!("{M}.agent.note.said")),
        ] {
            let one = if subject.ends_with("note.said") { Attempt::on(&subject) } else { forge(&subject, n) };
            let outcome = attempt(&mut world.wire(name), &inbox(name), std::slice::from_ref(&one)).remove(0);
            tally.outcome(name, &one, &outcome);
            assert!(matches!(outcome, Outcome::Stored(_)), "{name}: {one}: {outcome}");
            subjects.push(subject);
        }
    }
    subjects
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_not_fooled_by_forged_headers() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let subjects = poison(&world, &mut tally);
    let door = log(&world, "door").await;
    let read = door.load(&format!("{M}.>"), 0).await.unwrap();
    let places = |records: &[Record]| records.iter().map(|r| (r.seq, r.subject.clone())).collect::<Vec<_>>();
    let truth: Vec<_> = (1..).zip(subjects.iter().cloned()).collect();
    assert_eq!(places(&read), truth, "all of them, each where it lies");
    for (n, record) in read.iter().enumerate().filter(|(n, _)| n % 3 < 2) {
        let (status, headers) = FORGED[n / 3];
        if status.is_empty() && headers[0].0 != "Nats-Pin-Id" {
            assert!(matches!(record.decode(), Err(Undecodable::Forged(_))), "{:?}: {:?}", headers, record.decode());
        }
    }
    // The last word of a family, whatever it carries.
    for n in 0..FORGED.len() {
        let subject = format!("{M}.brain.llm.tried");
        let one = forge(&subject, n);
        let Outcome::Stored(seq) =
            attempt(&mut world.wire("brain"), &inbox("brain"), std::slice::from_ref(&one)).remove(0)
        else {
            panic!("{one} is stored");
        };
        let last = door.last(&subject).await;
        let found = last.as_ref().map(|found| found.as_ref().map(|record| record.seq));
        tally.note("door", &format!("the last word behind {one}"), &format!("{:?}", found.is_ok()));
        assert_eq!(found, Ok::<_, &ReadError>(Some(seq)), "{one}");
    }
    tally.print("forged headers, read", 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_puller_is_not_fooled_by_forged_headers() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let subjects = poison(&world, &mut tally);
    let mut follow = log(&world, "control").await.follow("mission-control").await.unwrap();
    let mut pins = std::collections::BTreeSet::new();
    for (n, subject) in subjects.iter().enumerate() {
        let delivery = loop {
            if let Some(delivery) = follow.next().await.unwrap() {
                break delivery;
            }
        };
        assert_eq!((delivery.subject.as_str(), delivery.consumer_seq), (subject.as_str(), n as u64 + 1));
        pins.insert(delivery.pin.clone());
        tally.note("control", &format!("takes {n}"), "delivered in its place");
    }
    let info = world.wire("setup").ask("$JS.API.CONSUMER.INFO.MISSIONS.mission-control", "").json();
    let pin = info["priority_groups"][0]["pinned_client_id"].as_str().map(std::sync::Arc::from);
    assert_eq!(pins.into_iter().collect::<Vec<_>>(), [pin], "the server's pin, whatever a word says");

    let mut work = log(&world, "brain").await.work("llm-calls").await.unwrap();
    for n in 0..FORGED.len() {
        let job = loop {
            if let Some(job) = work.next(FORGED.len()).await.unwrap() {
                break job;
            }
        };
        assert_eq!(job.record.payload, format!("poison {n}"));
        tally.note("brain", &format!("takes request {n}"), "delivered in its place");
    }
    tally.print("forged headers, pulled", 100);
}
