//! One interface for all runtimes, and the checks around every run.

use crate::{
    egress::Bridge,
    environment::Environments,
    native::Native,
    plugin::{Code, Plugin},
    process::Stopped,
    program::{JAVASCRIPT, PYTHON, Programs},
};
use futures::future::BoxFuture;
use plugins::{Done, File, Run};
use schemas::{
    Class, Fault,
    manifest::{self, Files, Permissions},
    value::{REF_KEY, Value, Values, is_safe_path},
};
use std::{mem, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Why a run gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub class: Class,
    pub message: String,
}

impl Failure {
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

impl From<plugins::Failure> for Failure {
    fn from(failure: plugins::Failure) -> Self {
        let class = match failure.class {
            plugins::Class::InvalidInput => Class::InvalidInput,
            plugins::Class::Permanent => Class::Permanent,
            plugins::Class::Transient => Class::Transient,
        };
        Self::new(class, failure.message)
    }
}

/// One run on its way to a runtime: its inputs fit the plugin's schema, and of the files it holds
/// only the bytes that the plugin may read.
pub struct Call<'a> {
    pub plugin: &'a Plugin,
    pub run: Run,
    /// Stops the run and every process of it.
    pub cancel: &'a CancellationToken,
    /// Takes the lines that the plugin logs, as they come.
    pub log: &'a (dyn Fn(&str) + Send + Sync),
}

/// A way to run code.
pub trait Runtime: Send + Sync {
    /// Can it run anything on this machine? If not, a sentence with the command that helps.
    fn ready(&self) -> BoxFuture<'_, Result<(), String>>;

    /// Runs a plugin whose limits it enforces.
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Done, Failure>>;
}

/// Can a plugin run here?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Enabled,
    /// A sentence: what is missing, and the command that gets it.
    Unavailable(String),
}

