//! The rows, and how far in the log they are. One connection writes, another answers: readers
//! never wait for the writer (WAL).

use crate::project::{self, Item, dead};
use rusqlite::{Connection, Error, ErrorCode, OptionalExtension, Result};
use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Rows made by another version of the schema or of the projection are made again.
const VERSION: i64 = 2;

const SCHEMA: &str = include_str!("schema.sql");

pub struct Store {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

impl Store {
    /// Opens the file, or begins it anew when it is another version's or no database at all.
    pub fn open(path: &Path) -> Result<Self> {
        let writer = match Self::connect(path).and_then(|found| Ok((version(&found)?, found))) {
            Ok((VERSION, found)) => found,
            Err(error) if !is_damage(&error) => return Err(error),
            _ => Self::begin(path)?,
        };
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
        let found = self.writer().query_row("SELECT position FROM log", [], |row| row.get::<_, i64>(0));
        found.map_or(0, i64::cast_unsigned)
    }

    /// Projects a page of the log, in its order, all or nothing.
    pub fn project(&self, page: &[Item]) -> Result<()> {
        let Some(last) = page.last() else { return Ok(()) };
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        let position: i64 = transaction.query_row("SELECT position FROM log", [], |row| row.get(0))?;
        let mut stuck = dead::any_stuck(&transaction)?;
        for item in page.iter().filter(|item| item.seq > position.cast_unsigned()) {
            project::apply(&transaction, item, &mut stuck)?;
        }
        transaction.execute("UPDATE log SET position = max(position, ?1)", [last.seq.cast_signed()])?;
        transaction.commit()
    }

    /// Projects one record late that could not be read in its turn.
    pub fn revive(&self, item: &Item) -> Result<()> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        let mut stuck = dead::any_stuck(&transaction)?;
        dead::forget(&transaction, item.seq)?;
        project::apply(&transaction, item, &mut stuck)?;
        transaction.commit()
    }

    /// Makes sure that the rows are about this log, which reaches to `last`: else they are emptied.
    pub fn belong_to(&self, log: &str, last: u64) -> Result<()> {
        let mut writer = self.writer();
        let known = writer
            .query_row("SELECT name, position FROM log", [], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
            })
            .optional()?;
        if known.is_some_and(|(name, position)| name == log && position.cast_unsigned() <= last) {
            return Ok(());
        }
        let transaction = writer.transaction()?;
        transaction.execute_batch("DELETE FROM dead; DELETE FROM newer; DELETE FROM deliverable; DELETE FROM kind; DELETE FROM call; DELETE FROM step; DELETE FROM mission; INSERT INTO mission_text (mission_text) VALUES ('delete-all'); DELETE FROM log;")?;
        transaction.execute("INSERT INTO log (name, position) VALUES (?1, 0)", [log])?;
        transaction.commit()
    }

    /// Answers from the rows.
    pub fn read<T>(&self, ask: impl FnOnce(&Connection) -> T) -> T {
        ask(&self.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic cut off was rolled back.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(connection: &Connection) -> Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn is_damage(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}
