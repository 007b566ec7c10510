//! `stage7 model …`.

use clap::Subcommand;

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
    /// Ask one a short question.
    Test {
        /// PROVIDER/NAME, or a provider [default: the first that is on]
        model: Option<String>,
    },
}
