//! A running stage7 in one of two layouts, and the command line beside it.

use crate::{
    log::Log,
    process::{Ended, Process, gone, signal},
    user::User,
    wait::eventually,
};
use nats::server::{Managed, Options, Places, find};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Who runs where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `stage7 up`: everything in one process.
    One,
    /// A server, and a process for each worker, with an empty directory and its own key each.
    Split,
}

/// Worker processes, and the NATS user each speaks as.
const WORKERS: [(&str, &str); 7] = [
    ("mission-control", "control"),
    ("agents", "agent"),
    ("brain", "brain"),
    ("capabilities", "capability"),
    ("timekeeper", "timekeeper"),
    ("librarian", "librarian"),
    ("post-office", "door"),
];

/// Verbs that are there once every worker has started.
const VERBS: [&str; 8] =
    ["ACCOMPLISH", "THINK", "GENERATE", "CHAT", "ASK_USER_QUESTION", "FILE_OPS", "TEXT_ANALYSIS", "DATA_TOOLKIT"];

pub struct Stage7 {
    pub layout: Layout,
    /// Dropped, and so ended, before the server.
    processes: Mutex<Vec<Process>>,
    server: Option<Server>,
    env: Vec<(String, String)>,
    calls: AtomicU64,
    dir: TempDir,
}

/// A nats-server that is not `up`'s.
struct Server {
    url: String,
    /// The folder with all keys.
    keys: PathBuf,
    running: Mutex<Option<(Managed, Runtime)>>,
}

/// The one that the tests of a layout share while any of them runs.
pub fn shared(layout: Layout) -> Arc<Stage7> {
    static BOTH: [Mutex<Weak<Stage7>>; 2] = [const { Mutex::new(Weak::new()) }; 2];
    let mut held = BOTH[layout as usize].lock().unwrap_or_else(PoisonError::into_inner);
    held.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Stage7::start(layout));
        *held = Arc::downgrade(&started);
        started
    })
}

impl Stage7 {
    pub fn start(layout: Layout) -> Self {
        Self::start_with(layout, &[])
    }

    /// With these variables in the environment of all its processes.
    pub fn start_with(layout: Layout, env: &[(&str, &str)]) -> Self {
        let this = Self::prepared(layout, env);
        this.run();
        this.ready();
        this
    }

    /// Only the server, and none of the workers; with `up` nothing at all.
    pub fn prepared(layout: Layout, env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let env = env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let server = (layout == Layout::Split).then(|| serve(dir.path()));
        let this = Self { layout, processes: Mutex::default(), server, env, calls: AtomicU64::new(0), dir };
        fs::create_dir(this.path("client")).unwrap();
        if let Some(server) = &this.server {
            let keys = server.keys.display().to_string();
            this.command(&["setup", "--nats", &server.url, "--creds", &keys], &this.path("client"))
                .ended(&this)
                .code(0);
        }
        this
    }

    /// Starts `up`, or every worker.
    pub fn run(&self) {
        match self.layout {
            Layout::One => {
                let data = self.path("data");
                let up = self.command(&["up", "--data", data.to_str().unwrap()], &self.path("client"));
                let up = up.started(self, "up");
                self.processes.lock().unwrap().push(up);
            }
            Layout::Split => WORKERS.iter().for_each(|(worker, _)| self.run_worker(worker)),
        }
    }

    /// Starts one worker, where nothing is but its own key.
    pub fn run_worker(&self, worker: &str) {
        let server = self.server.as_ref().expect("the layout has a server of its own");
        let (_, user) = WORKERS.iter().find(|(name, _)| *name == worker).expect("a worker");
        let (home, keys) = (self.path(worker), self.path(&format!("keys-{worker}")));
        for dir in [&home, &keys] {
            fs::create_dir_all(dir).unwrap();
        }
        let key = format!("{user}.nk");
        fs::copy(server.keys.join(&key), keys.join(&key)).unwrap();
        let command =
            self.command(&["worker", worker, "--nats", &server.url, "--creds", keys.to_str().unwrap()], &home);
        let process = command.started(self, worker);
        self.processes.lock().unwrap().push(process);
    }

    /// Waits until every verb is there and lists are answered.
    pub fn ready(&self) {
        eventually(
            "stage7 is ready",
            || self.logs(),
            || {
                self.processes.lock().unwrap().iter_mut().for_each(Process::must_run);
                let listed = self.cli(&["plugin", "list", "--json"]);
                let missions = self.cli(&["mission", "list", "--json"]);
                let known = VERBS.iter().all(|verb| listed.stdout.contains(&format!("\"{verb}\"")));
                (listed.code == Some(0) && known && missions.code == Some(0)).then_some(())
            },
        );
    }

    /// Asks all its processes to end, the server excepted where it is not theirs.
    pub fn stop(&self) {
        let all = std::mem::take(&mut *self.processes.lock().unwrap());
        // All at once: each has its own to finish.
        all.iter().for_each(|process| signal(process.pid(), Signal::TERM));
        all.into_iter().for_each(Process::stop);
    }

    /// `kill -9` of all its processes and of the server.
    pub fn kill(&self) {
        let nats = match &self.server {
            Some(server) => server.running.lock().unwrap().as_ref().map(|(managed, _)| managed.pid()),
            None => self.nats_pid(),
        };
        let mut all = std::mem::take(&mut *self.processes.lock().unwrap());
        all.iter_mut().for_each(Process::kill);
        let nats = nats.expect("the server runs");
        signal(nats, Signal::KILL);
        gone(nats);
    }

