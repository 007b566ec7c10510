//! A log in memory, for property tests of the loops: it does on purpose what a real server and a
//! real network were seen to do.

use crate::log::{AppendError, Deliveries, Delivery, Guard, Job, Log, ReadError, Work, chunks};
use async_trait::async_trait;
use bytes::Bytes;
use schemas::{Tenant, Time, value};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use streams::record::Record;
use tokio::{sync::Notify, time::Instant};

/// After this without a delivery, what is not acknowledged comes again.
const ACK_WAIT: Duration = Duration::from_millis(500);
/// The same for effects, which say every second and a half that they are still at it.
const EFFECT_ACK_WAIT: Duration = Duration::from_secs(5);

/// What goes wrong, and how often: each in one of so many cases, 0 for never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trouble {
    /// An append is refused although it would hold, or stands although its answer is lost.
    pub lost_answer: u32,
    /// A delivery comes a second time.
    pub duplicate: u32,
    /// A delivery is missing under the same pin until a reset.
    pub hole: u32,
    /// The pin moves: the server begins anew.
    pub new_pin: u32,
    /// A read ends before the newest record.
    pub stale_read: u32,
    /// Acknowledgements are forgotten: delivery starts again from an older floor.
    pub forgotten_acks: u32,
}

/// One log, shared by any number of handles.
#[derive(Clone)]
pub struct Memory {
    inner: Arc<Mutex<Inner>>,
    changed: Arc<Notify>,
}

struct Inner {
    records: Vec<Record>,
    artifacts: HashMap<(String, String), Bytes>,
    floors: HashMap<String, u64>,
    pins: HashMap<String, (u64, u64)>,
    /// Requests in the hands of effects, by consumer and sequence.
    taken: HashMap<String, BTreeMap<u64, Taken>>,
    filters: HashMap<String, String>,
    max_ack_pending: u64,
    trouble: Trouble,
    random: u64,
    clock: i64,
}

/// A request that was given to an effect.
#[derive(Clone)]
struct Taken {
    delivered: u64,
    done: bool,
    /// When it was delivered, or last said to be under way.
    since: Instant,
}

impl Memory {
    /// An empty log; `seed` decides what goes wrong when.
    pub fn new(seed: u64, trouble: Trouble, max_ack_pending: u64) -> Self {
        let inner = Inner {
            records: Vec::new(),
            artifacts: HashMap::new(),
            floors: HashMap::new(),
            pins: HashMap::new(),
            taken: HashMap::new(),
            filters: HashMap::new(),
            max_ack_pending,
            trouble,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            clock: 1_700_000_000_000,
        };
        Self { inner: Arc::new(Mutex::new(inner)), changed: Arc::new(Notify::new()) }
    }

    /// Everything in the log.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    /// How far a consumer has acknowledged.
    pub fn floor(&self, consumer: &str) -> u64 {
        self.lock().floors.get(consumer).copied().unwrap_or(0)
    }

    /// From now on nothing goes wrong.
    pub fn calm(&self) {
        self.lock().trouble = Trouble::default();
        self.changed.notify_waiters();
    }

    /// What an effect's consumer is given.
    pub fn filter(&self, consumer: &str, filter: &str) {
        self.lock().filters.insert(consumer.into(), filter.into());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics while holding it")
    }
}

impl Inner {
    fn happens(&mut self, one_in: u32) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        one_in > 0 && self.random.is_multiple_of(u64::from(one_in))
    }

    fn last_of(&self, filter: &str) -> Option<&Record> {
        self.records.iter().rev().find(|record| matches(filter, &record.subject))
    }
}

/// NATS wildcards: `*` is one token, `>` at the end is one or more.
pub fn matches(filter: &str, subject: &str) -> bool {
    let (mut filter, mut subject) = (filter.split('.'), subject.split('.'));
    loop {
        match (filter.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(f), Some(s)) if f == s => {}
            _ => return false,
        }
    }
}

#[async_trait]
impl Log for Memory {
    fn now(&self) -> Time {
        let mut inner = self.lock();
        inner.clock += 1;
        Time(inner.clock)
    }

