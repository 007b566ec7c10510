//! A submitted goal on the wire, and the refusal of one: read by the door and by the intake alike.

use crate::record::{Record, encode_header};
use schemas::{
    EventId, Fault, MissionId, Tenant, Time,
    cloudevent::{self, CloudEvent},
    goal::{self, Goal},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The CloudEvents type of a refusal.
pub const REFUSED: &str = "io.stage7.goal.refused.v1";

/// A goal event that is well formed.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    pub tenant: Tenant,
    /// `ce-source` and `ce-id`: with the tenant they name the mission.
    pub source: String,
    pub id: String,
    pub traceparent: Option<String>,
    pub goal: Goal,
}

/// What is wrong, in short and in full: the answer to whatever is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub error: Problem,
    /// All that is wrong, when it is more than one thing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// One thing wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// For programs: `invalid_goal`, `unknown_mission`, …
    pub code: String,
    /// For people: what is wrong and what would be right.
    pub message: String,
    /// A JSON pointer into the data that was given; empty for the whole.
    pub at: String,
}

impl Refusal {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { error: Problem { code: code.into(), message: message.into(), at: String::new() }, faults: Vec::new() }
    }

    /// One fault is the message; of several the first is, and all are listed.
    pub fn of_faults(code: &str, faults: Vec<Fault>) -> Self {
        let Some(first) = faults.first() else { return Self::new(code, "") };
        let more = match faults.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        let error = Problem { code: code.into(), message: format!("{}{more}", first.message), at: first.at.clone() };
        Self { error, faults: if faults.len() > 1 { faults } else { Vec::new() } }
    }
}

impl Submission {
    /// Reads a goal event, structured or binary.
    ///
    /// # Errors
    /// `invalid_event`: it is no CloudEvent of the right type; `invalid_goal`: its data has faults.
    pub fn read(tenant: &Tenant, headers: &[(String, String)], payload: &[u8]) -> Result<Self, Refusal> {
        let event =
            cloudevent::parse(headers, payload).map_err(|fault| Refusal::of_faults("invalid_event", vec![fault]))?;
        let CloudEvent { id, source, .. } = &event;
        if event.ty != goal::TYPE {
            let message = format!("a goal's type is `{}`, this is `{}`", goal::TYPE, event.ty);
            return Err(Refusal::of_faults("invalid_event", vec![Fault::new("/type", message)]));
        }
        let goal = Goal::parse(&event.data).map_err(|faults| Refusal::of_faults("invalid_goal", faults))?;
        Ok(Self {
            tenant: tenant.clone(),
            source: source.clone(),
            id: id.clone(),
            traceparent: event.extension("traceparent").map(str::to_string),
            goal,
        })
    }

    /// The mission that this goal event is.
    pub fn mission(&self) -> MissionId {
        MissionId::of_goal(&self.tenant, &self.source, &self.id)
    }
}

/// The data of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Of the goal event, as far as it could be read.
    pub source: Option<String>,
    pub id: Option<String>,
    #[serde(flatten)]
    pub refusal: Refusal,
    /// How what was refused begins.
    pub excerpt: String,
}

impl Refused {
    pub fn new(refusal: Refusal, headers: &[(String, String)], payload: &[u8]) -> Self {
        let event = cloudevent::parse(headers, payload).ok();
        Self {
            source: event.as_ref().map(|event| event.source.clone()),
            id: event.map(|event| event.id),
            refusal,
            excerpt: String::from_utf8_lossy(payload).chars().take(500).collect(),
        }
    }

    /// The record that tells it; `seq` is the goal's place in `GOALS`.
    pub fn record(&self, tenant: &Tenant, seq: u64, time: Time) -> Record {
        let subject = crate::subject::refused(tenant);
        let id = EventId(Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{subject}/{seq}").as_bytes()));
        let headers = [
            ("ce-specversion", "1.0".into()),
            ("ce-id", id.to_string()),
            ("ce-type", REFUSED.into()),
            ("ce-source", encode_header(&format!("/stage7/{tenant}/control"))),
            ("ce-time", time.to_string()),
        ];
        Record {
            seq: 0,
            subject,
            headers: headers.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
            payload: serde_json::to_vec(self).expect("texts serialise").into(),
        }
    }
}
