//! A mission's life.

use super::{Row, step::own_step};
use rusqlite::{Result, Transaction, params};
use schemas::{
    Event,
    control::{MissionCreated, MissionFailed, MissionRetried, Standstill},
    goal::Kind,
    plan::PLAN_STEP,
};

pub fn created(rows: &Transaction<'_>, event: &Event, said: &MissionCreated) -> Result<()> {
    let kind = match said.kind {
        Kind::Mission => "mission",
        Kind::Manual => "manual",
    };
    let id = event.mission.to_string();
    let new = rows
        .prepare_cached("INSERT INTO mission (tenant, id, name, goal, kind, status, created, updated, last_seq) VALUES (?1, ?2, ?3, ?4, ?5, 'created', ?6, ?6, ?7) ON CONFLICT DO NOTHING")?
        .execute(params![event.tenant.as_str(), id, said.name, said.goal, kind, event.time.0, event.seq.cast_signed()])?;
    if new == 0 {
        return Ok(());
    }
    let n = rows.last_insert_rowid();
    rows.prepare_cached("INSERT INTO mission_text (rowid, name, goal) VALUES (?1, ?2, ?3)")?
        .execute(params![n, said.name, said.goal])?;
    if said.plan.is_none() {
        own_step(rows, n, PLAN_STEP)?;
    }
    Ok(())
}

/// Where a mission that goes on is: running once it is planned.
const MOVING: &str = "coalesce((SELECT CASE WHEN step.status = 'completed' THEN 'running' WHEN attempt = 0 THEN 'created' ELSE 'planning' END \
    FROM step WHERE mission = n AND step.id = '_plan'), 'running')";

impl Row<'_> {
    /// The first end stands.
    pub fn goes(&self, status: &str) -> Result<()> {
        self.rows
            .prepare_cached(
                "UPDATE mission SET status = ?2 WHERE n = ?1 AND NOT (status = 'completed' OR status = 'failed' OR status = 'aborted')",
            )?
            .execute(params![self.mission, status])
            .map(|_| ())
    }

    pub fn resumed(&self, from: Standstill) -> Result<()> {
        let sql = match from {
            Standstill::Paused => {
                format!("UPDATE mission SET status = {} WHERE n = ?1 AND status IN ('pausing', 'paused')", MOVING)
            }
            Standstill::Waiting => {
                format!("UPDATE mission SET status = {} WHERE n = ?1 AND status = 'waiting'", MOVING)
            }
        };
        self.rows.prepare_cached(&sql)?.execute([self.mission]).map(|_| ())
    }

    /// A mission that only was created is planned now.
    pub fn begins(&self) -> Result<()> {
        let sql = format!("UPDATE mission SET status = {} WHERE n = ?1 AND status = 'created'", MOVING);
        self.rows.prepare_cached(&sql)?.execute([self.mission]).map(|_| ())
    }

    pub fn given_up(&self, said: &MissionFailed) -> Result<()> {
        for step in said.steps.iter().map(String::as_str).chain([PLAN_STEP]) {
            self.rows
                .prepare_cached("UPDATE step SET status = 'failed', ended = ?3 WHERE mission = ?1 AND id = ?2 AND status IN ('pending', 'assigned')")?
                .execute(params![self.mission, step, self.at.0])?;
        }
        self.goes("failed")
    }

    pub fn reopened(&self, said: &MissionRetried) -> Result<()> {
        for step in &said.steps {
            self.rows
                .prepare_cached("UPDATE step SET status = 'pending', attempt = attempt + 1, ended = NULL WHERE mission = ?1 AND id = ?2 AND status = 'failed'")?
                .execute(params![self.mission, step])?;
        }
        let sql = format!("UPDATE mission SET status = {} WHERE n = ?1 AND status = 'failed'", MOVING);
        self.rows.prepare_cached(&sql)?.execute([self.mission]).map(|_| ())
    }

    pub fn aborted(&self) -> Result<()> {
        self.rows
            .prepare_cached("UPDATE step SET status = 'cancelled', ended = ?2 WHERE mission = ?1 AND status IN ('pending', 'assigned')")?
            .execute(params![self.mission, self.at.0])?;
        self.goes("aborted")
    }
}
