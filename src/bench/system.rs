//! A server of its own in a folder that goes with it, and `stage7 up` beside it: a process like a
//! user's, so that its memory and its time can be told from the measuring.

use super::goal::{self, Ended};
use crate::{config::Config, exit::Error, host};
use anyhow::Context;
use nats::{
    config::Sync,
    connect::{Client, Subscriber},
    jetstream::JetStream,
    key::{Ring, TENANT},
    server::{Binary, Managed, Options},
};
use rustix::process::{Pid, Signal, kill_process};
use schemas::Value;
use serde_json::json;
use std::{fs, path::Path, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// Nothing takes so long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

pub struct System {
    pub server: Managed,
    pub dir: TempDir,
    sync: Sync,
    child: Option<Child>,
    /// A user of the tenant.
    pub user: Client,
    /// Sees everything in the log's account.
    pub setup: Client,
}

/// Seconds of processor time of each.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// This process.
    pub own: f64,
    /// `up`.
    pub stage7: f64,
    pub server: f64,
}

impl System {
    /// A server with its streams and consumers, and nobody who works.
    pub async fn start(config: &Config, binary: &Binary, sync: Sync) -> Result<Self, Error> {
        fs::create_dir_all(&config.data).with_context(|| format!("the folder {}", config.data.display()))?;
        // Beside the data rather than in /tmp: that may be memory.
        let dir = tempfile::Builder::new().prefix("bench-").tempdir_in(&config.data).context("a folder")?;
        let server =
            Managed::start(Options { sync, ..Options::new(dir.path(), binary) }).await.context("nats-server")?;
        host::set_up(server.url(), server.ring(), &|_| {}).await?;
        let user = server.connect(TENANT).await.context("the user")?;
        let setup = server.connect("setup").await.context("setup")?;
        Ok(Self { server, dir, sync, child: None, user, setup })
    }

    pub fn ring(&self) -> &Ring {
        self.server.ring()
    }

    /// Reads the log as the door does.
    pub async fn log(&self) -> Result<JetStream, Error> {
        Ok(JetStream::new(self.server.connect("door").await.context("the door")?))
    }

    /// Starts `stage7 up` and waits until it answers.
    pub async fn up(&mut self) -> Result<(), Error> {
        let said = self.dir.path().join("up.log");
        let log = fs::File::create(&said).context("up.log")?;
        let mut command = Command::new(std::env::current_exe().context("this program")?);
        command.args(["up", "--json", "--nats", self.server.url(), "--creds"]).arg(self.dir.path().join("creds"));
        command.arg("--data").arg(self.dir.path().join("up")).kill_on_drop(true);
        // With its defaults, whatever this folder or environment says.
        command.current_dir(self.dir.path()).env_clear();
        command.env("STAGE7_NATS_SYNC", if self.sync == Sync::Always { "always" } else { "default" });
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().context("stage7 up")?);
        let ready = async {
            loop {
                let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
                if let Some(status) = ended {
                    let said = fs::read_to_string(&said).unwrap_or_default();
                    return Err(Error::failed(format!("`stage7 up` ended ({status}): {said}")));
                }
                let asked = self.user.request("stage7.read.default", r#"{"list":{}}"#.into());
                if let Ok(Ok(answer)) = timeout(Duration::from_secs(2), asked).await
                    && answer.payload.starts_with(b"{\"missions\"")
                {
                    return Ok(());
                }
                sleep(LOOK).await;
            }
        };
        timeout(PATIENCE, ready).await.map_err(|_| Error::failed("`stage7 up` does not come up"))?
    }

    /// Ends `up` as Ctrl-C does.
    pub async fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
                let _ = kill_process(pid, Signal::TERM);
            }
            let _ = timeout(Duration::from_secs(20), child.wait()).await;
        }
    }

    pub async fn stop(mut self) {
        self.down().await;
        self.server.stop().await;
    }

    /// Resident memory of `up`, in bytes.
    pub fn memory(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.as_ref()?.id()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib * 1024.0)
    }

    /// What `up` and the server have used of the processors.
    pub fn used(&self) -> Used {
        let up = self.child.as_ref().and_then(Child::id).and_then(processor);
        let of = |pid| processor(pid).unwrap_or_default();
        Used { own: of(std::process::id()), stage7: up.unwrap_or_default(), server: of(self.server.pid()) }
    }

    /// Asks JetStream something as `setup`.
    pub async fn ask(&self, what: &str) -> Result<Value, Error> {
        let answer = self.setup.request(format!("$JS.API.{what}"), Default::default()).await;
        let answer = answer.with_context(|| what.to_string())?;
        Ok(serde_json::from_slice(&answer.payload).with_context(|| what.to_string())?)
    }

    /// How many words are in the log.
    pub async fn words(&self) -> Result<u64, Error> {
        Ok(self.ask("STREAM.INFO.MISSIONS").await?["state"]["messages"].as_u64().unwrap_or_default())
    }

    /// Waits until a consumer has had everything and has acknowledged it.
    pub async fn drained(&self, consumer: &str) -> Result<(), Error> {
        let what = format!("CONSUMER.INFO.MISSIONS.{consumer}");
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let info = self.ask(&what).await?;
            if info["num_pending"] == 0 && info["num_ack_pending"] == 0 {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        Err(Error::failed(format!("{consumer} does not get through the log")))
    }

    /// The ends of all missions from now on.
    pub async fn ends(&self) -> Result<Subscriber, Error> {
        let listening = self.user.subscribe(format!("stage7.view.{TENANT}.*.control.mission.*")).await;
        let listening = listening.context("listening to the missions")?;
        self.user.flush().await.context("listening to the missions")?;
        Ok(listening)
    }

    /// Runs so many missions at once to their end; gives the last end.
    pub async fn missions(&self, of: &str, missions: usize, steps: usize) -> Result<Ended, Error> {
        let ends = self.ends().await?;
        let (sent, ended) = tokio::join!(goal::send(&self.user, of, missions, steps), goal::all_ended(ends, missions));
        sent?;
        ended
    }

    /// Waits until the lists show a mission, found by a word of its goal, as completed.
    pub async fn listed(&self, word: &str) -> Result<(), Error> {
        let body = json!({"search": {"text": word, "limit": 1}}).to_string();
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let answer = self.user.request("stage7.read.default", body.clone().into()).await;
            let answer = answer.context("asking for the lists")?;
            let page: Value = serde_json::from_slice(&answer.payload).context("the lists")?;
            if page["missions"][0]["status"] == "completed" {
                return Ok(());
            }
        }
        Err(Error::failed("the lists don't catch up"))
    }
}

/// Processor time of a process in seconds, its own and the system's for it.
fn processor(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The name, in brackets, may hold anything.
    let after: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |n: usize| after.get(n)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / rustix::param::clock_ticks_per_second() as f64)
}