    async fn append(&self, record: &Record, guard: &Guard) -> Result<u64, AppendError> {
        tokio::task::yield_now().await;
        let mut inner = self.lock();
        let lost = inner.trouble.lost_answer;
        if inner.happens(lost) {
            return Err(AppendError::Unknown("the request was lost".into()));
        }
        if inner.last_of(&guard.filter).map_or(0, |record| record.seq) != guard.last {
            return Err(AppendError::Conflict);
        }
        let seq = inner.records.len() as u64 + 1;
        inner.records.push(Record { seq, ..record.clone() });
        let unheard = inner.happens(lost);
        drop(inner);
        self.changed.notify_waiters();
        if unheard { Err(AppendError::Unknown("the answer was lost".into())) } else { Ok(seq) }
    }

    async fn load(&self, filter: &str, after: u64) -> Result<Vec<Record>, ReadError> {
        tokio::task::yield_now().await;
        let mut inner = self.lock();
        let stale = inner.trouble.stale_read;
        let cut = if inner.happens(stale) { inner.records.len().saturating_sub(2) } else { inner.records.len() };
        Ok(inner.records[..cut].iter().filter(|r| r.seq > after && matches(filter, &r.subject)).cloned().collect())
    }

    async fn last(&self, filter: &str) -> Result<Option<Record>, ReadError> {
        tokio::task::yield_now().await;
        Ok(self.lock().last_of(filter).cloned())
    }

    async fn follow(&self, consumer: &str) -> Result<Box<dyn Deliveries>, ReadError> {
        Ok(Box::new(Follower {
            log: self.clone(),
            consumer: consumer.into(),
            resets: 0,
            pin: 0,
            consumer_seq: 0,
            next: 1,
            again: None,
            quiet_since: Instant::now(),
        }))
    }

    async fn work(&self, consumer: &str) -> Result<Box<dyn Work>, ReadError> {
        Ok(Box::new(Worker { log: self.clone(), consumer: consumer.into() }))
    }

    async fn ack(&self, ack: &str) -> Result<(), ReadError> {
        if let Some((consumer, seq)) = place(ack)
            && let Some(taken) = self.lock().taken.get_mut(consumer).and_then(|taken| taken.get_mut(&seq))
        {
            taken.done = true;
        }
        Ok(())
    }

    async fn progress(&self, ack: &str) -> Result<(), ReadError> {
        if let Some((consumer, seq)) = place(ack)
            && let Some(taken) = self.lock().taken.get_mut(consumer).and_then(|taken| taken.get_mut(&seq))
        {
            taken.since = Instant::now();
        }
        Ok(())
    }

    async fn live(&self, _subject: String, _payload: Bytes) {}

    async fn put(&self, tenant: &Tenant, sha256: &str, bytes: &[u8]) -> Result<(), AppendError> {
        self.lock().artifacts.insert((tenant.to_string(), sha256.into()), Bytes::copy_from_slice(bytes));
        Ok(())
    }

    async fn get(&self, tenant: &Tenant, sha256: &str, size: u64) -> Result<Bytes, ReadError> {
        let found = self.lock().artifacts.get(&(tenant.to_string(), sha256.to_string())).cloned();
        let found = found.filter(|bytes| bytes.len() as u64 == size && value::sha256(bytes) == sha256);
        found.ok_or_else(|| ReadError::Artifact {
            sha256: sha256.into(),
            why: format!("its {} chunks are not there", chunks(size)),
        })
    }
}

fn place(ack: &str) -> Option<(&str, u64)> {
    let (consumer, seq) = ack.rsplit_once('/')?;
    Some((consumer, seq.parse().ok()?))
}

/// A decider's consumer: one at a time, by pin.
struct Follower {
    log: Memory,
    consumer: String,
    resets: u64,
    pin: u64,
    consumer_seq: u64,
    /// The stream sequence to be delivered next.
    next: u64,
    again: Option<u64>,
    quiet_since: Instant,
}

