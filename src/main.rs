//! stage7: a goal becomes a finished mission. This binary is the command line, and hosts any set of
//! workers.

mod bench;
mod cli;
mod client;
mod command;
mod config;
mod exit;
mod home;
mod host;
mod keyring;
mod mission;
mod progress;
mod rendezvous;
mod trace;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A plugin's own process is this program again; it must not begin as anything else.
    if let Some(code) = capabilities::child() {
        return code;
    }
    let cli = cli::Cli::parse();
    let json = cli.shared.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::Error::failed(format!("no threads to work with: {error}")).report(json),
    };
    let ended = runtime.block_on(command::run(cli));
    // A thread that waits for a line of a person would be waited for otherwise.
    runtime.shutdown_background();
    match ended {
        Ok(code) => code.into(),
        Err(error) => error.report(json),
    }
}
