//! `stage7 mission …`.

use clap::Subcommand;
use std::{path::PathBuf, time::Duration};

#[derive(Debug, Subcommand)]
pub enum Mission {
    /// All missions, newest first.
    List {
        /// Only those that are so.
        #[arg(long, value_parser = super::STATUSES)]
        status: Option<String>,
        /// Only those whose goal or name holds these words.
        #[arg(long, value_name = "WORDS")]
        search: Option<String>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        limit: usize,
    },
    /// A mission as it stands: steps, agents, calls, cost, questions, deliverables.
    Show { id: String },
    /// Follow a mission to its end.
    Watch {
        id: String,
        /// How long to wait for the end (90, 90s, 15m, 2h).
        #[arg(long, value_name = "D", value_parser = super::duration)]
        timeout: Option<Duration>,
        /// Fetch the deliverables, into a folder here named as the mission.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Let nothing start any more; what runs may finish.
    Pause {
        id: String,
        #[arg(long)]
        reason: Option<String>,
    },
    /// Go on from where it was paused.
    Resume { id: String },
    /// Stop for good; what runs is killed.
    Abort {
        id: String,
        #[arg(long)]
        reason: Option<String>,
    },
    /// Answer a question of the mission.
    Answer {
        id: String,
        /// Which question, by id; not needed when only one is open.
        #[arg(long, value_name = "ID")]
        question: Option<String>,
        /// The answer: text, a number, yes or no, a choice; several choices as a JSON list; what a form asks for as
        /// a JSON object, or @FILE with one; a file as @FILE.
        #[arg(allow_hyphen_values = true)]
        answer: String,
    },
    /// Raise limits of the mission's budget, or set some; one that waits for that goes on.
    Raise {
        id: String,
        #[command(flatten)]
        limits: super::Limits,
    },
    /// Say something to the mission.
    Say {
        id: String,
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Try a failed mission again, keeping what is done.
    Retry {
        id: String,
        /// Only this failed step.
        #[arg(long, value_name = "S")]
        step: Option<String>,
    },
    /// All its events as CloudEvents, one a line, with what they refer to.
    Export { id: String },
    /// Put a mission that `mission export` wrote into the archive: listed, shown, replayed, never run.
    Import { file: PathBuf },
    /// Take a mission that has ended out of the log now; it stays listed, shown and replayed.
    Archive { id: String },
}
