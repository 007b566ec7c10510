//! What mission-control says: what is to be done, by whom, within which limits.

use crate::{
    catalogue::Catalogue,
    fault::{Class, Fault},
    goal::{Autonomy, Budget, Kind, Limit, Optimize},
    id::EventId,
    limits::Limits,
    plan::Plan,
    time::Time,
    value::{Ref, Value},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// A goal was taken up. The first event of every mission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MissionCreated {
    pub goal: String,
    #[serde(default)]
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The mission's folder as it begins: path → bytes in `ARTIFACTS`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Ref>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimize: Option<Optimize>,
    #[serde(default)]
    pub budget: Budget,
    #[serde(default)]
    pub autonomy: Autonomy,
    /// The model asked for by name, `offline` included; chosen when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// A ready plan, accepted or rejected instead of planning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    pub limits: Limits,
    pub catalogue: Attached,
    /// `ce-source` and `ce-id` of the goal event.
    pub goal_event: GoalEvent,
}

/// Which goal event a mission is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GoalEvent {
    pub source: String,
    pub id: String,
}

/// The catalogue by reference; the loop that loads the event puts the content beside it, so folds
/// have it without asking anybody.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Attached {
    #[serde(flatten)]
    pub reference: Ref,
    #[serde(skip)]
    pub content: Option<Arc<Catalogue>>,
}

/// The plan holds: its steps are the mission's from here on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanAccepted {
    /// The step that was planned: `_plan`, or the parent that the plan takes the place of.
    pub step: String,
    pub plan: Plan,
}

/// The plan has faults; they go back to the planner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanRejected {
    pub step: String,
    /// 1 for the first rejection of this step and attempt.
    pub round: u32,
    pub faults: Vec<Fault>,
    /// No further plan is asked for.
    #[serde(default)]
    pub last: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
/// A mission has a new agent.
pub struct AgentSpawned {
    /// `{role}-{n}`.
    pub agent: String,
    pub role: String,
}

/// An agent is to do a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepAssigned {
    pub step: String,
    /// From 1.
    pub attempt: u32,
    pub agent: String,
    pub verb: String,
}

/// The next attempt of a step is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepRetried {
    pub step: String,
    /// The attempt that opens.
    pub attempt: u32,
}

/// An assigned step is called off; final for that attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepCancelled {
    pub step: String,
    pub attempt: u32,
    pub class: Class,
    pub reason: String,
}

/// A step will not be done; its dependants are cancelled by that, unsaid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepFailed {
    pub step: String,
    pub attempt: u32,
    pub class: Class,
    pub message: String,
}

/// A failed mission goes on: these steps are open again, and the dependants cancelled with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissionRetried {
    pub steps: Vec<String>,
}

/// Nothing may start any more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MissionPausing {}

/// Nothing starts until the mission is resumed: the agents have confirmed it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MissionPaused {}

/// Why a mission stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standstill {
    Paused,
    Waiting,
}

/// The mission goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissionResumed {
    pub from: Standstill,
}

/// Nothing can go on before a person has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissionWaiting {
    pub questions: Vec<EventId>,
}

/// Every step has ended well.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MissionCompleted {
    /// What the planner answered in place of steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
}

/// The mission ended without its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MissionFailed {
    pub class: Class,
    pub message: String,
    /// The steps that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// The mission was stopped; every open step is cancelled by this.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MissionAborted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The budget is used up: a person may raise it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetReached {
    /// In words: which limit, what was needed, what is left.
    pub message: String,
}

/// A limit of the budget is nearly used up. Said once for each limit and raise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetWarned {
    pub limit: Limit,
    /// US dollars, tokens or calls.
    pub used: f64,
    /// The limit.
    pub of: f64,
    /// The same in words.
    pub message: String,
}

/// A timer is to be set; its id is this event's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimerSet {
    pub at: Time,
    pub purpose: Purpose,
}

/// What a timer is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", tag = "for")]
pub enum Purpose {
    /// The next attempt of a step.
    Retry { step: String, attempt: u32 },
    /// The end of an attempt that takes too long.
    Timeout { step: String, attempt: u32 },
    /// The end of a question.
    Expiry { question: EventId },
    /// The end of the mission's `max_seconds`.
    Deadline,
}

/// A timer is not needed any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimerCleared {
    pub timer: EventId,
}
