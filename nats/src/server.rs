//! A nats-server of our own: found or fetched, started beside a data directory, kept running.

mod disk;
pub mod fetch;
pub mod find;
mod leftover;
mod life;
mod site;
mod supervise;

pub use find::{Binary, Places, find};
pub use supervise::Managed;

use crate::{config, key};
use std::{fmt, io, path::PathBuf, str::FromStr};

/// Where a managed server lives and how it runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory: keys go to `creds/`, configuration and store to `nats/`, the server's
    /// own lines to `logs/nats-server.log`.
    pub dir: PathBuf,
    pub binary: PathBuf,
    /// On 127.0.0.1. `None`: the port of last time when it is free, so that clients find it again,
    /// else any.
    pub port: Option<u16>,
    pub sync: config::Sync,
}

impl Options {
    pub fn new(dir: impl Into<PathBuf>, binary: &Binary) -> Self {
        Self { dir: dir.into(), binary: binary.path.clone(), port: None, sync: config::Sync::Always }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path} can't be {what}")]
    Dir { path: PathBuf, what: &'static str, source: io::Error },
    #[error(transparent)]
    Key(#[from] key::Error),
    #[error("port {port} on 127.0.0.1 is in use by another program")]
    PortTaken { port: u16 },
    #[error("{path} can't be run")]
    NotRunnable { path: PathBuf, source: io::Error },
    #[error("nats-server ended while starting ({status}); its last lines:\n{log}")]
    Ended { status: String, log: String },
    #[error("nats-server wasn't ready after {seconds} s; its last lines:\n{log}")]
    NotReady { seconds: u64, log: String },
    #[error("nats-server {pid}, left over from before, doesn't end")]
    Leftover { pid: u32 },
}

/// A server's version; a pre-release counts as what it precedes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl FromStr for Version {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let plain = text.trim().trim_start_matches('v');
        let plain = plain.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = plain.split('.').map(|n| n.parse::<u32>().map_err(|_| ()));
        let mut next = || numbers.next().unwrap_or(Err(()));
        Ok(Self { major: next()?, minor: next()?, patch: next()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("2.9.25").unwrap() < version("v2.14.0").unwrap());
        assert!(version("2.14.0-RC.1").unwrap() >= version("2.14.0").unwrap());
        assert!(version("2.15.1+build").is_ok());
        for wrong in ["", "2", "2.14", "two.0.1", "nats-server"] {
            assert!(version(wrong).is_err(), "{wrong}");
        }
    }
}
