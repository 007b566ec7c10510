//! Reads the log itself, with the door's rights: what happened is told by no worker, since any of
//! them may be dead.

use crate::{stage7::Stage7, wait::within};
use nats::{
    connect::connect,
    jetstream::JetStream,
    key::Seed,
    log::{Log, ReadError},
};
use schemas::{MissionId, Time};
use std::{
    collections::BTreeMap,
    io::{Write, stderr},
    time::Duration,
};
use streams::subject::{self, Subject};
use tokio::runtime::{Builder, Runtime};

/// Reads wait so long for a server that is on its way up.
const PATIENCE: Duration = Duration::from_secs(90);

pub struct Witness {
    runtime: Runtime,
    log: JetStream,
}

/// One event, as much of it as matters here.
#[derive(Debug, Clone)]
pub struct Word {
    pub seq: u64,
    pub writer: String,
    /// `step.completed`
    pub kind: String,
    /// Its own id, by which an answer names its request.
    pub id: String,
    /// The request that it answers.
    pub request: Option<String>,
    pub step: Option<String>,
    /// When it was said, in milliseconds.
    pub at: i64,
    pub data: serde_json::Value,
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub struct Request {
    /// `plugin` or `llm`
    pub noun: String,
    pub step: String,
    pub asked: i64,
    pub answered: Option<i64>,
}

impl Request {
    /// Was it open at that time?
    pub fn open_at(&self, at: i64) -> bool {
        self.asked <= at && self.answered.is_none_or(|answered| answered > at)
    }
}

impl Witness {
    pub fn of(stage7: &Stage7) -> Self {
        let (url, key) = stage7.address();
        let seed = Seed::read(&key.with_file_name("door.nk")).unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let log = runtime.block_on(async { JetStream::new(connect(&url, "door", &seed).await.unwrap()) });
        Self { runtime, log }
    }

    /// Every word of a mission above a sequence, in the log's order.
    #[track_caller]
    pub fn words(&self, mission: &str, after: u64) -> Vec<Word> {
        let mission: MissionId = mission.parse().unwrap();
        let filter = subject::mission(&"default".parse().unwrap(), mission);
        let records = within(PATIENCE, "the log can be read", String::new, || {
            match self.runtime.block_on(self.log.load(&filter, after)) {
                Ok(records) => Some(records),
                Err(ReadError::Unknown(_)) => None,
                Err(error) => panic!("{error}"),
            }
        });
        let word = |record: streams::record::Record| {
            let subject = Subject::parse(&record.subject).unwrap();
            let time: Time = record.header("ce-time").unwrap().parse().unwrap();
            let data: serde_json::Value = serde_json::from_slice(&record.payload).unwrap_or_default();
            Word {
                seq: record.seq,
                writer: subject.writer.to_string(),
                kind: subject.kind.clone(),
                id: record.header("ce-id").unwrap_or_default().replace('-', ""),
                request: match &subject.tail {
                    schemas::fact::Tail::Answer { request, .. } => Some(request.to_string()),
                    _ => None,
                },
                step: data["step"].as_str().map(String::from),
                at: time.0,
                data,
            }
        };
        records.into_iter().map(word).collect()
    }

    /// Asks the server itself, as another of its users.
    pub fn ask_as(&self, stage7: &Stage7, user: &str, subject: &str, body: &serde_json::Value) -> serde_json::Value {
        let (url, key) = stage7.address();
        let seed = Seed::read(&key.with_file_name(format!("{user}.nk"))).unwrap();
        self.runtime.block_on(async {
            let client = connect(&url, user, &seed).await.unwrap();
            let payload = if body.is_null() { String::new() } else { body.to_string() };
            let answer = client.request(subject.to_string(), payload.into()).await.unwrap();
            serde_json::from_slice(&answer.payload).unwrap()
        })
    }
}

/// The requests among these words.
pub fn requests(words: &[Word]) -> Vec<Request> {
    let answers: BTreeMap<&str, i64> =
        words.iter().filter_map(|word| Some((word.request.as_deref()?, word.at))).collect();
    let asked = words.iter().filter(|word| word.kind == "plugin.requested" || word.kind == "llm.requested");
    asked
        .map(|word| Request {
            noun: word.kind.split('.').next().unwrap().into(),
            step: word.step.clone().unwrap(),
            asked: word.at,
            answered: answers.get(word.id.as_str()).copied(),
        })
        .collect()
}

/// How many steps are completed.
pub fn completed(words: &[Word]) -> usize {
    words.iter().filter(|word| word.kind == "step.completed").count()
}

/// Now, as events have it.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// Past the test harness, which keeps what a passing test prints to itself.
pub fn say(line: &str) {
    stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
