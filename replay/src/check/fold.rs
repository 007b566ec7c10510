//! A decider's state, moving along a history.

use crate::{Entry, History};
use std::{
    iter::Peekable,
    panic::{AssertUnwindSafe, catch_unwind},
    slice::Iter,
};
use streams::decide::{Decider, Due};

pub struct Fold<'a, D: Decider> {
    state: D::State,
    entries: Peekable<Iter<'a, Entry>>,
}

impl<'a, D: Decider> Fold<'a, D> {
    pub fn new(history: &'a History) -> Self {
        Self { state: D::State::default(), entries: history.entries.iter().peekable() }
    }

    /// Folds everything up to `seq`; never back.
    ///
    /// # Errors
    /// What today's code says when it panics.
    pub fn to(&mut self, seq: u64) -> Result<(), String> {
        caught(|| {
            while let Some(entry) = self.entries.next_if(|entry| entry.seq() <= seq) {
                match entry {
                    Entry::Event(event) if D::folds(event.writer, event.fact.kind(), &event.tail) => {
                        D::evolve(&mut self.state, event)
                    }
                    _ => D::pass(&mut self.state),
                }
            }
        })
    }

    /// # Errors
    /// What today's code says when it panics.
    pub fn decide(&self) -> Result<Vec<Due>, String> {
        caught(|| D::decide(&self.state))
    }
}

/// A fault of today's code is a difference like others.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".into())
    })
}
