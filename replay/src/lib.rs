//! The memory of stage7: a mission's history, read back and decided again.
//!
//! Reading calls no model and runs no plugin: what effects did is in their answers.

mod check;
mod file;
mod history;

pub use check::{Difference, Report, check, check_all};
pub use history::{Entry, History};
pub use streams::archive::{ARTIFACT, Malformed};

use streams::overview::Overview;

/// The mission as it stood after the event `at`, or after all.
pub fn show(history: &History, at: Option<u64>) -> Overview {
    let mut overview = Overview::default();
    for entry in history.entries.iter().take_while(|entry| at.is_none_or(|at| entry.seq() <= at)) {
        match entry {
            Entry::Event(event) => overview.evolve(event),
            Entry::Passed(seq) => overview.pass(*seq),
        }
    }
    overview
}
