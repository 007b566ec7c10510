//! Steps and what they deliver.

use super::Row;
use rusqlite::{Result, Transaction, params};
use schemas::{
    agent::StepCompleted,
    control::{PlanAccepted, StepAssigned, StepRetried},
    plan::{self, PLAN_STEP},
};

/// A step of stage7's own, in which something is planned.
pub fn own_step(rows: &Transaction<'_>, mission: i64, id: &str) -> Result<()> {
    add(rows, mission, id, "ACCOMPLISH", id.strip_prefix(&plan::recovery_step(""))).map(|_| ())
}

fn add(rows: &Transaction<'_>, mission: i64, id: &str, verb: &str, parent: Option<&str>) -> Result<usize> {
    rows.prepare_cached("INSERT INTO step (mission, id, verb, status, parent) VALUES (?1, ?2, ?3, 'pending', ?4) ON CONFLICT DO NOTHING")?
        .execute(params![mission, id, verb, parent])
}

impl Row<'_> {
    /// Ends a step that has not ended; does it say so?
    fn end(&self, step: &str, status: &str) -> Result<bool> {
        self.rows
            .prepare_cached("UPDATE step SET status = ?3, ended = ?4 WHERE mission = ?1 AND id = ?2 AND (status = 'pending' OR status = 'assigned' OR status = 'failed')")?
            .execute(params![self.mission, step, status, self.at.0])
            .map(|changed| changed > 0)
    }

    pub fn accepted(&mut self, said: &PlanAccepted) -> Result<()> {
        let recovered = said.step.strip_prefix(&plan::recovery_step(""));
        let replaced = recovered.or(Some(said.step.as_str()).filter(|step| *step != PLAN_STEP));
        let answered = said.plan.steps.is_empty() && said.plan.answer.is_some();
        if let Some(step) = replaced {
            let status = if answered { "completed" } else { "replaced" };
            if !self.end(step, status)? {
                return Ok(());
            }
            match answered {
                true => self.tally.steps(1, 0),
                false => self.tally.steps(0, -1),
            }
        }
        let mut added = 0;
        for step in &said.plan.steps {
            added += add(self.rows, self.mission, &step.id, &step.verb, replaced)?;
        }
        self.tally.steps(0, i64::try_from(added).unwrap_or(0));
        if recovered.is_some() || replaced.is_none() {
            self.end(&said.step, "completed")?;
        }
        self.rows
            .prepare_cached(
                "UPDATE mission SET status = 'running' WHERE n = ?1 AND (status = 'created' OR status = 'planning')",
            )?
            .execute([self.mission])
            .map(|_| ())
    }

    pub fn assigned(&self, said: &StepAssigned) -> Result<()> {
        if said.step.starts_with('_') {
            own_step(self.rows, self.mission, &said.step)?;
        }
        self.rows
            .prepare_cached(
                "UPDATE step SET status = 'assigned', agent = ?3, attempt = ?4, started = coalesce(started, ?5) \
                 WHERE mission = ?1 AND id = ?2 AND status = 'pending' AND attempt <= ?4",
            )?
            .execute(params![self.mission, said.step, said.agent, said.attempt, self.at.0])?;
        self.begins()
    }

    pub fn retried(&self, said: &StepRetried) -> Result<()> {
        self.rows
            .prepare_cached("UPDATE step SET status = 'pending', attempt = ?3 WHERE mission = ?1 AND id = ?2 AND status IN ('pending', 'assigned') AND attempt < ?3")?
            .execute(params![self.mission, said.step, said.attempt])
            .map(|_| ())
    }

    /// The attempt is over; whether there will be another is not said yet.
    pub fn faulted(&self, step: &str, attempt: u32) -> Result<()> {
        self.rows
            .prepare_cached("UPDATE step SET status = 'pending' WHERE mission = ?1 AND id = ?2 AND status = 'assigned' AND attempt = ?3")?
            .execute(params![self.mission, step, attempt])
            .map(|_| ())
    }

    pub fn failed(&self, step: &str, attempt: u32) -> Result<()> {
        self.rows
            .prepare_cached("UPDATE step SET status = 'failed', ended = ?4, attempt = ?3 WHERE mission = ?1 AND id = ?2 AND status IN ('pending', 'assigned') AND attempt <= ?3")?
            .execute(params![self.mission, step, attempt, self.at.0])
            .map(|_| ())
    }

    pub fn completed(&mut self, said: &StepCompleted) -> Result<()> {
        let changed = self
            .rows
            .prepare_cached("UPDATE step SET status = 'completed', ended = ?4 WHERE mission = ?1 AND id = ?2 AND status = 'assigned' AND attempt = ?3")?
            .execute(params![self.mission, said.step, said.attempt, self.at.0])?;
        if changed == 0 {
            return Ok(());
        }
        for given in &said.deliverables {
            self.rows
                .prepare_cached("INSERT OR REPLACE INTO deliverable (mission, name, size, sha256, media_type, step) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute(params![self.mission, given.name, given.file.size.cast_signed(), given.file.sha256, given.file.media_type, said.step])?;
        }
        self.tally.steps(i64::from(!said.step.starts_with('_')), 0);
        Ok(())
    }
}
