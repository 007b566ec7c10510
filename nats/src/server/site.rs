//! Where a managed server runs: its files, and starting it among them.

use super::{
    Error, leftover,
    life::{Life, has_ended},
};
use crate::config;
use rustix::process::Signal;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A large store takes its time to be read; a small one is ready in 50 ms.
const READY: Duration = Duration::from_secs(120);

/// The server writes its lines itself, so that it puts a full file aside; in UTC, as ours are. What it
/// says before it has read this goes to the same file.
const LOG: &str =
    "log_file: \"../logs/nats-server.log\"\nlogfile_size_limit: 8MB\nlogfile_max_num: 4\nlogtime_utc: true\n";

/// Where one server runs.
pub(super) struct Site {
    /// Configuration, store and ports: the server's working directory.
    pub dir: PathBuf,
    pub binary: PathBuf,
    pub log: PathBuf,
    pub sync: config::Sync,
    pub keys: BTreeMap<String, String>,
}

impl Site {
    /// Starts the server and waits until it listens; `None` when its owner has gone meanwhile.
    /// Port -1 takes any, and the configuration is then written again with what it took: a reload
    /// must find the port that is in use.
    pub fn launch(&self, port: i32, life: &Life) -> Result<Option<(Child, u16)>, Error> {
        self.configure(port)?;
        for old in fs::read_dir(self.dir.join("ports")).into_iter().flatten().flatten() {
            let _ = fs::remove_file(old.path());
        }
        let Some(mut child) = self.spawn(life)? else {
            return Ok(None);
        };
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
                let status = life.reap(&mut child);
                match e {
                    _ if life.is_stopping() => Ok(None),
                    Error::Ended { log, .. } => Err(Error::Ended { status, log }),
                    e => Err(e),
                }
            }
        }
    }

    fn spawn(&self, life: &Life) -> Result<Option<Child>, Error> {
        let unusable = |source| Error::Dir { path: self.log.clone(), what: "written", source };
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log).map_err(unusable)?;
        let twin = log.try_clone().map_err(unusable)?;
        let mut held = life.hold();
        if held.stopping {
            return Ok(None);
        }
        let mut command = Command::new(&self.binary);
        command.args(leftover::ARGUMENTS).current_dir(&self.dir).stdin(Stdio::null()).stdout(twin).stderr(log);
        command.env("GOGC", set_or("GOGC", || "400".into())).env("GOMAXPROCS", set_or("GOMAXPROCS", processors));
        // Of its own group: a Ctrl-C at the terminal is ours to act upon, in our order.
        let child = command
            .process_group(0)
            .spawn()
            .map_err(|source| Error::NotRunnable { path: self.binary.clone(), source })?;
        held.pid = Some(child.id());
        Ok(Some(child))
    }

    /// Waits for the file in which the server says where it listens.
    #[expect(clippy::disallowed_methods, reason = "how long to wait for a process is no decision")]
    fn ready(&self, child: &mut Child) -> Result<u16, Error> {
        let until = Instant::now() + READY;
        while Instant::now() < until {
            if let Some(port) = self.port(child.id()) {
                return Ok(port);
            }
            if has_ended(child) {
                return Err(Error::Ended { status: String::new(), log: self.tail() });
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
        let config =
            config::Config { listen: &listen, store_dir: Path::new("./store"), sync: self.sync, keys: &self.keys };
        self.write("nats-server.conf", &format!("{}ports_file_dir: \"./ports\"\n{LOG}", config.render()))
    }

    pub fn write(&self, name: &str, text: &str) -> Result<(), Error> {
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

/// How the server's runtime is set: it may grow by four times before it is tidied (a prototype of the loops
/// got an eighth more messages by this), and has half of the processors, for whose other half all workers
/// wait. What the operator says comes first.
#[expect(clippy::disallowed_methods, reason = "the server's environment, not a decision's")]
fn set_or(name: &str, own: impl Fn() -> OsString) -> OsString {
    std::env::var_os(name).unwrap_or_else(own)
}

fn processors() -> OsString {
    let all = thread::available_parallelism().map_or(1, usize::from);
    all.div_ceil(2).to_string().into()
}
