//! The command line beside a running stage7, and what it shows of missions.

use super::Stage7;
use crate::{
    log::Log,
    process::{Ended, Process},
    user::User,
    wait::eventually,
};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{PoisonError, atomic::Ordering},
};

impl Stage7 {
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

    /// Runs a client's command to its end, with something to read.
    pub fn piped(&self, input: &str, args: &[&str]) -> Ended {
        let (client, file) = (self.client(args), self.log("piped").with_extension("input"));
        fs::write(&file, input).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec \"$@\" <\"$0\""]).arg(file).arg(client.get_program()).args(client.get_args());
        command.env_clear().envs(client.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(client.get_current_dir().unwrap());
        command.ended(self)
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

    /// What a command shows, once it is so.
    #[track_caller]
    pub fn until_shown(&self, args: &[&str], holds: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{args:?}"), || self.logs(), || Some(self.cli(args).code(0).line()).filter(&holds))
    }

    /// What a command lists, once it is so.
    #[track_caller]
    pub fn until_shown_all(&self, args: &[&str], holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        eventually(
            &format!("{args:?}"),
            || self.logs(),
            || Some(self.cli(args).code(0).lines()).filter(|all| holds(all)),
        )
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

/// Commands whose output is kept beside a running stage7.
pub(super) trait Kept {
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
