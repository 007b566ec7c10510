//! What can be wrong: with an input (a fault and its place), and with doing something (a class).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What follows from a failure, whoever reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The world was busy or away: the same again may work. Retried with back-off.
    Transient,
    /// The input is wrong: repaired once, then the step fails.
    InvalidInput,
    /// Doing it again gives the same: one recovery plan, then the step fails.
    Permanent,
    /// Nothing was started (pause, abort): asked again later, no retry used up.
    NotStarted,
    /// No money, tokens or calls left for it.
    Budget,
    /// Whoever did it disappeared too often. Treated like `transient`.
    Lost,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transient => "transient",
            Self::InvalidInput => "invalid_input",
            Self::Permanent => "permanent",
            Self::NotStarted => "not_started",
            Self::Budget => "budget",
            Self::Lost => "lost",
        })
    }
}

/// One thing wrong with something that came from outside: where, what, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// A JSON pointer into what was given (`/steps/2/inputs/text`); empty for the whole.
    pub at: String,
    pub message: String,
}

impl Fault {
    pub fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), message: message.into() }
    }
}
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.at, self.message) }
    }
}
