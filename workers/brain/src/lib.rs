//! The brain: model calls.
//!
//! Consumes: `llm.requested` of any requester (group `llm-calls`); which models fail, how they do, what people
//! think of them (`stage7.registry.*.model.>`). \
//! Emits: `brain.llm.tried`, and as answers `brain.llm.completed`, `brain.llm.failed`; in the registry
//! `model.failed`, `model.recovered` and `model.measured`. \
//! Decides: nothing; which model is asked follows from the request and the providers that are on. \
//! Effects: HTTP to model providers; live tokens on `stage7.live.{tenant}.{mission}.llm.{call}`; calls counted
//! and answers kept in Redis, where one is set. \
//! Repeats: a call whose answer is not in the log is made again after a crash. \
//! Never: `offline` in place of a model that was asked for; a key in any word, line or error.

pub mod config;
pub mod model;
pub mod offline;

mod answer;
mod cache;
mod call;
mod choice;
mod effect;
mod gate;
mod prompt;
pub mod provider;
pub mod route;
mod shared;
mod tally;
mod trial;
mod watch;

pub use config::{Config, Key, ProviderConfig};
pub use effect::Brain;
pub use provider::{KNOWN, Known};
pub use trial::{Said, Tried, find_redis, try_out};
pub use watch::Watch;

use nats::{jetstream::JetStream, log::ReadError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The model that is none, and the provider of it.
pub const OFFLINE: &str = "offline";

/// Why the brain cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the brain's settings: {0}")]
    Settings(String),
    #[error("the brain cannot join its consumer group")]
    Log(#[from] ReadError),
}

/// Answers model calls until `stop`.
///
/// # Errors
/// When the settings make no provider, or the consumer cannot be joined.
pub async fn run(
    log: JetStream,
    config: &Config,
    worker_version: String,
    stop: CancellationToken,
) -> Result<(), Error> {
    let watch = Watch::start(log.clone(), stop.clone()).await?;
    let brain = Brain::new(config, watch.clone()).map_err(Error::Settings)?;
    nats::effect::run(Arc::new(log), Arc::new(brain), worker_version, stop).await?;
    watch.part().await;
    Ok(())
}
