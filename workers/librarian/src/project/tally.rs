//! What almost every record changes in its mission's row, gathered and written once a page.

use rusqlite::{OptionalExtension, Result, Transaction, params};
use schemas::{MissionId, Tenant, Time};
use std::collections::HashMap;

/// Missions whose row numbers are kept at hand.
const KEPT: usize = 50_000;

type Key = (Tenant, MissionId);

#[derive(Default)]
pub struct Tallies {
    /// The rows of missions that are not archived.
    rows: HashMap<Key, i64>,
    /// What of this page is not yet in them.
    page: HashMap<Key, Tally>,
}

/// One mission that is not archived.
pub struct Tally {
    /// Its row.
    pub n: i64,
    events: i64,
    done: i64,
    total: i64,
    last_seq: i64,
    updated: i64,
}

impl Tallies {
    /// The mission's row; `None` when it has none, or is archived.
    pub fn of(&mut self, rows: &Transaction<'_>, tenant: &Tenant, mission: MissionId) -> Result<Option<&mut Tally>> {
        let key = (tenant.clone(), mission);
        let n = match self.rows.get(&key) {
            Some(n) => *n,
            None => {
                let found = rows
                    .prepare_cached("SELECT n FROM mission WHERE id = ?1 AND tenant = ?2 AND archived IS NULL")?
                    .query_row(params![mission.to_string(), tenant.as_str()], |row| row.get(0))
                    .optional()?;
                let Some(n) = found else { return Ok(None) };
                self.rows.insert(key.clone(), n);
                n
            }
        };
        let empty = Tally { n, events: 0, done: 0, total: 0, last_seq: 0, updated: 0 };
        Ok(Some(self.page.entry(key).or_insert(empty)))
    }

    /// Writes what was gathered.
    pub fn write(&mut self, rows: &Transaction<'_>) -> Result<()> {
        let mut write = rows.prepare_cached(
            "UPDATE mission SET events = events + ?2, done = done + ?3, total = total + ?4, \
             last_seq = max(last_seq, ?5), updated = max(updated, ?6) WHERE n = ?1",
        )?;
        for (_, tally) in self.page.drain() {
            write.execute(params![tally.n, tally.events, tally.done, tally.total, tally.last_seq, tally.updated])?;
        }
        if self.rows.len() > KEPT {
            self.rows.clear();
        }
        Ok(())
    }

    /// The rows are not what they were: nothing is known of them.
    pub fn forget(&mut self) {
        self.rows.clear();
        self.page.clear();
    }
}

impl Tally {
    pub fn event(&mut self, seq: u64, time: Option<Time>) {
        self.events += 1;
        self.last_seq = self.last_seq.max(seq.cast_signed());
        self.updated = self.updated.max(time.map_or(0, |time| time.0));
    }

    /// So many more steps are done, and so many there are.
    pub fn steps(&mut self, done: i64, total: i64) {
        self.done += done;
        self.total += total;
    }
}
