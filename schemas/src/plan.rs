//! Plans: steps, what they need from each other, and what they make.

use crate::value::{Value, Values};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The step in which a mission is planned.
pub const PLAN_STEP: &str = "_plan";
/// The most steps one mission may have, sub-plans included.
pub const MAX_STEPS: usize = 10_000;

/// The id of the step that plans a way around a failed one.
pub fn recovery_step(failed: &str) -> String {
    format!("_recover-{failed}")
}

/// What a planner gives: steps, or straight away an answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// In place of steps: the goal needs no work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
}

/// One thing to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `[A-Za-z0-9_-]{1,64}`, unique in the mission; a leading `_` is stage7's own.
    pub id: String,
    /// What is done: a verb of the catalogue, or a new one with a description.
    pub verb: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Input>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Output>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Steps that must have ended first, though nothing of theirs is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Seconds one attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// How often a transient failure is tried again; the mission's limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
}

/// Where an input comes from: a value, or another step's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Input {
    From(Source),
    Value(Constant),
}

/// `{"from": "step", "output": "text"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub from: String,
    pub output: String,
}

/// `{"value": …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    pub value: Value,
}

/// What a step makes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// A JSON type (`string`, `number`, `boolean`, `array`, `object`), or `any`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The file name under which the person gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliverable: Option<String>,
}

impl Input {
    pub fn value(value: impl Into<Value>) -> Self {
        Self::Value(Constant { value: value.into() })
    }
    pub fn from(step: impl Into<String>, output: impl Into<String>) -> Self {
        Self::From(Source { from: step.into(), output: output.into() })
    }
}

impl Step {
    /// Every step this one waits for, for data or for order; may repeat.
    pub fn needs(&self) -> impl Iterator<Item = &str> {
        let data = self.inputs.values().filter_map(|input| match input {
            Input::From(source) => Some(source.from.as_str()),
            Input::Value(_) => None,
        });
        data.chain(self.after.iter().map(String::as_str))
    }

    /// The inputs given as values.
    pub fn constants(&self) -> Values {
        self.inputs
            .iter()
            .filter_map(|(name, input)| match input {
                Input::Value(constant) => Some((name.clone(), constant.value.clone())),
                Input::From(_) => None,
            })
            .collect()
    }
}
