//! Calls of models, and what they cost.

use super::Row;
use rusqlite::{Result, params};
use schemas::{Event, EventId, agent::LlmRequested, brain::Usage};

impl Row<'_> {
    pub fn asked(&self, call: EventId, said: &LlmRequested) -> Result<()> {
        let purpose = format!("{:?}", said.purpose).to_lowercase();
        self.rows
            .prepare_cached("INSERT INTO call (id, mission, step, purpose, status, model, at) VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6) ON CONFLICT DO NOTHING")?
            .execute(params![call.to_string(), self.mission, said.step, purpose, said.model, self.at.0])
            .map(|_| ())
    }

    /// The first answer stands; `by` is who gave it.
    pub fn answered(
        &self,
        event: &Event,
        by: std::result::Result<(&String, &String), ()>,
        usage: Usage,
        usd: f64,
        ms: u64,
    ) -> Result<()> {
        let Some(call) = event.request() else { return Ok(()) };
        let status = if by.is_ok() { "completed" } else { "failed" };
        let (provider, model) = by.ok().unzip();
        let (input, output) = (usage.input.cast_signed(), usage.output.cast_signed());
        let changed = self
            .rows
            .prepare_cached(
                "UPDATE call SET status = ?3, provider = ?4, model = coalesce(?5, model), usd = ?6, input = ?7, output = ?8, ms = ?9 \
                 WHERE id = ?1 AND mission = ?2 AND status = 'running'",
            )?
            .execute(params![call.to_string(), self.mission, status, provider, model, usd, input, output, ms.cast_signed()])?;
        if changed == 0 {
            return Ok(());
        }
        self.rows
            .prepare_cached("UPDATE mission SET usd = usd + ?2, input = input + ?3, output = output + ?4, estimated = estimated OR ?5 WHERE n = ?1")?
            .execute(params![self.mission, usd, input, output, usage.estimated])
            .map(|_| ())
    }
}
