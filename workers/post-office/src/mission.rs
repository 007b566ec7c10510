//! Is there such a mission, and what does its log say?

use crate::{Refusal, unread};
use nats::{archive, decider::attach, jetstream::JetStream, log::Log};
use schemas::{Event, MissionId, Tenant};
use streams::{
    record::{Decoded, Record},
    subject,
    submission::Submission,
};

/// Waiting goals read at once; each may have a MiB.
const GOALS_AT_ONCE: usize = 32;

/// A mission, in the log or archived.
#[derive(Clone, Copy)]
pub struct Mission<'a> {
    pub log: &'a JetStream,
    pub tenant: &'a Tenant,
    pub id: MissionId,
}

impl<'a> Mission<'a> {
    /// The last word on the mission's life.
    ///
    /// # Errors
    /// `archived`: it is over for good; `not_yet`: its goal still waits; `unknown_mission`: nobody
    /// knows it.
    pub async fn status(&self) -> Result<Record, Refusal> {
        if self.last(subject::mission_archiving(self.tenant, self.id)).await?.is_some() {
            return Err(self.over());
        }
        match self.last(subject::mission_status(self.tenant, self.id)).await? {
            Some(record) => Ok(record),
            None if archive::find(self.log, self.tenant, self.id).await.map_err(unread)?.is_some() => Err(self.over()),
            None => Err(self.missing().await),
        }
    }

    /// Is its beginning in the log?
    pub async fn begins(&self) -> Result<bool, Refusal> {
        Ok(self.last(subject::mission_created(self.tenant, self.id)).await?.is_some())
    }

    fn over(&self) -> Refusal {
        let why =
            "it is archived: it can be listed, shown, exported and replayed, and nothing can be said to it any more";
        Refusal::new("archived", format!("mission {}: {why}", self.id))
    }

    /// Why it was not found.
    pub async fn missing(&self) -> Refusal {
        let waits = || Refusal::new("not_yet", "the goal is stored and waits to be taken up; try again in a moment");
        match self.is_waiting().await {
            Ok(true) => waits(),
            // Between the two looks it may have been taken up.
            Ok(false) => match self.begins().await {
                Ok(true) => waits(),
                Ok(false) => Refusal::new("unknown_mission", format!("there is no mission {}", self.id)),
                Err(refusal) => refusal,
            },
            Err(refusal) => refusal,
        }
    }

    /// Is its goal among those not yet taken up?
    async fn is_waiting(&self) -> Result<bool, Refusal> {
        let filter = subject::goal(self.tenant);
        let mut after = 0;
        loop {
            let (page, pending) = self.log.page_from("GOALS", &filter, after, GOALS_AT_ONCE).await.map_err(unread)?;
            let is_its = |record: &Record| {
                Submission::read(self.tenant, &record.headers, &record.payload)
                    .is_ok_and(|goal| goal.mission() == self.id)
            };
            if page.iter().any(is_its) {
                return Ok(true);
            }
            match page.last() {
                Some(last) if pending > 0 => after = last.seq,
                _ => return Ok(false),
            }
        }
    }

    /// The subjects of its log that end like this.
    pub fn filter(&self, rest: &str) -> String {
        format!("{}.{rest}", subject::mission_prefix(self.tenant, self.id))
    }

    pub async fn last(&self, filter: String) -> Result<Option<Record>, Refusal> {
        self.log.last(&filter).await.map_err(unread)
    }

    pub async fn load(&self, filter: String) -> Result<Vec<Record>, Refusal> {
        self.log.load(&filter, 0).await.map_err(unread)
    }

    /// The event of a record, its data fetched; `None` when it is none that this version knows.
    pub async fn event(&self, mut record: Record) -> Result<Option<Event>, Refusal> {
        attach(self.log, &mut record, self.tenant).await.map_err(unread)?;
        Ok(match record.decode() {
            Ok(Decoded::Event(event)) => Some(event),
            _ => None,
        })
    }
}
