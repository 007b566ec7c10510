//! Python plugins, in the sandbox: one JSON object on stdin, one on stdout, log lines on stderr.
//!
//! A program that exits with 65 says that its input is wrong, with 75 that trying again may help;
//! its last line on stderr says why. Any other exit but 0 is a permanent failure.

use crate::{
    folder,
    plugin::Code,
    process::{self, Bounds, Ended},
    runtime::{Call, Failure, Runtime, stopped},
    sandbox::{self, Sandbox},
};
use futures::future::BoxFuture;
use plugins::Done;
use schemas::{
    Class,
    manifest::Limits,
    value::{Value, Values},
};
use std::{os::unix::process::ExitStatusExt, time::Duration};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Runs Python plugins.
#[derive(Default)]
pub struct Python {
    /// Set once a program ran in the sandbox; what fails is tried again, somebody may install it.
    ready: OnceCell<()>,
}

impl Python {
    async fn probe() -> Result<(), String> {
        let sandbox = Sandbox::new().map_err(|e| format!("the temporary directory can't be used: {e}"))?;
        let limits = Limits { seconds: 20, ..Limits::default() };
        let program = ["python3", "-c", "import sys; print(sys.version_info >= (3, 9))"];
        let command = sandbox.command(&program, &limits, false).map_err(|e| e.to_string())?;
        let bounds = Bounds { time: Duration::from_secs(20), output: 1024 };
        let ended = process::run(command, Vec::new(), &bounds, &CancellationToken::new(), &|_| {})
            .await
            .map_err(|e| e.to_string())?;
        match (ended.status.success(), ended.stdout.as_slice()) {
            (true, b"True\n") => Ok(()),
            (true, _) => Err("python3 is older than 3.9: apt-get install python3".into()),
            (false, _) => Err(sandbox::refusal(&ended).unwrap_or_else(|| missing(&ended))),
        }
    }

    async fn in_sandbox(call: Call<'_>) -> Result<Done, Failure> {
        let manifest = &call.plugin.manifest;
        let (name, limits, grants) = (&manifest.name, &manifest.limits, &manifest.permissions.files);
        let (Code::Files(code), Some(entry)) = (&call.plugin.code, &manifest.entry) else {
            return Err(Failure::new(Class::Permanent, format!("{name} is no Python plugin")));
        };
        let unwritable =
            |e: std::io::Error| Failure::new(Class::Transient, format!("the folder of the run can't be made: {e}"));
        let sandbox = Sandbox::new().map_err(unwritable)?;
        folder::place(&sandbox.plugin(), code.iter().map(|(path, bytes)| (path, bytes.as_slice())))
            .map_err(unwritable)?;
        let readable = call.run.files.iter().filter_map(|(path, file)| Some((path, file.bytes.as_deref()?)));
        folder::place(&sandbox.work(), readable).map_err(unwritable)?;
        let program = ["python3".into(), "-s".into(), "-B".into(), format!("/plugin/{entry}")];
        let command = sandbox.command(&program, limits, grants.write).map_err(unwritable)?;

        let input =
            serde_json::to_vec(&call.run.inputs).map_err(|e| Failure::new(Class::InvalidInput, e.to_string()))?;
        let bounds =
            Bounds { time: Duration::from_secs(limits.seconds.into()), output: u64::from(limits.output_kb) * 1024 };
        let ended = process::run(command, input, &bounds, call.cancel, call.log)
            .await
            .map_err(|why| stopped(name, limits, &why))?;
        let outputs = outputs(name, limits, &ended)?;
        let changes = folder::collect(&sandbox.work(), &call.run.files, grants, &outputs, bounds.output)
            .map_err(|why| Failure::new(Class::Permanent, format!("{name} {why}")))?;
        Ok(Done { outputs, written: changes.written, removed: changes.removed })
    }
}

impl Runtime for Python {
    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { self.ready.get_or_try_init(Self::probe).await.copied() })
    }

    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Done, Failure>> {
        Box::pin(Self::in_sandbox(call))
    }
}

fn missing(ended: &Ended) -> String {
    match ended.status.code() {
        Some(127) => "python3 is missing: apt-get install python3".into(),
        _ => format!("python3 does not run in the sandbox ({}): {}", ended.status, ended.last_line),
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
    async fn missing_python_is_told_with_the_command_that_gets_it() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec python3"]).env("PATH", "/nonexistent");
        let bounds = Bounds { time: Duration::from_secs(5), output: 100 };
        let ended =
            process::run(command, Vec::new(), &bounds, &CancellationToken::new(), &|_| {}).await.expect("it ends");
        assert_eq!(missing(&ended), "python3 is missing: apt-get install python3");
    }
}
