//! An event: a word, who said it about which mission, when, and what led to it.

use crate::{
    fact::{Fact, Tail},
    id::{EventId, MissionId, Tenant, Writer},
    time::Time,
};

/// `k` of `n` words of one decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub k: u32,
    pub n: u32,
}

/// One event of a mission's log, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Stream sequence; 0 while it is not in the log.
    pub seq: u64,
    pub id: EventId,
    /// When it was appended; set by the appending loop.
    pub time: Time,
    pub tenant: Tenant,
    pub mission: MissionId,
    pub writer: Writer,
    pub tail: Tail,
    pub fact: Fact,
    /// The event that led to this one.
    pub causation: Option<EventId>,
    /// The log sequence to which the deciding state was folded.
    pub basis: Option<u64>,
    pub part: Option<Part>,
    /// The writing worker's version, 8 characters.
    pub worker_version: String,
    pub traceparent: Option<String>,
    /// The person, where one acted; believed only from the door.
    pub authid: Option<String>,
}

impl Event {
    /// `/stage7/{tenant}/{writer}`.
    pub fn source(&self) -> String {
        format!("/stage7/{}/{}", self.tenant, self.writer)
    }
    /// The step its subject ends in, if it is that kind of word.
    pub fn request(&self) -> Option<EventId> {
        self.tail.request()
    }
}
