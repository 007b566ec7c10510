//! `stage7 model …`.

use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum Model {
    /// Those that are known, and whether they can be asked.
    List {
        /// Only those of providers that are on.
        #[arg(long)]
        on: bool,
    },
    /// All that is known of one, as PROVIDER/NAME.
    Show { model: String },
    /// Have one asked again that is left alone because it failed.
    Reset { model: String },
    /// Why which model answered the calls of a mission, as the log has it.
    Explain {
        /// A mission's id, or the beginning of one.
        mission: String,
        /// Only this call, by its id or the beginning of it.
        call: Option<String>,
    },
    /// Say what you think of an answer: it counts in the choice of models as three calls do.
    Feedback {
        /// A mission's id, or the beginning of one.
        mission: String,
        /// The call's id, or the beginning of it, as `model explain` shows it.
        call: String,
        verdict: Verdict,
        /// Why, in your words.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Ask one a short question.
    Test {
        /// PROVIDER/NAME, or a provider [default: the first that is on]
        model: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Verdict {
    Good,
    Bad,
}
