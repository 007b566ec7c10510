//! Steps as they are shown.

use schemas::{
    Class, Time, Value,
    plan::{self, Source},
};
use serde::{Deserialize, Deserializer, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// One step of the mission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub id: String,
    pub verb: String,
    pub description: String,
    pub status: Status,
    /// The role that the plan wants for it.
    pub role: Option<String>,
    /// The agent of the last attempt.
    pub agent: Option<String>,
    /// The last attempt, from 1; 0 before the first.
    pub attempt: u32,
    pub inputs: BTreeMap<String, Input>,
    pub outputs: BTreeMap<String, Arc<Value>>,
    /// What went wrong with the last attempt, or because of what the step was cancelled.
    pub error: Option<String>,
    pub class: Option<Class>,
    /// Attempts that failed.
    pub failures: Vec<Failure>,
    /// The steps it waits for.
    pub needs: BTreeSet<String>,
    /// The step that this one is a part of.
    pub parent: Option<String>,
    /// When the first attempt was assigned.
    pub started: Option<Time>,
    pub ended: Option<Time>,
    /// The outputs that the plan promises.
    #[serde(skip)]
    pub(super) promised: Vec<String>,
}

/// Where a step is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Waits for other steps, or for its next attempt.
    Pending,
    /// Could start, and waits for a slot.
    Ready,
    Assigned,
    Running,
    /// For a person.
    Waiting,
    Completed,
    Failed,
    /// Will not be done, because of another step or the mission's end.
    Cancelled,
    /// A plan took its place.
    Replaced,
}

impl Status {
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Assigned | Self::Running | Self::Waiting)
    }
    pub(super) const fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Replaced)
    }
}

/// An input: its value, or where it will come from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Input {
    From(Source),
    Value(Arc<Value>),
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        // Serde would take a list of two texts for a source, field by field.
        let source = Some(&value).filter(|value| value.is_object()).map(Source::deserialize);
        Ok(source.and_then(Result::ok).map_or_else(|| Self::Value(Arc::new(value)), Self::From))
    }
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub attempt: u32,
    pub class: Class,
    pub message: String,
    pub at: Time,
}

impl Step {
    /// A step as planned.
    pub(super) fn planned(step: &plan::Step, parent: Option<String>) -> Self {
        let inputs = step.inputs.iter().map(|(name, input)| {
            let shown = match input {
                plan::Input::From(source) => Input::From(source.clone()),
                plan::Input::Value(constant) => Input::Value(Arc::new(constant.value.clone())),
            };
            (name.clone(), shown)
        });
        Self {
            verb: step.verb.clone(),
            description: step.description.clone(),
            role: step.role.clone(),
            inputs: inputs.collect(),
            needs: step.needs().map(String::from).collect(),
            promised: step.outputs.keys().cloned().collect(),
            ..Self::own(&step.id, parent)
        }
    }

    /// A step of stage7's own, in which something is planned.
    pub(super) fn own(id: &str, parent: Option<String>) -> Self {
        Self {
            id: id.into(),
            verb: "ACCOMPLISH".into(),
            description: String::new(),
            status: Status::Pending,
            role: None,
            agent: None,
            attempt: 0,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            error: None,
            class: None,
            failures: Vec::new(),
            needs: BTreeSet::new(),
            parent,
            started: None,
            ended: None,
            promised: Vec::new(),
        }
    }
}
