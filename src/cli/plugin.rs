//! `stage7 plugin …`.

use clap::{Args, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// All verbs.
    List {
        /// Only those of this runtime (native, python, javascript, agent).
        #[arg(long = "type", value_name = "T")]
        runtime: Option<String>,
        /// Only those whose name or description holds all of these words.
        #[arg(long, value_name = "WORDS")]
        search: Option<String>,
    },
    /// One verb with its schemas.
    Show { verb: String },
    /// Run a verb by hand: a mission of one step.
    Run(PluginRun),
    /// Add a plugin: a folder, which is signed, or an archive that somebody known has signed.
    Add { path: PathBuf },
    /// Take away a version, or all of them.
    Remove {
        verb: String,
        #[arg(value_name = "VERSION")]
        which: Option<String>,
    },
    /// Let a verb be planned and run again.
    Enable { verb: String },
    /// Let a verb be neither planned nor run.
    Disable { verb: String },
    /// Have new missions use this version; without one, the newest again.
    Pin {
        verb: String,
        #[arg(value_name = "VERSION")]
        which: Option<String>,
    },
    /// Have new missions use the version before.
    Rollback { verb: String },
    /// What can be chosen for a verb, and what is.
    Settings { verb: String },
    /// Choose; a secret is read from the terminal or from standard input.
    Set {
        verb: String,
        name: String,
        #[arg(allow_negative_numbers = true)]
        value: Option<String>,
    },
    /// Let the default count again.
    Unset { verb: String, name: String },
    /// Begin a plugin: a folder that passes `stage7 plugin test`.
    Init {
        /// The verb, as COUNT_WORDS.
        name: String,
        #[arg(long)]
        runtime: Language,
        /// Where [default: ./count-words]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Lock the packages that `requirements.txt` asks for: exact versions, with their hashes.
    Lock { dir: PathBuf },
    /// Sign a plugin's folder, as the publisher that its manifest names.
    Sign { dir: PathBuf },
    /// Is a folder or an archive what somebody known signed?
    Verify { path: PathBuf },
    /// Sign a plugin and make one file of it, for others.
    Pack {
        dir: PathBuf,
        /// The file [default: ./count-words-1.0.0.tar.gz]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Try out a plugin's folder: its manifest, its own tests and its examples, in the sandbox.
    Test { dir: PathBuf },
}

/// What a plugin can be written in.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Language {
    Python,
    Javascript,
}

#[derive(Debug, Args)]
pub struct PluginRun {
    pub verb: String,
    /// The inputs: a JSON object, or @FILE with one.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub input: String,
    /// A file for the mission's folder.
    #[arg(long = "file", value_name = "P")]
    pub files: Vec<PathBuf>,
    /// How long to wait for the end (90, 90s, 15m, 2h).
    #[arg(long, value_name = "D", value_parser = super::duration)]
    pub timeout: Option<Duration>,
}
