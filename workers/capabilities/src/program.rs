//! Plugins that are programs, in the sandbox: one JSON object on stdin, one on stdout, log lines on
//! stderr.
//!
//! A program that exits with 65 says that its input is wrong, with 75 that trying again may help;
//! its last line on stderr says why. Any other exit but 0 is a permanent failure.

use crate::{
    egress::{self, Bridge},
    environment::Environments,
    folder::{self, Changes},
    plugin::{Code, Files},
    process::{self, Bounds, Ended, Stopped},
    runtime::{Call, Failure, Runtime, stopped},
    sandbox::{self, Extra, Sandbox},
};
use futures::future::BoxFuture;
use plugins::Done;
use schemas::{
    Class,
    manifest::{Limits, Manifest},
    value::{Value, Values},
};
use std::{os::unix::process::ExitStatusExt, sync::Arc, time::Duration};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// How programs of one language are run.
pub struct Language {
    /// What starts them.
    program: &'static str,
    /// The oldest that will do, and how to get it.
    wanted: &'static str,
    remedy: &'static str,
    /// Arguments that print `true` when it is new enough.
    probe: &'static [&'static str],
    /// Arguments before the file that is started, of a run and of a plugin's own tests.
    run: fn(&Limits) -> Vec<String>,
    test: fn() -> Vec<String>,
    extra: Extra,
}

pub static PYTHON: Language = Language {
    program: "python3",
    wanted: "3.9",
    remedy: "apt-get install python3",
    probe: &["-c", "import sys; print('true' if sys.version_info >= (3, 9) else 'false')"],
    run: |_| vec!["-s".into(), "-B".into()],
    test: || ["-s", "-B", "-m", "unittest", "discover", "-v", "-s", "/plugin"].map(String::from).into(),
    extra: Extra { address_mb: 0, data_mb: 0 },
};

pub static JAVASCRIPT: Language = Language {
    program: "node",
    wanted: "20",
    remedy: "apt-get install nodejs",
    probe: &["-p", "Number(process.versions.node.split('.')[0]) >= 20"],
    run: |limits| vec![format!("--max-old-space-size={}", limits.memory_mb), format!("--import={LAST_WORDS}")],
    test: || ["--test", "/plugin"].map(String::from).into(),
    // WebAssembly, with which Node reads HTTP, reserves gigabytes that it never touches.
    extra: Extra { address_mb: 16 * 1024, data_mb: 256 },
};

/// Node ends with its own version on the last line, where the reason is looked for.
const LAST_WORDS: &str = "data:text/javascript,process.on('uncaughtException',e=>{\
    console.error(e&&e.stack||e);console.error(String(e));process.exit(1)})";

/// Runs programs of one language.
pub struct Programs {
    language: &'static Language,
    /// Where packages come from, if it has any.
    environments: Option<Arc<Environments>>,
    bridge: Arc<Bridge>,
    /// Set once a program ran in the sandbox; what fails is tried again, somebody may install it.
    ready: OnceCell<()>,
}

impl Programs {
    pub fn new(language: &'static Language, environments: Option<Arc<Environments>>, bridge: Arc<Bridge>) -> Self {
        Self { language, environments, bridge, ready: OnceCell::new() }
    }

    /// A sandbox with a plugin's files and packages in their places.
    async fn unpacked(&self, code: &Files, log: &(dyn Fn(&str) + Send + Sync)) -> Result<Sandbox, Failure> {
        let mut sandbox = Sandbox::new().map_err(|e| unwritable(&e))?;
        folder::place(&sandbox.plugin(), code.iter().map(|(path, bytes)| (path, bytes.as_slice())))
            .map_err(|e| unwritable(&e))?;
        if let Some(environments) = &self.environments {
            sandbox.packages = environments.of(code, log).await?;
        }
        Ok(sandbox)
    }

    async fn probe(&self) -> Result<(), String> {
        let Language { program, wanted, remedy, probe, .. } = self.language;
        let sandbox = Sandbox::new().map_err(|e| format!("the temporary directory can't be used: {e}"))?;
        let limits = Limits { seconds: 20, ..Limits::default() };
        let line: Vec<&str> = std::iter::once(*program).chain(probe.iter().copied()).collect();
        let command = self.language.command(&sandbox, &line, &limits, false).map_err(|e| e.to_string())?;
        let bounds = Bounds { time: Duration::from_secs(20), output: 1024 };
        let ended = process::run(command, Vec::new(), &bounds, &CancellationToken::new(), &|_| {})
            .await
            .map_err(|e| e.to_string())?;
        match (ended.status.success(), ended.stdout.as_slice()) {
            (true, b"true\n") => Ok(()),
            (true, _) => Err(format!("{program} is older than {wanted}: {remedy}")),
            (false, _) => Err(sandbox::refusal(&ended).unwrap_or_else(|| self.language.missing(&ended))),
        }
    }