impl Follower {
    /// The next delivery, if there is one now.
    fn take(&mut self) -> Option<Delivery> {
        let mut inner = self.log.lock();
        let trouble = inner.trouble;
        let floor = inner.floors.get(&self.consumer).copied().unwrap_or(0);
        if inner.happens(trouble.forgotten_acks) {
            let older = floor.saturating_sub(1 + inner.random % 5);
            inner.floors.insert(self.consumer.clone(), older);
        }
        let moved = inner.happens(trouble.new_pin);
        let pin = inner.pins.entry(self.consumer.clone()).or_insert((1, 0));
        if moved {
            pin.0 += 1;
        }
        let (pin, resets) = *pin;
        if pin != self.pin || resets != self.resets {
            let floor = inner.floors.get(&self.consumer).copied().unwrap_or(0);
            (self.pin, self.resets, self.next, self.consumer_seq) = (pin, resets, floor + 1, 0);
        }
        if self.next > floor + inner.max_ack_pending {
            return None;
        }
        let hole = inner.happens(trouble.hole);
        let (seq, delivered) = match self.again.take() {
            Some(seq) if seq > floor => (seq, 2),
            _ => {
                let seq = self.next;
                inner.records.get(seq as usize - 1)?;
                self.next += 1;
                if hole {
                    // Delivered into a connection that was just cut.
                    self.consumer_seq += 1;
                    return None;
                }
                (seq, 1)
            }
        };
        if inner.happens(trouble.duplicate) {
            self.again = Some(seq);
        }
        self.consumer_seq += 1;
        let record = inner.records[seq as usize - 1].clone();
        let ack = format!("{}/{seq}", self.consumer);
        let pending = inner.records.len() as u64 - seq;
        Some(Delivery { record, consumer_seq: self.consumer_seq, delivered, pending, pin: Some(pin.to_string()), ack })
    }
}

#[async_trait]
impl Deliveries for Follower {
    async fn next(&mut self) -> Result<Option<Delivery>, ReadError> {
        let changed = Arc::clone(&self.log.changed);
        let changed = changed.notified();
        tokio::task::yield_now().await;
        // Nothing is awaited between taking a delivery and giving it.
        if let Some(delivery) = self.take() {
            self.quiet_since = Instant::now();
            return Ok(Some(delivery));
        }
        // What was delivered and not acknowledged comes again after a while.
        if self.quiet_since.elapsed() > ACK_WAIT {
            self.quiet_since = Instant::now();
            let floor = self.log.floor(&self.consumer);
            if floor + 1 < self.next {
                self.again = Some(floor + 1);
            }
        }
        let _ = tokio::time::timeout(Duration::from_millis(20), changed).await;
        Ok(None)
    }

    async fn ack_through(&mut self, ack: &str) -> Result<(), ReadError> {
        if let Some((_, seq)) = place(ack) {
            let mut inner = self.log.lock();
            let floor = inner.floors.entry(self.consumer.clone()).or_default();
            *floor = (*floor).max(seq);
            drop(inner);
            self.log.changed.notify_waiters();
        }
        Ok(())
    }

    async fn reset(&mut self) -> Result<(), ReadError> {
        let mut inner = self.log.lock();
        inner.pins.entry(self.consumer.clone()).or_insert((1, 0)).1 += 1;
        self.again = None;
        Ok(())
    }

    async fn unpin(&mut self) -> Result<(), ReadError> {
        self.log.lock().pins.entry(self.consumer.clone()).or_insert((1, 0)).0 += 1;
        Ok(())
    }
}

/// An effect's consumer, shared.
struct Worker {
    log: Memory,
    consumer: String,
}

#[async_trait]
impl Work for Worker {
    async fn next(&mut self, _free: usize) -> Result<Option<Job>, ReadError> {
        let found = {
            let mut inner = self.log.lock();
            let again = inner.trouble.duplicate;
            let again = inner.happens(again);
            let filter = inner.filters.get(&self.consumer).cloned().unwrap_or_else(|| ">".into());
            let taken = inner.taken.get(&self.consumer).cloned().unwrap_or_default();
            let wanted = |seq: u64| match taken.get(&seq) {
                None => true,
                Some(taken) => !taken.done && (again || taken.since.elapsed() > EFFECT_ACK_WAIT),
            };
            let record = inner.records.iter().find(|r| matches(&filter, &r.subject) && wanted(r.seq)).cloned();
            record.map(|record| {
                let taken = inner.taken.entry(self.consumer.clone()).or_default();
                let taken =
                    taken.entry(record.seq).or_insert(Taken { delivered: 0, done: false, since: Instant::now() });
                taken.delivered += 1;
                taken.since = Instant::now();
                let ack = format!("{}/{}", self.consumer, record.seq);
                Job { record, delivered: taken.delivered, ack }
            })
        };
        if found.is_none() {
            let _ = tokio::time::timeout(Duration::from_millis(20), self.log.changed.notified()).await;
        }
        Ok(found)
    }
}
