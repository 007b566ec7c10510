//! Making recorded decisions again.
//!
//! Every word of a decider says to which sequence its state was folded (`basis`). So the state can
//! be had again, decided, and compared: a changed, a missing and an invented decision are all
//! found.

#[cfg(test)]
mod tests;

use crate::{Entry, History};
use agents::Agents;
use mission_control::Control;
use schemas::{Event, Fact, Value};
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use streams::decide::{Decider, Due};

/// What today's code makes of a history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub decider: &'static str,
    /// Decisions made again.
    pub decisions: u64,
    /// Recorded words that came of them.
    pub events: u64,
    pub differences: Vec<Difference>,
}

/// A decision that is not made again as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The log sequence of the recorded word; for a missing one, that up to which was folded.
    pub at: u64,
    /// The log sequence to which the deciding state was folded.
    pub basis: u64,
    pub message: String,
    /// `{"word", "data"}`, as recorded; `null` when nothing is.
    pub recorded: Value,
    /// The same, as decided today.
    pub decided: Value,
}

/// Checks a history with all deciders.
pub fn check_all(history: &History) -> Vec<Report> {
    vec![check::<Control>(history), check::<Agents>(history)]
}

/// Checks a history with one decider: each recorded decision must be the beginning of what is
/// decided on the same state, and at the end nothing may be due.
pub fn check<D: Decider>(history: &History) -> Report {
    let mut report = Report { decider: D::NAME, decisions: 0, events: 0, differences: Vec::new() };
    let mut fold = Fold::<D> { state: D::State::default(), entries: history.entries.iter().peekable() };
    let mut own = 0;
    for group in groups::<D>(history) {
        let (first, last) = (group[0], group[group.len() - 1]);
        let basis = first.basis.unwrap_or(0);
        report.decisions += 1;
        report.events += group.len() as u64;
        if basis < own {
            // Its state can't be had again: the fold is past it.
            report.differ(
                first.seq,
                basis,
                format!("decided on a state that lacks the decider's own word {own}"),
                Some(first),
                None,
            );
        } else {
            match fold.to(basis).and_then(|()| fold.decide()) {
                Ok(due) => compare::<D>(&mut report, basis, &group, &due),
                Err(panic) => return report.give_up(first.seq, basis, &panic),
            }
        }
        own = last.seq;
    }
    let end = history.entries.last().map_or(0, Entry::seq);
    match fold.to(u64::MAX).and_then(|()| fold.decide()) {
        Ok(due) => {
            if let Some(due) = due.first() {
                report.differ(
                    end,
                    end,
                    format!("at the end `{}` is due and not said", due.fact.kind()),
                    None,
                    Some(due),
                );
            }
        }
        Err(panic) => return report.give_up(end, end, &panic),
    }
    report
}

impl Report {
    fn differ(&mut self, at: u64, basis: u64, message: String, recorded: Option<&Event>, decided: Option<&Due>) {
        let shown = |fact: &Fact| serde_json::json!({"word": fact.kind(), "data": fact.to_value()});
        self.differences.push(Difference {
            at,
            basis,
            message,
            recorded: recorded.map_or(Value::Null, |event| shown(&event.fact)),
            decided: decided.map_or(Value::Null, |due| shown(&due.fact)),
        });
    }

    fn give_up(mut self, at: u64, basis: u64, panic: &str) -> Self {
        self.differ(at, basis, format!("today's code panics: {panic}"), None, None);
        self
    }
}

/// A decider's words, decision by decision: those of one basis, counted from 1.
fn groups<D: Decider>(history: &History) -> Vec<Vec<&Event>> {
    let mut groups: Vec<Vec<&Event>> = Vec::new();
    for event in history.events().filter(|event| event.writer == D::WRITER && event.basis.is_some()) {
        let goes_on = |group: &Vec<&Event>| {
            let last = group.last()?;
            let (before, part) = (last.part?, event.part?);
            (last.basis == event.basis && part.k == before.k + 1 && part.n == before.n).then_some(())
        };
        match groups.last_mut() {
            Some(group) if goes_on(group).is_some() => group.push(event),
            _ => groups.push(vec![event]),
        }
    }
    groups
}

fn compare<D: Decider>(report: &mut Report, basis: u64, group: &[&Event], due: &[Due]) {
    let (first, recorded) = (group[0], group.len());
    let part = first.part.map_or((1, recorded as u32), |part| (part.k, part.n));
    if part.0 != 1 {
        let message = format!("the decision begins with part {} of {}", part.0, part.1);
        return report.differ(first.seq, basis, message, Some(first), None);
    }
    for (i, event) in group.iter().enumerate() {
        let Some(due) = due.get(i) else {
            return report.differ(
                event.seq,
                basis,
                format!("today nothing more is due than {i} of {} words", part.1),
                Some(event),
                None,
            );
        };
        if let Some(what) = differs::<D>(event, due) {
            return report.differ(
                event.seq,
                basis,
                format!("the decided word has another {what}"),
                Some(event),
                Some(due),
            );
        }
    }
    if due.len() != part.1 as usize {
        let message = format!("today {} words are due, {} were", due.len(), part.1);
        report.differ(first.seq, basis, message, None, due.get(recorded));
    }
}

fn differs<D: Decider>(recorded: &Event, due: &Due) -> Option<&'static str> {
    // Through bytes, as the recorded one went: a number may be read back a little off.
    let decided = Fact::from_bytes(due.fact.kind(), &due.fact.to_bytes());
    let kind = recorded.fact.kind() == due.fact.kind();
    [
        (kind, "type"),
        (!kind || matches!(decided, Some(Ok(fact)) if fact == recorded.fact), "content"),
        (recorded.tail == due.tail, "subject"),
        (recorded.id == due.id(recorded.mission, D::WRITER), "id"),
        (recorded.causation == due.causation, "cause"),
    ]
    .into_iter()
    .find_map(|(same, what)| (!same).then_some(what))
}

/// A decider's state, moving along a history.
struct Fold<'a, D: Decider> {
    state: D::State,
    entries: std::iter::Peekable<std::slice::Iter<'a, Entry>>,
}

impl<D: Decider> Fold<'_, D> {
    /// Folds everything up to `seq`.
    fn to(&mut self, seq: u64) -> Result<(), String> {
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

    fn decide(&self) -> Result<Vec<Due>, String> {
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
