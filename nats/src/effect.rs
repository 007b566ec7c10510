//! The loop of every effect: take a request, see that it is still wanted and unanswered, do it,
//! answer it once and for ever.

use crate::{
    decider::Catalogues,
    log::{AppendError, Job, Log, ReadError},
    rule::Rules,
};
use append::{answer, say};
use async_trait::async_trait;
use read::Request;
use schemas::{Class, Event, EventId, Fact, value::Blob};
use standing::Standing;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use streams::subject::{self, Subject};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

mod append;
mod read;
mod standing;

/// A request comes again after five seconds of silence.
const HEARTBEAT: Duration = Duration::from_millis(1_500);
/// Between two tries of what the log did not answer or let in.
const PAUSE: Duration = Duration::from_millis(50);
/// Done requests whose answer is on its way into the log: they hold nobody up.
const ANSWERS: usize = 512;
/// Deliveries of one request after which it is answered as lost instead of being tried again.
pub const MOST_DELIVERIES: u64 = 5;

/// What an effect answers: the last word on a request, and the bytes it refers to.
pub struct Answer {
    pub fact: Fact,
    pub blobs: Vec<Blob>,
}

impl From<Fact> for Answer {
    fn from(fact: Fact) -> Self {
        Self { fact, blobs: Vec::new() }
    }
}

/// A worker that does things to the world.
#[async_trait]
pub trait Effect: Send + Sync + 'static {
    /// Its durable consumer.
    const NAME: &'static str;
    /// Under which token it writes.
    const WRITER: schemas::Writer;
    /// What it answers about: `llm`, `plugin`.
    const NOUN: &'static str;
    /// Is any of its requests pure? Then it listens to what is said about missions.
    const HAS_PURE: bool = false;

    /// How many requests run at once.
    fn capacity(&self) -> usize;
    /// Does this request do nothing to the world, so that doing it in vain, or twice, harms nobody?
    /// Then the log is asked about it only if something was heard of its mission, or it comes again.
    fn is_pure(&self, _request: &Event) -> bool {
        false
    }
    /// The answer to a request that is not done, or not any more.
    fn failed(&self, request: &Event, class: Class, message: String) -> Fact;
    /// Does it. Ends early when `context.stop` is cancelled.
    async fn perform(&self, request: &Event, context: &Context) -> Answer;
    #[doc(hidden)]
    fn rules(&self) -> Rules {
        Rules::default()
    }
}

/// What an effect has at hand while it works on one request.
pub struct Context {
    pub log: Arc<dyn Log>,
    pub catalogues: Arc<Catalogues>,
    /// The mission was aborted, the step called off, or the worker stops.
    pub stop: CancellationToken,
    worker_version: String,
    writer: schemas::Writer,
}

impl Context {
    /// Says a word on the way, which is no answer (`llm.tried`, `plugin.started`).
    ///
    /// # Errors
    /// When the log does not take it.
    pub async fn say(&self, request: &Event, fact: Fact, entity: &str) -> Result<(), AppendError> {
        say(self.log.as_ref(), self.writer, request, fact, entity, &self.worker_version).await
    }

    /// A line for whoever listens now, under `stage7.live.{tenant}.{mission}.{rest}`.
    pub async fn live(&self, request: &Event, rest: &str, line: impl Into<bytes::Bytes>) {
        self.log.live(subject::live(&request.tenant, request.mission, rest), line.into()).await;
    }
}

/// Requests under way in this instance: a new delivery of one only brings a new place to
/// acknowledge it.
type UnderWay = Arc<Mutex<HashMap<EventId, String>>>;

