//! What models cost: sums over calls and over the tries before them, by whatever is asked for.

use super::{limit, pages, unavailable};
use rusqlite::{Connection, OptionalExtension, Row, params};
use schemas::{Day, MissionId, Tenant, Time};
use serde::{Deserialize, Serialize};
use streams::{
    overview::{Cost, Tokens},
    submission::Refusal,
};

/// Sums of all missions, or of one. An imported mission was paid elsewhere: it counts only where it is
/// named.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sums {
    /// Of a mission by step, else by day, when nothing is said.
    pub by: Option<By>,
    pub mission: Option<MissionId>,
    /// The first day, and the last.
    pub since: Option<Day>,
    pub until: Option<Day>,
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    Mission,
    Step,
    Agent,
    Model,
    Day,
    Call,
}

#[derive(Debug, Serialize)]
pub struct Page {
    pub by: By,
    pub rows: Vec<Line>,
    /// Of all rows of all pages.
    pub total: Sum,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Line {
    /// For `after`.
    pub key: String,
    #[serde(flatten)]
    pub of: Of,
    #[serde(flatten)]
    pub sum: Sum,
}

/// What a line is about.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Of {
    Mission {
        mission: String,
        title: String,
    },
    Step {
        mission: String,
        step: String,
    },
    Agent {
        mission: String,
        agent: String,
    },
    /// Both null: calls that no model answered, or not yet.
    Model {
        provider: Option<String>,
        model: Option<String>,
    },
    Day {
        day: String,
    },
    Call {
        mission: String,
        call: String,
        step: String,
        attempt: u32,
        agent: String,
        purpose: String,
        status: String,
        /// Who answered.
        provider: Option<String>,
        model: Option<String>,
        asked: Time,
    },
}

#[derive(Debug, Default, Serialize)]
pub struct Sum {
    /// A call counts with the model and on the day of its answer.
    pub calls: u64,
    /// Tries that gave no answer; each counts with its model, on its day.
    pub failed: u64,
    pub cost: Cost,
    /// Some of the tokens cost nothing: their model is free, or its price is not known. The log does not
    /// say which.
    pub unpriced: bool,
    /// Milliseconds.
    pub ms: u64,
}

impl By {
    /// What makes a row, what it is called by, and how rows follow each other.
    const fn sql(self) -> [&'static str; 3] {
        const NEWEST: &str = "n DESC, min(asked), key";
        match self {
            Self::Mission => ["mission", "mission, title", "n DESC"],
            Self::Step => ["mission || '/' || step", "mission, step", NEWEST],
            Self::Agent => ["mission || '/' || agent", "mission, agent", NEWEST],
            Self::Model => [
                "coalesce(provider || '/' || model, '')",
                "provider, model",
                "sum(usd) DESC, sum(input + output) DESC, key",
            ],
            Self::Day => ["date(at / 1000, 'unixepoch')", "at", "key DESC"],
            Self::Call => [
                "mission || '/' || call",
                "mission, call, step, attempt, agent, purpose, status, answerer, answering, asked",
                NEWEST,
            ],
        }
    }
}

impl Sum {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let unsigned = |column: &str| row.get::<_, i64>(column).map(i64::cast_unsigned);
        let tokens = Tokens { input: unsigned("input")?, output: unsigned("output")? };
        Ok(Self {
            calls: unsigned("calls")?,
            failed: unsigned("failed")?,
            cost: Cost { usd: row.get("usd")?, tokens, estimated: row.get("estimated")? },
            unpriced: row.get("unpriced")?,
            ms: unsigned("ms")?,
        })
    }

    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.cost += other.cost;
        self.unpriced |= other.unpriced;
        self.ms += other.ms;
    }
}

/// Characters of a mission's name or goal.
const TITLE: usize = 100;

