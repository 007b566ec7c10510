//! Finished missions leave the log, one after another:
//!
//! ```text
//!   ended, old enough, below every floor ─▶ fence ─▶ file in ARTIFACTS ─▶ word in REGISTRY ─▶ out of the log
//! ```
//!
//! The *fence* is `librarian.mission.archiving`, appended under the guard that nothing was said in
//! the mission since it was read. From then on the door takes no word for the mission, deciders
//! leave it alone, and whoever finds a fence knows what is unfinished: it is the last to leave the
//! log, `mission.created` the first. Each step may be done again, by anybody.

mod floor;
mod import;
mod order;

pub use order::Order;

use crate::{follow::Trouble, store::Store, tombstone};
use floor::Floors;
use futures::{StreamExt, TryStreamExt, stream};
use nats::{
    archive::{self, StoreError},
    decider::append_event,
    jetstream::JetStream,
    log::{AppendError, Guard, Log, ReadError},
    registry::publish,
};
use schemas::{Event, EventId, Fact, MissionId, Tenant, Writer, fact::Tail, librarian::MissionArchiving};
use std::{collections::HashSet, sync::Arc, time::Duration};
use streams::{
    archive::{Archived, KIND, is_fence, key},
    record::Record,
    subject::{self, Subject},
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Missions looked at in one pass.
const BATCH: usize = 100;
/// Between two passes with nothing to do.
const PAUSE: Duration = Duration::from_secs(1);
/// Removals on their way at once: more would make publishers wait.
const PIPELINE: usize = 4;

pub struct Archivist {
    js: JetStream,
    store: Arc<Store>,
    /// How long ago a mission must have ended; `None`: none is archived by itself.
    after: Option<Duration>,
    worker_version: String,
    /// One thing after another: passes, imports, orders.
    hand: Mutex<Hand>,
}

#[derive(Default)]
struct Hand {
    /// Fences that an earlier hand left are looked for once.
    resumed: bool,
    /// What can't be archived is told once, and left alone until the next start.
    given_up: HashSet<(Tenant, MissionId)>,
}

/// What became of a mission that was to be archived.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Archived,
    /// It has not ended, or not everybody has heard of it yet.
    NotYet(&'static str),
    /// It is not in the log.
    Gone,
}

/// Why a mission can't be archived now, or at all.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl Archivist {
    pub fn new(js: JetStream, store: Arc<Store>, after: Option<Duration>, worker_version: String) -> Self {
        Self { js, store, after, worker_version, hand: Mutex::default() }
    }

    /// Archives what is due until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let done = match self.pass(&stop).await {
                Ok(done) => done,
                Err(trouble) => {
                    tracing::warn!(%trouble, "archiving: trying again");
                    0
                }
            };
            if done == 0 {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }

    /// One look at what is due; gives how many missions were archived.
    async fn pass(&self, stop: &CancellationToken) -> Result<usize, Trouble> {
        let mut hand = self.hand.lock().await;
        if !hand.resumed {
            self.resume(stop).await?;
            hand.resumed = !stop.is_cancelled();
        }
        self.sweep().await?;
        let Some(after) = self.after else { return Ok(0) };
        let before =
            schemas::Time(self.js.now().0.saturating_sub(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)));
        let mut due = self.store.ended_before(before, BATCH + hand.given_up.len())?;
        due.retain(|named| !hand.given_up.contains(named));
        if due.is_empty() {
            return Ok(0);
        }
        let floors = Floors::ask(&self.js).await?;
        let mut done = 0;
        for (tenant, mission) in due {
            if stop.is_cancelled() {
                break;
            }
            match self.take(&tenant, mission, &floors).await {
                Ok(Outcome::Archived) => done += 1,
                Ok(Outcome::NotYet(why)) => tracing::debug!(%tenant, %mission, why, "not archived yet"),
                Ok(Outcome::Gone) => {}
                Err(Obstacle::Store(StoreError::NoBeginning)) => {
                    tracing::warn!(%tenant, %mission, "a mission whose beginning can't be read is not archived");
                    hand.given_up.insert((tenant, mission));
                }
                Err(obstacle) => {
                    hand.resumed = false;
                    tracing::warn!(%tenant, %mission, %obstacle, "archiving a mission: trying again");
                    break;
                }
            }
        }
        if done > 0 {
            tracing::info!(missions = done, "archived");
        }
        tombstone::catch_up(&self.js, &self.store).await?;
        Ok(done)
    }

    /// What a hand before this one began is finished.
    async fn resume(&self, stop: &CancellationToken) -> Result<(), Trouble> {
        let fences = self.js.load("stage7.mission.*.*.*.librarian.mission.archiving", 0).await?;
        for subject in fences.iter().filter_map(|fence| Subject::parse(&fence.subject).ok()) {
            if stop.is_cancelled() {
                break;
            }
            if let Err(obstacle) = self.take(&subject.tenant, subject.mission, &Floors::any()).await {
                tracing::warn!(tenant = %subject.tenant, mission = %subject.mission, %obstacle, "archiving a mission: not finished");
            }
        }
        tombstone::catch_up(&self.js, &self.store).await
    }

    /// Words that came after their mission was archived (a timer that fired late) are nobody's.
    async fn sweep(&self) -> Result<(), Trouble> {
        let strays = self.store.strays(1_000)?;
        self.remove(&strays).await?;
        Ok(self.store.removed(&strays)?)
    }

    /// Archives one mission, from wherever an earlier try has left it.
    async fn take(&self, tenant: &Tenant, mission: MissionId, floors: &Floors) -> Result<Outcome, Obstacle> {
        let all = self.js.load(&subject::mission(tenant, mission), 0).await?;
        let Some(last) = all.last().map(|record| record.seq) else { return Ok(Outcome::Gone) };
        let fence = all.iter().find(|record| is_fence(record)).map(|record| (record.seq, record.clone()));
        let (fence, at) = match fence {
            Some((seq, record)) => (seq, record.header("ce-time").and_then(|time| time.parse().ok())),
            None => {
                if let Some(why) = floors.obstacle(&all) {
                    return Ok(Outcome::NotYet(why));
                }
                match self.fence(tenant, mission, last).await {
                    Ok((seq, at)) => (seq, Some(at)),
                    Err(AppendError::Conflict) => return Ok(Outcome::NotYet("something was said just now")),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let at = at.unwrap_or_else(|| self.js.now());
        let body: Vec<Record> = all.into_iter().filter(|record| record.seq < fence).collect();
        let word = archive::find(&self.js, tenant, mission).await?;
        // What an import left that ended before its word: nothing of a mission.
        if !body.is_empty() && word.is_none_or(|word| word.fence != fence) {
            let packed = archive::store(&self.js, tenant, mission, &body).await?;
            let Fact::MissionCreated(created) = packed.created.fact else { return Err(StoreError::NoBeginning.into()) };
            let word = Archived {
                tenant: tenant.clone(),
                mission,
                archive: packed.archive,
                events: packed.events,
                last: packed.last,
                at,
                imported: false,
                goal_event: created.goal_event,
                fence,
            };
            publish(&self.js, Writer::Librarian, KIND, Some(&key(tenant, mission)), &word).await?;
        }
        self.leave(tenant, mission, body, fence).await?;
        Ok(Outcome::Archived)
    }

    /// Says that the mission leaves the log, if nothing was said after `last`.
    async fn fence(&self, tenant: &Tenant, mission: MissionId, last: u64) -> Result<(u64, schemas::Time), AppendError> {
        let fact = Fact::from(MissionArchiving {});
        let event = Event {
            seq: 0,
            id: EventId::of_word(mission, Writer::Librarian, fact.kind(), &format!("{tenant}/{last}"), 0),
            time: self.js.now(),
            tenant: tenant.clone(),
            mission,
            writer: Writer::Librarian,
            tail: Tail::Bare,
            fact,
            causation: None,
            basis: None,
            part: None,
            worker_version: self.worker_version.clone(),
            traceparent: None,
            authid: None,
        };
        let guard = Guard { filter: subject::mission(tenant, mission), last };
        Ok((append_event(&self.js, &event, &[], &guard).await?, event.time))
    }

    /// Takes a mission out of the log: its beginning first, so that a reader who finds none knows
    /// that the archive has it; the fence last.
    async fn leave(
        &self,
        tenant: &Tenant,
        mission: MissionId,
        mut body: Vec<Record>,
        fence: u64,
    ) -> Result<(), ReadError> {
        let beginning = subject::mission_created(tenant, mission);
        while !body.is_empty() {
            let (first, rest): (Vec<_>, Vec<_>) = body.iter().partition(|record| record.subject == beginning);
            self.remove(&first.into_iter().map(|record| record.seq).collect::<Vec<_>>()).await?;
            self.remove(&rest.into_iter().map(|record| record.seq).collect::<Vec<_>>()).await?;
            // What came in between is after the end, and after the fence: it goes too.
            body = self.js.load(&subject::mission(tenant, mission), 0).await?;
            body.retain(|record| record.seq != fence);
        }
        self.remove(&[fence]).await
    }

    /// Removes records, few at a time and in their order, so that no request stays whose answer has
    /// gone.
    async fn remove(&self, seqs: &[u64]) -> Result<(), ReadError> {
        let removals = stream::iter(seqs.to_vec()).map(|seq| {
            let js = self.js.clone();
            async move { js.delete("MISSIONS", seq).await }
        });
        removals.buffered(PIPELINE).try_collect().await
    }
}
