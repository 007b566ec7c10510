//! Hosts workers in this process, all of them beside a nats-server of its own, or some beside
//! another; restarts what ended, and drains everything before it goes.

mod supervise;
mod worker;

pub use supervise::Workers;
pub use worker::Worker;

use crate::{
    config::Config,
    exit,
    keyring::Keyring,
    rendezvous::{self, Lock, Up},
};
use anyhow::Context;
use nats::{
    connect::{self, connect},
    jetstream::JetStream,
    key::{Ring, TENANT},
    server::{Managed, Options, find},
    setup,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Changes with the code: a mission that a worker could not go on with is tried again.
pub const WORKER_VERSION: &str = env!("STAGE7_WORKER_VERSION");

/// Until an existing server must have been reached for its set-up.
const REACH: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(200);

/// Tells a person what takes time.
pub type Say = dyn Fn(&str) + Send + Sync;

/// A server, and the workers that this process runs beside it.
pub struct Host {
    pub up: Up,
    workers: Workers,
    server: Option<Managed>,
    data: PathBuf,
    _lock: Lock,
}

impl Host {
    /// Starts everything, and tells in `up.json` where it is.
    ///
    /// # Errors
    /// The data directory is in use, or the server can't be had, started, reached or set up.
    pub async fn start(
        config: &Config,
        port: Option<u16>,
        host: rendezvous::Host,
        say: &Say,
    ) -> Result<Self, exit::Error> {
        let lock = Lock::take(&config.data)?;
        // What a killed predecessor left there leads nowhere.
        Up::remove(&config.data);
        let (server, url, ring) = match &config.nats_url {
            None => {
                let server = serve(config, port, say).await?;
                let (url, ring) = (server.url().to_string(), server.ring().clone());
                (Some(server), url, ring)
            }
            Some(url) => (None, url.clone(), Ring::load(creds(config)?).context("the keys")?),
        };
        let started = async {
            // On a server of somebody else's its key may be elsewhere.
            if ring.seed("setup").is_ok() {
                set_up(&url, &ring, say).await?;
            }
            let up = Up {
                pid: std::process::id(),
                nats_pid: server.as_ref().map(Managed::pid),
                nats_url: url.clone(),
                nkey_seed: ring.seed(TENANT).context("the key of the tenant")?.reveal().into(),
                host,
            };
            // Before anybody runs a plugin: a key may have been revoked while nothing ran.
            let keys = Keyring::open(&config.data)?;
            if let Ok(door) = ring.seed("door")
                && !keys.entries.is_empty()
            {
                let door = connect(&url, "door", door).await.context("the key of the door")?;
                post_office::know(&JetStream::new(door), &keys.words()?).await?;
            }
            let mut workers = Workers::start(&Worker::ALL, config, &url, &ring)?;
            up.write(&config.data).with_context(|| format!("up.json in {}", config.data.display()))?;
            if let Some(server) = &server {
                workers.keep_told(up.clone(), server.pids(), config.data.clone());
            }
            Ok((up, workers))
        };
        match started.await {
            Ok((up, workers)) => Ok(Self { up, workers, server, data: config.data.clone(), _lock: lock }),
            Err(error) => {
                if let Some(server) = server {
                    server.stop().await;
                }
                Err(error)
            }
        }
    }

    /// Waits until a worker can never run; does not end otherwise.
    pub async fn hopeless(&mut self) -> exit::Error {
        self.workers.hopeless().await
    }

    /// Drains the workers, then stops the server.
    pub async fn stop(self) {
        Up::remove(&self.data);
        self.workers.stop().await;
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}

async fn serve(config: &Config, port: Option<u16>, say: &Say) -> Result<Managed, exit::Error> {
    let binary = find(&config.places, say).await.context("no nats-server")?;
    say(&format!("starting nats-server {} ({})", binary.version, binary.path.display()));
    let options = Options { port, ..Options::new(&config.data, &binary) };
    Ok(Managed::start(options).await.context("nats-server")?)
}

/// The folder with the keys of an existing server.
pub fn creds(config: &Config) -> Result<&Path, exit::Error> {
    let missing = || exit::Error::usage("--nats needs --creds with the keys that `stage7 setup` made for that server");
    config.creds.as_deref().ok_or_else(missing)
}

/// Makes streams and consumers as they must be; a server that is only just coming is waited for.
pub async fn set_up(url: &str, ring: &Ring, say: &Say) -> Result<setup::Changes, exit::Error> {
    let seed = ring.seed("setup").context("setting up streams and consumers")?;
    say("setting up streams and consumers");
    let reaching = async {
        loop {
            match connect(url, "setup", seed).await {
                Err(connect::Error::Unreachable { .. }) => tokio::time::sleep(PAUSE).await,
                other => return other,
            }
        }
    };
    let unreached = |_| exit::Error::failed(format!("no nats-server answers at {url}"));
    let client = tokio::time::timeout(REACH, reaching).await.map_err(unreached)?.map_err(unconnected)?;
    Ok(setup::ensure(&client).await.context("setting up streams and consumers")?)
}

/// A connection that is not to be had: refused keys are another matter than a wrong address.
pub fn unconnected(error: connect::Error) -> exit::Error {
    match &error {
        connect::Error::Refused { .. } => exit::Error::refused(error.to_string()),
        _ => exit::Error::from(anyhow::Error::from(error)),
    }
}
