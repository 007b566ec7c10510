//! What a mission may use: verbs with their interfaces, and roles with their prompts.

use crate::value::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All enabled verbs and all roles, as they were when a mission was created.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Catalogue {
    /// By name.
    pub verbs: BTreeMap<String, Verb>,
    /// By name.
    pub roles: BTreeMap<String, Role>,
}

/// Who does a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Runner {
    /// The agent itself: ACCOMPLISH, THINK, GENERATE, CHAT, ASK_USER_QUESTION, GET_USER_INPUT.
    Agent,
    /// The capabilities worker, as a plugin run.
    Capability,
}

/// The interface half of a plugin manifest: exactly an MCP tool definition, and who runs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verb {
    pub name: String,
    pub version: String,
    pub description: String,
    /// JSON Schema (an object schema) of the inputs.
    pub input: Value,
    /// JSON Schema (an object schema) of the outputs.
    pub output: Value,
    pub runner: Runner,
    /// `native`, `python`, … as `plugin list` shows it; `agent` for the agent's own.
    pub runtime: String,
    /// Inputs whose braces are never replaced: code, templates, queries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub literal: Vec<String>,
    /// Works on the mission's folder: inputs that name the paths it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
    /// Roles that fit, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Runs have no side effects: they may be repeated, and started without asking the log first.
    #[serde(default)]
    pub pure: bool,
}

/// What a verb does with the mission's folder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Files {
    /// Inputs whose string value is a path that it reads; empty with `read_all` off: none.
    #[serde(default)]
    pub read: Vec<String>,
    /// It may read every file of the folder.
    #[serde(default)]
    pub read_all: bool,
    /// It may write: two such runs of a mission never overlap.
    #[serde(default)]
    pub write: bool,
}

/// A kind of agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Role {
    pub description: String,
    #[serde(default)]
    pub responsibilities: Vec<String>,
    pub prompt: String,
    /// Verbs this role prefers.
    #[serde(default)]
    pub verbs: Vec<String>,
}

impl Verb {
    /// What an input is when it is absent.
    pub fn default(&self, input: &str) -> Option<&Value> {
        default(&self.input, input)
    }
}

/// What an object schema says a property is when it is absent.
pub fn default<'s>(schema: &'s Value, property: &str) -> Option<&'s Value> {
    schema.get("properties")?.get(property)?.get("default")
}

/// Every property that has a default, with it.
pub fn defaults(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().filter_map(|(name, property)| Some((name, property.get("default")?)))
}

impl Catalogue {
    pub fn verb(&self, name: &str) -> Option<&Verb> {
        self.verbs.get(name)
    }
}
