//! Executions, counted where they happen and not in the log: a model server that notes each call,
//! and a program in place of `bwrap` that notes each run and then becomes the real one.
//!
//! Each step carries a mark in its input by which its executions are known.

use crate::{
    canary::KEY,
    openai::{Reply, Server},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{Arc, Mutex},
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;

/// One execution.
#[derive(Debug, Clone)]
pub struct Execution {
    /// When it began, in milliseconds.
    pub at: i64,
    /// Which instance of the worker did it: a process, or the key it uses.
    pub by: String,
}

pub struct Ledger {
    pub model: Server,
    calls: Arc<Mutex<BTreeMap<String, Vec<Execution>>>>,
    dir: TempDir,
}

/// Notes the mark, the time and who started it, waits as long as the mark says, and becomes the
/// real sandbox with the same input.
const BWRAP: &str = r#"#!/usr/bin/python3 -I
import os, re, sys, time
at = time.time()
given = sys.stdin.buffer.read()
mark = re.search(rb"mark ([\w/-]+) (\d+)", given)
if mark:
    line = b"%d %d %s\n" % (int(at * 1000), os.getppid(), mark.group(1))
    note = os.open("NOTES", os.O_WRONLY | os.O_APPEND)
    os.write(note, line)
    os.close(note)
    time.sleep(int(mark.group(2)) / 1000)
memory = os.memfd_create("input", 0)
left = given
while left:
    left = left[os.write(memory, left):]
os.lseek(memory, 0, 0)
os.dup2(memory, 0)
os.close(memory)
os.execv("REAL", ["bwrap", *sys.argv[1:]])
"#;

impl Ledger {
    pub fn new() -> Self {
        let calls: Arc<Mutex<BTreeMap<String, Vec<Execution>>>> = Arc::default();
        let noted = calls.clone();
        let model = Server::start(move |chat| {
            let text = chat.text();
            let Some((mark, ms)) = marked(&text) else {
                return Reply::Error(400, "", format!("a prompt without a mark: {text}"));
            };
            let execution = Execution { at: crate::witness::now(), by: chat.authorization.clone() };
            noted.lock().unwrap().entry(mark.clone()).or_default().push(execution);
            sleep(Duration::from_millis(ms));
            Reply::Text(format!("thought about {mark}"))
        });
        // Plugin code runs as nobody where the tests run as root.
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        mode(&dir.path().to_path_buf(), 0o755);
        let (notes, bwrap) = (dir.path().join("notes"), dir.path().join("bwrap"));
        fs::write(&notes, "").unwrap();
        mode(&notes, 0o666);
        let path = std::env::var_os("PATH").unwrap();
        let real = std::env::split_paths(&path).map(|dir| dir.join("bwrap")).find(|path| path.exists()).unwrap();
        let program = BWRAP.replace("NOTES", notes.to_str().unwrap()).replace("REAL", real.to_str().unwrap());
        fs::write(&bwrap, program).unwrap();
        mode(&bwrap, 0o755);
        Self { model, calls, dir }
    }

    /// What the processes that are to be counted need in their environment.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let path = format!("{}:{}", self.dir.path().display(), std::env::var("PATH").unwrap());
        vec![("OPENAI_API_URL", self.model.url.clone()), ("OPENAI_API_KEY", KEY.into()), ("PATH", path)]
    }

    /// Model calls by mark.
    pub fn calls(&self) -> BTreeMap<String, Vec<Execution>> {
        self.calls.lock().unwrap().clone()
    }

    /// Sandboxed runs by mark.
    pub fn runs(&self) -> BTreeMap<String, Vec<Execution>> {
        let mut runs: BTreeMap<String, Vec<Execution>> = BTreeMap::new();
        for line in fs::read_to_string(self.dir.path().join("notes")).unwrap().lines() {
            let mut words = line.splitn(3, ' ').map(String::from);
            let mut next = || words.next().unwrap();
            let (at, by, mark) = (next().parse().unwrap(), next(), next());
            runs.entry(mark).or_default().push(Execution { at, by });
        }
        runs
    }
}

/// What is said in an input: the mark, and how many milliseconds it takes.
pub fn mark(mark: &str, ms: u64) -> String {
    format!("mark {mark} {ms}")
}

fn marked(text: &str) -> Option<(String, u64)> {
    let mut words = text.split_once("mark ")?.1.split_whitespace();
    let mark = words.next()?.to_string();
    let ms: String = words.next()?.chars().take_while(char::is_ascii_digit).collect();
    Some((mark, ms.parse().ok()?))
}

/// A step that asks the model.
pub fn thought(id: &str, said: &str) -> Value {
    json!({"id": id, "verb": "THINK", "inputs": {"prompt": {"value": said}}, "outputs": {"text": {"type": "string"}}})
}

/// A step that runs in the sandbox.
pub fn counted(id: &str, said: &str) -> Value {
    json!({"id": id, "verb": "WORD_FREQUENCY", "inputs": {"text": {"value": said}}, "outputs": {"total": {"type": "integer"}}})
}
