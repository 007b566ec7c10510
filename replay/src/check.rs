//! Making recorded decisions again.
//!
//! Every word of a decider says to which sequence its state was folded (`basis`). So the state can
//! be had again, decided, and compared: a changed, a missing and an invented decision are all
//! found. A decision of which only the first words are in the log was cut off by a crash or by
//! another instance; what it lacks must then come of a later one, or be due at the end.

mod fold;
mod report;
#[cfg(test)]
mod tests;

pub use report::{Difference, Kind, Report};

use crate::{Entry, History};
use agents::Agents;
use fold::Fold;
use mission_control::Control;
use schemas::{Event, EventId, Fact};
use std::collections::HashSet;
use streams::decide::{Decider, Due};

/// Checks a history with all deciders.
pub fn check_all(history: &History) -> Vec<Report> {
    vec![check::<Control>(history), check::<Agents>(history)]
}

/// Checks a history with one decider: each recorded decision must be the beginning of what is
/// decided on the same state, and at the end nothing may be due.
pub fn check<D: Decider>(history: &History) -> Report {
    let mut report = Report::new(D::NAME);
    let (own, unbased): (Vec<&Event>, Vec<&Event>) =
        history.events().filter(|event| event.writer == D::WRITER).partition(|event| event.basis.is_some());
    unbased.into_iter().for_each(|event| report.unbased(event));
    report.based = own.len() as u64;
    if let Some(sha256) = history.lacks_catalogue() {
        let message = format!("no decision can be made again: the mission's catalogue, artifact {sha256}, is missing");
        report.differ(Kind::Catalogue, (0, 0), message, None, None);
        return report;
    }
    let known: HashSet<u64> = history.entries.iter().map(Entry::seq).collect();
    // What decisions lack that were cut off.
    let mut cut: Vec<(&Event, Due)> = Vec::new();
    let mut fold = Fold::<D>::new(history);
    let mut last_own = 0;
    for group in groups(&own) {
        let (first, last) = (group[0], group[group.len() - 1]);
        let basis = first.basis.unwrap_or(0);
        let impossible = if basis < last_own {
            // Its state can't be had again: the fold is past it.
            Some(format!("decided on a state that lacks the decider's own word {last_own}"))
        } else if basis >= first.seq {
            Some(format!("decided on the state at {basis}, which is not before it"))
        } else if !known.contains(&basis) {
            Some(format!("decided on the state at {basis}, which is no event of the mission"))
        } else {
            None
        };
        if let Some(message) = impossible {
            let due = fold.to(basis).and_then(|()| fold.decide()).unwrap_or_default();
            report.differ(Kind::Basis, (first.seq, basis), message, Some(first), due.first());
        } else {
            report.decisions += 1;
            match fold.to(basis).and_then(|()| fold.decide()) {
                Ok(due) => {
                    let unsaid = compare::<D>(&mut report, basis, group, &due);
                    report.cut_off += u64::from(!unsaid.is_empty());
                    cut.extend(unsaid.iter().map(|due| (last, due.clone())));
                }
                Err(panic) => return report.gives_up(first.seq, basis, &panic),
            }
        }
        last_own = last.seq;
    }
    let end = history.entries.last().map_or(0, Entry::seq);
    report.stuck = history.stuck(D::WRITER);
    match fold.to(u64::MAX).and_then(|()| fold.decide()) {
        // It said itself that it can't go on: nothing more is expected of it.
        _ if report.stuck.is_some() => {}
        Ok(due) => {
            if let Some(due) = due.first() {
                let message = format!("at the end `{}` is due and not said", due.fact.kind());
                report.differ(Kind::Due, (end, end), message, None, Some(due));
            }
        }
        Err(panic) => return report.gives_up(end, end, &panic),
    }
    suspect::<D>(&mut report, history, &own, &cut);
    report.differences.sort_by_key(|difference| difference.at);
    report
}

/// Names words that were said, by what came of them, and are not there.
fn suspect<D: Decider>(report: &mut Report, history: &History, own: &[&Event], cut: &[(&Event, Due)]) {
    let there: HashSet<EventId> = history.events().map(|event| event.id).collect();
    let names = |event: &Event, id| event.causation == Some(id) || event.request() == Some(id);
    for (last, due) in cut {
        let id = due.id(last.mission, D::WRITER);
        // A crash cuts decisions off too; but of what was not said nothing comes.
        if let Some(event) = history.events().find(|event| !there.contains(&id) && names(event, id)) {
            let message =
                format!("behind it `{}` is not there, though the event {} comes of it", due.fact.kind(), event.seq);
            report.differ(Kind::Missing, (last.seq, last.basis.unwrap_or(0)), message, None, Some(due));
        }
    }
    // What is not due may have been, after a decision that is left out.
    let invented = report.differences.iter().find(|difference| difference.kind == Kind::Invented);
    let Some((at, basis)) = invented.map(|difference| (difference.at, difference.basis)) else { return };
    let before = own.iter().map(|event| event.seq).filter(|seq| *seq < at).max().unwrap_or(0);
    let mut fold = Fold::<D>::new(history);
    for seq in history.entries.iter().map(Entry::seq).filter(|seq| (before..=basis).contains(seq)) {
        let Ok(due) = fold.to(seq).and_then(|()| fold.decide()) else { return };
        if let Some(due) = due.iter().find(|due| !there.contains(&due.id(own[0].mission, D::WRITER))) {
            let message = format!("before it `{}` was due on {seq}, and is not there", due.fact.kind());
            return report.differ(Kind::Missing, (at, seq), message, None, Some(due));
        }
    }
}

/// A decider's words, decision by decision: its next one rests on what the one before said.
fn groups<'a, 'e>(own: &'a [&'e Event]) -> impl Iterator<Item = &'a [&'e Event]> {
    own.chunk_by(|before, event| before.basis == event.basis)
}

/// Holds each word of a decision against the one that is due in its place; gives those at the end
/// that are not there.
fn compare<'d, D: Decider>(report: &mut Report, basis: u64, group: &[&Event], all: &'d [Due]) -> &'d [Due] {
    let (mut next, mut said) = (1, all.len() as u32);
    for event in group {
        let at = (event.seq, basis);
        let Some(part) = event.part else {
            let message = "it says on what it was decided, but not which part of the decision it is".into();
            report.differ(Kind::Basis, at, message, Some(event), None);
            continue;
        };
        if part.k < next {
            let message = format!("it comes as part {} of {}, after part {}", part.k, part.n, next - 1);
            report.differ(Kind::Invented, at, message, Some(event), None);
            continue;
        }
        for missing in next..part.k {
            let message = format!("part {missing} of {} is missing before it", part.n);
            report.differ(Kind::Missing, at, message, None, all.get(missing as usize - 1));
        }
        next = part.k + 1;
        let Some(due) = all.get(part.k as usize - 1) else {
            let message = format!("today nothing more is due than {} of {} words", all.len(), part.n);
            report.differ(Kind::Invented, at, message, Some(event), None);
            continue;
        };
        report.events += 1;
        if let Some(what) = differs::<D>(event, due) {
            let message = format!("the decided word has another {what}");
            report.differ(Kind::Changed, at, message, Some(event), Some(due));
        } else if part.n != said {
            let message = format!("today {said} words are due, {} were", part.n);
            report.differ(Kind::Missing, at, message, None, all.get(part.n as usize));
            // Each word says so: once is enough.
            said = part.n;
        }
    }
    all.get(next as usize - 1..).unwrap_or_default()
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
