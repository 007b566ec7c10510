//! The brain: goals without a model, and every provider's dialect, with all that goes wrong.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod dialect;
mod fault;
mod goals;
mod offline;
mod speak;
