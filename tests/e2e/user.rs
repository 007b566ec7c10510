//! A NATS client with a user's rights and nothing else: what any program can do.

use crate::wait::{LONG, eventually};
use bytes::Bytes;
use futures::StreamExt;
use nats::{
    connect::{Client, connect},
    key::{Seed, TENANT},
};
use schemas::{
    cloudevent,
    value::{media_type, sha256},
};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

const CHUNK: usize = 128 * 1024;
/// Where the tests' events come from.
pub const SOURCE: &str = "/tests/e2e";

pub struct User {
    runtime: Runtime,
    client: Client,
}

/// An event id that no other event of this process has.
pub fn new_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl User {
    pub fn connect(url: &str, seed: &Seed) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(connect(url, TENANT, seed)).unwrap();
        Self { runtime, client }
    }

    pub fn of_file(url: &str, key: &Path) -> Self {
        Self::connect(url, &Seed::read(key).unwrap())
    }

    /// The answer's bytes, once somebody answers.
    pub fn request(&self, subject: &str, payload: impl Into<Bytes>) -> Bytes {
        let payload = payload.into();
        eventually(&format!("an answer on {subject}"), String::new, || {
            let asked = self.client.request(subject.to_string(), payload.clone());
            let asked = self.runtime.block_on(async { tokio::time::timeout(LONG, asked).await });
            asked.expect("in time").ok().map(|message| message.payload)
        })
    }

    pub fn ask(&self, subject: &str, body: &Value) -> Value {
        let answer = self.request(subject, body.to_string());
        serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{subject}: {error}: {answer:?}"))
    }

    /// Asks until the answer is not that nobody can answer now.
    pub fn ask_again(&self, subject: &str, body: &Value) -> Value {
        eventually(&format!("an answer on {subject}"), String::new, || {
            Some(self.ask(subject, body)).filter(|answer| answer["error"]["code"] != "unavailable")
        })
    }

    pub fn read(&self, body: &Value) -> Value {
        self.ask_again("stage7.read.default", body)
    }

    /// The mission as it stands, asked again after so long: what is asked of one that was just killed is lost.
    pub fn state_soon(&self, mission: &str, patience: Duration) -> Value {
        let body = json!({"mission": mission, "state": true}).to_string();
        let answer = eventually("an answer", String::new, || {
            let asked = self.client.request("stage7.read.default", body.clone().into());
            self.runtime.block_on(async { tokio::time::timeout(patience, asked).await }).ok()?.ok()
        });
        serde_json::from_slice(&answer.payload).unwrap()
    }

    /// The mission as it stands; an error while nobody knows it.
    pub fn state(&self, mission: &str) -> Value {
        self.read(&json!({"mission": mission, "state": true}))
    }

    /// Submits a goal.
    #[track_caller]
    pub fn submit(&self, goal: &Value) -> String {
        let event = cloudevent::goal(SOURCE, &new_id(), goal);
        let answer = self.ask_again("stage7.submit.default", &event);
        answer["mission"].as_str().unwrap_or_else(|| panic!("refused: {answer}")).into()
    }

    /// Publishes bytes as a goal; true when the log has them.
    pub fn publish(&self, payload: impl Into<Bytes>) -> bool {
        let answer: Value = serde_json::from_slice(&self.request("stage7.goal.default", payload)).unwrap();
        answer["stream"] == "GOALS" && answer["seq"].as_u64().is_some()
    }

    /// Says a user's word about a mission.
    pub fn say(&self, mission: &str, kind: &str, data: &Value) -> Value {
        self.ask_again(&format!("stage7.user.default.{mission}.{kind}"), data)
    }

    /// Stores a file and gives its reference.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Value {
        let sha256 = sha256(bytes);
        let chunks: Vec<&[u8]> = if bytes.is_empty() { vec![bytes] } else { bytes.chunks(CHUNK).collect() };
        for (n, chunk) in chunks.iter().enumerate() {
            let answer = self.request(&format!("stage7.put.default.{sha256}.{n}"), chunk.to_vec());
            assert!(answer.windows(4).any(|at| at == b"\"ok\""), "{answer:?}");
        }
        json!({"stage7:ref": sha256, "type": "file", "size": bytes.len(), "media_type": media_type(name)})
    }

    /// A file's bytes, by hash and size.
    pub fn get(&self, sha256: &str, size: u64) -> Vec<u8> {
        let mut all = Vec::new();
        for n in 0..size.div_ceil(CHUNK as u64).max(1) {
            all.extend_from_slice(&self.request(&format!("stage7.get.default.{sha256}.{n}"), Bytes::new()));
        }
        assert_eq!(all.len() as u64, size);
        all
    }

    /// The bytes of a deliverable as `state` has it.
    pub fn deliverable(&self, state: &Value, name: &str) -> Vec<u8> {
        let all = state["deliverables"].as_array().unwrap();
        let its = all.iter().find(|its| its["name"] == name).unwrap_or_else(|| panic!("no {name} among {all:?}"));
        self.get(its["sha256"].as_str().unwrap(), its["size"].as_u64().unwrap())
    }

    /// The subjects of everything said there from now on.
    pub fn listen(&self, subject: &str) -> Arc<Mutex<Vec<(String, Bytes)>>> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = heard.clone();
        self.runtime.block_on(async {
            let mut subscription = self.client.subscribe(subject.to_string()).await.unwrap();
            self.client.flush().await.unwrap();
            tokio::spawn(async move {
                while let Some(message) = subscription.next().await {
                    all.lock().unwrap().push((message.subject.to_string(), message.payload));
                }
            });
        });
        heard
    }
}
