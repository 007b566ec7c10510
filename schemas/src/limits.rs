//! What configuration can change about a mission, written into its log when it is created: a
//! decision never reads configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits of one mission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Limits {
    /// Steps that run at once.
    pub slots: u32,
    /// Agents of a mission.
    pub agents: u32,
    /// Steps one agent works on at once.
    pub steps_per_agent: u32,
    /// Transient failures of a step tried again, where its plan does not say.
    pub retries: u32,
    /// Seconds before the first retry; doubled for each further one.
    pub backoff: f64,
    /// Seconds a retry waits at the most.
    pub backoff_cap: f64,
    /// Steps, sub-plans included.
    pub steps: u32,
    /// Events in the mission's log.
    pub events: u64,
    /// How often faults go back to the planner before the mission fails.
    pub replans: u32,
    /// Percent of a limit of the budget at which the person is told; never where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_at: Option<u32>,
    /// Does the reflector judge the result before the mission completes?
    pub reflect: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            slots: 16,
            agents: 16,
            steps_per_agent: 4,
            retries: 3,
            backoff: 1.0,
            backoff_cap: 60.0,
            steps: 10_000,
            events: 100_000,
            replans: 3,
            warn_at: Some(80),
            reflect: false,
        }
    }
}
