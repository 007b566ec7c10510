//! What the brain says about model calls.

use crate::{agent::ToolCall, fault::Class, value::Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens of a call; `estimated` where the provider did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    #[serde(default)]
    pub estimated: bool,
}

/// One try at one model; a call has one or more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LlmTried {
    pub call: crate::id::EventId,
    /// From 1.
    pub n: u32,
    pub provider: String,
    pub model: String,
    pub usage: Usage,
    pub cost_usd: f64,
    /// Milliseconds.
    pub ms: u64,
    /// What went wrong; absent when the try gave the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Which models were to answer, best first, and which were not, each with its reasons.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Routing {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranked: Vec<Ranked>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A model that could answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ranked {
    /// `provider/name`
    pub model: String,
    pub score: f64,
    pub reasons: Vec<String>,
}

/// A model that could not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// `provider/name`
    pub model: String,
    pub reason: String,
}

/// The model answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LlmCompleted {
    pub step: String,
    pub attempt: u32,
    pub provider: String,
    pub model: String,
    /// A string, or JSON that matches the asked-for schema; large ones are references. With `calls`
    /// what the model said besides, and maybe nothing.
    pub answer: Value,
    /// The tools that the model asks for before it answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// Over all tries.
    pub usage: Usage,
    pub cost_usd: f64,
    pub ms: u64,
    /// It was given to the same request before: nobody was asked, and nothing is spent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// Absent when nothing was to be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
}

/// No model gave a usable answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LlmFailed {
    pub step: String,
    pub attempt: u32,
    pub class: Class,
    pub message: String,
    /// Over all tries.
    pub usage: Usage,
    pub cost_usd: f64,
    pub ms: u64,
    /// Absent when nothing was to be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
}

impl LlmFailed {
    /// No model was asked: none of those that could answer was within the call's `reserve`. (A quota
    /// that is used up has the class `budget`, too; then one was asked.)
    pub fn did_not_fit(&self) -> bool {
        self.class == Class::Budget && self.routing.as_ref().is_some_and(|routing| routing.ranked.is_empty())
    }
}
