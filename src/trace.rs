//! Service logs: text on a terminal, JSON otherwise; never among what a command prints.

use crate::{config::Config, exit};
use std::{
    fs::OpenOptions,
    io::{self, IsTerminal},
    path::Path,
    sync::Mutex,
};
use tracing_subscriber::{EnvFilter, fmt};

/// What is logged when nobody says otherwise.
pub const DEFAULT: &str = "info,async_nats=warn";

/// To standard error, for what serves.
pub fn to_stderr(config: &Config) -> Result<(), exit::Error> {
    let filter = filter(config)?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    if io::stderr().is_terminal() {
        lines.with_target(false).init()
    } else {
        lines.json().flatten_event(true).init()
    }
    Ok(())
}

/// To a file in the data directory, for a command whose own lines a person reads.
pub fn to_file(config: &Config, path: &Path) -> Result<(), exit::Error> {
    let filter = filter(config)?;
    let file = OpenOptions::new().create(true).append(true).open(path);
    let file = file.map_err(|error| exit::Error::failed(format!("{}: {error}", path.display())))?;
    // Once a process: whoever hosts again goes on in the same file.
    let _ = fmt()
        .with_env_filter(filter)
        .with_writer(Mutex::new(file))
        .with_ansi(false)
        .json()
        .flatten_event(true)
        .try_init();
    Ok(())
}

fn filter(config: &Config) -> Result<EnvFilter, exit::Error> {
    let wanted = &config.log;
    let filter = EnvFilter::builder()
        .parse(wanted)
        .map_err(|error| exit::Error::usage(format!("the log filter `{wanted}` (STAGE7_LOG): {error}")))?;
    // It logs what a provider answered, word for word, and some answer with the key that they refuse.
    Ok(filter.add_directive("genai=off".parse().expect("a directive")))
}
