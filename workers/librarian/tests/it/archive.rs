//! Ended missions leave the log, whatever an earlier hand has left half done.

use crate::fixture::{Server, mission};
use nats::{
    archive,
    jetstream::JetStream,
    log::{Guard, Log},
    registry::publish,
};
use schemas::{
    Event, EventId, Fact, MissionId, Tenant, Value, Writer,
    control::{MissionCompleted, MissionPausing},
    fact::Tail,
    librarian::MissionArchiving,
    user::MessageSaid,
};
use serde_json::json;
use std::time::{Duration, Instant};
use streams::{
    archive::{Archived, KIND, key},
    record::Record,
    subject,
};

const SOON: Option<Duration> = Some(Duration::ZERO);

impl Server {
    /// A mission that has ended, of three events.
    async fn ended(&self, n: u128) -> MissionId {
        let id = self.mission("default", n, &format!("goal {n}")).await;
        self.say("default", id, MissionPausing {}.into()).await;
        self.say("default", id, completed()).await;
        id
    }

    /// Both deciders acknowledge all that there is.
    async fn heard(&self) {
        let end = self.librarian_log().await.last("stage7.mission.>").await.unwrap().unwrap().seq;
        for (user, consumer) in [("control", "mission-control"), ("agent", "agent-steps")] {
            let log = JetStream::new(self.managed.connect(user).await.unwrap());
            let mut deliveries = log.follow(consumer).await.unwrap();
            let until = Instant::now() + Duration::from_secs(20);
            loop {
                assert!(Instant::now() < until, "{consumer} gets nothing");
                let Some(delivery) = deliveries.next().await.unwrap() else { continue };
                deliveries.ack_through(&delivery.ack).await.unwrap();
                if delivery.seq >= end {
                    break;
                }
            }
            deliveries.unpin().await.unwrap();
        }
    }

    async fn librarian_log(&self) -> JetStream {
        JetStream::new(self.managed.connect("librarian").await.unwrap())
    }

    /// A word by another writer, unguarded by what came before.
    async fn append(&self, user: &str, id: MissionId, fact: impl Into<Fact>) -> u64 {
        let (log, fact) = (JetStream::new(self.managed.connect(user).await.unwrap()), fact.into());
        let writer: Writer = if user == "door" { Writer::User } else { user.parse().unwrap() };
        let tenant = Tenant::default();
        let filter = subject::family(&tenant, id, writer);
        let last = log.last(&filter).await.unwrap().map_or(0, |record| record.seq);
        let event = Event {
            seq: 0,
            id: EventId::of_word(id, writer, fact.kind(), user, last as u32),
            time: log.now(),
            tenant,
            mission: id,
            writer,
            tail: Tail::Bare,
            fact,
            causation: None,
            basis: None,
            part: None,
            worker_version: "test0001".into(),
            traceparent: None,
            authid: None,
        };
        log.append(&Record::encode(&event), &Guard { filter, last }).await.unwrap()
    }

    async fn records(&self, id: MissionId) -> Vec<Record> {
        self.control.load(&subject::mission(&Tenant::default(), id), 0).await.unwrap()
    }

