//! Capabilities: the plugins, and the places where they run.
//!
//! Consumes: `plugin.requested` of any requester (group `plugin-runs`); what people say about plugins and
//! their publishers' keys (`stage7.registry.user.>`); at each run settings and secrets. \
//! Emits: `capability.plugin.started` of sandboxed runs; as answers `capability.plugin.completed` and
//! `capability.plugin.failed`; in the registry `plugin.registered`, `plugin.listed` and `sealing.announced`. \
//! Decides: nothing. \
//! Effects: native code, some of which asks the internet, and processes in a sandbox; log lines on
//! `stage7.live.{tenant}.{mission}.plugin.{run}`. \
//! Repeats: a run whose answer is not in the log is made again after a crash. \
//! Never: code that is not the machine's own outside a sandbox.

mod effect;
pub mod egress;
pub mod environment;
mod folder;
pub mod manifest;
pub mod native;
pub mod package;
pub mod plugin;
mod process;
pub mod program;
mod redact;
pub mod runtime;
pub mod sandbox;
pub mod scaffold;
mod seccomp;
mod shelf;
pub mod signature;
mod vault;

pub use effect::Capabilities;
pub use environment::folder as packages;
pub use plugin::{Plugin, shipped};
pub use plugins::web::Hosts;
pub use redact::MASK;
pub use runtime::{Failure, Host, State};

use futures::{FutureExt, StreamExt};
use nats::{
    jetstream::JetStream,
    log::{AppendError, Log, ReadError},
    seal::Opener,
};
use plugins::web::Web;
use schemas::Writer;
use shelf::Shelf;
use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};
use streams::{
    registry,
    secret::{ANNOUNCED, Announced},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use vault::Vault;

/// What people say about plugins and their publishers.
const SAID: &str = "stage7.registry.user.>";
/// Between two tries of what the log did not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// What this program is when it was started by itself: a native plugin in a process of its own, or the
/// bridge of a sandbox. A program calls it before anything else in `main`, and exits with what it gives.
pub fn child() -> Option<std::process::ExitCode> {
    native::child().or_else(egress::bridge)
}

/// How the worker is run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Runs at once.
    pub parallel: usize,
    /// A binary whose `main` begins with [`child`].
    pub program: PathBuf,
    /// Where the packages of Python plugins are installed; see [`packages`].
    pub packages: PathBuf,
    /// Hosts of the machine or its networks that native plugins may talk to.
    pub private_hosts: Hosts,
    pub env: Env,
}

/// The variables of this machine that plugins may ask for; those that are not set have no value.
#[derive(Clone, Default)]
pub struct Env(pub BTreeMap<String, Option<String>>);

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Config {
    /// What runs plugins here.
    pub fn host(&self) -> Host {
        let host = Host::new(&self.program, &self.packages).with_env(self.env.clone());
        host.with_web(Web::new(self.private_hosts.clone()))
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

/// Registers its verbs and runs plugins until `stop`; what people say about plugins is heeded as it
/// comes. Secrets are sealed to the key of `opener`.
///
/// # Errors
/// When the registry or the consumer refuses.
pub async fn run(
    log: JetStream,
    config: Config,
    opener: Opener,
    worker_version: String,
    stop: CancellationToken,
) -> Result<(), Error> {
    let host = Arc::new(config.host());
    let shelf = Arc::new(Shelf::new(shipped().into_iter().filter(|plugin| !plugin.is_agents()).collect()));
    // Listened to before it is read: nothing falls between.
    let mut said = log.overhear(SAID).await?;
    shelf.refresh(&log).await?;
    let sealing = Announced { key: opener.public() };
    nats::registry::publish(&log, Writer::Capability, ANNOUNCED, None, &sealing).await?;
    nats::registry::announce(&log, Writer::Capability, &shelf.registered(&host).await).await?;
    let heed = {
        let (log, shelf, host) = (log.clone(), Arc::clone(&shelf), Arc::clone(&host));
        async move {
            while said.next().await.is_some() {
                while said.next().now_or_never().flatten().is_some() {}
                while let Err(error) = heeded(&log, &shelf, &host).await {
                    tracing::warn!(%error, "what was said about plugins can't be read: trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::spawn(stop.clone().run_until_cancelled_owned(heed).in_current_span());
    let capabilities =
        Capabilities::new(shelf, host, Vault::new(log.clone(), Arc::new(opener)), log.clone(), config.parallel);
    Ok(nats::effect::run(Arc::new(log), Arc::new(capabilities), worker_version, stop).await?)
}

async fn heeded(log: &JetStream, shelf: &Shelf, host: &Host) -> Result<(), Error> {
    shelf.refresh(log).await?;
    Ok(nats::registry::announce(log, Writer::Capability, &shelf.registered(host).await).await?)
}

/// What the registry is to say of each plugin.
pub async fn registered(plugins: &[Plugin], host: &Host) -> Vec<registry::Plugin> {
    let mut all = Vec::new();
    for plugin in plugins {
        all.push(shelf::entry(plugin, host).await);
    }
    all
}
