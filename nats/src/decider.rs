//! The loop of every decider: fold what comes, say what is due, acknowledge last.
//!
//! ```text
//!   deliveries ─▶ fold ─▶ own words folded? ─▶ decide ─▶ append, one after another, guarded ─▶ settle ─▶ floor
//!                   ▲              │ no                          │ conflict, unknown
//!                   └──── load ◀───┴─────────────────────────────┘
//! ```

mod append;
mod read;
mod slot;
mod turn;
mod window;

pub use append::append as append_event;
pub(crate) use append::append_anyway;
pub use read::{Catalogues, Seen, attach, resolved};

use crate::{
    log::{Deliveries, Delivery, Log, ReadError},
    rule::{OwnWords, Rules},
};
use append::Appended;
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use schemas::{MissionId, Tenant};
use slot::{Parked, Slot};
use std::{collections::HashMap, sync::Arc, time::Duration};
use streams::{decide::Decider, record::Record, subject::Subject};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use window::Window;

/// How a loop is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// 8 characters; a mission that is stuck is tried again when they change.
    pub worker_version: String,
    /// Unhandled deliveries from which on own words are read instead of waited for: below the
    /// consumer's `max_ack_pending`, or nothing moves any more.
    pub patience: usize,
    /// Missions kept in memory without anything to do.
    pub cache: usize,
    /// With more than so many deliveries to come, a mission's last own word is looked for before
    /// the mission is decided for the first time: most likely it is ahead.
    pub behind: u64,
    #[doc(hidden)]
    pub rules: Rules,
}

impl Options {
    pub fn new(worker_version: impl Into<String>) -> Self {
        Self {
            worker_version: worker_version.into(),
            patience: 400,
            cache: 20_000,
            behind: 1_000,
            rules: Rules::default(),
        }
    }
}

/// How often the floor is acknowledged at the latest, and stalled missions are looked at.
const TICK: Duration = Duration::from_millis(10);
/// Handled deliveries that one acknowledgement covers at the most.
const FLUSH: usize = 256;
/// Deliveries that are there already are taken one after another, before appends are looked at again.
const AT_A_STRETCH: usize = 32;
/// Own words usually come by themselves within this.
const OWN_WORDS: Duration = Duration::from_millis(5);
/// However busy the stream is, own words are read after this.
const OWN_WORDS_AT_LAST: Duration = Duration::from_millis(250);
/// Between two tries of what the log did not answer or let in.
const PAUSE: Duration = Duration::from_millis(50);
/// A mission of which nothing is found for so long was archived: no follower lags that far.
const GONE: Duration = Duration::from_secs(5);

/// What was under way when the consumer was reset has come by then.
const RESET_TIME: Duration = Duration::from_secs(1);

type Key = (Tenant, MissionId);

enum Done {
    Loaded { epoch: u64, result: Result<read::Mission, ReadError> },
    Looked { epoch: u64, found: Result<Option<Record>, ReadError> },
    Appended { epoch: u64, result: Appended },
    Fetched { epoch: u64, came: Came, result: Result<Seen, ReadError> },
}

/// Where a delivery stands.
#[derive(Clone, Copy)]
struct Came {
    seq: u64,
    consumer_seq: u64,
    /// Deliveries that come after it.
    pending: u64,
    /// It is the decider's own word.
    own: bool,
}

struct Loop<D: Decider> {
    log: Arc<dyn Log>,
    options: Options,
    catalogues: Arc<Catalogues>,
    slots: HashMap<Key, Slot<D>>,
    running: FuturesUnordered<BoxFuture<'static, (Key, Done)>>,
    window: Window,
    /// Raised when the cache is dropped: what was under way before has no say any more.
    epoch: u64,
    pin: Option<Arc<str>>,
    /// The consumer sequence that must come next; `None` while a reset is awaited.
    expected: Option<u64>,
    must_reset: bool,
    stalled: Vec<Key>,
    last_delivery: Instant,
    last_reset: Instant,
}

