//! The commands, a file each.

pub mod mission;

mod bench;
mod config;
mod cost;
mod dead;
mod deliver;
mod doctor;
mod follow;
mod keys;
mod logs;
mod model;
mod plugin;
mod replay;
mod run;
mod secret;
mod setup;
mod up;
mod worker;

use crate::{
    cli::{Cli, Command},
    exit::{Code, Error},
    progress::err,
};
use tokio::signal::unix::{SignalKind, signal};

/// Runs one command to its end.
///
/// # Errors
/// Why it did not do what it was asked for.
pub async fn run(cli: Cli) -> Result<Code, Error> {
    let Cli { shared, command } = cli;
    let (json, settings) = (shared.json, crate::config::load(&shared)?);
    match command {
        Command::Up(asked) => up::run(&settings, &asked, json).await,
        Command::Run(asked) => run::run(&settings, asked, json).await,
        Command::Worker(asked) => worker::run(&settings, &asked).await,
        Command::Mission(asked) => mission::run(&settings, asked, json).await,
        Command::Replay(asked) => replay::run(&settings, asked, json).await,
        Command::Plugin(asked) => plugin::run(&settings, asked, json).await,
        Command::Model(asked) => model::run(&settings, asked, json).await,
        Command::Cost(asked) => cost::run(&settings, asked, json).await,
        Command::Keys(asked) => keys::run(&settings, asked, json).await,
        Command::Secret(asked) => secret::run(&settings, asked, json).await,
        Command::Dead(asked) => dead::run(&settings, asked, json).await,
        Command::Logs(asked) => logs::run(&settings, &asked, json).await,
        Command::Setup(asked) => setup::run(&settings, &asked, json).await,
        Command::Bench(asked) => bench::run(&settings, &asked, json).await,
        Command::Config => config::run(&settings, json),
        Command::Doctor => doctor::run(&settings, json).await,
    }
}

/// When something was done that only this machine keeps.
#[expect(clippy::disallowed_methods, reason = "the edge: a person did it now")]
fn now() -> schemas::Time {
    jiff::Timestamp::now().into()
}

/// Ctrl-C, or the system that wants the program to end.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        let on = |kind| signal(kind).map_err(|error| Error::failed(format!("signals: {error}")));
        Ok(Self { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A line for a person about what takes time.
fn note(json: bool) -> impl Fn(&str) + Send + Sync {
    move |text: &str| {
        if !json {
            err!("{text}");
        }
    }
}
