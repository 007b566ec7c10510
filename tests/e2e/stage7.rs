//! A running stage7 in one of two layouts, and the command line beside it.

mod client;
mod server;

use crate::{
    canary,
    process::{Process, at_work, gone, signal},
    wait::eventually,
};
use client::Kept;
use rustix::process::Signal;
use serde_json::Value;
use server::Server;
use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::AtomicU64},
};
use tempfile::TempDir;

/// Who runs where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `stage7 up`: everything in one process.
    One,
    /// A server, and a process for each worker, with an empty directory and its own key each.
    Split,
}

/// Worker processes, and the NATS user each speaks as.
pub const WORKERS: [(&str, &str); 7] = [
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
    /// Where workers find the server, when not at its own address.
    way: Option<String>,
    env: Vec<(String, String)>,
    /// A provider of models is on, and has canaries.
    has_canaries: bool,
    calls: AtomicU64,
    dir: TempDir,
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

    /// With these variables in the environment of all its processes, and a canary for each provider of models
    /// that they turn on.
    pub fn start_with(layout: Layout, env: &[(&str, &str)]) -> Self {
        let this = Self::prepared(layout, env);
        this.run();
        this.ready();
        this
    }

    /// Only the server, and none of the workers; with `up` nothing at all.
    pub fn prepared(layout: Layout, env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (env, has_canaries) = canary::given(env);
        let server = (layout == Layout::Split).then(|| Server::start(dir.path()));
        let (processes, calls) = (Mutex::default(), AtomicU64::new(0));
        let this = Self { layout, processes, server, way: None, env, has_canaries, calls, dir };
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

    /// Starts `up` as the last words of another command, with which it is run.
    pub fn run_within(&self, program: &str, args: &[&str]) {
        let data = self.path("data");
        let up = self.command(&["up", "--data", data.to_str().unwrap()], &self.path("client"));
        let mut command = Command::new(program);
        command.args(args).arg(up.get_program()).args(up.get_args()).current_dir(self.path("client"));
        command.env_clear().envs(up.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let up = command.started(self, "up");
        self.processes.lock().unwrap().push(up);
    }

    /// Starts one worker, where nothing is but its own key.
    pub fn run_worker(&self, worker: &str) {
        self.run_instance(worker, worker, &[]);
    }

    /// Starts one of several instances of a worker, in a place and an environment of its own.
    pub fn run_instance(&self, worker: &str, instance: &str, env: &[(&str, &str)]) {
        canary::checked(env);
        let server = self.server.as_ref().expect("the layout has a server of its own");
        let (_, user) = WORKERS.iter().find(|(name, _)| *name == worker).expect("a worker");
        let (home, keys) = (self.path(instance), self.path(&format!("keys-{instance}")));
        for dir in [&home, &keys] {
            fs::create_dir_all(dir).unwrap();
        }
        let key = format!("{user}.nk");
        fs::copy(server.keys.join(&key), keys.join(&key)).unwrap();
        let url = self.way.as_ref().unwrap_or(&server.url);
        let mut command = self.command(&["worker", worker, "--nats", url, "--creds", keys.to_str().unwrap()], &home);
        command.envs(env.iter().copied());
        let process = command.started(self, instance);
        self.processes.lock().unwrap().push(process);
    }

    /// `kill -9` of one instance; it is gone when this returns.
    pub fn kill_instance(&self, instance: &str) {
        let mut held = self.processes.lock().unwrap();
        let nth = held.iter().position(|process| process.name == instance).expect("it runs");
        held.remove(nth).kill();
    }

    /// `kill -9` of the server; whoever keeps it starts it again.
    pub fn kill_server(&self) {
        end_server(self.server_pid());
    }

    /// From now on workers are started with this address in place of the server's.
    pub fn lead_workers_through(&mut self, way: String) {
        self.way = Some(way);
    }

    /// What an instance has said since it was started.
    pub fn said(&self, instance: &str) -> String {
        let held = self.processes.lock().unwrap();
        held.iter().find(|process| process.name == instance).expect("it runs").said()
    }

    /// Waits until every verb is there and lists are answered.
    pub fn ready(&self) {
        eventually(
            "stage7 is ready",
            || self.logs(),
            || {
                self.processes.lock().unwrap().iter_mut().for_each(Process::must_run);
                // Which starts nothing, and so takes nobody's place.
                if self.cli(&["mission", "list", "--json"]).code != Some(0) {
                    return None;
                }
                let listed = self.cli(&["plugin", "list", "--json"]);
                let known = VERBS.iter().all(|verb| listed.stdout.contains(&format!("\"{verb}\"")));
                (listed.code == Some(0) && known).then_some(())
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
        let nats = self.server_pid();
        let mut all = std::mem::take(&mut *self.processes.lock().unwrap());
        all.iter_mut().for_each(Process::kill);
        end_server(nats);
    }

    /// The process of the server now.
    pub fn server_pid(&self) -> u32 {
        let pid = match &self.server {
            Some(server) => server.pid(),
            None => self.nats_pid(),
        };
        pid.expect("the server runs")
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
}

fn end_server(pid: u32) {
    signal(pid, Signal::KILL);
    gone(pid);
}

impl Drop for Stage7 {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        self.stop();
        self.server.iter().for_each(Server::stop);
        // Who was killed may have left something behind.
        at_work(self.dir.path()).into_iter().for_each(|pid| signal(pid, Signal::KILL));
        if self.has_canaries && !std::thread::panicking() {
            let found = canary::found(self.dir.path());
            let lines: Vec<_> = found.into_iter().collect();
            assert!(lines.is_empty(), "what is only for a provider of models is in\n{}", lines.join("\n"));
        }
    }
}
