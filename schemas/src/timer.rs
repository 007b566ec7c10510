//! What the timekeeper says.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A timer's time has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimerFired {
    /// When it was to fire.
    pub at: Time,
}
