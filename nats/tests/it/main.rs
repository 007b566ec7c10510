//! The crate against a real nats-server, each test with one of its own.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and it sees the clock and the environment"
)]

mod authority;
mod backlog;
mod behind;
mod busy;
mod dead;
mod echo;
mod effects;
mod fixture;
mod group;
mod loops;
mod pin;
mod pure;
mod rule;
mod server;
mod service;
mod timer;
mod zone;
