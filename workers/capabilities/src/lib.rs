//! Capabilities: the plugins, and the places where they run.
//!
//! Consumes: `plugin.requested` of any requester (group `plugin-runs`). \
//! Emits: `capability.plugin.started` of sandboxed runs; as answers `capability.plugin.completed` and
//! `capability.plugin.failed`; in the registry `plugin.registered` and `plugin.listed`. \
//! Decides: nothing. \
//! Effects: native code, and processes in a sandbox; log lines on
//! `stage7.live.{tenant}.{mission}.plugin.{run}`. \
//! Repeats: a run whose answer is not in the log is made again after a crash. \
//! Never: code that is not the machine's own outside a sandbox.

mod effect;
pub mod environment;
mod folder;
pub mod manifest;
pub mod native;
pub mod package;
pub mod plugin;
mod process;
pub mod program;
pub mod runtime;
pub mod sandbox;
pub mod scaffold;
mod seccomp;
pub mod signature;

pub use effect::Capabilities;
pub use environment::folder as packages;
pub use plugin::{Plugin, shipped};
pub use runtime::{Failure, Host, State};

use nats::{
    jetstream::JetStream,
    log::{AppendError, ReadError},
};
use schemas::Writer;
use std::{path::PathBuf, sync::Arc};
use streams::registry;
use tokio_util::sync::CancellationToken;

/// How the worker is run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Runs at once.
    pub parallel: usize,
    /// A binary whose `main` begins with [`native::child`].
    pub program: PathBuf,
    /// Where the packages of Python plugins are installed; see [`packages`].
    pub packages: PathBuf,
}

impl Config {
    /// What runs plugins here.
    pub fn host(&self) -> Host {
        Host::new(&self.program, &self.packages)
    }
}

/// Why the worker cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("capabilities cannot join its consumer group")]
    Read(#[from] ReadError),
    #[error("capabilities cannot register its verbs")]
    Register(#[from] AppendError),
}

/// Registers the shipped verbs and runs plugins until `stop`.
///
/// # Errors
/// When the registry or the consumer refuses.
pub async fn run(log: JetStream, config: Config, worker_version: String, stop: CancellationToken) -> Result<(), Error> {
    let host = config.host();
    let plugins: Vec<Plugin> = shipped().into_iter().filter(|plugin| !plugin.is_agents()).collect();
    nats::registry::announce(&log, Writer::Capability, &registered(&plugins, &host).await).await?;
    let capabilities = Capabilities::new(plugins, host, config.parallel);
    Ok(nats::effect::run(Arc::new(log), Arc::new(capabilities), worker_version, stop).await?)
}

/// What the registry is to say of each plugin.
pub async fn registered(plugins: &[Plugin], host: &Host) -> Vec<registry::Plugin> {
    let mut all = Vec::new();
    for plugin in plugins {
        let (state, reason) = match host.state(plugin).await {
            State::Enabled => (registry::State::Enabled, None),
            State::Unavailable(reason) => (registry::State::Unavailable, Some(reason)),
        };
        all.push(registry::Plugin { verb: plugin.manifest.verb(), digest: plugin.digest(), state, reason });
    }
    all
}
