//! The program that makes attempts, in each language, as a plugin and beside the sandbox.

use super::Stage7;
use serde_json::{Deserializer, Value};
use std::{
    io::Write,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

pub struct Language {
    pub name: &'static str,
    /// What starts it.
    line: &'static [&'static str],
    files: &'static [(&'static str, &'static str)],
}

const CALL: (&str, &str) = ("call.py", include_str!("python/call.py"));

pub static LANGUAGES: [Language; 2] = [
    Language {
        name: "PYTHON",
        line: &["python3", "-s", "-B", "main.py"],
        files: &[
            ("plugin.toml", include_str!("python/plugin.toml")),
            ("main.py", include_str!("python/main.py")),
            CALL,
        ],
    },
    Language {
        name: "JAVASCRIPT",
        line: &["node", "main.mjs"],
        files: &[
            ("plugin.toml", include_str!("javascript/plugin.toml")),
            ("main.mjs", include_str!("javascript/main.mjs")),
            CALL,
        ],
    },
];

impl Language {
    /// The verb of this plugin: `ESCAPE_PYTHON`.
    pub fn verb(&self, plugin: &str) -> String {
        format!("{plugin}_{}", self.name)
    }

    /// Its folder, with something else in its manifest.
    pub fn folder(&self, stage7: &Stage7, plugin: &str, (from, to): (&str, &str)) -> String {
        let (verb, ours) = (self.verb(plugin), self.verb("ESCAPE"));
        for (file, text) in self.files {
            let text = match *file {
                "plugin.toml" => text.replace(&ours, &verb).replace(from, to),
                _ => text.to_string(),
            };
            stage7.file(&format!("{verb}/{file}"), text);
        }
        verb
    }

    /// Signed and added.
    pub fn add(&self, stage7: &Stage7, plugin: &str, change: (&str, &str)) {
        let folder = self.folder(stage7, plugin, change);
        let added = stage7.cli(&["plugin", "add", &folder]).code(0).stdout;
        assert_eq!(added, format!("{} 1.0.0 enabled\n", self.verb(plugin)));
    }

    /// The program beside the sandbox, where another one may come before it.
    pub fn command(&self, stage7: &Stage7, before: &[&str]) -> Command {
        let line: Vec<&str> = before.iter().chain(self.line).copied().collect();
        let mut command = Command::new(line[0]);
        let home: PathBuf = stage7.path("client").join(self.verb("ESCAPE"));
        command.args(&line[1..]).current_dir(home).env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What it answers there; its pipes may be held by what it leaves behind.
    pub fn outside(&self, stage7: &Stage7, before: &[&str], given: &Value) -> Value {
        let mut command = self.command(stage7, before);
        command.stderr(Stdio::inherit());
        let mut child = fed(command, given);
        let mut answers = Deserializer::from_reader(child.stdout.take().unwrap()).into_iter();
        let answer = answers.next().unwrap_or_else(|| panic!("{} {given}: no answer", self.name)).unwrap();
        child.wait().unwrap();
        answer
    }
}

/// Started with that on standard input.
pub fn fed(mut command: Command, given: &Value) -> Child {
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    child
}
