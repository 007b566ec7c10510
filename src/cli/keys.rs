//! `stage7 keys …`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What keys are for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Purpose {
    /// Publishers of plugins.
    Plugins,
}

#[derive(Debug, Args)]
pub struct Whose {
    #[arg(long = "for", value_name = "WHAT")]
    pub purpose: Purpose,
    /// Whose key; the name that stands in manifests.
    #[arg(long, value_name = "NAME", default_value = crate::keyring::LOCAL)]
    pub publisher: String,
}

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// A publisher's first key.
    Generate(Whose),
    /// Another one: it signs from now on, what the last one signed stays good.
    Rotate(Whose),
    /// What a key has signed is not taken any more.
    Revoke {
        /// Its fingerprint, or the first digits of it.
        fingerprint: String,
        #[arg(long = "for", value_name = "WHAT")]
        purpose: Purpose,
    },
    /// Take what another publisher signs.
    Trust {
        /// The public key, PEM.
        file: PathBuf,
        #[command(flatten)]
        whose: Whose,
    },
    /// All of them.
    List {
        #[arg(long = "for", value_name = "WHAT")]
        purpose: Purpose,
    },
}
