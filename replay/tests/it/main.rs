//! The recorded missions, and what is made of them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and it sees the environment")]

mod alteration;
mod diff;
mod file;
mod recording;
mod rule;
mod walk;
