//! The words of stage7: every event, the envelope that carries it, and what they are made of.
//!
//! Pure: no clock, no randomness, no environment, no network. Everything here is data, its
//! validation and its JSON Schema.

pub mod id;
pub mod time;
pub mod fault;
pub mod value;
pub mod plan;
pub mod catalogue;
pub mod manifest;
pub mod goal;
pub mod limits;

pub mod user;
pub mod control;
pub mod agent;
pub mod brain;
pub mod capability;
pub mod timer;
pub mod decider;

pub mod fact;
pub mod event;
pub mod cloudevent;



pub use event::Event;
pub use fact::Fact;
pub use fault::{Class, Fault};
pub use id::{EventId, MissionId, Tenant, Writer};
pub use time::Time;
pub use value::Value;
