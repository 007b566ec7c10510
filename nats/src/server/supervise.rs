//! A server that is kept running: when it dies it is started again on the same port and store.
//!
//! The supervisor is a plain thread, so that it works whatever runtime the owner has and a dropped
//! owner can wait for the server's end.

use super::{Error, Options, leftover};
use crate::{config, connect, key::Ring};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use std::{
    collections::BTreeMap,
    fs, io,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// A large store takes its time to be read; a small one is ready in 50 ms.
const READY: Duration = Duration::from_secs(120);
/// The server syncs its store before it ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running nats-server of our own. Dropping it stops the server and waits for its end.
#[derive(Debug)]
pub struct Managed {
    url: String,
    ring: Ring,
    pid: watch::Receiver<u32>,
    life: Arc<Life>,
    ended: mpsc::Receiver<()>,
}

/// Shared with the supervisor. The pid is there while the process is not yet reaped, so that no
/// signal can hit a stranger.
#[derive(Debug, Default)]
struct Life(Mutex<(bool, Option<u32>)>);

impl Life {
    fn get(&self) -> MutexGuard<'_, (bool, Option<u32>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.get().1 {
            leftover::send(pid, signal);
        }
    }
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
        self.life.get().0 = true;
        self.life.signal(Signal::TERM);
        if self.ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            self.life.signal(Signal::KILL);
            let _ = self.ended.recv();
        }
    }
}

fn start(options: &Options) -> Result<Managed, Error> {
    let made = |path: &Path| {
        let result = fs::create_dir_all(path).and_then(|()| path.canonicalize());
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
        log: data.join("nats-server.log"),
        sync: options.sync,
        keys: config::public_keys(&ring),
        dir,
    };
    site.write("accounts/tenants.conf", &config::tenants(&config::default_tenant(&ring)))?;
    let life = Arc::new(Life::default());
    let (mut child, port) = site.launch(port, &life)?.ok_or_else(|| Error::Ended { status: "stopped".into(), log: String::new() })?;
    let (tell, pid) = watch::channel(child.id());
    let (done, ended) = mpsc::channel();
    let mine = life.clone();
    thread::spawn(move || {
        site.keep(&mut child, port, &mine, &tell);
        let _ = done.send(());
    });
    Ok(Managed { url: format!("nats://127.0.0.1:{port}"), ring, pid, life, ended })
}

/// Where one server runs.
struct Site {
    /// Configuration, store and ports: the server's working directory.
    dir: PathBuf,
    binary: PathBuf,
    log: PathBuf,
    sync: config::Sync,
    keys: BTreeMap<String, String>,
}

impl Site {
    /// Waits for the end of the server and starts it again, until its owner goes.
    fn keep(&self, child: &mut Child, port: u16, life: &Life, tell: &watch::Sender<u32>) {
        let mut pause = Duration::ZERO;
        loop {
            let started = Instant::now();
            let status = reap(child, life);
            if life.get().0 {
                return;
            }
            tracing::warn!(%status, "nats-server ended; starting it again on port {port}");
            // One that dies at once isn't started in a tight loop.
            pause = if started.elapsed() > Duration::from_secs(10) { Duration::ZERO } else { (pause * 2).clamp(Duration::from_millis(50), Duration::from_secs(5)) };
            thread::sleep(pause);
            loop {
                match self.launch(i32::from(port), life) {
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

    /// Starts the server and waits until it listens; `None` when its owner has gone meanwhile.
    /// Port -1 takes any, and the configuration is then written again with what it took: a reload
    /// must find the port that is in use.
    fn launch(&self, port: i32, life: &Life) -> Result<Option<(Child, u16)>, Error> {
        self.configure(port)?;
        for old in fs::read_dir(self.dir.join("ports")).into_iter().flatten().flatten() {
            let _ = fs::remove_file(old.path());
        }
        let Some(mut child) = self.spawn(life)? else { return Ok(None) };
        let noted = leftover::note(&self.dir, child.id(), port);
        let ready = noted.map_err(|source| self.failed(source)).and_then(|()| self.ready(&mut child));
        let settled = ready.and_then(|taken| {
            if i32::from(taken) != port {
                self.configure(i32::from(taken))?;
                leftover::note(&self.dir, child.id(), i32::from(taken)).map_err(|source| self.failed(source))?;
            }
            Ok(taken)
        });
        match settled {
            Ok(taken) => Ok(Some((child, taken))),
            Err(e) => {
                life.signal(Signal::KILL);
                reap(&mut child, life);
                if life.get().0 { Ok(None) } else { Err(e) }
            }
        }
    }

    fn spawn(&self, life: &Life) -> Result<Option<Child>, Error> {
        let unusable = |source| Error::Dir { path: self.log.clone(), what: "written", source };
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log).map_err(unusable)?;
        let twin = log.try_clone().map_err(unusable)?;
        let mut held = life.get();
        if held.0 {
            return Ok(None);
        }
        let mut command = Command::new(&self.binary);
        command.args(leftover::ARGUMENTS).current_dir(&self.dir).stdin(Stdio::null()).stdout(twin).stderr(log);
        // Of its own group: a Ctrl-C at the terminal is ours to act upon, in our order.
        let child = command.process_group(0).spawn().map_err(|source| Error::NotRunnable { path: self.binary.clone(), source })?;
        held.1 = Some(child.id());
        Ok(Some(child))
    }

    /// Waits for the file in which the server says where it listens.
    fn ready(&self, child: &mut Child) -> Result<u16, Error> {
        let until = Instant::now() + READY;
        while Instant::now() < until {
            if let Some(port) = self.port(child.id()) {
                return Ok(port);
            }
            if has_ended(child.id()) {
                return Err(Error::Ended { status: "see below".into(), log: self.tail() });
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(Error::NotReady { seconds: READY.as_secs(), log: self.tail() })
    }

    fn port(&self, pid: u32) -> Option<u16> {
        let files = fs::read_dir(self.dir.join("ports")).ok()?.flatten();
        let mine = files.map(|f| f.path()).find(|p| p.to_string_lossy().ends_with(&format!("_{pid}.ports")))?;
        let told: serde_json::Value = serde_json::from_str(&fs::read_to_string(mine).ok()?).ok()?;
        told["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
    }

    fn configure(&self, port: i32) -> Result<(), Error> {
        let listen = format!("127.0.0.1:{port}");
        let config = config::Config { listen: &listen, store_dir: Path::new("./store"), sync: self.sync, keys: &self.keys };
        self.write("nats-server.conf", &format!("{}ports_file_dir: \"./ports\"\n", config.render()))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.dir.join(name);
        let aside = path.with_extension("new");
        let written = fs::write(&aside, text).and_then(|()| fs::rename(&aside, &path));
        written.map_err(|source| Error::Dir { path, what: "written", source })
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Dir { path: self.dir.clone(), what: "written", source }
    }

    fn tail(&self) -> String {
        let text = fs::read(&self.log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(6)..].join("\n")
    }
}

/// Waits for the end first and reaps under the lock: in between the pid stays the server's.
fn reap(child: &mut Child, life: &Life) -> String {
    wait(child.id(), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    let mut held = life.get();
    held.1 = None;
    child.wait().map_or_else(|e| e.to_string(), |status| status.to_string())
}

fn has_ended(pid: u32) -> bool {
    wait(pid, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG)
}

fn wait(pid: u32, how: WaitIdOptions) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    loop {
        match waitid(WaitId::Pid(pid), how) {
            Ok(status) => return status.is_some(),
            Err(rustix::io::Errno::INTR) => (),
            Err(_) => return true,
        }
    }
}
