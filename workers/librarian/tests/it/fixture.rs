//! A server of its own for each test, missions in its log, and questions to the librarian.

use nats::{
    decider::append_event,
    jetstream::JetStream,
    log::{Guard, Log},
    server::{Managed, Options, Places, find},
    service, setup,
};
use schemas::{Event, EventId, Fact, MissionId, Tenant, Value, Writer, fact::Tail};
use serde_json::json;
use std::{path::PathBuf, time::Duration};
use streams::{record::Record, subject};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub struct Server {
    pub managed: Managed,
    pub control: JetStream,
    door: JetStream,
    dir: TempDir,
}

/// A running librarian.
pub struct Librarian {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), librarian::Error>>,
}

impl Librarian {
    pub async fn stop(self) {
        self.stop.cancel();
        self.end().await.unwrap();
    }
    pub async fn end(self) -> Result<(), librarian::Error> {
        self.task.await.unwrap()
    }
    /// As a kill would: nothing is acknowledged, the pin is not handed over.
    pub fn kill(self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::from_vars(|name| std::env::var_os(name));
        let binary = find(&places, &|line| eprintln!("{line}")).await.unwrap();
        let managed = Managed::start(Options::new(dir.path(), &binary)).await.unwrap();
        setup::ensure(&managed.connect("setup").await.unwrap()).await.unwrap();
        let control = JetStream::new(managed.connect("control").await.unwrap());
        let door = JetStream::new(managed.connect("door").await.unwrap());
        Self { managed, control, door, dir }
    }

    pub fn rows(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub async fn librarian(&self, name: &str) -> Librarian {
        self.librarian_that_archives(name, None).await
    }

    pub async fn librarian_that_archives(&self, name: &str, after: Option<Duration>) -> Librarian {
        let js = JetStream::new(self.managed.connect("librarian").await.unwrap());
        let (stop, dir) = (CancellationToken::new(), self.rows(name));
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { librarian::run(js, &dir, after, "test0001".into(), stop).await }
        });
        Librarian { stop, task }
    }

    pub async fn say(&self, tenant: &str, mission: MissionId, fact: Fact) {
        self.say_as(Writer::Control, tenant, mission, fact).await;
    }

    /// A word of control or of a person.
    pub async fn say_as(&self, writer: Writer, tenant: &str, mission: MissionId, fact: Fact) {
        let log = if writer == Writer::User { &self.door } else { &self.control };
        let tenant: Tenant = tenant.parse().unwrap();
        let filter = subject::family(&tenant, mission, writer);
        let last = log.last(&filter).await.unwrap().map_or(0, |record| record.seq);
        let event = Event {
            seq: 0,
            id: EventId::of_word(mission, writer, fact.kind(), "", last as u32),
            time: log.now(),
            tenant,
            mission,
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
        append_event(log, &event, &[], &Guard { filter, last }).await.unwrap();
    }

    pub async fn mission(&self, tenant: &str, n: u128, goal: &str) -> MissionId {
        let id = mission(n);
        let reference = json!({"stage7:ref": "aa", "type": "json", "size": 1, "media_type": "application/json"});
        let data = json!({"goal": goal, "limits": {}, "catalogue": reference, "goal_event": {"source": "/me", "id": n.to_string()}});
        self.say(tenant, id, Fact::from_bytes("mission.created", data.to_string().as_bytes()).unwrap().unwrap()).await;
        id
    }

    pub async fn ask(&self, tenant: &str, question: Value) -> Value {
        let body = question.to_string().into();
        let answer =
            service::ask(&self.door, &format!("stage7.query.{tenant}"), body, Duration::from_secs(15)).await.unwrap();
        serde_json::from_slice(&answer).unwrap()
    }

    /// Appends a record as it is, in the family of control.
    pub async fn forge(&self, mission: MissionId, record: &Record) -> u64 {
        let filter = subject::family(&Tenant::default(), mission, Writer::Control);
        let last = self.control.last(&filter).await.unwrap().map_or(0, |record| record.seq);
        self.control.append(record, &Guard { filter, last }).await.unwrap()
    }

    /// Waits until a question is answered so that `holds`.
    pub async fn until(&self, question: Value, holds: impl Fn(&Value) -> bool) -> Value {
        let mut answer = Value::Null;
        for _ in 0..1_200 {
            answer = self.ask("default", question.clone()).await;
            if holds(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{question}: {answer:#}");
    }

    /// The goals that a question finds.
    pub async fn goals(&self, tenant: &str, question: Value) -> Vec<String> {
        goals(&self.ask(tenant, question).await)
    }

    /// Waits until the list has so many missions; gives how long that took.
    pub async fn listed(&self, tenant: &str, wanted: usize) -> Duration {
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_secs(15) {
            if self.goals(tenant, json!({"list": {"limit": 500}})).await.len() == wanted {
                return begin.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{wanted} missions are not listed");
    }

    /// Waits until all pages together have so many missions; gives how many pages that are.
    pub async fn pages(&self, wanted: usize) -> usize {
        for _ in 0..500 {
            let (mut found, mut pages, mut after) = (0, 0, Value::Null);
            loop {
                let question = if after.is_null() {
                    json!({"list": {"limit": 500}})
                } else {
                    json!({"list": {"limit": 500, "after": after}})
                };
                let page = self.ask("default", question).await;
                found += goals(&page).len();
                pages += 1;
                after = page["next"].clone();
                if after.is_null() {
                    break;
                }
            }
            if found == wanted {
                return pages;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{wanted} missions are not listed");
    }
}

pub fn mission(n: u128) -> MissionId {
    MissionId(Uuid::from_u128(n))
}

pub fn goals(page: &Value) -> Vec<String> {
    page["missions"]
        .as_array()
        .unwrap_or_else(|| panic!("{page}"))
        .iter()
        .map(|one| one["goal"].as_str().unwrap().to_string())
        .collect()
}