    async fn in_sandbox(&self, call: Call<'_>) -> Result<Done, Failure> {
        let manifest = &call.plugin.manifest;
        let (name, limits, grants) = (&manifest.name, &manifest.limits, &manifest.permissions.files);
        let (Code::Files(code), Some(entry)) = (&call.plugin.code, &manifest.entry) else {
            return Err(Failure::new(Class::Permanent, format!("{name} has no file to start")));
        };
        // Packages may take minutes to come: nobody who is told to stop waits for them.
        let unpacked = call.cancel.run_until_cancelled(self.unpacked(code, call.log)).await;
        let mut sandbox = unpacked.unwrap_or_else(|| Err(stopped(name, limits, &Stopped::Cancelled)))?;
        sandbox.routes = egress::routes(&manifest.permissions.network);
        if !sandbox.routes.is_empty() {
            sandbox.bridge = Some(self.bridge.path().await.map_err(|e| unwritable(&e))?.into());
        }
        sandbox.given = given(&call)?;
        let gate = sandbox.gate().map_err(|e| unwritable(&e))?;
        let readable = call.run.files.iter().filter_map(|(path, file)| Some((path, file.bytes.as_deref()?)));
        folder::place(&sandbox.work(), readable.clone()).map_err(|e| unwritable(&e))?;
        sandbox.placed = folder::room(readable.map(|(_, bytes)| bytes));
        let mut line = vec![self.language.program.to_string()];
        line.extend((self.language.run)(limits));
        line.push(format!("/plugin/{entry}"));
        let command = self.language.command(&sandbox, &line, limits, grants.write).map_err(|e| unwritable(&e))?;

        let input =
            serde_json::to_vec(&call.run.inputs).map_err(|e| Failure::new(Class::InvalidInput, e.to_string()))?;
        let bounds = bounds(limits);
        let (room, mut work) = (sandbox.room(), None);
        let run = process::run(command, input, &bounds, call.cancel, call.log);
        let run = async {
            tokio::pin!(run);
            if grants.write {
                tokio::select! {
                    held = room.held() => work = Some(held?),
                    ended = &mut run => return ended,
                }
            }
            run.await
        };
        let out = async {
            match &gate {
                Some(gate) => egress::gate(gate, &sandbox.routes, call.log).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = run => ended,
            () = out => return Err(Failure::new(Class::Transient, format!("{name}: its way out is closed"))),
        };
        let ended = ended.map_err(|why| stopped(name, limits, &why))?;
        let outputs = outputs(name, limits, &ended)?;
        let collected = work.map(|work| folder::collect(work, &call.run.files, grants, &outputs, bounds.output));
        let changes = collected
            .unwrap_or_else(|| Ok(Changes::default()))
            .map_err(|why| Failure::new(Class::Permanent, format!("{name} {why}")))?;
        Ok(Done { outputs, written: changes.written, removed: changes.removed })
    }

    /// Runs a plugin's own tests, as its language runs them; what they say goes to `log`.
    ///
    /// # Errors
    /// A sentence: they failed, or could not be run.
    pub async fn test(
        &self,
        manifest: &Manifest,
        code: &Files,
        log: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), String> {
        let sandbox = self.unpacked(code, log).await.map_err(|failure| failure.message)?;
        let mut line = vec![self.language.program.to_string()];
        line.extend((self.language.test)());
        let Limits { seconds, processes, .. } = manifest.limits;
        let limits = Limits { seconds: seconds.max(TESTS), processes: processes + RUNNER, ..manifest.limits.clone() };
        let command = self.language.command(&sandbox, &line, &limits, false).map_err(|e| unwritable(&e).message)?;
        let ended = process::run(command, Vec::new(), &bounds(&limits), &CancellationToken::new(), log)
            .await
            .map_err(|why| stopped(&manifest.name, &limits, &why).message)?;
        String::from_utf8_lossy(&ended.stdout).lines().for_each(log);
        match (ended.status.success(), sandbox::refusal(&ended)) {
            (true, _) => Ok(()),
            (false, Some(why)) => Err(why),
            (false, None) => Err(format!("its own tests fail ({})", ended.status)),
        }
    }
}

/// The variables that a run finds set: what of the machine's it was granted, its secrets by their names,
/// and its settings as one JSON object.
fn given(call: &Call<'_>) -> Result<Vec<(String, String)>, Failure> {
    let Call { plugin, run, env, .. } = call;
    let mut given: Vec<_> = env.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
    for secret in &run.secrets {
        if !given.iter().any(|(name, _)| *name == secret.name) {
            given.push((secret.name.clone(), secret.value.clone()));
        }
    }
    if !plugin.manifest.settings.is_empty() {
        let settings = serde_json::to_string(&run.settings);
        given.push(("SETTINGS".into(), settings.map_err(|e| Failure::new(Class::Permanent, e.to_string()))?));
    }
    Ok(given)
}

/// Seconds that a plugin's own tests may take, at least.
const TESTS: u32 = 300;
/// Processes and threads of what runs the tests.
const RUNNER: u32 = 48;

impl Language {
    fn command<S: AsRef<std::ffi::OsStr>>(
        &self,
        sandbox: &Sandbox,
        line: &[S],
        limits: &Limits,
        write: bool,
    ) -> std::io::Result<tokio::process::Command> {
        sandbox.command(line, limits, self.extra, write)
    }

