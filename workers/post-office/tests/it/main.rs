//! The door before a real nats-server, asked by a client with a tenant's rights.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and it sees the clock and the environment"
)]

mod command;
mod file;
mod fixture;
mod market;
mod model;
mod read;
mod secret;
mod submit;
