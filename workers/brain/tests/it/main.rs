//! The brain: goals without a model, every provider's dialect with all that goes wrong, and calls from the log.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and it sees the clock and the environment"
)]

mod cache;
mod dialect;
mod fault;
mod goals;
mod limit;
mod long;
mod merit;
mod offline;
mod redis;
mod speak;
mod world;
