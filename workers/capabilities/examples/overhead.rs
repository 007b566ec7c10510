//! What running a plugin costs beside the bare command, in one run on one machine:
//! `cargo run --release -p capabilities --example overhead`.

#![allow(clippy::disallowed_methods, reason = "it measures time")]

use capabilities::{Host, Plugin, shipped};
use futures::{StreamExt, stream};
use plugins::Run;
use serde_json::json;
use std::{
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const RUNS: usize = 60;
const AT_ONCE: usize = 200;
const PLACES: usize = 32;
const IN_SEQUENCE: usize = 40;
/// Above the bare command, and for a native verb.
const MUST: [Duration; 2] = [Duration::from_millis(15), Duration::from_millis(1)];

const NOTHING: &str = r#"
name = "NOTHING"
version = "1.0.0"
description = "Does nothing."
publisher = "local"
runtime = "python"
entry = "main.py"
input = { type = "object" }
output = { type = "object" }
"#;

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

async fn once(host: &Host, plugin: &Plugin, run: Run) -> Duration {
    let begun = Instant::now();
    let done = host.run(plugin, run, &CancellationToken::new(), &|_| {}).await;
    let took = begun.elapsed();
    done.map(|_| took).unwrap_or_else(|error| panic!("{}: {error}", plugin.manifest.name))
}

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(code) = capabilities::child() {
        return code;
    }
    let host = Host::new("/proc/self/exe", std::env::temp_dir());
    let code = vec![("main.py".to_string(), b"print('{}')".to_vec())];
    let nothing = Plugin::new(NOTHING, code).expect("a manifest");
    let words = shipped().into_iter().find(|plugin| plugin.manifest.name == "TEXT_ANALYSIS").expect("it is shipped");
    let word = || Run { inputs: [("text".to_string(), json!("word"))].into(), ..Run::default() };
    once(&host, &nothing, Run::default()).await;

    let (mut bare, mut sandboxed, mut native) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let begun = Instant::now();
        let ended = Command::new("/usr/bin/python3").args(["-c", "pass"]).stdin(Stdio::null()).status();
        assert!(ended.is_ok_and(|ended| ended.success()), "python3 runs");
        bare.push(begun.elapsed());
        sandboxed.push(once(&host, &nothing, Run::default()).await);
        native.push(once(&host, &words, word()).await);
    }
    let (bare, sandboxed, native) = (median(bare), median(sandboxed), median(native));
    let above = sandboxed.saturating_sub(bare);
    println!("python3 -c pass {bare:?}; sandboxed {sandboxed:?}, {above:?} above (must: {:?}, goal: 8ms)", MUST[0]);
    println!("a native verb {native:?} (must: {:?})", MUST[1]);

    let begun = Instant::now();
    let runs = (0..AT_ONCE).map(|_| once(&host, &nothing, Run::default()));
    let all: Vec<_> = stream::iter(runs).buffer_unordered(PLACES).collect().await;
    println!("{} Python runs, {PLACES} at once: {:?}", all.len(), begun.elapsed());
    let begun = Instant::now();
    for _ in 0..IN_SEQUENCE {
        once(&host, &nothing, Run::default()).await;
    }
    println!("{IN_SEQUENCE} Python runs, one after another: {:?} (goal: 2s)", begun.elapsed());
    if above <= MUST[0] && native <= MUST[1] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
