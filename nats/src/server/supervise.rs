//! A server that is kept running: when it dies it is started again on the same port and store.
//!
//! The supervisor is a plain thread, so that it works whatever runtime the owner has and a dropped
//! owner can wait for the server's end.

use super::{
    Error, Options,
    disk::{Disk, Verdict},
    leftover,
    life::Life,
    site::Site,
};
use crate::{config, connect, key::Ring};
use rustix::process::Signal;
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::DirBuilderExt,
    path::Path,
    process::Child,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The server syncs its store before it ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks at the disk.
const LOOK: Duration = Duration::from_secs(1);

/// A running nats-server of our own. Dropping it stops the server and waits for its end.
#[derive(Debug)]
pub struct Managed {
    url: String,
    ring: Ring,
    pid: watch::Receiver<u32>,
    life: Arc<Life>,
    ended: mpsc::Receiver<()>,
}

impl Managed {
    /// Makes keys and configuration, ends what a killed predecessor left in the directory, starts
    /// the server and waits until it takes connections.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let started = tokio::task::spawn_blocking(move || start(&options));
        started.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
    }

    /// `nats://127.0.0.1:PORT`, the same for as long as it lives.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The process now; another one after a restart.
    pub fn pid(&self) -> u32 {
        *self.pid.borrow()
    }

    /// Tells of every restart.
    pub fn pids(&self) -> watch::Receiver<u32> {
        self.pid.clone()
    }

    /// Connects as one of the users.
    pub async fn connect(&self, user: &str) -> Result<async_nats::Client, connect::Error> {
        connect::connect(&self.url, user, self.ring.seed(user)?).await
    }

    /// Stops the server without blocking the runtime.
    pub async fn stop(self) {
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        self.life.hold().stopping = true;
        self.life.signal(Signal::TERM);
        if self.ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            self.life.signal(Signal::KILL);
            let _ = self.ended.recv();
        }
    }
}

fn start(options: &Options) -> Result<Managed, Error> {
    // What a folder is made for is nobody else's business: the store holds whole missions.
    let made = |path: &Path| {
        let result = fs::DirBuilder::new().recursive(true).mode(0o700).create(path).and_then(|()| path.canonicalize());
        result.map_err(|source| Error::Dir { path: path.into(), what: "made", source })
    };
    let data = made(&options.dir)?;
    let dir = made(&data.join("nats"))?;
    made(&dir.join("accounts"))?;
    made(&dir.join("ports"))?;
    let ring = Ring::ensure(&data.join("creds"))?;
    leftover::end(&dir)?;
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = match options.port {
        Some(port) if !free(&port) => return Err(Error::PortTaken { port }),
        Some(port) => i32::from(port),
        None => leftover::last_port(&dir).filter(free).map_or(-1, i32::from),
    };
    let site = Site {
        binary: options.binary.clone(),
        log: made(&data.join("logs"))?.join("nats-server.log"),
        sync: options.sync,
        keys: config::public_keys(&ring),
        dir,
    };
    site.write("accounts/tenants.conf", &config::tenants(&config::default_tenant(&ring)))?;
    let life = Arc::new(Life::default());
    let launched = match site.launch(port, &life) {
        // The port of last time was taken just now.
        Err(Error::Ended { .. }) if options.port.is_none() && port != -1 => site.launch(-1, &life),
        other => other,
    };
    let (mut child, port) = launched?.expect("nobody can have stopped it yet");
    let (tell, pid) = watch::channel(child.id());
    let (done, ended) = mpsc::channel();
    let mine = life.clone();
    let (watched, disk, told) = (life.clone(), Disk::new(&site.dir.join("store"), &site.log), tell.subscribe());
    thread::spawn(move || watch(disk, &told, &watched));
    thread::spawn(move || {
        keep(&site, &mut child, port, &mine, &tell);
        let _ = done.send(());
    });
    Ok(Managed { url: format!("nats://127.0.0.1:{port}"), ring, pid, life, ended })
}

/// Ends a server that has given up writing as soon as there is room, for `keep` to start it again.
fn watch(mut disk: Disk, pid: &watch::Receiver<u32>, life: &Life) {
    let store = disk.store().display().to_string();
    let mut known = *pid.borrow();
    while !life.is_stopping() {
        thread::sleep(LOOK);
        let now = *pid.borrow();
        if now != known {
            known = now;
            disk.started();
        }
        match disk.look() {
            Verdict::Nothing => {}
            Verdict::Tell { left } => tracing::error!(
                "the disk of {store} is full ({left} bytes left): missions wait until somebody makes room there, then go on by themselves"
            ),
            Verdict::Restart => {
                tracing::warn!(
                    "there is room again on the disk of {store}: starting nats-server anew, since it writes no more"
                );
                life.signal(Signal::TERM);
                let same = || *pid.borrow() == known && !life.is_stopping();
                let looks = PATIENCE.as_millis() / LOOK.as_millis();
                if (0..looks).all(|_| {
                    thread::sleep(LOOK);
                    same()
                }) {
                    life.signal(Signal::KILL);
                }
            }
        }
    }
}

/// Waits for the end of the server and starts it again, until its owner goes.
#[expect(clippy::disallowed_methods, reason = "how long a process lived is no decision")]
fn keep(site: &Site, child: &mut Child, port: u16, life: &Life, tell: &watch::Sender<u32>) {
    let mut pause = Duration::ZERO;
    loop {
        let started = Instant::now();
        let status = life.reap(child);
        if life.is_stopping() {
            return;
        }
        tracing::warn!(%status, "nats-server ended; starting it again on port {port}");
        // One that dies at once isn't started in a tight loop.
        pause = if started.elapsed() > Duration::from_secs(10) {
            Duration::ZERO
        } else {
            (pause * 2).clamp(Duration::from_millis(50), Duration::from_secs(5))
        };
        thread::sleep(pause);
        loop {
            match site.launch(i32::from(port), life) {
                Ok(Some((next, _))) => {
                    *child = next;
                    break;
                }
                Ok(None) => return,
                Err(e) => tracing::error!("nats-server can't be started again: {e}"),
            }
            thread::sleep(Duration::from_secs(1));
        }
        tell.send_replace(child.id());
    }
}
