//! A user's NATS client: it asks, and nothing more. Everything it sends can be sent again, so what
//! gets no answer is.

mod file;

pub use file::{Upload, check};

use crate::{exit, host, rendezvous::Up};
use anyhow::Context;
use bytes::Bytes;
use nats::{
    connect::{self, Client as Connection, Request, RequestErrorKind, Subscriber, connect},
    key::{Seed, TENANT},
};
use schemas::{EventId, MissionId, Tenant, Value, fact::ce_type};
use serde_json::json;
use std::{path::PathBuf, time::Duration};
use streams::submission::Refusal;
use tokio::{sync::RwLock, time::Instant};
use uuid::Uuid;

/// Where events of this program come from.
pub const SOURCE: &str = "/stage7/cli";
/// One question, once.
const TRY: Duration = Duration::from_secs(5);
/// The same of an order, which takes as long as it takes.
const LONG: Duration = Duration::from_secs(120);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(150);
/// Until a command gives up.
const PATIENCE: Duration = Duration::from_secs(20);
/// The largest message (bytes), less what the server adds.
const LARGEST: usize = streams::topology::MAX_PAYLOAD as usize - 16 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", .0.error.message)]
    Refused(Refusal),
    /// Nobody is there, for now.
    #[error("no answer at {url} ({why})")]
    Silent { url: String, why: String },
    #[error("{0}")]
    Broken(String),
}

impl From<Error> for exit::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            other => Self::failed(other.to_string()),
        }
    }
}

/// A connection with a user's rights.
pub struct Client {
    link: RwLock<Link>,
    /// Where `up.json` tells of another server or key, should that change.
    data: Option<PathBuf>,
    pub tenant: Tenant,
}

#[derive(Clone)]
struct Link {
    connection: Connection,
    url: String,
    public: String,
    /// How many there were before.
    epoch: u64,
}

impl Link {
    async fn new(url: &str, seed: &Seed, epoch: u64) -> Result<Self, connect::Error> {
        let connection = connect(url, TENANT, seed).await?;
        Ok(Self { connection, url: url.into(), public: seed.public(), epoch })
    }
}

impl Client {
    /// # Errors
    /// No server there, or one that does not know the key.
    pub async fn connect(url: &str, seed: &Seed, data: Option<PathBuf>) -> Result<Self, exit::Error> {
        let link = Link::new(url, seed, 0).await.map_err(host::unconnected)?;
        Ok(Self { link: RwLock::new(link), data, tenant: TENANT.parse().context("the tenant")? })
    }

    /// Asks once more and once more, for `patience`.
    ///
    /// # Errors
    /// `Silent`, or what was answered instead.
    async fn ask_for(&self, subject: &str, payload: Bytes, patience: Duration) -> Result<Bytes, Error> {
        self.ask_each(subject, payload, patience, TRY).await
    }

