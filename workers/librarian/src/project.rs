//! What an event changes in the rows: a few updates each, by the same rules as the overview.

mod call;
pub mod dead;
mod mission;
mod step;
mod tally;
#[cfg(test)]
mod tests;

pub use tally::Tallies;

use crate::trouble::Trouble;
use call::Spent;
use rusqlite::{OptionalExtension, Result, Transaction, params};
use schemas::{Event, Fact, MissionId, Tenant, Time, Writer};
use streams::subject::Subject;
use tally::Tally;

/// One record of the log.
pub struct Item {
    pub seq: u64,
    /// `None`: not a subject of the log, only passed by.
    pub subject: Option<Subject>,
    pub time: Option<Time>,
    /// `None` for words that change no row but the counts.
    pub event: Option<Box<Event>>,
    /// Why it is no event, where it is none.
    pub unread: Option<Unread>,
}

/// What a record is that is no event of ours.
#[derive(Debug, Clone, PartialEq)]
pub enum Unread {
    /// A word, or a version of one, that this build does not know: skipped by rule.
    Newer { ce_type: String },
    /// It can't be processed.
    Dead { trouble: Trouble, reason: String, subject: String },
}

/// Does this word change more than counts?
pub fn concerns(kind: &str) -> bool {
    matches!(
        kind,
        "plan.accepted"
            | "step.assigned"
            | "step.retried"
            | "step.cancelled"
            | "step.failed"
            | "step.completed"
            | "step.faulted"
            | "llm.requested"
            | "llm.tried"
            | "llm.completed"
            | "llm.failed"
            | "decider.stuck"
            | "decider.retried"
    ) || kind.starts_with("mission.")
}

/// Projects one record into the rows of its mission; what it adds up is written with the `tallies`.
pub fn apply(rows: &Transaction<'_>, item: &Item, tallies: &mut Tallies) -> Result<()> {
    let Some(subject) = &item.subject else { return Ok(()) };
    // The librarian's own word is about where the mission lies, not about the mission.
    if subject.writer == Writer::Librarian {
        return Ok(());
    }
    if let Some((event, Fact::MissionCreated(created))) = item.event.as_ref().map(|event| (event, &event.fact)) {
        mission::created(rows, event, created)?;
    }
    let Some(tally) = tallies.of(rows, &subject.tenant, subject.mission)? else {
        return stray(rows, subject, item.seq);
    };
    tally.event(item.seq, item.time);
    match &item.event {
        Some(event) => word(&mut Row { rows, mission: tally.n, at: event.time, tally }, event),
        None => Ok(()),
    }
}

/// What comes after its mission was archived is noted, to be removed. Of a mission whose beginning
/// can't be read there is nothing to show.
fn stray(rows: &Transaction<'_>, subject: &Subject, seq: u64) -> Result<()> {
    rows.prepare_cached(
        "INSERT INTO stray (seq) SELECT ?1 WHERE EXISTS (SELECT 1 FROM mission WHERE id = ?2 AND tenant = ?3) ON CONFLICT DO NOTHING",
    )?
    .execute(params![seq.cast_signed(), subject.mission.to_string(), subject.tenant.as_str()])
    .map(|_| ())
}

/// Removes all rows of a mission.
pub fn forget(rows: &Transaction<'_>, tenant: &Tenant, mission: MissionId) -> Result<()> {
    let found = rows
        .prepare_cached("SELECT n, name, goal FROM mission WHERE id = ?1 AND tenant = ?2")?
        .query_row(params![mission.to_string(), tenant.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, String>(2)?))
        })
        .optional()?;
    let Some((n, name, goal)) = found else { return Ok(()) };
    // The index holds no text of its own, so it is told what to forget.
    rows.prepare_cached("INSERT INTO mission_text (mission_text, rowid, name, goal) VALUES ('delete', ?1, ?2, ?3)")?
        .execute(params![n, name, goal])?;
    for table in ["deliverable", "tried", "call", "step"] {
        rows.prepare_cached(&format!("DELETE FROM {table} WHERE mission = ?1"))?.execute([n])?;
    }
    rows.prepare_cached("DELETE FROM mission WHERE n = ?1")?.execute([n]).map(|_| ())
}

/// A mission's row, about to be changed.
struct Row<'a> {
    rows: &'a Transaction<'a>,
    mission: i64,
    at: Time,
    tally: &'a mut Tally,
}

fn word(row: &mut Row<'_>, event: &Event) -> Result<()> {
    match &event.fact {
        Fact::PlanAccepted(said) => row.accepted(said),
        Fact::StepAssigned(said) => row.assigned(said),
        Fact::StepRetried(said) => row.retried(said),
        Fact::StepCancelled(said) => row.faulted(&said.step, said.attempt),
        Fact::StepFaulted(said) => row.faulted(&said.step, said.attempt),
        Fact::StepFailed(said) => row.failed(&said.step, said.attempt),
        Fact::StepCompleted(said) => row.completed(said),
        Fact::LlmRequested(said) => row.asked(event.id, said),
        Fact::LlmTried(said) => row.tried(event.seq, said),
        Fact::LlmCompleted(said) => {
            let by = Some((&said.provider, &said.model));
            row.answered(event, by, Spent::new(said.usage, said.cost_usd, said.ms))
        }
        Fact::LlmFailed(said) => row.answered(event, None, Spent::new(said.usage, said.cost_usd, said.ms)),
        Fact::MissionRetried(said) => row.reopened(said),
        Fact::MissionPausing(_) => row.goes("pausing"),
        Fact::MissionPaused(_) => row.goes("paused"),
        Fact::MissionWaiting(_) => row.goes("waiting"),
        Fact::MissionResumed(said) => row.resumed(said.from),
        Fact::MissionCompleted(_) => row.goes("completed"),
        Fact::MissionFailed(said) => row.given_up(said),
        Fact::MissionAborted(_) => row.aborted(),
        _ => Ok(()),
    }
}
