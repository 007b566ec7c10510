//! The memory of stage7: a mission's history, read back and decided again.
//!
//! Reading calls no model and runs no plugin: what effects did is in their answers.

mod check;
mod diff;
mod file;
mod history;
mod meaning;
mod moment;
mod patch;
mod walk;

pub use check::{Difference, Kind, Report, check, check_all};
pub use diff::{Apart, diff};
pub use history::{Entry, History};
pub use meaning::meaning;
pub use moment::{Moment, NoSuchMoment};
pub use patch::{Change, Op};
pub use streams::archive::{ARTIFACT, Malformed};
pub use walk::{Walk, Walked};

use streams::overview::Overview;

/// The mission as it stood after the event `at`, or after all.
pub fn show(history: &History, at: Option<u64>) -> Overview {
    let mut overview = Overview::default();
    for entry in history.entries.iter().take_while(|entry| at.is_none_or(|at| entry.seq() <= at)) {
        entry.fold(&mut overview);
    }
    overview
}
