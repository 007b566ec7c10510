//! What this machine makes of stage7: every figure beside the raw log's in the same run.

mod backlog;
mod figure;
mod goal;
mod hop;
mod machine;
mod mission;
mod replay;
mod report;
mod system;

pub use figure::Figures;
pub use report::Report;

use crate::{config::Config, exit::Error};
use figure::Key;
use nats::config::Sync;
use system::System;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The raw log: consume, guarded append, acknowledge.
    Hop,
    /// Missions at once and alone, the projector's lag, memory.
    Mission,
    /// Catching up with a log that is there already.
    Backlog,
    /// Folding what is decoded, and reading it from the log.
    Replay,
}

/// How much of it.
#[derive(Debug, Clone)]
pub struct Size {
    pub runs: usize,
    /// Chains that the raw log serves at once, and words in them together.
    pub chains: usize,
    pub hops: usize,
    pub missions: usize,
    pub steps: usize,
    /// Missions one after another.
    pub alone: usize,
    /// Events to catch up with.
    pub backlog: u64,
}

impl Size {
    pub fn full(runs: usize) -> Self {
        Self { runs, chains: 1_000, hops: 60_000, missions: 1_000, steps: 10, alone: 100, backlog: 300_000 }
    }

    /// Enough to see that everything works; no figure of it means anything.
    pub fn quick() -> Self {
        Self { runs: 1, chains: 20, hops: 400, missions: 10, steps: 10, alone: 3, backlog: 900 }
    }
}

/// Measures `parts` and gives all figures.
///
/// # Errors
/// What kept it from going on: no server, a mission that fails, a log that does not answer.
pub async fn run(config: &Config, size: &Size, parts: &[Part], say: &crate::host::Say) -> Result<Report, Error> {
    let binary = nats::server::find(&config.places, say).await.map_err(anyhow::Error::from)?;
    let machine = machine::describe(&binary.version.to_string());
    let mut figures = Figures::default();
    let has = |part: Part| parts.contains(&part);
    for run in 1..=size.runs {
        for sync in [Sync::Default, Sync::Always] {
            say(&format!("run {run} of {}, {}", size.runs, figure::name(sync)));
            let mut into = figures.of(sync);
            if has(Part::Hop) {
                let system = System::start(config, &binary, sync).await?;
                hop::measure(&system, size, &mut into).await?;
                system.stop().await;
            }
            if has(Part::Mission) {
                let mut system = System::start(config, &binary, sync).await?;
                mission::measure(&mut system, size, &mut into).await?;
                if has(Part::Replay) && sync == Sync::Default {
                    replay::measure(&system, &mut into).await?;
                }
                system.stop().await;
                into.ratio(Key::EventsOfHops, Key::Events, Key::Hops);
            }
        }
    }
    if has(Part::Backlog) {
        say(&format!("a backlog of {} events", size.backlog));
        backlog::measure(config, &binary, size, &mut figures.of(Sync::Default), say).await?;
    }
    Ok(Report { machine, size: size.clone(), figures })
}