/// What is heard of a plugin that is tried out.
pub enum Told<'a> {
    Line(&'a str),
    /// A part, and what is wrong with it.
    Part(&'a str, Result<(), String>),
}

/// All runtimes of this machine.
pub struct Host {
    native: Native,
    python: Programs,
    javascript: Programs,
    environments: Arc<Environments>,
}

impl Host {
    /// `program` is started for native plugins that need a process of their own, and as the bridge of
    /// sandboxes: a binary whose `main` begins with [`crate::child`], such as this one by `/proc/self/exe`. A test
    /// binary is none. Packages of Python plugins are installed into `environments`.
    pub fn new(program: impl Into<PathBuf>, environments: impl Into<PathBuf>) -> Self {
        let (program, environments) = (program.into(), Arc::new(Environments::new(environments)));
        let bridge = Arc::new(Bridge::new(program.clone()));
        Self {
            native: Native::new(program),
            python: Programs::new(&PYTHON, Some(Arc::clone(&environments)), Arc::clone(&bridge)),
            javascript: Programs::new(&JAVASCRIPT, None, bridge),
            environments,
        }
    }

    /// Python packages of plugins.
    pub fn environments(&self) -> &Environments {
        &self.environments
    }

    /// The runtime of a plugin; the agent's own verbs have none here.
    fn runtime(&self, plugin: &Plugin) -> Option<&dyn Runtime> {
        match plugin.manifest.runtime {
            manifest::Runtime::Native => Some(&self.native),
            programs => self.programs(programs).map(|programs| programs as &dyn Runtime),
        }
    }

    /// What runs programs of this runtime, where it is a language.
    fn programs(&self, runtime: manifest::Runtime) -> Option<&Programs> {
        match runtime {
            manifest::Runtime::Python => Some(&self.python),
            manifest::Runtime::Javascript => Some(&self.javascript),
            _ => None,
        }
    }

    /// Every runtime, and why it can't run anything here.
    pub async fn runtimes(&self) -> Vec<(manifest::Runtime, Result<(), String>)> {
        let all: [(_, &dyn Runtime); 3] = [
            (manifest::Runtime::Native, &self.native),
            (manifest::Runtime::Python, &self.python),
            (manifest::Runtime::Javascript, &self.javascript),
        ];
        let mut found = Vec::new();
        for (name, runtime) in all {
            found.push((name, runtime.ready().await));
        }
        found
    }

    /// Tries a plugin out as its maker means it: its own tests, in the sandbox, then each of its
    /// examples, whose outputs must be the ones it states.
    ///
    /// `told` hears of every part what came of it, and the lines that it logs.
    pub async fn try_out(&self, plugin: &Plugin, told: &(dyn Fn(Told<'_>) + Send + Sync)) {
        let log = |line: &str| told(Told::Line(line));
        if let State::Unavailable(reason) = self.state(plugin).await {
            return told(Told::Part("runtime", Err(reason)));
        }
        if let (Some(programs), Code::Files(files)) = (self.programs(plugin.manifest.runtime), &plugin.code) {
            told(Told::Part("its own tests", programs.test(&plugin.manifest, files, &log).await));
        }
        if plugin.manifest.examples.is_empty() {
            told(Told::Part("examples", Err("there is none; planners learn from them".into())));
        }
        for (example, n) in plugin.manifest.examples.iter().zip(1..) {
            let name = format!("example {n}: {}", example.description);
            told(Told::Part(&name, self.example(plugin, example, &log).await));
        }
    }

    /// Runs an example; its outputs must be the ones it states.
    ///
    /// # Errors
    /// A sentence: what it gave instead, or why it failed.
    pub async fn example(
        &self,
        plugin: &Plugin,
        example: &manifest::Example,
        log: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), String> {
        let file =
            |text: &String| File { bytes: Some(text.clone().into()), size: text.len() as u64, ..File::default() };
        let inputs = example.inputs.as_object().into_iter().flatten();
        let run = Run {
            inputs: inputs.map(|(name, value)| (name.clone(), value.clone())).collect(),
            files: example.files.iter().map(|(path, text)| (path.clone(), file(text))).collect(),
            ..Run::default()
        };
        let done = self.run(plugin, run, &CancellationToken::new(), log).await.map_err(|failure| failure.message)?;
        let outputs = Value::Object(done.outputs.into_iter().collect());
        match outputs == example.outputs {
            true => Ok(()),
            false => Err(format!("gave {outputs}, where its manifest says {}", example.outputs)),
        }
    }

    /// Can this plugin run here?
    pub async fn state(&self, plugin: &Plugin) -> State {
        if matches!(plugin.code, Code::Interface) {
            return State::Enabled;
        }
        let ready = match (ungrantable(&plugin.manifest.permissions), self.runtime(plugin)) {
            (Some(permission), _) => Err(format!("asks for {permission}, which cannot be granted yet")),
            (None, Some(runtime)) => runtime.ready().await,
            (None, None) => Err(format!("runtime `{}` is not built in", plugin.manifest.runtime.as_str())),
        };
        ready.map_or_else(State::Unavailable, |()| State::Enabled)
    }

    /// Runs a plugin: inputs are checked before, outputs and files after.
    ///
    /// # Errors
    /// A failure with the class that says what follows from it; a cancelled run is `not_started`.
    pub async fn run(
        &self,
        plugin: &Plugin,
        mut run: Run,
        cancel: &CancellationToken,
        log: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Done, Failure> {
        let name = &plugin.manifest.name;
        if let State::Unavailable(reason) = self.state(plugin).await {
            return Err(Failure::new(Class::Permanent, format!("{name} is unavailable: {reason}")));
        }
        let runtime = self
            .runtime(plugin)
            .ok_or_else(|| Failure::new(Class::Permanent, format!("{name} is done by the agent itself")))?;
        defaults(&plugin.manifest.input, &mut run.inputs);
        let faults = check(&plugin.input, &mut run.inputs);
        if !faults.is_empty() {
            return Err(Failure::new(
                Class::InvalidInput,
                format!("the inputs of {name} are wrong: {}", listed(&faults)),
            ));
        }
        for (path, file) in &mut run.files {
            if !plugin.may_read(&run.inputs, path) {
                file.bytes = None;
            }
        }
        let mut done = runtime.run(Call { plugin, run, cancel, log }).await?;
        let broken = |how: String| Failure::new(Class::Permanent, format!("{name} {how}"));
        let faults = check(&plugin.output, &mut done.outputs);
        if !faults.is_empty() {
            return Err(broken(format!("broke its own output schema: {}", listed(&faults))));
        }
        if done.outputs.values().any(holds_reference) {
            return Err(broken(format!("gave an object with the key `{REF_KEY}`, which is reserved")));
        }
        granted(&plugin.manifest.permissions.files, plugin.manifest.limits.output_kb, &done).map_err(broken)?;
        Ok(done)
    }
}

/// What a manifest may ask for and nobody can grant yet.
fn ungrantable(permissions: &Permissions) -> Option<&'static str> {
    let asks = [(&permissions.env, "environment variables"), (&permissions.secrets, "secrets")];
    asks.into_iter().find(|(names, _)| !names.is_empty()).map(|(_, what)| what)
}

/// Gives the inputs that were not given the values that their schema says.
fn defaults(schema: &Value, inputs: &mut Values) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(default) = property.get("default") {
            inputs.entry(name.clone()).or_insert_with(|| default.clone());
        }
    }
}

fn check(schema: &jsonschema::Validator, values: &mut Values) -> Vec<Fault> {
    // The validator wants one value; moving in and out spares a copy of what may be megabytes.
    let whole = Value::Object(mem::take(values).into_iter().collect());
    let faults = manifest::faults(schema, &whole, "");
    if let Value::Object(entries) = whole {
        values.extend(entries);
    }
    faults
}

/// The first faults as one line; a message that quotes the value at fault is cut.
fn listed(faults: &[Fault]) -> String {
    let shown = faults.iter().take(5).map(|fault| {
        let text = fault.to_string();
        match text.char_indices().nth(300) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    });
    shown.collect::<Vec<_>>().join("; ")
}

/// Whoever could give a reference could read any file by its hash.
fn holds_reference(value: &Value) -> bool {
    match value {
        Value::Object(entries) => entries.contains_key(REF_KEY) || entries.values().any(holds_reference),
        Value::Array(items) => items.iter().any(holds_reference),
        _ => false,
    }
}

fn granted(files: &Files, output_kb: u32, done: &Done) -> Result<(), String> {
    let changes = !done.written.is_empty() || !done.removed.is_empty();
    if changes && !files.write {
        return Err("changed files, which it was not granted".into());
    }
    if let Some(path) = done.written.keys().chain(&done.removed).find(|path| !is_safe_path(path)) {
        return Err(format!("names a file {path:?}, which is not a safe path"));
    }
    let limit = u64::from(output_kb) * 1024;
    match done.written.iter().find(|(_, bytes)| bytes.len() as u64 > limit) {
        Some((path, _)) => Err(format!("wrote more than {output_kb} KiB into `{path}`")),
        None => Ok(()),
    }
}

/// The failure that an ended or stopped process means; `name` is the verb.
pub(crate) fn stopped(name: &str, limits: &manifest::Limits, why: &Stopped) -> Failure {
    match why {
        Stopped::Cancelled => Failure::new(Class::NotStarted, format!("{name} was stopped")),
        Stopped::TimedOut => {
            Failure::new(Class::Permanent, format!("{name} was stopped: it ran longer than {} s", limits.seconds))
        }
        Stopped::TooMuch => Failure::new(
            Class::Permanent,
            format!("{name} was stopped: its answer is longer than {} KiB", limits.output_kb),
        ),
        Stopped::Io(e) => Failure::new(Class::Transient, format!("{name} could not be run: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_found_at_any_depth() {
        assert!(holds_reference(&json!([{"a": {"stage7:ref": "x"}}])));
        assert!(!holds_reference(&json!({"a": "stage7:ref"})));
    }

    #[test]
    fn defaults_are_for_what_was_not_given() {
        let schema = json!({"properties": {"a": {"default": 1}, "b": {"default": 2}, "c": {"type": "integer"}}});
        let mut inputs: Values = [("b".to_owned(), json!(null))].into();
        defaults(&schema, &mut inputs);
        assert_eq!(inputs, [("a".to_owned(), json!(1)), ("b".to_owned(), json!(null))].into());
        defaults(&json!(true), &mut inputs);
    }

    #[test]
    fn files_are_checked_against_what_was_granted() {
        let write = Files { write: true, ..Files::default() };
        let wrote = |path: &str, size| Done { written: [(path.to_owned(), vec![0; size])].into(), ..Done::default() };
        assert_eq!(granted(&write, 1, &wrote("a/b", 1024)), Ok(()));
        assert!(granted(&Files::default(), 1, &wrote("a", 0)).is_err());
        assert!(granted(&write, 1, &wrote("../a", 0)).is_err());
        assert!(granted(&write, 1, &wrote("a", 1025)).is_err());
    }

    #[test]
    fn long_faults_are_cut() {
        let text = listed(&[Fault::new("/a", "ü".repeat(1000)), Fault::new("/b", "x")]);
        assert_eq!(text.chars().count(), 301 + "; /b: x".len());
    }
}
