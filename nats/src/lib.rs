//! The wire: the only crate that touches NATS.
//!
//! [`log`] is what the loops need of a log; [`jetstream`] is the real one, [`memory`] one for
//! property tests. [`decider`] and [`effect`] are the two loops, written once for all workers.

pub mod archive;
pub mod decider;
pub mod effect;
pub mod jetstream;
pub mod log;
pub mod memory;
pub mod registry;
#[doc(hidden)]
pub mod rule;
pub mod seal;
pub mod service;

pub mod config;
pub mod connect;
pub mod key;
pub mod server;
pub mod setup;
pub mod yardstick;
