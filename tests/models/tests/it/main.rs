//! The servers, driven by what the providers give to their users.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and it sees the environment")]

mod case;
mod error;
mod fault;
mod line;
mod sdk;
