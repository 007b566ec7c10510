//! A log in memory, for property tests of the loops: it does on purpose what a real server and a
//! real network were seen to do.
//!
//! What goes wrong is left to luck ([`Trouble`]), or written down one by one ([`Fault`]).

mod fault;
mod follow;
mod work;

pub use fault::{Fault, Kind, Op};

use crate::log::{AppendError, Deliveries, Guard, Log, ReadError, Work, chunks};
use async_trait::async_trait;
use bytes::Bytes;
use fault::{Instance, Script};
use follow::{Follower, Pin};
use schemas::{Tenant, Time, value};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};
use streams::record::Record;
use tokio::{sync::Notify, time::Instant};
use work::{Group, Worker};

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
    /// Whose handle it is: faults of the script are somebody's.
    instance: Option<Arc<Instance>>,
}

struct Inner {
    records: Vec<Record>,
    artifacts: HashMap<(String, String), Bytes>,
    floors: HashMap<String, u64>,
    pins: HashMap<String, Pin>,
    followers: u64,
    /// A consumer has one follower at a time; otherwise all believe that it is theirs.
    one_hand: bool,
    /// Requests of effects, by consumer.
    groups: HashMap<String, Group>,
    filters: HashMap<String, String>,
    max_ack_pending: u64,
    trouble: Trouble,
    script: Script,
    random: u64,
    clock: i64,
    loads: u64,
}

impl Memory {
    /// An empty log; `seed` decides what goes wrong when. Every follower believes to be the one.
    pub fn new(seed: u64, trouble: Trouble, max_ack_pending: u64) -> Self {
        let inner = Inner {
            records: Vec::new(),
            artifacts: HashMap::new(),
            floors: HashMap::new(),
            pins: HashMap::new(),
            followers: 0,
            one_hand: false,
            groups: HashMap::new(),
            filters: HashMap::new(),
            max_ack_pending,
            trouble,
            script: Script::default(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            clock: 1_700_000_000_000,
            loads: 0,
        };
        Self { inner: Arc::new(Mutex::new(inner)), changed: Arc::new(Notify::new()), instance: None }
    }

    /// An empty log in which these faults happen, each once; a consumer has one follower at a time.
    pub fn scripted(faults: Vec<Fault>, max_ack_pending: u64) -> Self {
        let log = Self::new(0, Trouble::default(), max_ack_pending);
        let mut inner = log.lock();
        inner.script = Script::new(faults);
        inner.one_hand = true;
        drop(inner);
        log
    }

    /// A handle of a new instance of a service, which the script's faults of that service meet.
    pub fn instance(&self, service: &str) -> Self {
        Self { instance: Some(Arc::new(Instance::new(service))), ..self.clone() }
    }

    /// Waits until a fault has killed this instance.
    pub async fn dies(&self) {
        match &self.instance {
            Some(instance) => instance.life.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Until when this instance stands still, if it does.
    pub fn frozen_until(&self) -> Option<Instant> {
        self.instance.as_ref()?.frozen_until()
    }

    /// How many of the script's faults have happened.
    pub fn met(&self) -> u64 {
        self.lock().script.met
    }

    /// Everything in the log.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    /// The records from the `from`th on, counted from 0.
    pub fn records_from(&self, from: usize) -> Vec<Record> {
        self.lock().records.get(from..).unwrap_or_default().to_vec()
    }

    /// How many records there are.
    pub fn size(&self) -> u64 {
        self.lock().records.len() as u64
    }

    /// How often it was read whole or in part.
    pub fn loads(&self) -> u64 {
        self.lock().loads
    }

    /// Waits until something is appended or acknowledged, at most a little.
    pub async fn changes(&self) {
        let _ = tokio::time::timeout(follow::WAIT, self.changed.notified()).await;
    }

    /// How far a consumer has acknowledged.
    pub fn floor(&self, consumer: &str) -> u64 {
        self.lock().floors.get(consumer).copied().unwrap_or(0)
    }

    /// From now on nothing goes wrong.
    pub fn calm(&self) {
        let mut inner = self.lock();
        inner.trouble = Trouble::default();
        inner.script = Script::default();
        drop(inner);
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
        let fault = self.meets(Op::Append).await;
        if fault == Some(Kind::Lost) {
            return Err(AppendError::Unknown("the request was lost".into()));
        }
        let (seq, unheard) = {
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
            (seq, inner.happens(lost) || fault == Some(Kind::Unheard))
        };
        self.changed.notify_waiters();
        self.goes_on(fault).await;
        if unheard { Err(AppendError::Unknown("the answer was lost".into())) } else { Ok(seq) }
    }

    async fn load(&self, filter: &str, after: u64) -> Result<Vec<Record>, ReadError> {
        tokio::task::yield_now().await;
        let fault = self.meets(Op::Read).await;
        if fault == Some(Kind::Lost) {
            return Err(ReadError::Unknown("the request was lost".into()));
        }
        let read = {
            let mut inner = self.lock();
            inner.loads += 1;
            let stale = inner.trouble.stale_read;
            let missing = match fault {
                Some(Kind::Stale(missing)) => missing as usize,
                _ if inner.happens(stale) => 2,
                _ => 0,
            };
            let cut = inner.records.len().saturating_sub(missing);
            inner.records[..cut].iter().filter(|r| r.seq > after && matches(filter, &r.subject)).cloned().collect()
        };
        self.goes_on(fault).await;
        Ok(read)
    }

    async fn last(&self, filter: &str) -> Result<Option<Record>, ReadError> {
        tokio::task::yield_now().await;
        self.thaws().await;
        Ok(self.lock().last_of(filter).cloned())
    }

    async fn follow(&self, consumer: &str) -> Result<Box<dyn Deliveries>, ReadError> {
        Ok(Box::new(Follower::new(self, consumer)))
    }

    async fn work(&self, consumer: &str) -> Result<Box<dyn Work>, ReadError> {
        Ok(Box::new(Worker::new(self, consumer)))
    }

    async fn ack(&self, ack: &str) -> Result<(), ReadError> {
        if self.meets(Op::Ack).await == Some(Kind::Lost) {
            return Ok(());
        }
        self.taken(ack, |taken| taken.done = true);
        Ok(())
    }

    async fn progress(&self, ack: &str) -> Result<(), ReadError> {
        self.thaws().await;
        self.taken(ack, |taken| taken.since = Some(Instant::now()));
        Ok(())
    }

    async fn live(&self, _subject: String, _payload: Bytes) {}

    async fn put(&self, tenant: &Tenant, sha256: &str, bytes: &[u8]) -> Result<(), AppendError> {
        self.lock().artifacts.insert((tenant.to_string(), sha256.into()), Bytes::copy_from_slice(bytes));
        Ok(())
    }

    async fn get(&self, tenant: &Tenant, sha256: &str, size: u64) -> Result<Bytes, ReadError> {
        // Long enough for deliveries to come meanwhile.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let found = self.lock().artifacts.get(&(tenant.to_string(), sha256.to_string())).cloned();
        let found = found.filter(|bytes| bytes.len() as u64 == size && value::sha256(bytes) == sha256);
        found.ok_or_else(|| ReadError::Artifact {
            sha256: sha256.into(),
            why: format!("its {} chunks are not there", chunks(size)),
        })
    }
}

/// What an acknowledgement is for: its consumer and sequence.
fn place(ack: &str) -> Option<(&str, u64)> {
    let (consumer, seq) = ack.rsplit_once('/')?;
    Some((consumer, seq.parse().ok()?))
}
