//! Programs that a test starts: their output goes to files, and they end with the test.

use crate::wait::eventually;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

/// A running program.
pub struct Process {
    child: Child,
    /// What it was called with, for messages.
    pub name: String,
    log: PathBuf,
}

/// A program that has ended.
pub struct Ended {
    pub name: String,
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Process {
    /// Starts it with nothing to read; what it says goes to `{log}.out` and `{log}.err`.
    pub fn start(mut command: Command, name: &str, log: &Path) -> Self {
        let file = |ending: &str| File::options().create(true).append(true).open(log.with_extension(ending)).unwrap();
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { child, name: name.into(), log: log.into() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Fails the test if it has ended.
    pub fn must_run(&mut self) {
        if let Some(status) = self.status() {
            panic!("{} ended ({status}):\n{}", self.name, self.said());
        }
    }

    /// All that it wrote so far.
    pub fn said(&self) -> String {
        said(&self.log)
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let Self { child, name, log } = &mut self;
        let status = eventually(&format!("`{name}` ends"), || said(log), || child.try_wait().unwrap());
        let read =
            |ending: &str| String::from_utf8_lossy(&fs::read(self.log.with_extension(ending)).unwrap()).into_owned();
        Ended { name: self.name.clone(), code: status.code(), stdout: read("out"), stderr: read("err") }
    }

    /// Asks it to end, and waits.
    pub fn stop(mut self) {
        self.terminate();
    }

    fn terminate(&mut self) {
        if self.status().is_some() {
            return;
        }
        signal(self.pid(), Signal::TERM);
        for _ in 0..400 {
            if self.status().is_some() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        self.kill();
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.terminate();
    }
}

impl Ended {
    /// Checks the exit code.
    #[track_caller]
    pub fn code(self, wanted: i32) -> Self {
        assert_eq!(self.code, Some(wanted), "`{}` ended otherwise:\n{}{}", self.name, self.stdout, self.stderr);
        self
    }

    /// Every line of standard output, which must be a JSON object.
    #[track_caller]
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            let value: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("`{}`: {error}: {line}", self.name));
            assert!(value.is_object(), "`{}`: no object: {line}", self.name);
            value
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The one line of standard output.
    #[track_caller]
    pub fn line(&self) -> serde_json::Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "`{}`:\n{}", self.name, self.stdout);
        lines.remove(0)
    }
}

fn said(log: &Path) -> String {
    ["out", "err"]
        .map(|ending| fs::read(log.with_extension(ending)).unwrap_or_default())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat()
}

/// Sends a signal to a process, should there be one.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Waits until a process is gone.
pub fn gone(pid: u32) {
    eventually(&format!("process {pid} is gone"), String::new, || (!is_alive(pid)).then_some(()));
}

/// The children that the process has now, and theirs.
pub fn descendants(of: u32) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut open = vec![of];
    while let Some(parent) = open.pop() {
        let children = parents.iter().filter(|(_, its)| *its == parent).map(|(pid, _)| *pid);
        for child in children {
            found.push(child);
            open.push(child);
        }
    }
    found
}

/// Processes that work somewhere below the folder.
pub fn at_work(dir: &Path) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let here = all.filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir)));
    here.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|pid| is_alive(*pid)).collect()
}