fn sql(by: By, mission: Option<&str>) -> String {
    let [key, names, order] = by.sql();
    let which = if mission.is_some() { "mission.id = ?2" } else { "?2 IS NULL AND NOT imported" };
    let call = format!(
        "mission.n AS n, mission.id AS mission, substr(coalesce(mission.name, mission.goal), 1, {TITLE}) AS title, step, attempt, agent, \
         call.id AS call, purpose, call.status AS status, call.provider AS answerer, call.model AS answering, asked"
    );
    format!(
        "SELECT {names}, {key} AS key, sum(calls) AS calls, sum(failed) AS failed, sum(usd) AS usd, sum(input) AS input, sum(output) AS output, \
         max(estimated) AS estimated, max(usd = 0 AND input + output > 0) AS unpriced, sum(ms) AS ms FROM ( \
         SELECT {call}, 1 AS calls, 0 AS failed, call.provider AS provider, call.model AS model, call.usd AS usd, \
         call.input AS input, call.output AS output, call.estimated AS estimated, call.ms AS ms, call.at AS at \
         FROM mission JOIN call ON call.mission = mission.n WHERE tenant = ?1 AND {which} AND call.at >= ?3 AND call.at < ?4 \
         UNION ALL SELECT {call}, 0, 1, tried.provider, tried.model, tried.usd, tried.input, tried.output, tried.estimated, tried.ms, tried.at \
         FROM mission JOIN tried ON tried.mission = mission.n JOIN call ON call.mission = mission.n AND call.id = tried.call \
         WHERE tenant = ?1 AND {which} AND tried.at >= ?3 AND tried.at < ?4) \
         GROUP BY key ORDER BY {order}"
    )
}

/// # Errors
/// `unknown_mission`, `invalid_request`: what would be right.
pub fn list(rows: &Connection, tenant: &Tenant, asked: &Sums) -> Result<Page, Refusal> {
    let most = limit(asked.limit)?;
    let mission = asked.mission.map(|mission| mission.to_string());
    if let Some(mission) = &mission {
        let found =
            rows.query_row("SELECT 1 FROM mission WHERE id = ?1 AND tenant = ?2", [mission, tenant.as_str()], |_| {
                Ok(())
            });
        found
            .optional()
            .map_err(unavailable)?
            .ok_or_else(|| Refusal::new("unknown_mission", format!("there is no mission {mission}")))?;
    }
    if asked.since.zip(asked.until).is_some_and(|(since, until)| since > until) {
        return Err(Refusal::new("invalid_request", "`since` is later than `until`: nothing lies between them"));
    }
    let by = asked.by.unwrap_or(if mission.is_some() { By::Step } else { By::Day });
    let since = asked.since.map_or(i64::MIN, |day| day.begin().0);
    let until = asked.until.map_or(i64::MAX, |day| day.end().0);
    let mut statement = rows.prepare_cached(&sql(by, mission.as_deref())).map_err(unavailable)?;
    let mut found = statement.query(params![tenant.as_str(), mission, since, until]).map_err(unavailable)?;
    let (mut total, mut after, mut lines) = (Sum::default(), asked.after.as_deref(), Vec::new());
    let mut read = || -> rusqlite::Result<()> {
        // Every row is part of the total, those of other pages too.
        while let Some(row) = found.next()? {
            let sum = Sum::read(row)?;
            total.add(&sum);
            match after {
                Some(key) if row.get_ref("key")?.as_str() == Ok(key) => after = None,
                None if lines.len() <= most => lines.push(line(by, row, sum)?),
                _ => {}
            }
        }
        Ok(())
    };
    read().map_err(unavailable)?;
    if let Some(key) = after {
        return Err(Refusal::new("invalid_request", format!("`after`: there is no row `{key}`")));
    }
    let (rows, next) = pages(lines.into_iter().map(Ok), most, |line| line.key.clone())?;
    Ok(Page { by, rows, total, next })
}

fn line(by: By, row: &Row<'_>, sum: Sum) -> rusqlite::Result<Line> {
    let of = match by {
        By::Mission => Of::Mission { mission: row.get("mission")?, title: row.get("title")? },
        By::Step => Of::Step { mission: row.get("mission")?, step: row.get("step")? },
        By::Agent => Of::Agent { mission: row.get("mission")?, agent: row.get("agent")? },
        By::Model => Of::Model { provider: row.get("provider")?, model: row.get("model")? },
        By::Day => Of::Day { day: row.get("key")? },
        By::Call => Of::Call {
            mission: row.get("mission")?,
            call: row.get("call")?,
            step: row.get("step")?,
            attempt: row.get("attempt")?,
            agent: row.get("agent")?,
            purpose: row.get("purpose")?,
            status: row.get("status")?,
            provider: row.get("answerer")?,
            model: row.get("answering")?,
            asked: Time(row.get("asked")?),
        },
    };
    Ok(Line { key: row.get("key")?, of, sum })
}

#[cfg(test)]
mod tests;