/// Runs an effect until `stop`.
///
/// # Errors
/// When its consumer cannot be joined at all; whatever happens later is tried again.
pub async fn run<E: Effect>(
    log: Arc<dyn Log>,
    effect: Arc<E>,
    worker_version: String,
    stop: CancellationToken,
) -> Result<(), ReadError> {
    let mut work = log.work(E::NAME).await?;
    let under_way = UnderWay::default();
    let catalogues = Arc::<Catalogues>::default();
    let places = Arc::new(Semaphore::new(effect.capacity()));
    let rooms = Arc::new(Semaphore::new(effect.capacity() + ANSWERS));
    let standing = Arc::<Standing>::default();
    if E::HAS_PURE {
        let heard = log.overhear(subject::MISSION_STATUSES).await?;
        let (standing, stop) = (Arc::clone(&standing), stop.clone());
        tokio::spawn(async move { stop.run_until_cancelled(standing.listen(heard)).await });
    }
    let mut tasks = JoinSet::new();
    while !stop.is_cancelled() {
        while tasks.try_join_next().is_some() {}
        // Nothing is asked for that could not be started at once.
        let both = async { (Arc::clone(&rooms).acquire_owned().await, Arc::clone(&places).acquire_owned().await) };
        let (room, place) = tokio::select! {
            () = stop.cancelled() => break,
            both = both => match both {
                (Ok(room), Ok(place)) => (room, place),
                _ => break,
            },
        };
        let free = 1 + places.available_permits().min(rooms.available_permits());
        let job = match work.next(free).await {
            Ok(Some(job)) => job,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(%error, "asking for work: trying again");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let task = Task {
            effect: Arc::clone(&effect),
            under_way: Arc::clone(&under_way),
            standing: Arc::clone(&standing),
            context: Context {
                log: Arc::clone(&log),
                catalogues: Arc::clone(&catalogues),
                stop: stop.child_token(),
                worker_version: worker_version.clone(),
                writer: E::WRITER,
            },
        };
        let run = async move {
            task.run(job, place).await;
            drop(room);
        };
        tasks.spawn(run.in_current_span());
    }
    // What runs is told to stop; what it still says is heard, the rest is delivered again.
    let _ = tokio::time::timeout(Duration::from_secs(3), async { while tasks.join_next().await.is_some() {} }).await;
    Ok(())
}

struct Task<E> {
    effect: Arc<E>,
    under_way: UnderWay,
    standing: Arc<Standing>,
    context: Context,
}

/// What the log says about a request before it is started.
enum Wanted {
    Yes,
    /// It has its answer, or its mission is not in the log any more.
    Answered,
    /// It must not start now, for this reason.
    No(String),
}

impl<E: Effect> Task<E> {
    async fn run(self, job: Job, place: OwnedSemaphorePermit) {
        let log = self.context.log.as_ref();
        let request = match read::request(log, &job).await {
            Ok(Request::Event(request)) => request,
            Ok(Request::Unreadable { request, why }) => return self.unreadable(&request, &why, &job).await,
            Ok(Request::Nobodys) => return acknowledge(log, &job.ack).await,
            Err(error) => {
                return tracing::warn!(seq = job.record.seq, %error, "a request cannot be read: it comes again");
            }
        };
        let span = tracing::error_span!("request", mission = %request.mission, event = %request.id);
        self.take(*request, job, place).instrument(span).await;
    }

    async fn take(&self, request: Event, job: Job, place: OwnedSemaphorePermit) {
        let log = self.context.log.as_ref();
        if !self.begin(request.id, &job.ack) && self.effect.rules().looked_up {
            return;
        }
        let done = self.handle(&request, job.delivered, place).await;
        let ack = self.end(request.id).unwrap_or(job.ack);
        if done {
            acknowledge(log, &ack).await;
        }
    }

    /// An instance of a newer version may be able to read it: it comes again as often as anything
    /// else does, and then whoever asked is told.
    async fn unreadable(&self, request: &Event, why: &str, job: &Job) {
        let (mission, event) = (request.mission, request.id);
        if job.delivered <= MOST_DELIVERIES {
            return tracing::warn!(%mission, %event, seq = job.record.seq, why, "a request that this version can't read: it comes again");
        }
        tracing::warn!(%mission, %event, seq = job.record.seq, why, "a request that nobody can read: answered as failed");
        let message = format!("no running worker can read this request: {why}");
        if self.answer(request, self.effect.failed(request, Class::Permanent, message).into()).await {
            acknowledge(self.context.log.as_ref(), &job.ack).await;
        }
    }

    /// Takes note that the request is under way; `false` when it already is.
    fn begin(&self, id: EventId, ack: &str) -> bool {
        let mut under_way = self.under_way.lock().expect("nobody panics while holding it");
        under_way.insert(id, ack.to_string()).is_none()
    }

    /// Where the latest delivery of a request is acknowledged.
    fn place(&self, id: EventId) -> Option<String> {
        self.under_way.lock().expect("nobody panics while holding it").get(&id).cloned()
    }

    fn end(&self, id: EventId) -> Option<String> {
        self.under_way.lock().expect("nobody panics while holding it").remove(&id)
    }

    /// Sees to one request; `true` when it is answered. Its place is another's once it is done.
    async fn handle(&self, request: &Event, delivered: u64, place: OwnedSemaphorePermit) -> bool {
        let answer = if delivered > MOST_DELIVERIES {
            let message = format!(
                "the request was taken up {} times and never answered: whoever did it disappeared each time",
                delivered - 1
            );
            self.effect.failed(request, Class::Lost, message).into()
        } else {
            let unasked = delivered == 1 && self.effect.is_pure(request) && !self.standing.is_still(request.mission);
            let wanted = if unasked { Ok(Wanted::Yes) } else { self.wanted(request, delivered).await };
            match wanted {
                Ok(Wanted::Answered) => return true,
                Ok(Wanted::No(why)) => self.effect.failed(request, Class::NotStarted, why).into(),
                Ok(Wanted::Yes) => self.perform(request).await,
                Err(error) => {
                    tracing::warn!(%error, "asking about a request: it comes again");
                    return false;
                }
            }
        };
        drop(place);
        let failed = answer.fact.kind().ends_with(".failed");
        if failed && self.context.stop.is_cancelled() && !self.called_off(request).await {
            // The worker stops: another instance, or the next start, does it. What was done in time
            // is answered, though.
            return false;
        }
        self.answer(request, answer).await
    }

    /// Does it, saying every now and then that it is still at it, and stopping when it is not
    /// wanted any more.
    async fn perform(&self, request: &Event) -> Answer {
        let performing = self.effect.perform(request, &self.context);
        tokio::pin!(performing);
        // A first tick that is due at once would come up to a millisecond later, and everything behind it.
        let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
        loop {
            tokio::select! {
                biased;
                answer = &mut performing => return answer,
                _ = beat.tick() => {
                    if let Some(ack) = self.place(request.id) {
                        let _ = self.context.log.progress(&ack).await;
                    }
                    if self.called_off(request).await {
                        self.context.stop.cancel();
                    }
                }
            }
        }
    }

    async fn wanted(&self, request: &Event, delivered: u64) -> Result<Wanted, ReadError> {
        let log = &self.context.log;
        let answers =
            subject::answers(&request.tenant, request.mission, E::WRITER, E::NOUN, request.writer, request.id);
        if self.effect.rules().looked_up && log.last(&answers).await?.is_some() {
            return Ok(Wanted::Answered);
        }
        match self.status(request).await?.as_deref() {
            Some(status @ ("mission.pausing" | "mission.paused")) => {
                return Ok(Wanted::No(format!("the mission is {}", &status[8..])));
            }
            // The mission is archived, and its answer may have left the log before the request came
            // once more. Or a follower lags and doesn't know of it yet: then the next look does.
            None if delivered > 1 => return Ok(Wanted::Answered),
            None => return Err(ReadError::Unknown("the log knows no such mission".into())),
            Some(status @ ("mission.completed" | "mission.failed" | "mission.aborted")) => {
                if log.last(&subject::mission_created(&request.tenant, request.mission)).await?.is_none() {
                    return Ok(Wanted::Answered);
                }
                return Ok(Wanted::No(format!("the mission is {}", &status[8..])));
            }
            _ => {}
        }
        Ok(match self.cancelled(request).await? {
            true => Wanted::No("the step was called off".into()),
            false => Wanted::Yes,
        })
    }

    /// The last word on the mission's life.
    async fn status(&self, request: &Event) -> Result<Option<String>, ReadError> {
        let last = self.context.log.last(&subject::mission_status(&request.tenant, request.mission)).await?;
        Ok(last.and_then(|record| Subject::parse(&record.subject).ok()).map(|subject| subject.kind))
    }

    async fn cancelled(&self, request: &Event) -> Result<bool, ReadError> {
        let Some(step) = step_of(&request.fact) else { return Ok(false) };
        let last = self.context.log.last(&subject::step_cancelled(&request.tenant, request.mission, step)).await?;
        Ok(last.is_some_and(|record| record.seq > request.seq))
    }

    /// Is what runs to be stopped? When the log does not say, it goes on.
    async fn called_off(&self, request: &Event) -> bool {
        let aborted = self.status(request).await.is_ok_and(|status| status.as_deref() == Some("mission.aborted"));
        aborted || self.cancelled(request).await.unwrap_or(false)
    }

    /// Answers until the log has an answer: this one, or one that was quicker.
    async fn answer(&self, request: &Event, given: Answer) -> bool {
        let log = self.context.log.as_ref();
        let (mut given, once) = (given, self.effect.rules().answered_once);
        loop {
            match answer(log, E::WRITER, E::NOUN, request, &given, &self.context.worker_version, once).await {
                Ok(seq) => {
                    tracing::debug!(seq, word = given.fact.kind(), "answered");
                    return true;
                }
                Err(AppendError::Conflict) => return true,
                Err(AppendError::Refused(why)) if why.contains("maximum payload") => {
                    given = self
                        .effect
                        .failed(request, Class::Permanent, format!("the answer does not fit into the log: {why}"))
                        .into();
                }
                Err(error) => {
                    tracing::warn!(%error, "an answer is not in the log: trying again");
                    if let Some(ack) = self.place(request.id) {
                        let _ = log.progress(&ack).await;
                    }
                    tokio::time::sleep(error.pause()).await;
                }
            }
        }
    }
}

fn step_of(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::LlmRequested(asked) => Some(&asked.step),
        Fact::PluginRequested(asked) => Some(&asked.step),
        _ => None,
    }
}

async fn acknowledge(log: &dyn Log, ack: &str) {
    if let Err(error) = log.ack(ack).await {
        tracing::debug!(%error, "an acknowledgement was lost: the request comes again and is found answered");
    }
}
