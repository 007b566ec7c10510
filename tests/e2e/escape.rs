//! Plugins that try to get out, added and run as anybody's are: every attempt is refused, in both
//! languages, and what must not have happened is looked at from outside.
//!
//! The same programs, run beside the sandbox, get what they try for: so a refusal is none of a broken
//! attempt.

mod exhaust;
mod file;
mod kernel;
mod language;
mod network;
pub mod server;

use crate::{
    process::is_alive,
    stage7::{Layout, Stage7},
    wait::eventually,
};
use language::{LANGUAGES, Language};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
};
use tempfile::TempDir;

/// How many attempts are made at once.
const AT_ONCE: usize = 3;

/// The manifest as it is.
const UNCHANGED: (&str, &str) = ("", "");

/// An attempt: what it is given, by who makes it, and the errors that refuse it.
struct Attempt<'a> {
    name: &'a str,
    given: Box<dyn Fn(&str) -> Value + Sync + 'a>,
    refused: &'a [&'a str],
}

impl<'a> Attempt<'a> {
    /// One that is given the same, whoever makes it.
    fn same(name: &'a str, given: Value, refused: &'a [&'a str]) -> Self {
        Self { name, given: Box::new(move |_| given.clone()), refused }
    }

    fn given(&self, who: &str) -> Value {
        let mut given = (self.given)(who);
        given["attempt"] = json!(self.name);
        given
    }
}

/// The `up` that the tests of this folder share, with a plugin of each language that may do nothing.
fn shared() -> Arc<Stage7> {
    static SHARED: Mutex<Weak<Stage7>> = Mutex::new(Weak::new());
    let mut held = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    held.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Stage7::prepared(Layout::One, &[]));
        // By somebody who left the root open, for whoever comes after.
        started.run_within("sh", &["-c", "exec \"$@\" 9</", "sh"]);
        started.ready();
        for language in &LANGUAGES {
            language.add(&started, "ESCAPE", UNCHANGED);
        }
        *held = Arc::downgrade(&started);
        started
    })
}

/// Makes every attempt in every language: outside it succeeds, in the sandbox it is refused.
///
/// `outside` runs the program beside the sandbox.
fn all_are_refused(
    stage7: &Stage7,
    plugin: &str,
    attempts: &[Attempt],
    outside: impl Fn(&Language, &Value) -> Value + Sync,
) {
    each(
        LANGUAGES.iter().flat_map(|language| attempts.iter().map(move |attempt| (language, attempt))),
        |(language, attempt)| {
            let verb = language.verb(plugin);
            let control = outside(language, &attempt.given(&format!("{verb}-outside")));
            assert_eq!(control["escaped"], true, "{verb} {} can't be tried at all: {control}", attempt.name);
            let given = attempt.given(&verb);
            let ended = stage7.cli(&["plugin", "run", &verb, "--input", &given.to_string(), "--json"]);
            let told = ended.line();
            // It was refused, or ended.
            let how = match ended.code {
                Some(1) => &told["error"]["message"],
                _ => &told["how"],
            };
            let how = how.as_str().unwrap_or_default();
            let is_refused = told["escaped"] != true && attempt.refused.iter().any(|refused| how.contains(refused));
            assert!(is_refused, "{verb} {given}: {told}, not {:?}", attempt.refused);
        },
    );
}

/// Does something with each, some at once.
fn each<T: Send>(all: impl Iterator<Item = T>, does: impl Fn(T) + Sync) {
    let left = Mutex::new(all.collect::<Vec<_>>());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop();
                while let Some(one) = next() {
                    does(one);
                }
            });
        }
    });
}

/// A temporary directory for processes that will be killed, and leave something there.
pub fn leftovers() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    // Plugin code is nobody where the tests run as root.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().display().to_string();
    (dir, path)
}

/// Processes with that word among their arguments.
pub fn marked(mark: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let has = |path: std::path::PathBuf| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())
    };
    let found = all.filter(|entry| has(entry.path()));
    found.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|pid| is_alive(*pid)).collect()
}

/// A word for `sleep` that nobody else has.
pub fn mark() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("0.{}{:04}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn none_is_left(mark: &str) {
    eventually(
        &format!("no process {mark} is left"),
        || format!("{:?}", marked(mark)),
        || marked(mark).is_empty().then_some(()),
    );
}

/// Whatever was tried, the next one is served.
fn is_well(stage7: &Stage7) {
    let input = json!({"text": "tea, Tea"}).to_string();
    let next = stage7.cli(&["plugin", "run", "WORD_FREQUENCY", "--input", &input, "--json"]).code(0).line();
    assert_eq!(next["total"], 2);
}
