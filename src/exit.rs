//! How the program ends: one code for each way, the same for every command.

use crate::progress::err;
use serde_json::json;
use std::{fmt, process::ExitCode};
use streams::{overview::Status, submission::Refusal};

/// Exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The mission completed, the command did what it was asked for.
    Completed = 0,
    Failed = 1,
    /// What was given is wrong: nothing was done.
    Usage = 2,
    Aborted = 3,
    /// For a person.
    Waiting = 4,
    /// By the server: rights, budget, policy.
    Refused = 5,
    TimedOut = 6,
    /// By Ctrl-C, as shells have it; the mission goes on.
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

impl Code {
    /// What the end of a mission is to whoever ran it.
    pub const fn of_status(status: Status) -> Self {
        match status {
            Status::Failed => Self::Failed,
            Status::Aborted => Self::Aborted,
            Status::Waiting => Self::Waiting,
            _ => Self::Completed,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Aborted => "aborted",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub struct Error {
    pub code: Code,
    /// For programs; the exit code's name where there is nothing finer.
    kind: String,
    message: String,
}

impl Error {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, kind: code.name().into(), message: message.into() }
    }
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Code::Refused, message)
    }
    pub fn timed_out(message: impl Into<String>) -> Self {
        Self::new(Code::TimedOut, message)
    }
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(Code::Interrupted, message)
    }
    pub fn waiting(message: impl Into<String>) -> Self {
        Self::new(Code::Waiting, message)
    }

    /// Tells it: on stderr, and for programs on stdout.
    pub fn report(&self, json: bool) -> ExitCode {
        err!("stage7: {}", self.message);
        if json {
            crate::progress::say(&json!({"error": {"code": self.kind, "message": self.message}}));
        }
        self.code.into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error of the wire or the disk, with all that led to it.
impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.error.code.as_str() {
            "unavailable" | "log_full" | "internal" | "missing_artifact" | "unknown_file" | "missing_file" => {
                Code::Failed
            }
            kind if kind.starts_with("invalid_") || kind.starts_with("unknown_") => Code::Usage,
            "too_large" | "secret_setting" => Code::Usage,
            "not_yet" | "ended" | "already_paused" | "not_paused" | "not_failed" | "not_stuck" | "closed_question" => {
                Code::Failed
            }
            _ => Code::Refused,
        };
        let at = if refusal.error.at.is_empty() { String::new() } else { format!("{}: ", refusal.error.at) };
        let mut message = format!("{at}{}", refusal.error.message);
        for fault in refusal.faults.iter().skip(1) {
            message.push_str(&format!("\n  {fault}"));
        }
        Self { code, kind: refusal.error.code, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::Fault;

    #[test]
    fn a_refusal_for_what_was_given_is_a_matter_of_usage() {
        let code = |kind: &str| Error::from(Refusal::new(kind, "x")).code;
        assert_eq!(code("invalid_goal"), Code::Usage);
        assert_eq!(code("unknown_mission"), Code::Usage);
        assert_eq!(code("ended"), Code::Failed);
        assert_eq!(code("too_many_goals"), Code::Refused);
    }

    #[test]
    fn every_fault_is_told_once() {
        let faults = vec![Fault::new("/goal", "is blank"), Fault::new("/name", "too long")];
        let message = Error::from(Refusal::of_faults("invalid_goal", faults)).to_string();
        assert_eq!(message.matches("is blank").count(), 1);
        assert!(message.contains("/name"), "{message}");
    }

    #[test]
    fn codes_are_those_of_the_manual() {
        let codes =
            [Code::Completed, Code::Failed, Code::Usage, Code::Aborted, Code::Waiting, Code::Refused, Code::TimedOut];
        assert_eq!(codes.map(|code| code as u8), [0, 1, 2, 3, 4, 5, 6]);
    }
}
