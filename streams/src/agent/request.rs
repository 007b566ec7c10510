//! What is asked for and not answered.

use schemas::EventId;

/// A request, by the attempt that made it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub step: String,
    pub attempt: u32,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Call {
        repair: bool,
    },
    Run,
    Question,
    /// The expiry of a question.
    Timer {
        question: EventId,
    },
}
