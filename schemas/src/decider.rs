//! What any decider may say about itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Folding or deciding this mission failed in this version of the worker; the mission is skipped
/// until the version changes or a person asks for another try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stuck {
    /// What the worker died of.
    pub message: String,
    /// The log sequence it was working on.
    pub at: u64,
}

/// A person asks a decider to try a stuck mission again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Retried {
    pub decider: crate::id::Writer,
}
