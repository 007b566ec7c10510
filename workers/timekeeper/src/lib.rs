//! The timekeeper: makes what deciders say about timers come true.
//!
//! Consumes: `timer.set` and `timer.cleared` of every mission (group `timers`); schedules that came
//! due (group `due`). \
//! Emits: `timer.fired`, the answer to a `timer.set`; schedules in `TIMERS`. \
//! Decides: nothing. \
//! Effects: the server keeps the schedules and wakes the timekeeper; no process polls a clock. \
//! Repeats: setting a timer again replaces its schedule, and it fires once, because the log takes
//! one answer. \
//! Never: fires before its time. One that was cleared at that very moment may still fire: deciders
//! go by their state, not by the timer.

mod schedule;

use nats::{
    decider::append_event,
    jetstream::JetStream,
    log::{AppendError, Guard, Job, Log, ReadError},
};
use schedule::Timer;
use schemas::{Event, EventId, Fact, Time, Writer, fact::Tail, timer::TimerFired};
use std::time::Duration;
use streams::{record::Decoded, subject};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Messages taken at once; they are handled one after another, well within their ack wait.
const AT_ONCE: usize = 64;
/// Between two tries of what the log did not answer or let in.
const PAUSE: Duration = Duration::from_millis(50);

/// Sets, clears and fires timers until `stop`.
///
/// # Errors
/// When its consumers cannot be joined at all; whatever happens later is tried again.
pub async fn run(js: JetStream, worker_version: String, stop: CancellationToken) -> Result<(), ReadError> {
    let keeper = Keeper { js, worker_version };
    tokio::try_join!(work(Group::Words, &keeper, &stop), work(Group::Due, &keeper, &stop))?;
    Ok(())
}

struct Keeper {
    js: JetStream,
    worker_version: String,
}

/// The two consumer groups.
#[derive(Debug, Clone, Copy)]
enum Group {
    /// `timer.set` and `timer.cleared`.
    Words,
    /// What came due.
    Due,
}

impl Group {
    const fn consumer(self) -> &'static str {
        match self {
            Self::Words => "timers",
            Self::Due => "due",
        }
    }
}

/// One after another, so that a timer's clearing comes after its setting; acknowledged last.
async fn work(group: Group, keeper: &Keeper, stop: &CancellationToken) -> Result<(), ReadError> {
    let consumer = group.consumer();
    let mut work = keeper.js.work(consumer).await?;
    loop {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            next = work.next(AT_ONCE) => next,
        };
        let job = match next {
            Ok(Some(job)) => job,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(consumer, %error, "asking for work: trying again");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let span =
            tracing::error_span!("word", mission = subject::owner(&job.record.subject).1.map(tracing::field::display));
        while let Err(error) = keeper.perform(group, &job).instrument(span.clone()).await {
            tracing::warn!(consumer, seq = job.record.seq, %error, "trying again");
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(error.pause()) => {}
            }
            let _ = keeper.js.progress(&job.ack).await;
        }
        if let Err(error) = keeper.js.ack(&job.ack).await {
            tracing::debug!(%error, "an acknowledgement was lost: the message comes again, harmlessly");
        }
    }
}

impl Keeper {
    async fn perform(&self, group: Group, job: &Job) -> Result<(), AppendError> {
        match group {
            Group::Words => self.heard(job).await,
            Group::Due => match serde_json::from_slice(&job.record.payload) {
                Ok(timer) => self.fire(&timer).await,
                Err(error) => {
                    tracing::warn!(subject = job.record.subject, %error, "no schedule of ours came due: skipped");
                    Ok(())
                }
            },
        }
    }

    async fn heard(&self, job: &Job) -> Result<(), AppendError> {
        let event = match job.record.decode() {
            Ok(Decoded::Event(event)) => event,
            Ok(Decoded::Unknown { ce_type, .. }) => {
                tracing::warn!(seq = job.record.seq, ce_type, "a word of a newer version: skipped");
                return Ok(());
            }
            Err(error) => {
                tracing::warn!(seq = job.record.seq, %error, "no event of ours: skipped");
                return Ok(());
            }
        };
        match &event.fact {
            Fact::TimerSet(said) => {
                let delay = said.at.0.saturating_sub(event.time.0);
                self.set(Timer::new(&event, event.id, said.at), Time(job.stored.0.saturating_add(delay)), delay).await
            }
            Fact::TimerCleared(said) => schedule::clear(&self.js, &Timer::new(&event, said.timer, event.time)).await,
            _ => Ok(()),
        }
    }

    /// Has it fire at `due` by the server's clock, which alone decides: it is as long after the word
    /// was stored as the decider wants, whatever the clocks here and there say.
    async fn set(&self, timer: Timer, due: Time, delay: i64) -> Result<(), AppendError> {
        if delay <= 0 {
            return self.fire(&timer).await;
        }
        // A word that comes again after its timer has fired would set it once more.
        match self.js.last(&timer.answers()).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => schedule::set(&self.js, &timer, due).await,
            Err(error) => Err(AppendError::Unknown(error.to_string())),
        }
    }

    /// Answers the `timer.set`, unless it is answered.
    async fn fire(&self, timer: &Timer) -> Result<(), AppendError> {
        let fact = Fact::from(TimerFired { at: timer.at });
        let event = Event {
            seq: 0,
            id: EventId::of_word(timer.mission, Writer::Timer, fact.kind(), &timer.timer.to_string(), 0),
            time: self.js.now(),
            tenant: timer.tenant.clone(),
            mission: timer.mission,
            writer: Writer::Timer,
            tail: Tail::Answer { requester: timer.requester, request: timer.timer },
            fact,
            causation: Some(timer.timer),
            basis: None,
            part: None,
            worker_version: self.worker_version.clone(),
            traceparent: timer.traceparent.clone(),
            authid: None,
        };
        match append_event(&self.js, &event, &[], &Guard { filter: timer.answers(), last: 0 }).await {
            Ok(_) | Err(AppendError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Timer {
    fn answers(&self) -> String {
        subject::answers(&self.tenant, self.mission, Writer::Timer, "timer", self.requester, self.timer)
    }
}
