//! What the librarian is asked to do, rather than to tell.

use super::{Archivist, Floors, Obstacle, Outcome};
use crate::{follow::Trouble, tombstone};
use nats::log::ReadError;
use schemas::{MissionId, Tenant, Value, goal::Stored};
use serde::Deserialize;
use serde_json::json;
use streams::submission::Refusal;

/// An order of a tenant, checked by the door.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Order {
    /// This mission is to be archived now.
    Archive(Named),
    /// This file is an export: it is to be a mission of the archive.
    Import(Stored),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    pub mission: MissionId,
}

impl Order {
    /// `None` when it is a question.
    pub fn parse(body: &[u8]) -> Option<Result<Self, Refusal>> {
        let asked: Value = serde_json::from_slice(body).ok()?;
        if asked.get("archive").is_none() && asked.get("import").is_none() {
            return None;
        }
        Some(serde_json::from_value(asked).map_err(|e| {
            Refusal::new(
                "invalid_request",
                format!(
                    "{e}; send {{\"mission\": ID}} to archive, {{\"sha256\", \"size\"}} of a stored file to import"
                ),
            )
        }))
    }
}

impl Archivist {
    /// Does it, and tells what came of it.
    ///
    /// # Errors
    /// Why it is not done.
    pub async fn obey(&self, tenant: &Tenant, order: Order) -> Result<Value, Refusal> {
        let _hand = self.hand.lock().await;
        let answer = match order {
            Order::Archive(Named { mission }) => self.archive(tenant, mission).await?,
            Order::Import(file) => self.import(tenant, &file).await?,
        };
        tombstone::catch_up(&self.js, &self.store).await.map_err(|trouble| match trouble {
            Trouble::Log(error) => unread(error),
            other => Refusal::new("unavailable", other.to_string()),
        })?;
        Ok(answer)
    }

    async fn archive(&self, tenant: &Tenant, mission: MissionId) -> Result<Value, Refusal> {
        let floors = Floors::ask(&self.js).await.map_err(unread)?;
        match self.take(tenant, mission, &floors).await.map_err(refusal)? {
            Outcome::Archived => Ok(json!({"mission": mission, "already": false})),
            Outcome::NotYet(why) => {
                Err(Refusal::new("not_yet", format!("mission {mission} can't be archived now: {why}")))
            }
            Outcome::Gone => match nats::archive::find(&self.js, tenant, mission).await.map_err(unread)? {
                Some(_) => Ok(json!({"mission": mission, "already": true})),
                None => Err(Refusal::new("unknown_mission", format!("there is no mission {mission}"))),
            },
        }
    }
}

pub(super) fn unread(error: ReadError) -> Refusal {
    match error {
        ReadError::Artifact { .. } => Refusal::new("missing_artifact", error.to_string()),
        _ => Refusal::new("unavailable", format!("{error}; try again")),
    }
}

pub(super) fn refusal(obstacle: Obstacle) -> Refusal {
    match obstacle {
        Obstacle::Read(error) => unread(error),
        Obstacle::Store(nats::archive::StoreError::NoBeginning) => {
            Refusal::new("unreadable", format!("it can't be archived: {obstacle}"))
        }
        other => Refusal::new("unavailable", format!("{other}; try again")),
    }
}
