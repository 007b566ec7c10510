//! The rows, and how far in the log they are. One connection writes, another answers: readers
//! never wait for the writer (WAL).

use crate::project::{self, Item, Tallies, dead};
use rusqlite::{Connection, Error, ErrorCode, OptionalExtension, Result, Transaction, params};
use schemas::{MissionId, Tenant, Time};
use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use streams::archive::Archived;

/// Rows made by another version of the schema or of the projection are made again.
const VERSION: i64 = 5;

const SCHEMA: &str = include_str!("schema.sql");

pub struct Store {
    writer: Mutex<Writer>,
    reader: Mutex<Connection>,
}

struct Writer {
    rows: Connection,
    tallies: Tallies,
}

impl Store {
    /// Opens the file, or begins it anew when it is another version's or no database at all.
    pub fn open(path: &Path) -> Result<Self> {
        let writer = match Self::connect(path).and_then(|found| Ok((version(&found)?, found))) {
            Ok((VERSION, found)) => found,
            Err(error) if !is_damage(&error) => return Err(error),
            _ => Self::begin(path)?,
        };
        let writer = Writer { rows: writer, tallies: Tallies::default() };
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(Self::connect(path)?) })
    }

    /// Rows can always be made again from the log, so what can't be used is thrown away.
    fn begin(path: &Path) -> Result<Connection> {
        for ending in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(ending);
            // What can't be removed makes opening it fail, with a better reason.
            let _ = std::fs::remove_file(file);
        }
        let fresh = Self::connect(path)?;
        fresh.execute_batch(SCHEMA)?;
        fresh.pragma_update(None, "user_version", VERSION)?;
        Ok(fresh)
    }

    fn connect(path: &Path) -> Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A lost commit is projected again from the log: no need to wait for the disk.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    /// The log sequence up to which everything is in the rows.
    pub fn position(&self) -> u64 {
        let found = self.writer().rows.query_row("SELECT position FROM log", [], |row| row.get::<_, i64>(0));
        found.map_or(0, i64::cast_unsigned)
    }

    /// Projects a page of the log, in its order, all or nothing.
    pub fn project(&self, page: &[Item]) -> Result<()> {
        let Some(last) = page.last() else { return Ok(()) };
        self.write(|rows, tallies| {
            let position: i64 = rows.query_row("SELECT position FROM log", [], |row| row.get(0))?;
            let mut stuck = dead::any_stuck(rows)?;
            for item in page.iter().filter(|item| item.seq > position.cast_unsigned()) {
                dead::apply(rows, item, &mut stuck)?;
                project::apply(rows, item, tallies)?;
            }
            rows.execute("UPDATE log SET position = max(position, ?1)", [last.seq.cast_signed()]).map(|_| ())
        })
    }

    /// Projects one record late that could not be read in its turn.
    pub fn revive(&self, item: &Item) -> Result<()> {
        self.write(|rows, tallies| {
            let mut stuck = dead::any_stuck(rows)?;
            dead::forget(rows, item.seq)?;
            dead::apply(rows, item, &mut stuck)?;
            project::apply(rows, item, tallies)
        })
    }

    /// Makes sure that the rows are about this log, which reaches to `last`: else they are emptied.
    pub fn belong_to(&self, log: &str, last: u64) -> Result<()> {
        self.write(|rows, tallies| {
            let known = rows
                .query_row("SELECT name, position FROM log", [], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
                })
                .optional()?;
            if known.is_some_and(|(name, position)| name == log && position.cast_unsigned() <= last) {
                return Ok(());
            }
            tallies.forget();
            rows.execute_batch("DELETE FROM dead; DELETE FROM newer; DELETE FROM deliverable; DELETE FROM tried; DELETE FROM call; DELETE FROM step; DELETE FROM mission; DELETE FROM stray; INSERT INTO mission_text (mission_text) VALUES ('delete-all'); DELETE FROM log;")?;
            rows.execute("INSERT INTO log (name, position) VALUES (?1, 0)", [log]).map(|_| ())
        })
    }

    /// The sequence up to which the registry's words about archived missions are in the rows.
    pub fn registry(&self) -> u64 {
        let found = self.writer().rows.query_row("SELECT registry FROM log", [], |row| row.get::<_, i64>(0));
        found.map_or(0, i64::cast_unsigned)
    }

    /// Does the mission's row lack what its archive holds?
    pub fn lacks(&self, word: &Archived) -> bool {
        let row = self.writer().rows.query_row(
            "SELECT last_seq FROM mission WHERE id = ?1 AND tenant = ?2",
            params![word.mission.to_string(), word.tenant.as_str()],
            |row| row.get::<_, i64>(0),
        );
        row.map_or(true, |last| last.cast_unsigned() != word.last)
    }

    /// Marks a mission as archived. With `items` its row is made anew, of what the archive holds.
    pub fn entomb(&self, word: &Archived, items: Option<&[Item]>) -> Result<()> {
        self.write(|rows, tallies| {
            if let Some(items) = items {
                tallies.forget();
                project::forget(rows, &word.tenant, word.mission)?;
                for item in items {
                    project::apply(rows, item, tallies)?;
                }
                tallies.write(rows)?;
            }
            tallies.forget();
            rows.prepare_cached("UPDATE mission SET archived = ?3, imported = ?4 WHERE id = ?1 AND tenant = ?2")?
                .execute(params![word.mission.to_string(), word.tenant.as_str(), word.at.0, word.imported])
                .map(|_| ())
        })
    }

    /// Everything of the registry up to here is in the rows.
    pub fn read_registry(&self, seq: u64) -> Result<()> {
        self.writer().rows.execute("UPDATE log SET registry = max(registry, ?1)", [seq.cast_signed()]).map(|_| ())
    }

    /// Missions that ended before, the longest ago first.
    pub fn ended_before(&self, time: Time, most: usize) -> Result<Vec<(Tenant, MissionId)>> {
        self.read(|rows| {
            let mut found = rows.prepare_cached(
                "SELECT tenant, id FROM mission WHERE archived IS NULL AND (status = 'completed' OR status = 'failed' OR status = 'aborted') \
                 AND updated <= ?1 ORDER BY updated LIMIT ?2",
            )?;
            let pairs = found.query_map(params![time.0, most.min(1 << 30) as i64], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            let parsed = pairs.map(|pair| pair.map(|(tenant, id)| Some((tenant.parse().ok()?, id.parse().ok()?))));
            parsed.filter_map(Result::transpose).collect()
        })
    }

    /// What is in the log of missions that are not there any more.
    pub fn strays(&self, most: usize) -> Result<Vec<u64>> {
        self.read(|rows| {
            let mut found = rows.prepare_cached("SELECT seq FROM stray ORDER BY seq LIMIT ?1")?;
            found.query_map([most as i64], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))?.collect()
        })
    }

    /// They are gone.
    pub fn removed(&self, strays: &[u64]) -> Result<()> {
        self.write(|rows, _| {
            for seq in strays {
                rows.prepare_cached("DELETE FROM stray WHERE seq = ?1")?.execute([seq.cast_signed()])?;
            }
            Ok(())
        })
    }

    /// Answers from the rows.
    pub fn read<T>(&self, ask: impl FnOnce(&Connection) -> T) -> T {
        ask(&self.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the rows, all or nothing.
    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>, &mut Tallies) -> Result<T>) -> Result<T> {
        let mut writer = self.writer();
        let Writer { rows, tallies } = &mut *writer;
        let changed = (|| {
            let transaction = rows.transaction()?;
            let changed = change(&transaction, tallies)?;
            tallies.write(&transaction)?;
            transaction.commit()?;
            Ok(changed)
        })();
        if changed.is_err() {
            tallies.forget();
        }
        changed
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A transaction that a panic cut off was rolled back, and with it what was counted.
        self.writer.lock().unwrap_or_else(|poisoned| {
            self.writer.clear_poison();
            let mut writer = poisoned.into_inner();
            writer.tallies.forget();
            writer
        })
    }
}

fn version(connection: &Connection) -> Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn is_damage(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}
