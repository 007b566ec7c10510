//! The recorded missions, what is made of them, and the shipped loops with the shipped deciders in
//! trouble.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and it sees the clock and the environment"
)]

mod alteration;
mod diff;
mod file;
mod recording;
mod rule;
mod trouble;
mod walk;