    /// The server that `up` started.
    fn nats_pid(&self) -> Option<u32> {
        self.up()?["nats_pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
    }

    /// `up.json` as it stands.
    fn up(&self) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.path("data/up.json")).ok()?).ok()
    }

    /// The process in which a worker runs.
    pub fn pid(&self, worker: &str) -> u32 {
        let held = self.processes.lock().unwrap();
        let name = if self.layout == Layout::One { "up" } else { worker };
        held.iter().find(|process| process.name == name).expect("it runs").pid()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file for the command line.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path("client").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().into()
    }

    /// Where the server is, and the file with the key of a user.
    pub fn address(&self) -> (String, PathBuf) {
        match &self.server {
            Some(server) => (server.url.clone(), server.keys.join("default.nk")),
            None => {
                (self.up().expect("it runs")["nats_url"].as_str().unwrap().into(), self.path("data/creds/default.nk"))
            }
        }
    }

    /// A NATS client with a user's rights.
    pub fn user(&self) -> User {
        let (url, key) = self.address();
        User::of_file(&url, &key)
    }

    /// The command as a client gives it.
    pub fn client(&self, args: &[&str]) -> Command {
        let mut all: Vec<String> = args.iter().map(ToString::to_string).collect();
        match &self.server {
            Some(server) => all.extend([
                "--nats".into(),
                server.url.clone(),
                "--creds".into(),
                server.keys.join("default.nk").display().to_string(),
            ]),
            None => all.extend(["--data".into(), self.path("data").display().to_string()]),
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        self.command(&all, &self.path("client"))
    }

    /// Runs a client's command to its end.
    pub fn cli(&self, args: &[&str]) -> Ended {
        self.client(args).ended(self)
    }

    /// Starts a client's command.
    pub fn spawn(&self, args: &[&str]) -> Process {
        self.client(args).started(self, &args.join(" "))
    }

    /// This program with nothing in its environment but what the test gives it.
    pub fn command(&self, args: &[&str], home: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage7"));
        command.args(args).current_dir(home).env_clear().envs(environment()).envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs any command to its end.
    pub fn ended(&self, command: Command) -> Ended {
        command.ended(self)
    }

    fn log(&self, name: &str) -> PathBuf {
        let nth = self.calls.fetch_add(1, Ordering::Relaxed);
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
        self.dir.path().join(format!("log-{nth}-{name}.log"))
    }

    /// What the processes and the server said, for a failure.
    pub fn logs(&self) -> String {
        let tail = |text: &str| {
            text.lines().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        let held = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().map(|process| format!("--- {}\n{}\n", process.name, tail(&process.said()))).collect()
    }

    /// The mission as the command line shows it.
    pub fn show(&self, mission: &str) -> Value {
        self.cli(&["mission", "show", mission, "--json"]).code(0).line()
    }

    pub fn export(&self, mission: &str) -> Log {
        Log::of_lines(&self.cli(&["mission", "export", mission]).code(0).stdout)
    }

    /// The mission once it is so.
    #[track_caller]
    pub fn until(&self, user: &User, mission: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let seen = RefCell::new(json!(null));
        let logs = || format!("{}\n{:#}", self.logs(), seen.borrow());
        eventually(&format!("mission {mission} {what}"), logs, || {
            seen.replace(user.state(mission));
            Some(seen.borrow().clone()).filter(&holds)
        })
    }

    /// The mission once it has that status.
    #[track_caller]
    pub fn until_is(&self, user: &User, mission: &str, status: &str) -> Value {
        self.until(user, mission, &format!("is {status}"), |state| {
            let is = state["status"].as_str().unwrap_or_default();
            let ended = ["completed", "failed", "aborted"].contains(&is);
            assert!(is == status || !ended, "the mission is {is}, not {status}:\n{state:#}");
            is == status
        })
    }
}

impl Drop for Stage7 {
    fn drop(&mut self) {
        self.stop();
        let server = self.server.take().and_then(|server| server.running.into_inner().ok().flatten());
        if let Some((server, runtime)) = server {
            runtime.block_on(server.stop());
        }
        // One that was killed left its server behind.
        self.nats_pid().into_iter().for_each(|pid| signal(pid, Signal::KILL));
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
    }
}

/// Commands whose output is kept beside a running stage7.
trait Kept {
    fn started(self, of: &Stage7, name: &str) -> Process;
    fn ended(self, of: &Stage7) -> Ended;
}

impl Kept for Command {
    fn started(self, of: &Stage7, name: &str) -> Process {
        Process::start(self, name, &of.log(name))
    }
    fn ended(self, of: &Stage7) -> Ended {
        let name = self.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ");
        self.started(of, &name).end()
    }
}

/// What stage7 finds programs by, and nothing else.
fn environment() -> impl Iterator<Item = (&'static str, std::ffi::OsString)> {
    ["PATH", "HOME", "XDG_CACHE_HOME", "STAGE7_NATS_SERVER", "STAGE7_LOG"]
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)))
}

/// A nats-server as somebody else would run it.
fn serve(dir: &Path) -> Server {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(async {
        let places = Places::from_vars(|name| std::env::var_os(name));
        let binary = find(&places, &|line| eprintln!("{line}")).await.unwrap();
        Managed::start(Options::new(dir.join("server"), &binary)).await.unwrap()
    });
    Server { url: server.url().into(), keys: server.ring().dir().into(), running: Mutex::new(Some((server, runtime))) }
}
