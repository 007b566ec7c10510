//! Lists and searches over a tenant's missions.

pub mod cost;
pub mod dead;

use rusqlite::{Connection, OptionalExtension, Row, params_from_iter, types::Value as Sql};
use schemas::{MissionId, Tenant, Time, Value};
use serde::{Deserialize, Serialize};
use streams::{
    overview::{Cost, Status, Tokens},
    submission::Refusal,
};

/// Missions a page has when nothing is said, and at the most.
const LIMIT: usize = 50;
const MOST: usize = 500;
/// A page ends before it has so many bytes: a message holds 1 MiB.
const BYTES: usize = 512 * 1024;

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Query {
    List(List),
    Search(Search),
    Dead(dead::List),
    Record(dead::Record),
    Cost(cost::Sums),
}

/// The newest first.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct List {
    pub status: Option<Status>,
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<MissionId>,
}

/// The best first; every word must be there, or begin one that is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    pub text: String,
    pub limit: Option<usize>,
}

const FORMS: &str = "{\"list\": {\"status\"?, \"limit\"?, \"after\"?}}, {\"search\": {\"text\", \"limit\"?}}, \
    {\"dead\": {\"mission\"?, \"limit\"?, \"after\"?}}, {\"record\": {\"seq\", \"again\"?}} or \
    {\"cost\": {\"by\"?, \"mission\"?, \"since\"?, \"until\"?, \"limit\"?, \"after\"?}}";

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    pub missions: Vec<Mission>,
    /// What to ask for `after`, when there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A mission in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mission {
    pub id: String,
    pub name: Option<String>,
    pub goal: String,
    pub kind: String,
    pub status: String,
    pub cost: Cost,
    pub progress: Progress,
    pub created: Time,
    pub updated: Time,
    pub last_seq: u64,
    /// Since when it lies in the archive and not in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<Time>,
    /// It came by `mission import` and was never run here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
}

/// Steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    pub done: i64,
    pub total: i64,
}

impl Query {
    /// Reads a request.
    ///
    /// # Errors
    /// `invalid_json` or `invalid_request`, saying what would be right.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let asked: Value =
            serde_json::from_slice(body).map_err(|e| Refusal::new("invalid_json", format!("ask with {FORMS}: {e}")))?;
        serde_json::from_value(asked).map_err(|e| Refusal::new("invalid_request", format!("{e}; ask with {FORMS}")))
    }
}

const COLUMNS: &str = "SELECT n, id, mission.name, mission.goal, kind, status, usd, input, output, estimated, done, total, created, updated, last_seq, archived, imported";

fn json(answer: impl Serialize) -> Value {
    serde_json::to_value(answer).expect("rows serialise")
}

/// Answers from the rows, and about a single record from the log.
///
/// # Errors
/// `invalid_request` when the question can't be answered, `unavailable` when the rows can't.
pub fn answer(rows: &Connection, tenant: &Tenant, asked: &Query) -> Result<Value, Refusal> {
    match asked {
        Query::List(asked) => list(rows, tenant, asked).map(json),
        Query::Search(asked) => search(rows, tenant, asked).map(json),
        Query::Dead(asked) => dead::list(rows, tenant, asked).map(json),
        Query::Record(asked) => dead::row(rows, tenant, asked.seq).map(json),
        Query::Cost(asked) => cost::list(rows, tenant, asked).map(json),
    }
}

fn list(rows: &Connection, tenant: &Tenant, asked: &List) -> Result<Page, Refusal> {
    let limit = limit(asked.limit)?;
    let mut sql = format!("{COLUMNS} FROM mission WHERE tenant = ?");
    let mut given = vec![Sql::from(tenant.as_str().to_string())];
    if let Some(status) = asked.status {
        sql.push_str(" AND status = ?");
        given.push(status.as_str().to_string().into());
    }
    if let Some(after) = asked.after {
        let found = rows.query_row(
            "SELECT n FROM mission WHERE id = ?1 AND tenant = ?2",
            [after.to_string(), tenant.to_string()],
            |row| row.get::<_, i64>(0),
        );
        let found = found.optional().map_err(unavailable)?;
        sql.push_str(" AND n < ?");
        given.push(
            found
                .ok_or_else(|| Refusal::new("invalid_request", format!("`after`: there is no mission {after}")))?
                .into(),
        );
    }
    sql.push_str(" ORDER BY n DESC LIMIT ?");
    page(rows, &sql, given, limit)
}

