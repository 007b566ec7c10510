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
mod window;

pub use append::append as append_event;
pub use read::{Catalogues, Seen, attach, resolved};

use crate::log::{Deliveries, Delivery, Log, ReadError};
use append::Appended;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use schemas::{MissionId, Tenant};
use slot::{Panic, Parked, Phase, Slot};
use std::{collections::HashMap, sync::Arc, time::Duration};
use streams::{decide::Decider, subject::Subject};
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
}

impl Options {
    pub fn new(worker_version: impl Into<String>) -> Self {
        Self { worker_version: worker_version.into(), patience: 400, cache: 20_000 }
    }
}

/// How often the floor is acknowledged at the latest, and stalled missions are looked at.
const TICK: Duration = Duration::from_millis(10);
/// Handled deliveries that one acknowledgement covers at the most.
const FLUSH: usize = 256;
/// Own words usually come by themselves within this.
const OWN_WORDS: Duration = Duration::from_millis(5);
/// However busy the stream is, own words are read after this.
const OWN_WORDS_AT_LAST: Duration = Duration::from_millis(250);
/// Between two tries of what the log did not answer or let in.
const PAUSE: Duration = Duration::from_millis(50);

/// What was under way when the consumer was reset has come by then.
const RESET_TIME: Duration = Duration::from_secs(1);

type Key = (Tenant, MissionId);

enum Done {
    Loaded { epoch: u64, result: Result<read::Mission, ReadError> },
    Appended { epoch: u64, result: Appended },
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
    pin: Option<String>,
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
                Ok(Some(delivery)) => decider.delivered(delivery),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(worker = D::NAME, %error, "following the log: trying again");
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
        tracing::debug!(worker = D::NAME, %error, "the pin will pass by itself");
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
                tracing::warn!(worker = D::NAME, %error, "resetting the consumer: trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn delivered(&mut self, delivery: Delivery) {
        self.last_delivery = now();
        if self.pin != delivery.pin {
            tracing::info!(worker = D::NAME, "it is this instance's turn");
            self.pin.clone_from(&delivery.pin);
            return self.forget();
        }
        match self.expected {
            // Left from before a reset: it comes again. But the first one after it may be lost too.
            None => return,
            Some(1) if delivery.consumer_seq != 1 => {
                if self.last_reset.elapsed() > RESET_TIME {
                    self.forget();
                }
                return;
            }
            Some(expected) if delivery.consumer_seq != expected => {
                tracing::info!(worker = D::NAME, expected, got = delivery.consumer_seq, "a hole in the deliveries: starting over from the floor");
                return self.forget();
            }
            Some(expected) => self.expected = Some(expected + 1),
        }
        self.window.delivered(delivery.consumer_seq, delivery.ack.clone());
        let subject = match Subject::parse(&delivery.record.subject) {
            Ok(subject) => subject,
            Err(error) => {
                tracing::warn!(worker = D::NAME, seq = delivery.record.seq, %error, "skipped");
                return self.window.handled(delivery.consumer_seq);
            }
        };
        self.take(subject, delivery);
    }