    fn missing(&self, ended: &Ended) -> String {
        match ended.status.code() {
            Some(127) => format!("{} is missing: {}", self.program, self.remedy),
            _ => format!("{} does not run in the sandbox ({}): {}", self.program, ended.status, ended.last_line),
        }
    }
}

fn unwritable(error: &std::io::Error) -> Failure {
    Failure::new(Class::Transient, format!("the folder of the run can't be made: {error}"))
}

fn bounds(limits: &Limits) -> Bounds {
    Bounds { time: Duration::from_secs(limits.seconds.into()), output: u64::from(limits.output_kb) * 1024 }
}

impl Runtime for Programs {
    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { self.ready.get_or_try_init(|| self.probe()).await.copied() })
    }

    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Done, Failure>> {
        Box::pin(self.in_sandbox(call))
    }
}

/// What the plugin answered, or what its end means.
fn outputs(name: &str, limits: &Limits, ended: &Ended) -> Result<Values, Failure> {
    let failed = |class, why: &str| Err(Failure::new(class, format!("{name} failed: {why}")));
    let reason = if ended.last_line.is_empty() { "it gave no reason" } else { &ended.last_line };
    if let Some(why) = sandbox::refusal(ended) {
        return failed(Class::Permanent, &why);
    }
    // Bubblewrap reports the signal that ended its child as 128 + signal.
    let signal =
        ended.status.signal().or_else(|| ended.status.code().filter(|code| *code > 128).map(|code| code - 128));
    match (ended.status.code(), signal) {
        (Some(0), _) => {}
        (Some(65), _) => return failed(Class::InvalidInput, reason),
        (Some(75), _) => return failed(Class::Transient, reason),
        // Killed, and not by us: the machine ran out of memory, or somebody ended it.
        (_, Some(9)) => return failed(Class::Transient, "it was killed"),
        (_, Some(24)) => {
            return failed(Class::Permanent, &format!("it used more than {} s of processor time", limits.seconds));
        }
        (_, Some(25)) => {
            return failed(Class::Permanent, &format!("it wrote more than {} KiB into a file", limits.output_kb));
        }
        (_, Some(signal)) => return failed(Class::Permanent, &format!("it was ended by signal {signal}: {reason}")),
        (Some(code), None) => return failed(Class::Permanent, &format!("{reason} (exit code {code})")),
        (None, None) => return failed(Class::Permanent, reason),
    }
    match serde_json::from_slice::<Value>(&ended.stdout) {
        Ok(Value::Object(outputs)) => Ok(outputs.into_iter().collect()),
        Ok(_) => failed(Class::Permanent, "what it wrote on stdout is JSON, but not an object"),
        Err(_) if ended.stdout.is_empty() => {
            failed(Class::Permanent, "it wrote nothing on stdout; it must write one JSON object")
        }
        Err(e) => failed(Class::Permanent, &format!("what it wrote on stdout is not one JSON object: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::process::Command;

    #[tokio::test]
    async fn a_missing_language_is_told_with_the_command_that_gets_it() {
        for (language, said) in [
            (&PYTHON, "python3 is missing: apt-get install python3"),
            (&JAVASCRIPT, "node is missing: apt-get install nodejs"),
        ] {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", &format!("exec {}", language.program)]).env("PATH", "/nonexistent");
            let bounds = Bounds { time: Duration::from_secs(5), output: 100 };
            let ended =
                process::run(command, Vec::new(), &bounds, &CancellationToken::new(), &|_| {}).await.expect("it ends");
            assert_eq!(language.missing(&ended), said);
        }
    }
}
