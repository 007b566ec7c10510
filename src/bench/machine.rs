//! The machine, in the words that a reader of figures needs.

use serde::Serialize;
use std::{fs, thread};

#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_gb: f64,
    pub system: String,
    pub nats_server: String,
    pub build: &'static str,
    /// Processes that wanted a processor in the minute before: others' work makes figures worse.
    pub load: f64,
}

pub fn describe(nats_server: &str) -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    let first = |text: String| text.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or_default();
    Machine {
        processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.into()),
        cores: thread::available_parallelism().map_or(0, Into::into),
        memory_gb: first(field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default()) / 1e6,
        system: format!("{} {}", std::env::consts::OS, read("/proc/sys/kernel/osrelease").trim()),
        nats_server: nats_server.into(),
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
        load: first(read("/proc/loadavg")),
    }
}
