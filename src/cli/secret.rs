//! `stage7 secret …`.

use clap::Subcommand;
use streams::secret::Grant;

#[derive(Debug, Subcommand)]
pub enum Secret {
    /// Keep a value, which is read from the terminal or from standard input.
    Set {
        /// Its name, as API_KEY; a plugin's setting is VERB.setting.
        name: String,
        /// A plugin that may have it; with @HOST, to send it there only [default: as before]
        #[arg(long = "for", value_name = "VERB[@HOST]")]
        grants: Vec<Grant>,
    },
    /// Say anew which plugins may have it.
    Grant {
        name: String,
        #[arg(long = "for", value_name = "VERB[@HOST]", required = true)]
        grants: Vec<Grant>,
    },
    /// Forget it.
    Remove { name: String },
    /// All of them, and who may have them.
    List,
}
