//! The shipped loops with the shipped deciders, in trouble.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and it sees the clock and the environment"
)]

mod trouble;
