//! An effect's consumer: requests, shared by all instances.

use super::{Kind, Memory, Op, follow::WAIT, matches, place};
use crate::log::{Job, ReadError, Work};
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::Instant;

/// A request comes again after so long without a sign: effects give one every second and a half.
const ACK_WAIT: Duration = Duration::from_secs(5);

/// A request that was given to an effect.
pub(super) struct Taken {
    delivered: u64,
    pub done: bool,
    /// It is given once more, whoever has it.
    again: bool,
    /// When it was delivered, or last said to be under way.
    pub since: Instant,
}

impl Memory {
    /// Changes what is known of the request that an acknowledgement is for.
    pub(super) fn taken(&self, ack: &str, change: impl FnOnce(&mut Taken)) {
        if let Some((consumer, seq)) = place(ack)
            && let Some(taken) = self.lock().taken.get_mut(consumer).and_then(|taken| taken.get_mut(&seq))
        {
            change(taken);
        }
    }
}

pub(super) struct Worker {
    log: Memory,
    consumer: String,
}

impl Worker {
    pub fn new(log: &Memory, consumer: &str) -> Self {
        Self { log: log.clone(), consumer: consumer.into() }
    }

    fn take(&self) -> Option<Job> {
        let mut inner = self.log.lock();
        let inner = &mut *inner;
        let duplicate = inner.trouble.duplicate;
        let again = inner.happens(duplicate);
        let filter = inner.filters.get(&self.consumer).map_or(">", String::as_str);
        let all = inner.taken.entry(self.consumer.clone()).or_default();
        let wanted = |seq: u64| match all.get(&seq) {
            None => true,
            Some(taken) => taken.again || (!taken.done && (again || taken.since.elapsed() > ACK_WAIT)),
        };
        let record = inner.records.iter().find(|r| wanted(r.seq) && matches(filter, &r.subject))?.clone();
        let fault = inner.script.next(self.log.instance.as_deref(), Op::Delivery);
        if let Some(Kind::FallBack(_)) = fault {
            for taken in all.values_mut() {
                (taken.delivered, taken.done, taken.again) = (0, false, true);
            }
        }
        match fault {
            Some(Kind::Freeze(ms)) => self.log.freeze(ms),
            Some(Kind::Crash) => self.log.crash(),
            _ => {}
        }
        let fresh = Taken { delivered: 0, done: false, again: false, since: Instant::now() };
        let taken = all.entry(record.seq).or_insert(fresh);
        taken.delivered += 1;
        taken.since = Instant::now();
        taken.again = matches!(fault, Some(Kind::Duplicate(_)));
        Some(Job { delivered: taken.delivered, ack: format!("{}/{}", self.consumer, record.seq), record })
    }
}

#[async_trait]
impl Work for Worker {
    async fn next(&mut self, _free: usize) -> Result<Option<Job>, ReadError> {
        self.log.thaws().await;
        let found = self.take();
        if found.is_none() {
            let _ = tokio::time::timeout(WAIT, self.log.changed.notified()).await;
        }
        // A delivery to an instance that stands still, or is dead, waits in its hands.
        self.log.thaws().await;
        Ok(found)
    }
}
