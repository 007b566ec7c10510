//! The words of stage7: every event, the envelope that carries it, and what they are made of.
//!
//! Pure: no clock, no randomness, no environment, no network. Everything here is data, its
//! validation and its JSON Schema.

pub mod catalogue;
pub mod fault;
pub mod form;
pub mod goal;
pub mod id;
pub mod limits;
pub mod manifest;
pub mod plan;
pub mod time;
pub mod value;

pub mod agent;
pub mod brain;
pub mod capability;
pub mod control;
pub mod decider;
pub mod librarian;
pub mod timer;
pub mod user;

pub mod cloudevent;
pub mod event;
pub mod fact;

pub use event::Event;
pub use fact::Fact;
pub use fault::{Class, Fault};
pub use id::{EventId, MissionId, Tenant, Writer};
pub use time::{Day, Time};
pub use value::Value;
