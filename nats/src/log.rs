//! The log as the loops see it: append under a guard, read, follow, pull work, keep bytes.
//!
//! Two implementations: [`crate::jetstream::JetStream`], and [`crate::memory::Memory`] for property
//! tests, which can do on purpose what the real one was seen to do.

use crate::jetstream::message::stored;
use async_nats::HeaderMap;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use schemas::{Tenant, Time};
use std::{sync::Arc, time::Duration};
use streams::record::Record;

/// An append stands only if the last message under `filter` has this sequence (0: there is none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    pub filter: String,
    pub last: u64,
}

/// Why a record is not in the log, or may not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody has written under the filter since.
    #[error("the log has a newer word under the guard")]
    Conflict,
    /// No answer in time: it may be in the log or not.
    #[error("no answer from the log: {0}")]
    Unknown(String),
    /// There is no room for it: it is not in the log, and can be once somebody makes room.
    #[error("the log is full ({0}): give the stream more bytes, or the server more disk; all goes on by itself then")]
    Full(String),
    /// The log said no (no right, too large): it is not in the log.
    #[error("the log refused: {0}")]
    Refused(String),
}

impl AppendError {
    /// How long to wait before the next try: what was refused will be refused again until a person
    /// does something, and asking twenty times a second would only fill the disk with complaints.
    pub const fn pause(&self) -> Duration {
        match self {
            Self::Full(_) | Self::Refused(_) => Duration::from_secs(1),
            Self::Conflict | Self::Unknown(_) => Duration::from_millis(50),
        }
    }
}

/// A read got no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("no answer from the log: {0}")]
    Unknown(String),
    #[error("the log refused: {0}")]
    Refused(String),
    /// Bytes that a reference names are missing or are not what its hash says.
    #[error("artifact {sha256}: {why}")]
    Artifact { sha256: String, why: String },
}

/// One message on its way to a decider.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub seq: u64,
    pub subject: String,
    /// Consumer sequence: one more than the delivery before, or there is a hole.
    pub consumer_seq: u64,
    /// 1 the first time.
    pub delivered: u64,
    /// Messages of the consumer that come after this one, as far as the log goes now.
    pub pending: u64,
    /// Whose turn it is; changes when another instance took over or the server began anew.
    pub pin: Option<Arc<str>>,
    /// Where an acknowledgement goes.
    pub ack: String,
    pub headers: Headers,
    pub payload: Bytes,
}

/// Headers of a delivery: most deliveries are passed by, and theirs are never looked at.
#[derive(Debug, Clone)]
pub enum Headers {
    Read(Vec<(String, String)>),
    /// As they came: the stored ones, and behind them one of each that the server `added`.
    Wire {
        headers: HeaderMap,
        added: &'static [&'static str],
    },
}

impl Delivery {
    /// What was delivered, as it lies in the log.
    pub fn record(self) -> Record {
        let headers = match self.headers {
            Headers::Read(headers) => headers,
            Headers::Wire { headers, added } => stored(&headers, added),
        };
        Record { seq: self.seq, subject: self.subject, headers, payload: self.payload }
    }
}

/// The deliveries of one pinned consumer, in the order of the stream.
#[async_trait]
pub trait Deliveries: Send {
    /// Waits for the next delivery; `None` after a second without one. Dropping the future loses
    /// nothing.
    async fn next(&mut self) -> Result<Option<Delivery>, ReadError>;
    /// One that is there already.
    fn ready(&mut self) -> Option<Delivery> {
        None
    }
    /// Acknowledges this delivery and all before it.
    async fn ack_through(&mut self, ack: &str) -> Result<(), ReadError>;
    /// Everything above the ack floor comes again, at once.
    async fn reset(&mut self) -> Result<(), ReadError>;
    /// Lets another instance take over without waiting.
    async fn unpin(&mut self) -> Result<(), ReadError>;
}

/// One request on its way to an effect.
#[derive(Debug, Clone)]
pub struct Job {
    pub record: Record,
    /// When the log took it, by the clock of the server.
    pub stored: Time,
    /// 1 the first time.
    pub delivered: u64,
    pub ack: String,
}

/// Requests of one consumer group, shared by all instances.
#[async_trait]
pub trait Work: Send {
    /// Waits for a request, asking for at most `free` in all; `None` after a second without one.
    async fn next(&mut self, free: usize) -> Result<Option<Job>, ReadError>;
}

/// A log of records, with the bytes they refer to.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Now, for `ce-time`.
    fn now(&self) -> Time;

    /// Appends one record; gives its sequence.
    async fn append(&self, record: &Record, guard: &Guard) -> Result<u64, AppendError>;

    /// All records of `filter` above `after`, in order, as far as the log goes now.
    async fn load(&self, filter: &str, after: u64) -> Result<Vec<Record>, ReadError>;

    /// The last record of `filter`.
    async fn last(&self, filter: &str) -> Result<Option<Record>, ReadError>;

    /// Follows the consumer of a decider.
    async fn follow(&self, consumer: &str) -> Result<Box<dyn Deliveries>, ReadError>;

    /// Joins the group of an effect.
    async fn work(&self, consumer: &str) -> Result<Box<dyn Work>, ReadError>;

    /// Done: never again.
    async fn ack(&self, ack: &str) -> Result<(), ReadError>;

    /// Still at it: do not give it to another.
    async fn progress(&self, ack: &str) -> Result<(), ReadError>;

    /// The subjects of what is said under `filter` from now on, as it passes by. Only a hint: some
    /// may be missed, and what the log refuses is heard too.
    async fn overhear(&self, _filter: &str) -> Result<BoxStream<'static, String>, ReadError> {
        Ok(futures::stream::pending().boxed())
    }

    /// Publishes a line to whoever listens now; stored nowhere, lost without harm.
    async fn live(&self, subject: String, payload: Bytes);

    /// Stores bytes under their hash; what is there already is compared.
    async fn put(&self, tenant: &Tenant, sha256: &str, bytes: &[u8]) -> Result<(), AppendError>;

    /// The bytes of a hash, checked.
    async fn get(&self, tenant: &Tenant, sha256: &str, size: u64) -> Result<Bytes, ReadError>;
}

/// How a chunk store cuts bytes: 128 KiB a message.
pub const CHUNK: usize = 128 * 1024;

/// How many chunks so many bytes take; an empty file has one, empty.
pub fn chunks(size: u64) -> u64 {
    size.div_ceil(CHUNK as u64).max(1)
}
