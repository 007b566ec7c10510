//! `stage7 cost`.

use clap::{Args, ValueEnum};
use schemas::Day;

#[derive(Debug, Args)]
pub struct Cost {
    /// Only this mission; the beginning of its id will do.
    pub mission: Option<String>,
    /// What makes a line [default: of a mission its steps, else days]
    #[arg(long)]
    pub by: Option<By>,
    /// The first day that counts, UTC, like 2026-01-31.
    #[arg(long, value_name = "DATE")]
    pub since: Option<Day>,
    /// The last day that counts.
    #[arg(long, value_name = "DATE")]
    pub until: Option<Day>,
    /// At most so many lines; the total is of all.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub limit: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum By {
    Mission,
    Step,
    Agent,
    Model,
    Day,
    Call,
}

impl By {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mission => "mission",
            Self::Step => "step",
            Self::Agent => "agent",
            Self::Model => "model",
            Self::Day => "day",
            Self::Call => "call",
        }
    }
}
