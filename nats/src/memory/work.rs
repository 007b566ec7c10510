//! An effect's consumer: requests, shared by all instances.

use super::{Kind, Memory, Op, follow::WAIT, matches, place};
use crate::log::{Job, ReadError, Work};
use async_trait::async_trait;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// A request comes again after so long without a sign: effects give one every second and a half.
const ACK_WAIT: Duration = Duration::from_secs(5);

/// The requests of a consumer.
#[derive(Default)]
pub(super) struct Group {
    /// So many records have been looked at.
    seen: usize,
    /// Those that it wants, by sequence.
    requests: BTreeMap<u64, Taken>,
}

/// A request, and what became of it.
#[derive(Default)]
pub(super) struct Taken {
    delivered: u64,
    pub done: bool,
    /// It is given once more, whoever has it.
    again: bool,
    /// When it was delivered, or last said to be under way.
    pub since: Option<Instant>,
}

impl Memory {
    /// Changes what is known of the request that an acknowledgement is for.
    pub(super) fn taken(&self, ack: &str, change: impl FnOnce(&mut Taken)) {
        if let Some((consumer, seq)) = place(ack)
            && let Some(taken) = self.lock().groups.get_mut(consumer).and_then(|group| group.requests.get_mut(&seq))
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
        let group = inner.groups.entry(self.consumer.clone()).or_default();
        let new = inner.records[group.seen..].iter().filter(|record| matches(filter, &record.subject));
        group.requests.extend(new.map(|record| (record.seq, Taken::default())));
        group.seen = inner.records.len();
        let wanted = |taken: &Taken| {
            let silent = taken.since.is_none_or(|since| since.elapsed() > ACK_WAIT);
            taken.again || (!taken.done && (again || silent))
        };
        let seq = *group.requests.iter().find(|(_, taken)| wanted(taken))?.0;
        let fault = inner.script.next(self.log.instance.as_deref(), Op::Delivery);
        match fault {
            Some(Kind::FallBack(_)) => {
                group.requests.values_mut().filter(|taken| taken.since.is_some()).for_each(|taken| {
                    (taken.delivered, taken.done, taken.again) = (0, false, true);
                })
            }
            Some(Kind::Freeze(ms)) => self.log.freeze(ms),
            Some(Kind::Crash) => self.log.crash(),
            _ => {}
        }
        let taken = group.requests.get_mut(&seq)?;
        taken.delivered += 1;
        taken.since = Some(Instant::now());
        taken.again = matches!(fault, Some(Kind::Duplicate(_)));
        let record = inner.records[seq as usize - 1].clone();
        let stored = record.header("ce-time").and_then(|time| time.parse().ok()).unwrap_or_default();
        Some(Job { record, stored, delivered: taken.delivered, ack: format!("{}/{seq}", self.consumer) })
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
