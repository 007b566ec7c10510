//! The intake: each goal becomes a mission, or is refused with the reason.
//!
//! Consumes: goals (`goals`, pinned). \
//! Emits: `control.mission.created`, and nothing else; refusals on `stage7.refused.{tenant}`. \
//! Decides: whether a goal is well formed and its files are there. \
//! Effects: inline files and the catalogue into `ARTIFACTS`. \
//! Repeats: a goal that comes again is the same mission, which is there already. \
//! Never: a mission before agents and capabilities have said what they can do.

mod file;

use crate::role::ROLES;
use nats::{
    decider::append_event,
    jetstream::JetStream,
    log::{AppendError, Delivery, Guard, Log, ReadError},
    registry::Reader,
    service::store,
};
use schemas::{
    Event, EventId, MissionId, Tenant, Writer,
    control::{Attached, GoalEvent, MissionCreated},
    fact::Tail,
    limits::Limits,
    value::{Blob, Form, Ref},
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use streams::{
    record::Record,
    subject,
    submission::{Refusal, Refused, Submission},
};
use tokio::{sync::Mutex, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Between two tries of what the log did not answer or let in.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two looks whether the registry is whole.
const WAIT: Duration = Duration::from_millis(500);
/// Goals taken up at once.
const AT_ONCE: usize = 64;

/// How missions are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Written into each mission: a decision never reads configuration.
    pub limits: Limits,
    /// 8 characters.
    pub worker_version: String,
}

/// Takes up goals until `stop`.
///
/// # Errors
/// When the consumer cannot be followed at all; whatever happens later is tried again.
pub async fn run(log: JetStream, options: Options, stop: CancellationToken) -> Result<(), ReadError> {
    let intake = Arc::new(Intake {
        log: log.clone(),
        options,
        registry: Mutex::default(),
        stored: Mutex::default(),
        catalogue: Mutex::default(),
        reading: Mutex::default(),
    });
    // Goals stay in their queue until the catalogue is whole.
    tokio::select! {
        () = intake.whole() => {}
        () = stop.cancelled() => return Ok(()),
    }
    let mut goals = log.follow("goals").await?;
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = running.join_next() => {}
            goal = goals.next(), if running.len() < AT_ONCE => match goal {
                Ok(Some(delivery)) => drop(running.spawn(Arc::clone(&intake).take_up(delivery).in_current_span())),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "following the goals: trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    // What is not finished now is taken up by the next instance, or at the next start.
    running.shutdown().await;
    if let Err(error) = goals.unpin().await {
        tracing::debug!(%error, "the pin will pass by itself");
    }
    Ok(())
}

struct Intake {
    log: JetStream,
    options: Options,
    registry: Mutex<Reader>,
    /// Catalogues that are in `ARTIFACTS`, by tenant and hash.
    stored: Mutex<HashSet<(Tenant, String)>>,
    /// The catalogue as of a place in the registry.
    catalogue: Mutex<Option<(u64, Arc<Blob>)>>,
    /// Files are looked at for one goal at a time: each may be held in memory whole.
    reading: Mutex<()>,
}

/// What keeps a goal from becoming a mission.
enum Obstacle {
    /// The goal itself.
    Refused(Refusal),
    /// The log, for now: why, and how long to wait.
    Later(String, Duration),
}

impl From<ReadError> for Obstacle {
    fn from(error: ReadError) -> Self {
        Self::Later(error.to_string(), PAUSE)
    }
}

impl From<AppendError> for Obstacle {
    fn from(error: AppendError) -> Self {
        let pause = error.pause().max(PAUSE);
        Self::Later(error.to_string(), pause)
    }
}

impl Intake {
    /// Waits until everybody who brings verbs has listed them.
    async fn whole(&self) {
        let mut looks = 0;
        loop {
            match self.registry.lock().await.read(&self.log).await.map(|registry| registry.awaited()) {
                Ok(awaited) if awaited.is_empty() => return,
                Ok(awaited) if looks % 20 == 10 => {
                    tracing::warn!(?awaited, "goals wait: these workers have not said yet what they can do")
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "reading the registry: trying again"),
            }
            looks += 1;
            tokio::time::sleep(WAIT).await;
        }
    }

    /// Makes one goal a mission or a refusal, however long that takes; acknowledges last.
    async fn take_up(self: Arc<Self>, delivery: Delivery) {
        let ack = delivery.ack.clone();
        let record = &delivery.record();
        let tenant = record.subject.rsplit('.').next().map(str::parse::<Tenant>);
        let Some(Ok(tenant)) = tenant else {
            tracing::warn!(subject = record.subject, seq = record.seq, "a goal of nobody: dropped");
            return self.acknowledge(&ack).await;
        };
        while let Err(obstacle) = self.try_once(&tenant, record).await {
            let said = match obstacle {
                Obstacle::Refused(refusal) => self.refuse(&tenant, record, refusal).await,
                Obstacle::Later(why, pause) => Err((why, pause)),
            };
            let Err((why, pause)) = said else { break };
            tracing::warn!(%tenant, seq = record.seq, why, "a goal is not taken up yet: trying again");
            tokio::time::sleep(pause).await;
        }
        self.acknowledge(&ack).await;
    }

    async fn acknowledge(&self, ack: &str) {
        if let Err(error) = self.log.ack(ack).await {
            tracing::debug!(%error, "an acknowledgement was lost: the goal comes again and is found taken up");
        }
    }

    async fn refuse(&self, tenant: &Tenant, record: &Record, refusal: Refusal) -> Result<(), (String, Duration)> {
        tracing::info!(%tenant, seq = record.seq, code = refusal.error.code, at = refusal.error.at, message = refusal.error.message, "a goal is refused");
        let refused = Refused::new(refusal, &record.headers, &record.payload);
        store(&self.log, &refused.record(tenant, record.seq, self.log.now()))
            .await
            .map(drop)
            .map_err(|e| (e.to_string(), e.pause().max(PAUSE)))
    }

    async fn try_once(&self, tenant: &Tenant, record: &Record) -> Result<(), Obstacle> {
        let submission = Submission::read(tenant, &record.headers, &record.payload).map_err(Obstacle::Refused)?;
        let mission = submission.mission();
        if self.is_known(tenant, mission).await? {
            return Ok(());
        }
        let files = {
            let _alone = self.reading.lock().await;
            file::collect(&self.log, &submission).await?
        };
        let catalogue = self.catalogue(tenant).await?;
        let event = self.created(submission, mission, files.references, catalogue);
        // Nobody has said anything in it: neither another instance, nor the librarian, who imports it.
        let guard = Guard { filter: subject::mission(tenant, mission), last: 0 };
        match append_event(&self.log, &event, &files.blobs, &guard).await {
            Ok(seq) => {
                tracing::info!(%tenant, %mission, event = %event.id, seq, "a goal is a mission");
                Ok(())
            }
            // It was made in the meantime, or it is just being imported.
            Err(AppendError::Conflict) if self.is_known(tenant, mission).await? => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Is there such a mission, in the log or in the archive? Asked in this order: the word about an
    /// archived mission comes before it leaves the log.
    async fn is_known(&self, tenant: &Tenant, mission: MissionId) -> Result<bool, ReadError> {
        Ok(self.log.last(&subject::mission_status(tenant, mission)).await?.is_some()
            || nats::archive::find(&self.log, tenant, mission).await?.is_some())
    }

    /// The catalogue of now, its bytes in `ARTIFACTS` of this tenant.
    async fn catalogue(&self, tenant: &Tenant) -> Result<Ref, Obstacle> {
        let catalogue = self.catalogue_of_now().await?;
        let reference = catalogue.reference.clone();
        let key = (tenant.clone(), reference.sha256.clone());
        if !self.stored.lock().await.contains(&key) {
            self.log.put(tenant, &reference.sha256, &catalogue.bytes).await?;
            self.stored.lock().await.insert(key);
        }
        Ok(reference)
    }

    /// Written out once for every place in the registry.
    async fn catalogue_of_now(&self) -> Result<Arc<Blob>, Obstacle> {
        // Many goals that wait here are served by one read.
        let asked = Instant::now();
        let mut reader = self.registry.lock().await;
        reader.read_since(&self.log, asked).await?;
        let mut known = self.catalogue.lock().await;
        match known.as_ref() {
            Some((at, catalogue)) if *at == reader.at() => Ok(Arc::clone(catalogue)),
            _ => {
                let catalogue = reader.registry().catalogue(&ROLES);
                let bytes = serde_json::to_vec(&catalogue).map_err(|e| Obstacle::Later(e.to_string(), PAUSE))?;
                let catalogue = Arc::new(Blob::new(Form::Json, "application/json", bytes));
                *known = Some((reader.at(), Arc::clone(&catalogue)));
                Ok(catalogue)
            }
        }
    }

    fn created(&self, submission: Submission, mission: MissionId, files: file::References, catalogue: Ref) -> Event {
        let Submission { tenant, source, id, traceparent, goal } = submission;
        let created = MissionCreated {
            goal: goal.goal,
            kind: goal.kind,
            name: goal.name,
            context: goal.context,
            files,
            optimize: goal.optimize,
            budget: goal.budget,
            autonomy: goal.autonomy,
            model: goal.model,
            plan: goal.plan,
            limits: self.options.limits.clone(),
            catalogue: Attached { reference: catalogue, content: None },
            goal_event: GoalEvent { source, id },
        };
        let fact = schemas::Fact::from(created);
        Event {
            seq: 0,
            id: EventId::of_word(mission, Writer::Control, fact.kind(), "", 0),
            time: self.log.now(),
            tenant,
            mission,
            writer: Writer::Control,
            tail: Tail::Bare,
            fact,
            causation: None,
            basis: None,
            part: None,
            worker_version: self.options.worker_version.clone(),
            traceparent,
            authid: None,
        }
    }
}