    async fn ask_each(
        &self,
        subject: &str,
        payload: Bytes,
        patience: Duration,
        each: Duration,
    ) -> Result<Bytes, Error> {
        if payload.len() > LARGEST {
            return Err(Error::Broken(format!(
                "a message has at most {LARGEST} bytes, this has {}: give what is large as files",
                payload.len()
            )));
        }
        let until = Instant::now() + patience;
        loop {
            let Link { connection, url, .. } = self.link.read().await.clone();
            let request = Request::new().payload(payload.clone()).timeout(Some(each));
            let asked = tokio::time::timeout(each, connection.send_request(subject.to_string(), request)).await;
            let why = match asked {
                Ok(Ok(message)) => {
                    let refused = message
                        .headers
                        .as_ref()
                        .is_some_and(|headers| headers.get(post_office::ERROR_HEADER).is_some());
                    if !refused {
                        return Ok(message.payload);
                    }
                    let refusal = serde_json::from_slice::<Refusal>(&message.payload);
                    match refusal.map_err(|error| Error::Broken(format!("an answer that is none: {error}")))? {
                        refusal if refusal.error.code == "unavailable" => refusal.error.message,
                        refusal => return Err(Error::Refused(refusal)),
                    }
                }
                Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => "nobody serves there".into(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {} s", each.as_secs()),
            };
            if Instant::now() >= until {
                return Err(Error::Silent { url, why });
            }
            self.renew().await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ask(&self, subject: &str, payload: Bytes) -> Result<Bytes, Error> {
        self.ask_for(subject, payload, PATIENCE).await
    }

    async fn ask_json(&self, subject: &str, body: &Value, patience: Duration) -> Result<Value, Error> {
        Self::json(self.ask_for(subject, body.to_string().into(), patience).await?)
    }

    fn json(answer: Bytes) -> Result<Value, Error> {
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|error| Error::Broken(format!("an answer that is no JSON: {error}")))?;
        match answer.get("error").filter(|error| error.get("code").is_some()) {
            Some(_) => {
                Err(Error::Refused(serde_json::from_value(answer).map_err(|error| Error::Broken(error.to_string()))?))
            }
            None => Ok(answer),
        }
    }

    /// `up` may have come back elsewhere.
    async fn renew(&self) {
        let Some(up) = self.data.as_deref().and_then(Up::read) else { return };
        let Some(seed) = up.seed() else { return };
        let moved = {
            let link = self.link.read().await;
            link.url != up.nats_url || link.public != seed.public()
        };
        if moved {
            // Not there yet: the next try comes here again.
            let _ = self.relink(&up.nats_url, &seed).await;
        }
    }

    /// Goes on with another server or key.
    ///
    /// # Errors
    /// No server there, or one that does not know the key.
    pub async fn relink(&self, url: &str, seed: &Seed) -> Result<(), connect::Error> {
        let epoch = self.epoch().await + 1;
        *self.link.write().await = Link::new(url, seed, epoch).await?;
        Ok(())
    }

    /// Which connection it is; another one needs its subscriptions anew.
    pub async fn epoch(&self) -> u64 {
        self.link.read().await.epoch
    }

    /// What is said on a subject from now on.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn listen(&self, subject: String) -> Result<Subscriber, Error> {
        let Link { connection, url, .. } = self.link.read().await.clone();
        let silent = |why: String| Error::Silent { url, why };
        connection.subscribe(subject).await.map_err(|error| silent(error.to_string()))
    }

    /// Asks `stage7.read`.
    pub async fn read(&self, body: &Value) -> Result<Value, Error> {
        self.read_for(body, PATIENCE).await
    }

    pub async fn read_for(&self, body: &Value, patience: Duration) -> Result<Value, Error> {
        self.ask_json(&format!("stage7.read.{}", self.tenant), body, patience).await
    }

    /// The mission that a goal event of that id is.
    pub fn mission_of(&self, id: &str) -> MissionId {
        MissionId::of_goal(&self.tenant, SOURCE, id)
    }

    /// Submits a goal; the same id is the same mission.
    pub async fn submit(&self, id: &str, goal: &Value) -> Result<MissionId, Error> {
        let event = schemas::cloudevent::goal(SOURCE, id, goal);
        let answer = self.ask_json(&format!("stage7.submit.{}", self.tenant), &event, PATIENCE).await?;
        let mission = answer["mission"].as_str().and_then(|id| id.parse().ok());
        mission.ok_or_else(|| Error::Broken(format!("no mission in the answer {answer}")))
    }

    /// Has something done that is not about one mission's course; `what` is `noun.verb`.
    pub async fn order(&self, what: &str, data: &Value) -> Result<Value, Error> {
        let subject = format!("stage7.command.{}.{what}", self.tenant);
        Self::json(self.ask_each(&subject, data.to_string().into(), PATIENCE, LONG).await?)
    }

    /// Says a user's word about a mission, once.
    pub async fn command(&self, mission: MissionId, kind: &str, data: &Value) -> Result<Value, Error> {
        let event =
            json!({"specversion": "1.0", "id": new_id(), "source": SOURCE, "type": ce_type(kind), "data": data});
        self.ask_json(&format!("stage7.user.{}.{mission}.{kind}", self.tenant), &event, PATIENCE).await
    }
}

/// An id that nobody had before.
#[expect(clippy::disallowed_methods, reason = "the edge: this is where a user's events get their ids")]
pub fn new_id() -> String {
    EventId(Uuid::now_v7()).to_string()
}
