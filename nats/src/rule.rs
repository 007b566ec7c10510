//! The rules of the two loops that a test can switch off, to show that the others would notice.

/// All hold, unless a test says otherwise. `ARCHITECTURE.md` numbers them.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Deciders 1. Off: only what the last event led to is said.
    pub level: bool,
    /// Deciders 4. Off: whatever comes is folded into the states that are there.
    pub no_holes: bool,
    /// Deciders 5.
    pub own_words: OwnWords,
    /// Deciders 6. Off: a word is appended whoever spoke since.
    pub guards: bool,
    /// Effects 1. Off: an answer is appended though there is one.
    pub answered_once: bool,
    /// Effects 2. Off: every delivery of a request is executed.
    pub looked_up: bool,
}

/// How a decider comes to hold what it has said itself.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnWords {
    /// The rule: it waits a moment, then reads.
    Read,
    /// It waits until its consumer brings them.
    Awaited,
    /// It decides without them.
    Ignored,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            level: true,
            no_holes: true,
            own_words: OwnWords::Read,
            guards: true,
            answered_once: true,
            looked_up: true,
        }
    }
}