    async fn until_gone(&self, missions: &[MissionId]) {
        let until = Instant::now() + Duration::from_secs(60);
        for id in missions {
            loop {
                let left = self.records(*id).await;
                if left.is_empty() {
                    break;
                }
                assert!(Instant::now() < until, "of {id} there is still {left:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// The rows of a list once all of them are archived.
    async fn archived(&self, wanted: usize) -> Vec<Value> {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let mut page = self.ask("default", json!({"list": {"limit": 500}})).await;
            let Value::Array(rows) = page["missions"].take() else { panic!("{page}") };
            if rows.len() == wanted && rows.iter().all(|row| row["archived"].is_i64() || row["archived"].is_string()) {
                return rows;
            }
            assert!(Instant::now() < until, "{rows:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The archive's word about a mission, and the events it holds.
    async fn tombstone(&self, id: MissionId) -> (Archived, Vec<Record>) {
        let log = self.librarian_log().await;
        let word = archive::find(&log, &Tenant::default(), id).await.unwrap().expect("a word about it");
        let records = archive::records(&log, &word).await.unwrap();
        (word, records)
    }
}

fn completed() -> Fact {
    Fact::from(MissionCompleted { answer: None })
}

fn decoded(records: &[Record]) -> Vec<streams::record::Decoded> {
    records.iter().map(|record| record.decode().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mission_leaves_the_log_only_when_everybody_has_heard_its_end() {
    let server = Server::start().await;
    let librarian = server.librarian_that_archives("a", SOON).await;
    let (ended, runs) = (server.ended(1).await, server.mission("default", 2, "goes on").await);
    server.listed("default", 2).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = server.records(ended).await;
    assert_eq!(before.len(), 3, "the deciders have acknowledged nothing");
    server.heard().await;
    server.until_gone(&[ended]).await;
    let (word, records) = server.tombstone(ended).await;
    assert_eq!(decoded(&records), decoded(&before), "what is archived is what was said");
    assert_eq!((word.events, word.last, word.imported), (3, before[2].seq, false));
    assert_eq!(word.goal_event.id, "1");
    assert_eq!(server.records(runs).await.len(), 1, "a mission that has not ended stays");
    librarian.stop().await;

    // Rows made anew have it from the archive.
    std::fs::remove_file(server.rows("a").join(librarian::FILE)).unwrap();
    let librarian = server.librarian_that_archives("a", None).await;
    server.listed("default", 2).await;
    let list = server.ask("default", json!({"list": {"status": "completed"}})).await;
    let row = &list["missions"][0];
    assert_eq!((&row["id"], &row["goal"]), (&json!(ended.to_string()), &json!("goal 1")));
    assert!(!row["archived"].is_null() && row["imported"].is_null(), "{row}");
    assert_eq!(server.goals("default", json!({"search": {"text": "goal"}})).await, ["goal 1"]);
    librarian.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_librarian_left_is_finished_at_the_next_start() {
    let server = Server::start().await;
    let log = server.librarian_log().await;
    let tenant = Tenant::default();
    let mut missions = Vec::new();
    // How far the hand before got: fenced; with its word; with its beginning gone; with only the
    // fence left; and one for which an import ended before its word.
    for n in 1..=5_u128 {
        let id = if n < 5 { server.ended(n).await } else { mission(n) };
        let body = server.records(id).await;
        let fence = server.append("librarian", id, MissionArchiving {}).await;
        if n > 1 && n < 5 {
            let packed = archive::store(&log, &tenant, id, &body).await.unwrap();
            let Fact::MissionCreated(created) = packed.created.fact else { panic!("no beginning") };
            let word = Archived {
                tenant: tenant.clone(),
                mission: id,
                archive: packed.archive,
                events: packed.events,
                last: packed.last,
                at: log.now(),
                imported: false,
                goal_event: created.goal_event,
                fence,
            };
            publish(&log, Writer::Librarian, KIND, Some(&key(&tenant, id)), &word).await.unwrap();
        }
        let gone = [0, 0, 0, 1, 3, 0][n as usize];
        for record in &body[..gone] {
            log.delete("MISSIONS", record.seq).await.unwrap();
        }
        missions.push((id, body));
    }
    let librarian = server.librarian_that_archives("a", None).await;
    let ids: Vec<MissionId> = missions.iter().map(|(id, _)| *id).collect();
    server.until_gone(&ids).await;
    server.archived(4).await;
    for (id, body) in &missions[..4] {
        assert_eq!(decoded(&server.tombstone(*id).await.1), decoded(body), "{id}");
    }
    assert!(archive::find(&log, &tenant, missions[4].0).await.unwrap().is_none(), "nothing is imported by halves");
    librarian.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_while_a_mission_is_read_keeps_it_in_the_log() {
    let server = Server::start().await;
    let id = server.ended(1).await;
    server.heard().await;
    // Said after everybody had heard: nobody has acknowledged this.
    let said = server.append("door", id, MessageSaid { text: "wait".into(), step: None, agent: None }).await;
    let librarian = server.librarian_that_archives("a", SOON).await;
    server.listed("default", 1).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(server.records(id).await.last().unwrap().seq, said, "the last word is the person's, no fence");
    server.heard().await;
    server.until_gone(&[id]).await;
    assert_eq!(server.tombstone(id).await.1.last().unwrap().seq, said, "it is archived with the rest");

    // Whoever speaks later speaks of a mission that is not there: what is said is cleared away.
    server.append("control", id, completed()).await;
    server.until_gone(&[id]).await;
    assert_eq!(server.tombstone(id).await.0.events, 4);
    librarian.stop().await;
}
