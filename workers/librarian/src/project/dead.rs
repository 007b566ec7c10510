//! What could not be processed: told record by record, and by the deciders themselves.

use super::{Item, Unread};
use crate::trouble::Trouble;
use rusqlite::{Result, Transaction, params};
use schemas::{Fact, decider::Stuck};
use streams::subject;

/// Longer reasons (characters) are cut.
const REASON: usize = 1_000;

/// Is any mission stuck? Asked once a page: while none is, no event can end that.
pub fn any_stuck(rows: &Transaction<'_>) -> Result<bool> {
    rows.query_row("SELECT EXISTS (SELECT 1 FROM dead WHERE decider IS NOT NULL)", [], |row| row.get(0))
}

/// The record can be read after all.
pub fn forget(rows: &Transaction<'_>, seq: u64) -> Result<()> {
    rows.execute("DELETE FROM dead WHERE seq = ?1", [seq.cast_signed()]).map(|_| ())
}

/// What a record of the log says about what could not be processed; `stuck` tells whether any mission
/// is. An archive has no say here: its sequences may be another log's.
pub fn apply(rows: &Transaction<'_>, item: &Item, stuck: &mut bool) -> Result<()> {
    match (&item.unread, &item.event) {
        (Some(Unread::Newer { ce_type }), _) => newer(rows, item, ce_type),
        (Some(Unread::Dead { trouble, reason, subject }), _) => dead(rows, item, *trouble, reason, subject),
        (None, Some(event)) => match &event.fact {
            Fact::DeciderStuck(said) => {
                *stuck = true;
                is_stuck(rows, item, said, &event.worker_version)
            }
            Fact::DeciderRetried(said) if *stuck => goes_on(rows, item, Some(said.decider.as_str())),
            // Of a mission that has ended nobody waits for anything.
            Fact::MissionCompleted(_) | Fact::MissionFailed(_) | Fact::MissionAborted(_) if *stuck => {
                goes_on(rows, item, None)
            }
            _ if *stuck => goes_on(rows, item, Some(event.writer.as_str())),
            _ => Ok(()),
        },
        (None, None) if *stuck => {
            let writer = item.subject.as_ref().map(|subject| subject.writer);
            writer.map_or(Ok(()), |writer| goes_on(rows, item, Some(writer.as_str())))
        }
        (None, None) => Ok(()),
    }
}

fn newer(rows: &Transaction<'_>, item: &Item, ce_type: &str) -> Result<()> {
    let Some(subject) = &item.subject else { return Ok(()) };
    rows.prepare_cached(
        "INSERT INTO newer (tenant, type, events, first, last) VALUES (?1, ?2, 1, ?3, ?3) \
         ON CONFLICT DO UPDATE SET events = events + 1, last = excluded.last",
    )?
    .execute(params![subject.tenant.as_str(), ce_type, item.seq.cast_signed()])
    .map(|_| ())
}

fn dead(rows: &Transaction<'_>, item: &Item, trouble: Trouble, reason: &str, subject: &str) -> Result<()> {
    let (tenant, mission) = subject::owner(subject);
    rows.prepare_cached(
        "INSERT INTO dead (seq, tenant, mission, subject, trouble, reason, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        item.seq.cast_signed(),
        tenant.map(|tenant| tenant.to_string()),
        mission.map(|mission| mission.to_string()),
        subject,
        trouble.as_str(),
        cut(reason),
        item.time.map(|time| time.0)
    ])
    .map(|_| ())
}

/// The last word of a decider about its trouble stands.
fn is_stuck(rows: &Transaction<'_>, item: &Item, said: &Stuck, version: &str) -> Result<()> {
    let Some(subject) = &item.subject else { return Ok(()) };
    goes_on(rows, item, Some(subject.writer.as_str()))?;
    rows.prepare_cached(
        "INSERT INTO dead (seq, tenant, mission, subject, trouble, reason, time, decider, version, at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        item.seq.cast_signed(),
        subject.tenant.as_str(),
        subject.mission.to_string(),
        subject.to_string(),
        Trouble::Stuck.as_str(),
        cut(&said.message),
        item.time.map(|time| time.0),
        subject.writer.as_str(),
        version,
        said.at.cast_signed(),
    ])
    .map(|_| ())
}

/// A decider that says anything else, or is tried again, is not stuck (if it still is, it says so).
fn goes_on(rows: &Transaction<'_>, item: &Item, decider: Option<&str>) -> Result<()> {
    let Some(subject) = &item.subject else { return Ok(()) };
    rows.prepare_cached(
        "DELETE FROM dead WHERE mission = ?1 AND tenant = ?2 AND decider IS NOT NULL AND (?3 IS NULL OR decider = ?3)",
    )?
    .execute(params![subject.mission.to_string(), subject.tenant.as_str(), decider])
    .map(|_| ())
}

fn cut(reason: &str) -> String {
    reason.chars().take(REASON).collect()
}
