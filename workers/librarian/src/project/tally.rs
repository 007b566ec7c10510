//! What almost every record changes in its mission's row, gathered and written once a page.

use rusqlite::{OptionalExtension, Result, Transaction, params};
use schemas::{MissionId, Tenant, Time};
use std::collections::HashMap;

/// Missions whose row numbers are kept at hand.
const KEPT: usize = 50_000;

/// The missions of a page, and of earlier ones.
#[derive(Default)]
pub struct Tallies(HashMap<(Tenant, MissionId), Option<Tally>>);

/// One mission that is not archived.
pub struct Tally {
    /// Its row.
    pub n: i64,
    /// What is not yet in the row.
    events: i64,
    done: i64,
    total: i64,
    last_seq: i64,
    updated: i64,
}

impl Tallies {
    /// The mission's row; `None` when it has none, or is archived.
    pub fn of(&mut self, rows: &Transaction<'_>, tenant: &Tenant, mission: MissionId) -> Result<Option<&mut Tally>> {
        let known = self.0.entry((tenant.clone(), mission)).or_default();
        if known.is_none() {
            let n: Option<i64> = rows
                .prepare_cached("SELECT n FROM mission WHERE id = ?1 AND tenant = ?2 AND archived IS NULL")?
                .query_row(params![mission.to_string(), tenant.as_str()], |row| row.get(0))
                .optional()?;
            *known = n.map(|n| Tally { n, events: 0, done: 0, total: 0, last_seq: 0, updated: 0 });
        }
        Ok(known.as_mut())
    }

    /// Writes what was gathered.
    pub fn write(&mut self, rows: &Transaction<'_>) -> Result<()> {
        let mut write = rows.prepare_cached(
            "UPDATE mission SET events = events + ?2, done = done + ?3, total = total + ?4, last_seq = ?5, updated = max(updated, ?6) WHERE n = ?1",
        )?;
        for tally in self.0.values_mut().flatten().filter(|tally| tally.events > 0) {
            write.execute(params![tally.n, tally.events, tally.done, tally.total, tally.last_seq, tally.updated])?;
            *tally = Tally { n: tally.n, events: 0, done: 0, total: 0, last_seq: 0, updated: 0 };
        }
        if self.0.len() > KEPT {
            self.forget();
        }
        Ok(())
    }

    /// The rows are not what they were: nothing is known of them.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

impl Tally {
    pub fn event(&mut self, seq: u64, time: Option<Time>) {
        self.events += 1;
        self.last_seq = seq.cast_signed();
        self.updated = self.updated.max(time.map_or(0, |time| time.0));
    }

    /// So many more steps are done, and so many there are.
    pub fn steps(&mut self, done: i64, total: i64) {
        self.done += done;
        self.total += total;
    }
}