/// Runs a decider until `stop`, then hands its consumer over.
///
/// # Errors
/// When the consumer cannot be followed at all; whatever happens later is tried again.
pub async fn run<D: Decider>(log: Arc<dyn Log>, options: Options, stop: CancellationToken) -> Result<(), ReadError> {
    let mut deliveries = log.follow(D::NAME).await?;
    let mut decider = Loop::<D>::new(log, options);
    decider.retry_stuck().await;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some((key, done)) = decider.running.next(), if !decider.running.is_empty() => decider.done(key, done),
            _ = tick.tick() => {
                decider.look_after_stalled();
                decider.sweep();
                decider.flush(deliveries.as_mut()).await;
            }
            delivery = deliveries.next() => match delivery {
                Ok(Some(delivery)) => {
                    decider.delivered(delivery);
                    for _ in 0..AT_A_STRETCH {
                        if decider.must_reset {
                            break;
                        }
                        let Some(delivery) = deliveries.ready() else { break };
                        decider.delivered(delivery);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "following the log: trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
        if decider.must_reset {
            decider.reset(deliveries.as_mut()).await;
        }
        if decider.window.unflushed() >= FLUSH {
            decider.flush(deliveries.as_mut()).await;
        }
    }
    decider.drain().await;
    decider.flush(deliveries.as_mut()).await;
    if let Err(error) = deliveries.unpin().await {
        tracing::debug!(%error, "the pin will pass by itself");
    }
    Ok(())
}

impl<D: Decider> Loop<D> {
    fn new(log: Arc<dyn Log>, options: Options) -> Self {
        Self {
            log,
            options,
            catalogues: Arc::default(),
            slots: HashMap::new(),
            running: FuturesUnordered::new(),
            window: Window::default(),
            epoch: 0,
            pin: None,
            expected: None,
            must_reset: false,
            stalled: Vec::new(),
            last_delivery: now(),
            last_reset: now(),
        }
    }

    /// Forgets every folded state: nobody knows what was missed.
    fn forget(&mut self) {
        self.slots.clear();
        self.stalled.clear();
        self.window.clear();
        self.expected = None;
        self.must_reset = true;
        self.epoch += 1;
    }

    /// Has everything above the ack floor delivered again, counted from 1.
    async fn reset(&mut self, deliveries: &mut dyn Deliveries) {
        match deliveries.reset().await {
            Ok(()) => {
                self.must_reset = false;
                self.last_reset = now();
                self.expected = Some(1);
                self.retry_stuck().await;
            }
            Err(error) => {
                tracing::warn!(%error, "resetting the consumer: trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn delivered(&mut self, mut delivery: Delivery) {
        self.last_delivery = now();
        if self.options.rules.no_holes && !self.follows(&delivery) {
            return;
        }
        self.window.delivered(delivery.consumer_seq, std::mem::take(&mut delivery.ack));
        let subject = match Subject::parse(&delivery.subject) {
            Ok(subject) => subject,
            Err(error) => {
                tracing::warn!(seq = delivery.seq, %error, "skipped");
                return self.window.handled(delivery.consumer_seq);
            }
        };
        self.take(subject, delivery);
    }

    /// Is it the next one? If not, what is known may lack something, and is forgotten.
    fn follows(&mut self, delivery: &Delivery) -> bool {
        if self.pin != delivery.pin {
            tracing::info!("it is this instance's turn");
            self.pin.clone_from(&delivery.pin);
            self.forget();
            return false;
        }
        match self.expected {
            // Left from before a reset: it comes again. But the first one after it may be lost too.
            None => return false,
            Some(1) if delivery.consumer_seq != 1 => {
                if self.last_reset.elapsed() > RESET_TIME {
                    self.forget();
                }
                return false;
            }
            Some(expected) if delivery.consumer_seq != expected => {
                tracing::info!(
                    expected,
                    got = delivery.consumer_seq,
                    "a hole in the deliveries: starting over from the floor"
                );
                self.forget();
                return false;
            }
            Some(expected) => self.expected = Some(expected + 1),
        }
        true
    }

    /// On start and on a new pin: missions that an older version could not go on with.
    async fn retry_stuck(&mut self) {
        let filter = format!("stage7.mission.*.*.*.{}.decider.stuck", D::WRITER);
        let Ok(records) = self.log.load(&filter, 0).await else { return };
        for record in records {
            if record.header("ce-workerversion") == Some(self.options.worker_version.as_str()) {
                continue;
            }
            if let Ok(subject) = Subject::parse(&record.subject) {
                let key = (subject.tenant, subject.mission);
                self.slots.entry(key.clone()).or_insert_with(|| Slot::empty(now()));
                // No delivery asks for it: sequence 0 of the consumer stands for this look.
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.parked.push_back(Parked { consumer_seq: 0, seq: record.seq });
                }
                self.load(key, record.seq);
            }
        }
    }

    /// Own words that the consumer has not brought are read: waiting for them could last for ever.
    fn look_after_stalled(&mut self) {
        if self.options.rules.own_words == OwnWords::Awaited {
            return;
        }
        let quiet = self.last_delivery.elapsed() > OWN_WORDS || self.window.open() >= self.options.patience;
        let mut waiting = Vec::new();
        for key in std::mem::take(&mut self.stalled) {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            let Some(since) = slot.stalled else { continue };
            let waited = since.elapsed();
            if (quiet && waited > OWN_WORDS) || waited > OWN_WORDS_AT_LAST {
                self.load(key, 0);
            } else {
                waiting.push(key);
            }
        }
        self.stalled.append(&mut waiting);
    }

    /// Keeps the cache within its size: the longest untouched go first.
    fn sweep(&mut self) {
        if self.slots.len() <= self.options.cache {
            return;
        }
        let mut idle: Vec<_> =
            self.slots.iter().filter(|(_, slot)| slot.rests()).map(|(key, slot)| (slot.touched, key.clone())).collect();
        idle.sort_by_key(|(touched, _)| *touched);
        for (_, key) in idle.into_iter().take(self.slots.len() - self.options.cache * 3 / 4) {
            self.slots.remove(&key);
        }
    }

    async fn flush(&mut self, deliveries: &mut dyn Deliveries) {
        if let Some(ack) = self.window.take_floor()
            && let Err(error) = deliveries.ack_through(&ack).await
        {
            tracing::debug!(%error, "an acknowledgement was lost: the deliveries come again");
        }
    }

    /// Words under way get into the log; nothing new is begun.
    async fn drain(&mut self) {
        let end = now() + Duration::from_secs(3);
        while let Ok(Some((key, done))) = tokio::time::timeout_at(end, self.running.next()).await {
            if let Done::Appended { epoch, result } = done
                && epoch == self.epoch
                && result.complete
                && let Some(slot) = self.slots.get_mut(&key)
            {
                for consumer_seq in slot.settle(result.basis) {
                    self.window.handled(consumer_seq);
                }
            }
        }
    }
}

/// The loop's own clock, for patience only: no decision sees it.
fn now() -> Instant {
    Instant::now()
}
