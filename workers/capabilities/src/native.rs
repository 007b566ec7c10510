//! Plugins that are compiled in: in a thread, where they ask the internet among the other tasks, or,
//! where they run what somebody wrote, in a process of their own.

use crate::{
    plugin::{Code, Plugin},
    process::{self, Bounds, Stopped},
    runtime::{Call, Failure, Runtime, stopped},
};
use futures::{FutureExt, future::BoxFuture};
use plugins::{
    Done, Run,
    web::{Hosts, Web},
};
use rustix::process::{Resource, Rlimit, setrlimit};
use schemas::{Class, value::Values};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    panic::AssertUnwindSafe,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// The first argument of a child.
const CHILD: &str = "run-native-plugin";
/// Bytes of stack: queries recurse.
const STACK: usize = 256 * 1024 * 1024;

/// Runs native plugins.
pub struct Native {
    program: PathBuf,
    web: Web,
}

/// What a child answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Values),
    Failed(plugins::Failure),
}

impl Native {
    pub fn new(program: PathBuf) -> Self {
        Self { program, web: Web::new(Hosts::default()) }
    }

    pub fn with_web(self, web: Web) -> Self {
        Self { web, ..self }
    }

    async fn in_thread(call: Call<'_>, code: plugins::Plain) -> Result<Done, Failure> {
        let run = call.run;
        let ended = tokio::task::spawn_blocking(move || code(&run)).map(|ended| ended.map_err(|e| e.to_string()));
        in_time(call.plugin, call.cancel, ended).await
    }

    async fn online(&self, call: Call<'_>, code: plugins::Online) -> Result<Done, Failure> {
        let ended = AssertUnwindSafe(code(&call.run, &self.web)).catch_unwind();
        in_time(call.plugin, call.cancel, ended.map(|ended| ended.map_err(|_| "it panicked".into()))).await
    }

    async fn in_process(&self, call: Call<'_>) -> Result<Done, Failure> {
        let (name, limits) = (&call.plugin.manifest.name, &call.plugin.manifest.limits);
        // What is run came as an input: where it breaks its bounds, another input is the remedy.
        let refused = |how: String| Failure::new(Class::InvalidInput, how);
        let input = serde_json::to_vec(&call.run.inputs).map_err(|e| refused(format!("{name}: {e}")))?;
        let mut command = Command::new(&self.program);
        command.args([CHILD, name]).arg(limits.memory_mb.to_string()).arg(limits.seconds.to_string()).env_clear();
        let bounds =
            Bounds { time: Duration::from_secs(limits.seconds.into()), output: u64::from(limits.output_kb) * 1024 };
        let ended = process::run(command, input, &bounds, call.cancel, call.log).await.map_err(|why| {
            let failure = stopped(name, limits, &why);
            if failure.class == Class::Permanent { refused(failure.message) } else { failure }
        })?;
        if let Some(signal) = ended.status.signal() {
            let bounds = format!("it may use {} MiB of memory and {} s", limits.memory_mb, limits.seconds);
            return Err(refused(format!("{name} was ended by signal {signal} ({bounds}): {}", ended.last_line)));
        }
        match serde_json::from_slice(&ended.stdout) {
            Ok(Answer::Done(outputs)) => Ok(Done { outputs, ..Done::default() }),
            Ok(Answer::Failed(failure)) => Err(failure.into()),
            Err(_) if !ended.status.success() => {
                Err(Failure::new(Class::Permanent, format!("{name} broke ({}): {}", ended.status, ended.last_line)))
            }
            Err(e) => Err(refused(format!("{name} gave an answer that can't be read: {e}"))),
        }
    }
}

/// Waits for what a plugin gives, or for how it broke, as long as its manifest says.
async fn in_time(
    plugin: &Plugin,
    cancel: &CancellationToken,
    ended: impl Future<Output = Result<Result<Done, plugins::Failure>, String>>,
) -> Result<Done, Failure> {
    let (name, limits) = (&plugin.manifest.name, &plugin.manifest.limits);
    tokio::select! {
        ended = ended => match ended {
            Ok(result) => Ok(result?),
            Err(e) => Err(Failure::new(Class::Permanent, format!("{name} broke: {e}"))),
        },
        () = cancel.cancelled() => Err(stopped(name, limits, &Stopped::Cancelled)),
        () = tokio::time::sleep(Duration::from_secs(limits.seconds.into())) => Err(stopped(name, limits, &Stopped::TimedOut)),
    }
}

impl Runtime for Native {
    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Done, Failure>> {
        Box::pin(async move {
            match call.plugin.code {
                _ if call.plugin.manifest.own_process => self.in_process(call).await,
                Code::Native(plugins::Native::Plain(code)) => Self::in_thread(call, code).await,
                Code::Native(plugins::Native::Online(code)) => self.online(call, code).await,
                _ => Err(Failure::new(Class::Permanent, format!("{} is not native", call.plugin.manifest.name))),
            }
        })
    }
}

/// The child's half. A program calls it before anything else in `main`, and exits with what it
/// gives; none when this process is not such a child.
pub fn child() -> Option<ExitCode> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.first()? != CHILD {
        return None;
    }
    let answered = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || answer(args.into_iter().skip(1)))
        .map_err(|e| e.to_string())
        .and_then(|thread| thread.join().unwrap_or_else(|_| Err("it panicked".into())));
    Some(match answered {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    })
}

fn answer(mut args: impl Iterator<Item = OsString>) -> Result<(), String> {
    let mut next = || args.next().and_then(|arg| arg.into_string().ok()).ok_or("usage: VERB MEMORY_MB SECONDS");
    let verb = next()?;
    let number = |text: String| text.parse::<u64>().map_err(|e| e.to_string());
    let (memory, seconds) = (number(next()?)? * 1024 * 1024, number(next()?)?);
    for (resource, limit) in
        [(Resource::As, memory), (Resource::Cpu, seconds), (Resource::Core, 0), (Resource::Fsize, 0)]
    {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) }).map_err(|e| e.to_string())?;
    }
    let code = plugins::native(&verb).and_then(plugins::Native::plain);
    let code = code.ok_or_else(|| format!("no code for {verb}"))?;
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input).map_err(|e| e.to_string())?;
    let inputs = serde_json::from_slice(&input).map_err(|e| e.to_string())?;
    drop(input);
    let answer = match code(&Run { inputs, ..Run::default() }) {
        Ok(done) => Answer::Done(done.outputs),
        Err(failure) => Answer::Failed(failure),
    };
    let answer = serde_json::to_vec(&answer).map_err(|e| e.to_string())?;
    std::io::stdout().write_all(&answer).map_err(|e| e.to_string())
}