    /// One delivery for one mission.
    fn take(&mut self, subject: Subject, delivery: Delivery) {
        let (seq, consumer_seq) = (delivery.record.seq, delivery.consumer_seq);
        let key = (subject.tenant.clone(), subject.mission);
        // A mission's first word needs no reading; any other mission that is not here does.
        let first = subject.kind == "mission.created" && delivery.delivered == 1;
        let known = self.slots.contains_key(&key);
        let slot = self.slots.entry(key.clone()).or_insert_with(|| Slot::empty(now()));
        slot.touched = now();
        if slot.phase == Phase::Stuck {
            if read::is_retry::<D>(&subject, &delivery.record) {
                *slot = Slot { own: slot.own, ..Slot::empty(now()) };
                slot.parked.push_back(Parked { consumer_seq, seq });
                return self.load(key, seq);
            }
            return self.window.handled(consumer_seq);
        }
        if seq <= slot.folded {
            // In the state already. It may still be what a decision under way is about.
            slot.parked.push_back(Parked { consumer_seq, seq });
            return self.advance(key);
        }
        // The cache holds every delivery up to now, so one that comes again without being folded
        // shows that it does not.
        let hole = known && delivery.delivered > 1;
        if slot.phase == Phase::Loading || hole || !(known || first) {
            slot.parked.push_back(Parked { consumer_seq, seq });
            if hole {
                slot.state = D::State::default();
                slot.folded = 0;
            }
            return self.load(key, seq);
        }
        if subject.writer == D::WRITER {
            slot.own = slot.own.max(seq);
        }
        match read::at_once::<D>(&delivery.record, &subject, &self.catalogues) {
            None => {
                slot.parked.push_back(Parked { consumer_seq, seq });
                self.load(key, seq);
            }
            Some(seen) => {
                let passed = !matches!(seen, Seen::Event(_));
                let folded = slot.fold(seq, &seen);
                match folded {
                    Err(panic) => self.stuck(key, panic, seq),
                    // Nothing is due because of what is only counted.
                    Ok(()) if passed => self.window.handled(consumer_seq),
                    Ok(()) => {
                        slot.parked.push_back(Parked { consumer_seq, seq });
                        self.advance(key);
                    }
                }
            }
        }
    }

    /// Decides, if the mission is idle and holds all that it said itself.
    fn advance(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if slot.phase != Phase::Idle || slot.parked.is_empty() {
            return;
        }
        if slot.folded < slot.own {
            if slot.stalled.is_none() {
                slot.stalled = Some(now());
                self.stalled.push(key);
            }
            return;
        }
        slot.stalled = None;
        let basis = slot.folded;
        match slot.decide() {
            Err(panic) => self.stuck(key, panic, basis),
            Ok(due) if due.is_empty() => {
                for consumer_seq in slot.settle(basis) {
                    self.window.handled(consumer_seq);
                }
            }
            Ok(due) => {
                let about = D::about(&slot.state).expect("something is due, so the mission has begun").clone();
                slot.phase = Phase::Appending;
                let job = append::Job { about, writer: D::WRITER, own: slot.own, basis, due, worker_version: self.options.worker_version.clone() };
                let (log, epoch) = (Arc::clone(&self.log), self.epoch);
                self.running.push(async move { (key, Done::Appended { epoch, result: job.run(log.as_ref()).await }) }.boxed());
            }
        }
    }

