//! What comes of a check.

use crate::patch::{Change, patch};
use schemas::{Event, Fact, Value};
use serde::Serialize;
use streams::decide::Due;

/// What today's code makes of a history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub decider: &'static str,
    /// Decisions made again.
    pub decisions: u64,
    /// Recorded words that were held against one of them.
    pub events: u64,
    /// Recorded words that say on what they were decided. All of them are to be held against a
    /// decision, so without a difference both figures are equal.
    pub based: u64,
    /// Decisions of which only the first words are in the log: a crash or another instance cut them
    /// off. What they lack was said by a later one, or was not due any more.
    pub cut_off: u64,
    /// In the order of the log.
    pub differences: Vec<Difference>,
    /// What the decider said, where it gave the mission up: then nothing is due at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
}

/// A decision that is not made again as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub kind: Kind,
    /// The log sequence of the recorded word; for a missing one, that of the first word of its
    /// decision, and at the end that of the last event.
    pub at: u64,
    /// The log sequence to which the deciding state was folded.
    pub basis: u64,
    pub message: String,
    /// `{"word", "data"}`, as recorded; `null` when nothing is.
    pub recorded: Value,
    /// The same, as decided today.
    pub decided: Value,
}

/// In which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Another word, or another content.
    Changed,
    /// Today fewer or other words are due than the decision has; or its first are not there.
    Missing,
    /// A word that is not due.
    Invented,
    /// Nobody could decide on what it says it was decided on.
    Basis,
    /// A decider's word that comes of no decision.
    Unbased,
    /// The history ends where something is due. In a mission that goes on, it may be on its way.
    Due,
    /// Today's code dies of it.
    Panic,
    /// What the decisions need is not there.
    Catalogue,
}

impl Difference {
    /// What makes the decided data of the recorded, where both are the same word.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.recorded["word"] == self.decided["word"] {
            patch(&self.recorded["data"], &self.decided["data"], "", &mut changes);
        }
        changes
    }
}

impl Report {
    pub(super) fn new(decider: &'static str) -> Self {
        Self { decider, decisions: 0, events: 0, based: 0, cut_off: 0, differences: Vec::new(), stuck: None }
    }

    /// Is every decision made again as it is recorded?
    pub fn is_same(&self) -> bool {
        self.differences.is_empty() && self.events == self.based
    }

    /// Is the only difference that something was due when the log was read?
    pub fn is_under_way(&self) -> bool {
        matches!(self.differences.as_slice(), [only] if only.kind == Kind::Due)
    }

    /// Words without a basis come of no decision. Two may: the goal's intake decides on no mission,
    /// and who is stuck on none that it understands.
    pub(super) fn unbased(&mut self, event: &Event) {
        if !matches!(event.fact, Fact::MissionCreated(_) | Fact::DeciderStuck(_)) {
            let message = format!("`{}` carries no basis: it comes of no decision", event.fact.kind());
            self.differ(Kind::Unbased, (event.seq, 0), message, Some(event), None);
        }
    }

    pub(super) fn differ(
        &mut self,
        kind: Kind,
        (at, basis): (u64, u64),
        message: String,
        recorded: Option<&Event>,
        decided: Option<&Due>,
    ) {
        let shown = |fact: &Fact| serde_json::json!({"word": fact.kind(), "data": fact.to_value()});
        self.differences.push(Difference {
            kind,
            at,
            basis,
            message,
            recorded: recorded.map_or(Value::Null, |event| shown(&event.fact)),
            decided: decided.map_or(Value::Null, |due| shown(&due.fact)),
        });
    }

    pub(super) fn gives_up(mut self, at: u64, basis: u64, panic: &str) -> Self {
        self.differ(Kind::Panic, (at, basis), format!("today's code panics: {panic}"), None, None);
        self
    }
}
