//! The post-office, “the door”: the edge where people and their programs meet the log, which they
//! never touch themselves.
//!
//! Consumes: requests on `stage7.submit|user|command|read|put|get.{tenant}…`; any number of instances share
//! them. \
//! Emits: `user` words of missions, and of the registry (plugins and their settings, their publishers'
//! keys, models that may be asked again, what is thought of their answers); sealed secrets; goals on `stage7.goal.{tenant}`. \
//! Decides: whether a request is well formed and makes sense now; nothing about a mission. \
//! Effects: files in and out of `ARTIFACTS`; lists, searches, archiving and imports are asked of the
//! librarian. \
//! Repeats: a request that names its event says it once, however often it is sent. \
//! Never: one tenant's data to another; an answer to anything but an inbox.

mod command;
mod file;
mod market;
mod mission;
mod model;
mod query;
mod read;
mod secret;
mod setting;
mod submit;

use async_trait::async_trait;
use nats::{
    jetstream::JetStream,
    log::{AppendError, ReadError},
    registry,
    service::{self, Answer, Request, Service},
};
use read::Shelf;
use schemas::{MissionId, Tenant, Value};
use std::sync::Arc;
use streams::{submission::Refusal, topology::MAX_PAYLOAD};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// The header that marks an answer as an error; its value is the code.
pub const ERROR_HEADER: &str = "Stage7-Error";

/// Answers requests until `stop`.
///
/// # Errors
/// When it cannot listen.
pub async fn run(log: JetStream, stop: CancellationToken) -> Result<(), service::Error> {
    let door = Arc::new(Door { log: log.clone(), registry: Mutex::default(), shelf: Shelf::default() });
    service::serve(&log, door, stop).await
}

pub use market::know;

struct Door {
    log: JetStream,
    registry: Mutex<registry::Reader>,
    shelf: Shelf,
}

#[async_trait]
impl Service for Door {
    const NAME: &'static str = "post-office";
    const ENDPOINTS: &'static [(&'static str, &'static str)] = &[
        ("submit", "stage7.submit.*"),
        ("user", "stage7.user.*.*.*.*"),
        ("command", "stage7.command.*.*.*"),
        ("read", "stage7.read.*"),
        ("put", "stage7.put.*.*.*"),
        ("get", "stage7.get.*.*.*"),
    ];

    async fn answer(&self, _endpoint: &'static str, request: Request) -> Answer {
        self.dispatch(&request).await.unwrap_or_else(refuse)
    }

    fn broken(&self) -> Answer {
        refuse(Refusal::new("internal", "the post-office failed at this request; the others go on"))
    }
}

impl Door {
    async fn dispatch(&self, request: &Request) -> Result<Answer, Refusal> {
        let parts: Vec<&str> = request.subject.split('.').skip(1).collect();
        let tenant = |text: &str| text.parse::<Tenant>().map_err(|e| Refusal::new("invalid_subject", e.to_string()));
        match parts.as_slice() {
            ["submit", whose] => submit::submit(&self.log, &tenant(whose)?, request).await.map(json),
            ["read", whose] => read::read(self, &tenant(whose)?, &request.payload).await.map(json),
            ["user", whose, mission, noun, verb] => {
                command::say(&self.log, &tenant(whose)?, mission_id(mission)?, &format!("{noun}.{verb}"), request)
                    .await
                    .map(json)
            }
            ["command", whose, "mission", what] => {
                query::order(&self.log, &tenant(whose)?, what, &request.payload).await.map(json)
            }
            ["command", whose, noun @ ("plugin" | "key"), verb] => {
                market::order(self, &tenant(whose)?, &format!("{noun}.{verb}"), &request.payload).await.map(json)
            }
            ["command", whose, "model", what] => {
                // Models are for all tenants, and so is who may be asked, and what is thought of them.
                model::order(self, &tenant(whose)?, what, &request.payload).await.map(json)
            }
            ["command", whose, "secret", what] => {
                secret::order(self, &tenant(whose)?, what, &request.payload).await.map(json)
            }
            ["command", whose, "setting", what] => {
                setting::order(self, &tenant(whose)?, what, &request.payload).await.map(json)
            }
            ["put", whose, sha256, n] => {
                file::put(&self.log, &tenant(whose)?, sha256, n, &request.payload).await.map(json)
            }
            ["get", whose, sha256, n] => {
                let payload = file::get(&self.log, &tenant(whose)?, sha256, n).await?;
                Ok(Answer { headers: Vec::new(), payload })
            }
            _ => Err(Refusal::new("invalid_subject", format!("nothing answers on `{}`", request.subject))),
        }
    }
}

/// A mission's id, or the refusal that no mission can have that id.
fn mission_id(text: &str) -> Result<MissionId, Refusal> {
    text.parse().map_err(|e| Refusal::new("unknown_mission", format!("{e}")))
}

/// An answer is one message.
fn json(value: Value) -> Answer {
    let payload = value.to_string();
    if payload.len() as u64 > MAX_PAYLOAD - 1024 {
        return refuse(Refusal::new(
            "too_large",
            format!("the answer has {} bytes, more than a message may: read the events page by page", payload.len()),
        ));
    }
    Answer { headers: Vec::new(), payload: payload.into() }
}

fn refuse(refusal: Refusal) -> Answer {
    let payload = serde_json::to_vec(&refusal).expect("texts serialise").into();
    Answer { headers: vec![(ERROR_HEADER, refusal.error.code)], payload }
}

/// What a log that does not answer means to whoever asked: try again.
fn unread(error: ReadError) -> Refusal {
    match error {
        ReadError::Artifact { .. } => Refusal::new("missing_artifact", error.to_string()),
        _ => Refusal::new("unavailable", format!("{error}; try again")),
    }
}

fn unwritten(error: AppendError) -> Refusal {
    match error {
        AppendError::Refused(why) if why.contains("maximum messages per subject") => {
            Refusal::new("too_many_goals", format!("10,000 goals are waiting already: try again later ({why})"))
        }
        AppendError::Full(_) => Refusal::new("log_full", error.to_string()),
        AppendError::Refused(why) => Refusal::new("refused", why),
        _ => Refusal::new("unavailable", format!("{error}; try again")),
    }
}