    /// Reads the mission from its fold on, at least up to `wanted`.
    fn load(&mut self, key: Key, wanted: u64) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.wanted = slot.wanted.max(wanted).max(slot.own);
        slot.stalled = None;
        if slot.phase != Phase::Idle {
            // A decision under way ends first; its words are read with the rest.
            return;
        }
        slot.phase = Phase::Loading;
        let (log, epoch, catalogues, after) = (Arc::clone(&self.log), self.epoch, Arc::clone(&self.catalogues), slot.folded);
        self.running.push(
            async move {
                let result = read::mission::<D>(log.as_ref(), &key.0, key.1, after, &catalogues).await;
                (key, Done::Loaded { epoch, result })
            }
            .boxed(),
        );
    }

    fn done(&mut self, key: Key, done: Done) {
        match done {
            Done::Loaded { epoch, result } if epoch == self.epoch => self.loaded(key, result),
            Done::Appended { epoch, result } if epoch == self.epoch => self.appended(key, result),
            _ => {}
        }
    }

    fn loaded(&mut self, key: Key, result: Result<read::Mission, ReadError>) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.phase = Phase::Idle;
        let mission = match result {
            Ok(mission) => mission,
            Err(ReadError::Artifact { sha256, why }) => {
                let at = slot.wanted;
                return self.stuck(key, Panic(format!("artifact {sha256}: {why}")), at);
            }
            Err(error) => {
                tracing::warn!(worker = D::NAME, mission = %key.1, %error, "reading a mission: trying again");
                return self.load_later(key);
            }
        };
        slot.own = slot.own.max(mission.own);
        if mission.stuck.as_ref().is_some_and(|version| *version == self.options.worker_version) {
            return self.leave_stuck(key);
        }
        for (seq, seen) in &mission.seen {
            if let Err(panic) = slot.fold(*seq, seen) {
                return self.stuck(key, panic, *seq);
            }
        }
        if slot.folded.max(mission.last) < slot.wanted.max(slot.own) {
            // A follower that lags gave a stale answer; or the trigger has left the log by
            // archiving, and then nothing of the mission is there.
            if mission.last == 0 && slot.folded == 0 {
                return self.gone(key);
            }
            return self.load_later(key);
        }
        self.advance(key);
    }

    /// The mission was archived: there is nothing left to decide.
    fn gone(&mut self, key: Key) {
        if let Some(slot) = self.slots.remove(&key) {
            slot.parked.iter().for_each(|parked| self.window.handled(parked.consumer_seq));
        }
    }

    fn load_later(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.phase = Phase::Loading;
        let (log, epoch, catalogues, after) = (Arc::clone(&self.log), self.epoch, Arc::clone(&self.catalogues), slot.folded);
        self.running.push(
            async move {
                tokio::time::sleep(PAUSE).await;
                let result = read::mission::<D>(log.as_ref(), &key.0, key.1, after, &catalogues).await;
                (key, Done::Loaded { epoch, result })
            }
            .boxed(),
        );
    }

    fn appended(&mut self, key: Key, result: Appended) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if slot.phase == Phase::Stuck {
            return self.leave_stuck(key);
        }
        slot.phase = Phase::Idle;
        slot.own = slot.own.max(result.own);
        if result.complete {
            for consumer_seq in slot.settle(result.basis) {
                self.window.handled(consumer_seq);
            }
            if slot.wanted > slot.folded {
                let wanted = slot.wanted;
                return self.load(key, wanted);
            }
            return self.advance(key);
        }
        // Refused or unknown: the log has more than this state, look and decide again.
        slot.state = D::State::default();
        slot.folded = 0;
        if slot.parked.is_empty() {
            self.slots.remove(&key);
            return;
        }
        if result.retry_later { self.load_later(key) } else { self.load(key, 0) }
    }

    /// Says that this version cannot go on with the mission, and leaves it alone.
    fn stuck(&mut self, key: Key, panic: Panic, at: u64) {
        tracing::error!(worker = D::NAME, mission = %key.1, seq = at, message = panic.0, "a mission is stuck");
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.phase = Phase::Stuck;
        let job = append::stuck::<D>(&key, &panic.0, at, slot.own, &self.options.worker_version);
        let (log, epoch) = (Arc::clone(&self.log), self.epoch);
        self.running.push(
            async move {
                job.run_to_the_end(log.as_ref(), &key.0, key.1, D::WRITER).await;
                (key, Done::Appended { epoch, result: Appended::nothing() })
            }
            .boxed(),
        );
        // Its deliveries are handled once the word is in the log: see `appended`.
    }

    fn leave_stuck(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.phase = Phase::Stuck;
        let parked: Vec<_> = slot.parked.drain(..).collect();
        parked.iter().for_each(|parked| self.window.handled(parked.consumer_seq));
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
        let mut idle: Vec<_> = self.slots.iter().filter(|(_, slot)| slot.phase == Phase::Idle && slot.parked.is_empty()).map(|(key, slot)| (slot.touched, key.clone())).collect();
        idle.sort_by_key(|(touched, _)| *touched);
        for (_, key) in idle.into_iter().take(self.slots.len() - self.options.cache * 3 / 4) {
            self.slots.remove(&key);
        }
    }

    async fn flush(&mut self, deliveries: &mut dyn Deliveries) {
        if let Some(ack) = self.window.take_floor()
            && let Err(error) = deliveries.ack_through(&ack).await
        {
            tracing::debug!(worker = D::NAME, %error, "an acknowledgement was lost: the deliveries come again");
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
