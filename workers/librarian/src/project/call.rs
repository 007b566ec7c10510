//! Calls of models, and what they cost.

use super::Row;
use rusqlite::{Result, params};
use schemas::{
    Event, EventId,
    agent::LlmRequested,
    brain::{LlmTried, Usage},
};

/// What an answer took, or tries.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    usage: Usage,
    usd: f64,
    ms: u64,
}

/// More tokens, milliseconds or dollars than a call can take: an import may say anything, and sums must
/// hold it.
const MOST: u32 = u32::MAX;

impl Spent {
    pub fn new(usage: Usage, usd: f64, ms: u64) -> Self {
        let bounded = |n: u64| n.min(MOST.into());
        let usage = Usage { input: bounded(usage.input), output: bounded(usage.output), ..usage };
        Self { usage, usd: usd.clamp(0.0, MOST.into()), ms: bounded(ms) }
    }

    /// What is left when tries are taken away, if all of them can be part of it.
    fn without(self, tries: Self) -> Self {
        let (all, part) = (self.usage, tries.usage);
        let rest = || {
            Some(Self {
                usage: Usage {
                    input: all.input.checked_sub(part.input)?,
                    output: all.output.checked_sub(part.output)?,
                    estimated: false,
                },
                usd: Some(self.usd - tries.usd).filter(|rest| *rest >= 0.0)?,
                ms: self.ms.checked_sub(tries.ms)?,
            })
        };
        let mut rest = rest().unwrap_or(self);
        // Whose tokens were estimated the answer does not say.
        rest.usage.estimated = all.estimated && rest.usage.input + rest.usage.output > 0;
        rest
    }
}

impl Row<'_> {
    pub fn asked(&self, call: EventId, said: &LlmRequested) -> Result<()> {
        let purpose = format!("{:?}", said.purpose).to_lowercase();
        self.rows
            .prepare_cached(
                "INSERT INTO call (id, mission, step, attempt, agent, purpose, status, asked, at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'running', ?7, ?7) ON CONFLICT DO NOTHING",
            )?
            .execute(params![call.to_string(), self.mission, said.step, said.attempt, said.agent, purpose, self.at.0])
            .map(|_| ())
    }

    /// It is paid, whatever comes of the call.
    pub fn tried(&self, seq: u64, said: &LlmTried) -> Result<()> {
        let Spent { usage, usd, ms } = Spent::new(said.usage, said.cost_usd, said.ms);
        let call = said.call.to_string();
        let new = self
            .rows
            .prepare_cached(
                "INSERT INTO tried (mission, call, seq, n, provider, model, usd, input, output, estimated, ms, at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                self.mission,
                call,
                seq.cast_signed(),
                said.n,
                said.provider,
                said.model,
                usd,
                usage.input.cast_signed(),
                usage.output.cast_signed(),
                usage.estimated,
                ms.cast_signed(),
                self.at.0
            ])?;
        self.rows
            .prepare_cached("UPDATE call SET tries = tries + ?3 WHERE mission = ?1 AND id = ?2")?
            .execute(params![self.mission, call, new as i64])
            .map(|_| ())
    }

    /// The first answer stands; `by` is who gave it. It tells what all tries took: what those took that
    /// failed is in their rows.
    pub fn answered(&self, event: &Event, by: Option<(&String, &String)>, all: Spent) -> Result<()> {
        let Some(call) = event.request() else { return Ok(()) };
        let call = call.to_string();
        // Most calls have none: nothing is looked up for them.
        if !self.closed(&call, by, all, "tries = 0")? {
            let rest = all.without(self.tries(&call)?);
            if !self.closed(&call, by, rest, "tries > 0")? {
                return Ok(());
            }
        }
        let Usage { input, output, estimated } = all.usage;
        self.rows
            .prepare_cached("UPDATE mission SET usd = usd + ?2, input = input + ?3, output = output + ?4, estimated = estimated OR ?5 WHERE n = ?1")?
            .execute(params![self.mission, all.usd, input.cast_signed(), output.cast_signed(), estimated])
            .map(|_| ())
    }

    /// Writes the answer of a call that has none; `false` if it has one, or is not so.
    fn closed(&self, call: &str, by: Option<(&String, &String)>, spent: Spent, which: &str) -> Result<bool> {
        let status = if by.is_some() { "completed" } else { "failed" };
        let (provider, model) = by.unzip();
        let Spent { usage, usd, ms } = spent;
        let sql = format!(
            "UPDATE call SET status = ?3, provider = ?4, model = ?5, usd = ?6, input = ?7, output = ?8, estimated = ?9, ms = ?10, at = ?11 \
             WHERE id = ?1 AND mission = ?2 AND status = 'running' AND {which}"
        );
        let changed = self.rows.prepare_cached(&sql)?.execute(params![
            call,
            self.mission,
            status,
            provider,
            model,
            usd,
            usage.input.cast_signed(),
            usage.output.cast_signed(),
            usage.estimated,
            ms.cast_signed(),
            self.at.0
        ])?;
        Ok(changed > 0)
    }

    /// What the tries took that the answer counts. Those that another brain made before, which then
    /// disappeared, it does not know of.
    fn tries(&self, call: &str) -> Result<Spent> {
        let mut found = self.rows.prepare_cached(
            "SELECT n, usd, input, output, ms FROM tried WHERE mission = ?1 AND call = ?2 ORDER BY seq",
        )?;
        let mut rows = found.query(params![self.mission, call])?;
        let mut tries = Spent::default();
        while let Some(row) = rows.next()? {
            if row.get::<_, u32>(0)? == 1 {
                tries = Spent::default();
            }
            // In the order in which the brain adds them up: what is left is exact.
            tries.usd += row.get::<_, f64>(1)?;
            tries.usage.input += row.get::<_, i64>(2)?.cast_unsigned();
            tries.usage.output += row.get::<_, i64>(3)?.cast_unsigned();
            tries.ms += row.get::<_, i64>(4)?.cast_unsigned();
        }
        Ok(tries)
    }
}
