//! What the capabilities worker says about plugin runs.

use crate::{
    fault::Class,
    id::EventId,
    value::{Ref, Values},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A sandboxed process was started for a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginStarted {
    pub run: EventId,
    pub step: String,
    pub attempt: u32,
}

/// The plugin gave its outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PluginCompleted {
    pub step: String,
    pub attempt: u32,
    pub outputs: Values,
    /// Files it wrote into the mission's folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Ref>,
    /// Files it removed from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Milliseconds.
    pub ms: u64,
}

/// The plugin gave no outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginFailed {
    pub step: String,
    pub attempt: u32,
    pub class: Class,
    pub message: String,
    pub ms: u64,
}
