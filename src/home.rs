//! Where missions live for a command: at a running `up`, at a server that was named, or, for those
//! that may, at a host that this process starts itself and stops in the end.

use crate::{
    client::Client,
    config::Config,
    exit,
    host::{Host, Say},
    rendezvous::{self, Lock, Up},
    trace,
};
use anyhow::Context;
use nats::key::{Seed, TENANT};
use std::time::Duration;
use tokio::time::Instant;

/// A host that is starting, or whose server is, is waited for.
const STARTING: Duration = Duration::from_secs(45);
/// One that was killed may be about to be started again.
const GRACE: Duration = Duration::from_millis(1_500);
/// One that went away while a mission was watched.
const AWAY: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// A client, and the host behind it where that is this process.
pub struct Home {
    pub client: Client,
    own: Option<Host>,
    /// Who serves, where it is not this process.
    whose: rendezvous::Host,
    /// Since when nobody answers.
    lost: Option<Instant>,
}

/// A client of what runs already.
///
/// # Errors
/// Nothing does, or it refuses the key.
pub async fn find(config: &Config, say: &Say) -> Result<Home, exit::Error> {
    find_running(config, say).await?.ok_or_else(|| {
        exit::Error::failed(format!(
            "no stage7 is running on {}: start it with `stage7 up`, or name another with --data or --nats",
            config.data.display()
        ))
    })
}

/// A client of what runs already, or of a host that is started for it.
///
/// # Errors
/// Neither can be had.
pub async fn find_or_start(config: &Config, say: &Say) -> Result<Home, exit::Error> {
    if let Some(home) = find_running(config, say).await? {
        return Ok(home);
    }
    std::fs::create_dir_all(&config.data).with_context(|| format!("the data directory {}", config.data.display()))?;
    trace::begin(config, "run", trace::Screen::None)?;
    match Host::start(config, None, rendezvous::Host::Run, say).await {
        Ok(host) => {
            let client = Client::connect(&host.up.nats_url, &seed_of(&host.up)?, None).await?;
            Ok(Home { client, own: Some(host), whose: rendezvous::Host::Run, lost: None })
        }
        // Somebody else was quicker.
        Err(error) if Lock::is_taken(&config.data) => find_running(config, say).await?.ok_or(error),
        Err(error) => Err(error),
    }
}

async fn find_running(config: &Config, say: &Say) -> Result<Option<Home>, exit::Error> {
    if let Some(url) = &config.nats_url {
        let path = crate::host::creds(config)?;
        let path = if path.is_dir() { path.join(format!("{TENANT}.nk")) } else { path.to_path_buf() };
        let client = Client::connect(url, &Seed::read(&path).context("--creds")?, None).await?;
        return Ok(Some(Home { client, own: None, whose: rendezvous::Host::Up, lost: None }));
    }
    let began = Instant::now();
    let mut told = false;
    loop {
        let (up, taken) = (Up::read(&config.data), Lock::is_taken(&config.data));
        match up {
            Some(up) if taken && up.is_alive() => {
                match Client::connect(&up.nats_url, &seed_of(&up)?, Some(config.data.clone())).await {
                    Ok(client) => return Ok(Some(Home { client, own: None, whose: up.host, lost: None })),
                    Err(error) if began.elapsed() > STARTING => return Err(error),
                    Err(_) => {}
                }
            }
            _ if taken && began.elapsed() > STARTING => {
                return Err(exit::Error::timed_out(format!(
                    "somebody has been starting stage7 on {} for {} s",
                    config.data.display(),
                    STARTING.as_secs()
                )));
            }
            _ if taken => {}
            Some(_) if began.elapsed() < GRACE => {}
            _ => return Ok(None),
        }
        if !told && taken {
            say("waiting for the stage7 that is starting");
            told = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn seed_of(up: &Up) -> Result<Seed, exit::Error> {
    up.seed().ok_or_else(|| exit::Error::failed("up.json holds no key: stop that `stage7 up` and start it again"))
}

impl Home {
    /// Does this process serve the mission itself?
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Somebody answers.
    pub fn found(&mut self) {
        self.lost = None;
    }

    /// Nobody answers any more: waits for whoever served to come back. In the place of a `run` that
    /// has ended this process serves.
    ///
    /// # Errors
    /// It does not come back in time.
    pub async fn lost(&mut self, config: &Config, say: &Say) -> Result<(), exit::Error> {
        if self.lost.is_none() {
            say("the connection is lost: waiting for stage7 to come back");
        }
        let until = *self.lost.get_or_insert_with(Instant::now) + AWAY;
        while Instant::now() < until {
            if self.is_own() || config.nats_url.is_some() {
                // The connection comes back by itself.
                tokio::time::sleep(PAUSE * 10).await;
                return Ok(());
            }
            let taken = Lock::is_taken(&config.data);
            if let Some(up) = Up::read(&config.data).filter(|up| taken && up.is_alive()) {
                if self.client.relink(&up.nats_url, &seed_of(&up)?).await.is_ok() {
                    self.whose = up.host;
                    return Ok(());
                }
            } else if !taken && self.whose == rendezvous::Host::Run {
                return self.take_over(config, say).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(exit::Error::timed_out(format!(
            "stage7 did not come back within {} s; the mission is safe in {} and goes on with the next `stage7 up`",
            AWAY.as_secs(),
            config.data.display()
        )))
    }

    async fn take_over(&mut self, config: &Config, say: &Say) -> Result<(), exit::Error> {
        match Host::start(config, None, rendezvous::Host::Run, say).await {
            Ok(host) => {
                trace::begin(config, "run", trace::Screen::None)?;
                self.client.relink(&host.up.nats_url, &seed_of(&host.up)?).await.map_err(crate::host::unconnected)?;
                self.own = Some(host);
                Ok(())
            }
            // Somebody else was quicker: it is found at the next look.
            Err(_) if Lock::is_taken(&config.data) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends the host, where it is this process.
    pub async fn close(self) {
        if let Some(host) = self.own {
            host.stop().await;
        }
    }
}