fn search(rows: &Connection, tenant: &Tenant, asked: &Search) -> Result<Page, Refusal> {
    let limit = limit(asked.limit)?;
    // Quoted, nothing in a word is an operator.
    let words: Vec<String> =
        asked.text.split_whitespace().map(|word| format!("\"{}\"*", word.replace('"', "\"\""))).collect();
    if words.is_empty() {
        return Err(Refusal::new("invalid_request", "`text` is blank: say what to look for"));
    }
    let sql = format!(
        "{COLUMNS} FROM mission_text JOIN mission ON n = mission_text.rowid WHERE mission_text MATCH ? AND tenant = ? ORDER BY rank, n DESC LIMIT ?"
    );
    let mut found = page(rows, &sql, vec![words.join(" ").into(), tenant.as_str().to_string().into()], limit)?;
    // Ranks move as missions come: there is no place to go on from.
    found.next = None;
    Ok(found)
}

fn limit(asked: Option<usize>) -> Result<usize, Refusal> {
    match asked.unwrap_or(LIMIT) {
        limit @ 1..=MOST => Ok(limit),
        other => Err(Refusal::new("invalid_request", format!("`limit` is {other}: must be 1 to {MOST}"))),
    }
}

/// One more than asked for is read, to know whether there is more.
fn page(rows: &Connection, sql: &str, mut given: Vec<Sql>, limit: usize) -> Result<Page, Refusal> {
    given.push(Sql::Integer(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)));
    let mut statement = rows.prepare_cached(sql).map_err(unavailable)?;
    let found = statement.query_map(params_from_iter(given), mission).map_err(unavailable)?;
    let (missions, next) = pages(found, limit, |last| last.id.clone())?;
    Ok(Page { missions, next })
}

/// As many as are asked for and fit into a message; when there are more, the name of the last.
fn pages<T: Serialize>(
    found: impl Iterator<Item = rusqlite::Result<T>>,
    limit: usize,
    name: impl Fn(&T) -> String,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for one in found {
        let one = one.map_err(unavailable)?;
        bytes += serde_json::to_vec(&one).map_or(0, |json| json.len());
        if page.len() == limit || (bytes > BYTES && !page.is_empty()) {
            let next = page.last().map(&name);
            return Ok((page, next));
        }
        page.push(one);
    }
    Ok((page, None))
}

fn mission(row: &Row<'_>) -> rusqlite::Result<Mission> {
    let unsigned = |column: &str| row.get::<_, i64>(column).map(i64::cast_unsigned);
    Ok(Mission {
        id: row.get("id")?,
        name: row.get("name")?,
        goal: row.get("goal")?,
        kind: row.get("kind")?,
        status: row.get("status")?,
        cost: Cost {
            usd: row.get("usd")?,
            tokens: Tokens { input: unsigned("input")?, output: unsigned("output")? },
            estimated: row.get("estimated")?,
        },
        progress: Progress { done: row.get("done")?, total: row.get("total")? },
        created: Time(row.get("created")?),
        updated: Time(row.get("updated")?),
        last_seq: unsigned("last_seq")?,
        archived: row.get::<_, Option<i64>>("archived")?.map(Time),
        imported: row.get("imported")?,
    })
}

fn unavailable(error: rusqlite::Error) -> Refusal {
    tracing::warn!(%error, "the rows can't be read");
    Refusal::new("unavailable", format!("the librarian's rows can't be read: {error}"))
}
