//! What could not be processed: the list, and one record as it lies in the log.

use super::{limit, unavailable};
use crate::{
    follow::{EVERYTHING, STREAM},
    judge::judge,
    project::Unread,
    store::Store,
    trouble::Trouble,
};
use nats::{jetstream::JetStream, log::ReadError};
use rusqlite::{Connection, OptionalExtension, Row, params};
use schemas::{MissionId, Tenant, Time, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;
use streams::{record, subject, submission::Refusal};

/// Payloads are shown up to here (bytes): an answer is one message.
const SHOWN: usize = 128 * 1024;

/// The newest first.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct List {
    pub mission: Option<MissionId>,
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<u64>,
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub seq: u64,
    /// Can it be read now, the rows are to have it.
    #[serde(default)]
    pub again: bool,
}

#[derive(Debug, Serialize)]
pub struct Page {
    pub dead: Vec<Dead>,
    /// Words that this version skips, by type; not for a single mission.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub newer: Vec<Newer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// What could not be processed.
#[derive(Debug, Serialize)]
pub struct Dead {
    pub seq: u64,
    pub mission: Option<String>,
    pub subject: String,
    pub trouble: String,
    pub reason: String,
    /// What would be right, and what can be done.
    pub remedy: &'static str,
    pub time: Option<Time>,
    /// Who is stuck, in which version, and at which sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct Newer {
    #[serde(rename = "type")]
    pub ce_type: String,
    pub events: i64,
    pub first: i64,
    pub last: i64,
}

/// What has no tenant is shown to the owner of the installation.
const ITS: &str = "(tenant = ?1 OR (tenant IS NULL AND ?1 = 'default'))";

pub fn list(rows: &Connection, tenant: &Tenant, asked: &List) -> Result<Page, Refusal> {
    let most = limit(asked.limit)?;
    let after = asked.after.map_or(i64::MAX, u64::cast_signed);
    let mission = asked.mission.map(|mission| mission.to_string());
    let sql = format!(
        "SELECT * FROM dead WHERE {ITS} AND seq < ?2 AND (?3 IS NULL OR mission = ?3) ORDER BY seq DESC LIMIT ?4"
    );
    let read = || -> rusqlite::Result<Page> {
        let mut statement = rows.prepare_cached(&sql)?;
        let given = params![tenant.as_str(), after, mission, most as i64 + 1];
        let mut dead = statement.query_map(given, self::dead)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let more = dead.len() > most;
        dead.truncate(most);
        let newer = match (&mission, asked.after) {
            (None, None) => newer(rows, tenant)?,
            _ => Vec::new(),
        };
        Ok(Page { next: dead.last().filter(|_| more).map(|last| last.seq), dead, newer })
    };
    read().map_err(unavailable)
}

fn newer(rows: &Connection, tenant: &Tenant) -> rusqlite::Result<Vec<Newer>> {
    let mut statement =
        rows.prepare_cached("SELECT type, events, first, last FROM newer WHERE tenant = ?1 ORDER BY type LIMIT 200")?;
    let found = statement.query_map([tenant.as_str()], |row| {
        Ok(Newer { ce_type: row.get(0)?, events: row.get(1)?, first: row.get(2)?, last: row.get(3)? })
    })?;
    found.collect()
}

/// The row of a record, if it is dead.
pub fn row(rows: &Connection, tenant: &Tenant, seq: u64) -> Result<Option<Dead>, Refusal> {
    let sql = format!("SELECT * FROM dead WHERE {ITS} AND seq = ?2");
    let found = rows.query_row(&sql, params![tenant.as_str(), seq.cast_signed()], dead).optional();
    found.map_err(unavailable)
}

fn dead(row: &Row<'_>) -> rusqlite::Result<Dead> {
    let trouble: String = row.get("trouble")?;
    Ok(Dead {
        seq: row.get::<_, i64>("seq")?.cast_unsigned(),
        mission: row.get("mission")?,
        subject: row.get("subject")?,
        remedy: Trouble::of_row(&trouble).map_or("", Trouble::remedy),
        trouble,
        reason: row.get("reason")?,
        time: row.get::<_, Option<i64>>("time")?.map(Time),
        decider: row.get("decider")?,
        version: row.get("version")?,
        at: row.get::<_, Option<i64>>("at")?.map(i64::cast_unsigned),
    })
}

/// A record as it lies in the log, and what today's code makes of it. With `again`, what can be read
/// now is no longer dead.
///
/// # Errors
/// `unknown_record`: there is none of that sequence, or it is another tenant's.
pub async fn show(js: &JetStream, store: &Store, tenant: &Tenant, asked: &Record) -> Result<Value, Refusal> {
    let unread = |error: ReadError| Refusal::new("unavailable", format!("{error}; try again"));
    let seq = asked.seq;
    let (page, _) = js.page_from(STREAM, EVERYTHING, seq.saturating_sub(1), 1).await.map_err(unread)?;
    let is_its = |record: &record::Record| {
        let owner = subject::owner(&record.subject).0;
        record.seq == seq && owner.map_or(*tenant == Tenant::default(), |owner| owner == *tenant)
    };
    let Some(found) = page.into_iter().find(is_its) else {
        return Err(Refusal::new("unknown_record", format!("the log has no record {seq}")));
    };
    let item = judge(js, found.clone(), None, true).await.map_err(unread)?;
    let mut row = store.read(|rows| row(rows, tenant, seq))?;
    if asked.again && item.unread.is_none() && row.as_ref().is_some_and(|row| row.decider.is_none()) {
        store.revive(&item).map_err(unavailable)?;
        row = None;
    }
    let today = match &item.unread {
        None => json!({"reads": true}),
        Some(Unread::Newer { ce_type }) => {
            json!({"reads": false, "newer": true, "reason": format!("{ce_type} is newer than this version: skipped by rule")})
        }
        Some(Unread::Dead { trouble, reason, .. }) => {
            json!({"reads": false, "trouble": trouble.as_str(), "reason": reason})
        }
    };
    let record = json!({"seq": seq, "subject": found.subject, "headers": found.headers,
        "size": found.payload.len(), "payload": payload(&found.payload)});
    Ok(json!({"record": record, "dead": row, "today": today}))
}

/// As JSON, else as text, else in hexadecimal digits.
fn payload(bytes: &[u8]) -> Value {
    let shown = &bytes[..bytes.len().min(SHOWN)];
    if let Ok(value) = serde_json::from_slice::<Value>(shown) {
        return json!({"json": value});
    }
    match std::str::from_utf8(shown) {
        Ok(text) => json!({"text": text}),
        Err(_) => json!({"hex": shown.iter().map(|byte| format!("{byte:02x}")).collect::<String>()}),
    }
}
