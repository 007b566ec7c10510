//! Putting a decision into the log: one word after another, each guarded by the one before.

use super::Key;
use crate::log::{AppendError, Guard, Log};
use schemas::{Event, Fact, MissionId, Tenant, Writer, decider::Stuck, event::Part, value::Blob};
use streams::{
    decide::{About, Decider, Due},
    record::{Dataref, PAYLOAD_LIMIT, Record},
    subject,
};

/// A decision on its way.
pub struct Job {
    pub about: About,
    pub writer: Writer,
    /// The decider's last own word in this mission.
    pub own: u64,
    /// Only under the decider's last own word; without, a test shows what that is good for.
    pub guarded: bool,
    pub basis: u64,
    pub due: Vec<Due>,
    pub worker_version: String,
}

/// How far a decision got.
#[derive(Debug)]
pub struct Appended {
    pub basis: u64,
    /// The last own word that is certainly in the log.
    pub own: u64,
    /// Every word is in the log.
    pub complete: bool,
    /// The words that are, with their sequence.
    pub said: Vec<Event>,
}

impl Appended {
    pub fn nothing() -> Self {
        Self { basis: u64::MAX, own: 0, complete: true, said: Vec::new() }
    }
}

impl Job {
    pub async fn run(self, log: &dyn Log) -> Appended {
        let mut done = Appended { basis: self.basis, own: self.own, complete: false, said: Vec::new() };
        let filter = subject::family(&self.about.tenant, self.about.mission, self.writer);
        let n = u32::try_from(self.due.len()).unwrap_or(u32::MAX);
        for (due, k) in self.due.into_iter().zip(1..) {
            let mut event = due.event(&self.about, self.writer);
            // A clock that was set back must not make a mission younger than it is: timers count from
            // the time of the word that sets them.
            event.time = log.now().max(event.time);
            event.basis = Some(self.basis);
            event.part = Some(Part { k, n });
            event.worker_version.clone_from(&self.worker_version);
            let guard = Guard { filter: filter.clone(), last: done.own };
            let appended = match self.guarded {
                true => append(log, &event, &due.blobs, &guard).await,
                false => append_anyway(log, &event, &due.blobs, &filter).await,
            };
            match appended {
                Ok(seq) => {
                    done.own = seq;
                    tell(&event, seq);
                    event.seq = seq;
                    done.said.push(event);
                }
                Err(error) => {
                    if error != AppendError::Conflict {
                        tracing::warn!(mission = %event.mission, word = event.fact.kind(), %error, "a word is not in the log: looking again");
                        tokio::time::sleep(error.pause()).await;
                    }
                    return done;
                }
            }
        }
        done.complete = true;
        done
    }
}

/// What people want to hear of a mission by itself is told; the rest only to who asks for all.
fn tell(event: &Event, seq: u64) {
    let (mission, id, word) = (event.mission, event.id, event.fact.kind());
    macro_rules! tell {
        ($level:ident $(, $field:ident = $value:expr)* ; $text:expr) => {
            tracing::$level!(%mission, event = %id, seq, $($field = $value,)* $text)
        };
    }
    match &event.fact {
        Fact::StepRetried(said) => {
            tell!(info, step = said.step, attempt = said.attempt; "a step is tried again")
        }
        Fact::StepFailed(said) => {
            tell!(warn, step = said.step, attempt = said.attempt, why = said.message; "a step failed")
        }
        Fact::MissionPaused(_) => tell!(info; "a mission is paused"),
        Fact::MissionCompleted(_) => tell!(info; "a mission completed"),
        Fact::MissionFailed(said) => tell!(warn, why = said.message; "a mission failed"),
        Fact::MissionAborted(_) => tell!(info; "a mission was aborted"),
        _ => tell!(debug, word = word; "said"),
    }
}

/// On what basis a decision was made, if this is the last of its words: all that came up to there
/// has had its decision.
pub fn whole(word: &Record) -> Option<u64> {
    let (k, n) = word.header("ce-part")?.split_once('/')?;
    if k == n { word.header("ce-basis")?.parse().ok() } else { None }
}

/// Appends one event: first the bytes it refers to, then the word.
///
/// # Errors
/// As the log says.
pub async fn append(log: &dyn Log, event: &Event, blobs: &[Blob], guard: &Guard) -> Result<u64, AppendError> {
    for blob in blobs {
        log.put(&event.tenant, &blob.reference.sha256, &blob.bytes).await?;
    }
    let mut record = Record::encode(event);
    if record.payload.len() > PAYLOAD_LIMIT {
        let dataref = Dataref { sha256: schemas::value::sha256(&record.payload), size: record.payload.len() as u64 };
        log.put(&event.tenant, &dataref.sha256, &record.payload).await?;
        record.headers.push(("ce-dataref".into(), dataref.to_urn()));
        record.payload = bytes::Bytes::new();
    }
    log.append(&record, guard).await
}

/// Appends one event whoever has spoken since. A test shows by this what guards are good for.
///
/// # Errors
/// As the log says; never `Conflict`.
pub async fn append_anyway(log: &dyn Log, event: &Event, blobs: &[Blob], filter: &str) -> Result<u64, AppendError> {
    loop {
        let last = log.last(filter).await.map_err(|e| AppendError::Unknown(e.to_string()))?;
        let guard = Guard { filter: filter.into(), last: last.map_or(0, |record| record.seq) };
        match append(log, event, blobs, &guard).await {
            Err(AppendError::Conflict) => {}
            other => return other,
        }
    }
}

/// `decider.stuck`, on its way.
pub struct StuckWord {
    event: Event,
    own: u64,
}

pub fn stuck<D: Decider>(key: &Key, message: &str, at: u64, own: u64, worker_version: &str) -> StuckWord {
    let about = About { tenant: key.0.clone(), mission: key.1, time: schemas::Time::default() };
    let due =
        Due::new(Stuck { message: message.chars().take(2_000).collect(), at }, format!("{worker_version}/{at}"), None);
    let mut event = due.event(&about, D::WRITER);
    event.worker_version = worker_version.into();
    StuckWord { event, own }
}

impl StuckWord {
    /// Says it under whatever guard holds: the mission's state is of no use here.
    pub async fn run_to_the_end(mut self, log: &dyn Log, tenant: &Tenant, mission: MissionId, writer: Writer) {
        let filter = subject::family(tenant, mission, writer);
        loop {
            self.event.time = log.now();
            let guard = Guard { filter: filter.clone(), last: self.own };
            match append(log, &self.event, &[], &guard).await {
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%mission, %error, "decider.stuck is not in the log: trying again");
                    tokio::time::sleep(error.pause()).await;
                    if let Ok(last) = log.last(&filter).await {
                        self.own = last.map_or(0, |record| record.seq);
                    }
                }
            }
        }
    }
}
