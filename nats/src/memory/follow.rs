//! A decider's consumer: deliveries in order, to one follower at a time.

use super::{Kind, Memory, Op, place};
use crate::log::{Deliveries, Delivery, Headers, ReadError};
use async_trait::async_trait;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use streams::record::Record;
use tokio::time::Instant;

/// After this without a delivery, what is not acknowledged comes again.
const ACK_WAIT: Duration = Duration::from_millis(500);
/// A pin passes to another when its holder has not asked for this long.
const PIN_TIMEOUT: Duration = Duration::from_secs(1);
/// A follower hears that there is nothing this often.
pub(super) const WAIT: Duration = Duration::from_millis(20);
/// So many deliveries of the new pin come before a late batch of the old one.
const BEFORE_LATE: u64 = 2;

/// Whose turn a consumer's followers are.
#[derive(Default)]
pub(super) struct Pin {
    generation: u64,
    resets: u64,
    holder: Option<(u64, Instant)>,
}

pub(super) struct Follower {
    log: Memory,
    consumer: String,
    id: u64,
    /// The pin's generation and the resets that it knows of.
    seen: (u64, u64),
    consumer_seq: u64,
    /// The stream sequence to be delivered next.
    next: u64,
    /// To be delivered again, once the consumer sequence is this.
    again: Vec<(u64, u64)>,
    /// Deliveries of an earlier pin that are on their way, and how many of the new one come first.
    in_hand: VecDeque<Delivery>,
    before: u64,
    late_until: Option<Instant>,
    quiet_since: Instant,
}

impl Follower {
    pub fn new(log: &Memory, consumer: &str) -> Self {
        let mut inner = log.lock();
        inner.followers += 1;
        let id = inner.followers;
        drop(inner);
        Self {
            log: log.clone(),
            consumer: consumer.into(),
            id,
            seen: (0, 0),
            consumer_seq: 0,
            next: 1,
            again: Vec::new(),
            in_hand: VecDeque::new(),
            before: 0,
            late_until: None,
            quiet_since: Instant::now(),
        }
    }

    /// The next delivery, if there is one now.
    fn take(&mut self) -> Option<Delivery> {
        if self.late_until.is_some_and(|until| until > Instant::now()) {
            return None;
        }
        if self.before == 0
            && let Some(delivery) = self.in_hand.pop_front()
        {
            return Some(delivery);
        }
        let log = self.log.clone();
        let mut inner = log.lock();
        let inner = &mut *inner;
        let trouble = inner.trouble;
        let mut floor = inner.floors.get(&self.consumer).copied().unwrap_or(0);
        if inner.happens(trouble.forgotten_acks) {
            floor = floor.saturating_sub(1 + inner.random % 5);
            inner.floors.insert(self.consumer.clone(), floor);
        }
        let (moved, hole) = (inner.happens(trouble.new_pin), inner.happens(trouble.hole));
        let duplicate = inner.happens(trouble.duplicate);
        let pin = inner.pins.entry(self.consumer.clone()).or_default();
        pin.generation += u64::from(moved);
        match pin.holder {
            _ if !inner.one_hand => {}
            Some((holder, asked)) if holder != self.id && asked.elapsed() < PIN_TIMEOUT => return None,
            Some((holder, _)) if holder == self.id => pin.holder = Some((self.id, Instant::now())),
            _ => {
                pin.holder = Some((self.id, Instant::now()));
                pin.generation += 1;
            }
        }
        if (pin.generation, pin.resets) != self.seen {
            self.seen = (pin.generation, pin.resets);
            (self.next, self.consumer_seq) = (floor + 1, 0);
            self.again.clear();
        }
        let again = self.again.iter().position(|(seq, when)| *seq > floor && *when <= self.consumer_seq);
        let again = again.map(|at| self.again.remove(at).0);
        let (seq, delivered) = match again {
            Some(seq) => (seq, 2),
            // Only what comes again comes though too much waits for its acknowledgement.
            None if self.next > floor + inner.max_ack_pending => return None,
            None => {
                let seq = self.next;
                inner.records.get(seq as usize - 1)?;
                let fault = inner.script.next(log.instance.as_deref(), Op::Delivery);
                match fault {
                    Some(Kind::NewPin) => pin.generation += 1,
                    Some(Kind::FallBack(by)) => {
                        let fallen = floor.saturating_sub(by.into());
                        inner.floors.insert(self.consumer.clone(), fallen);
                        self.consumer_seq = self.consumer_seq.saturating_sub((seq - 1).saturating_sub(fallen));
                        self.next = fallen + 1;
                    }
                    Some(Kind::Late(ms)) => {
                        self.late_until = Some(Instant::now() + Duration::from_millis(ms.into()));
                    }
                    Some(Kind::LateBatch(size) | Kind::TwoOwners(size)) => {
                        for (record, n) in inner.records[seq as usize - 1..].iter().zip(0..u64::from(size)) {
                            let Record { seq: at, subject, headers, payload } = record.clone();
                            self.in_hand.push_back(Delivery {
                                seq: at,
                                subject,
                                headers: Headers::Read(headers),
                                payload,
                                consumer_seq: self.consumer_seq + 1 + n,
                                delivered: 1,
                                pending: inner.records.len() as u64 - record.seq,
                                pin: Some(pin.generation.to_string().into()),
                                ack: format!("{}/{}", self.consumer, seq + n),
                            });
                        }
                        let same = matches!(fault, Some(Kind::LateBatch(_)));
                        self.before = if same { BEFORE_LATE } else { 0 };
                        pin.generation += 1;
                        if !same {
                            pin.holder = None;
                        }
                    }
                    Some(Kind::Freeze(ms)) => log.freeze(ms),
                    Some(Kind::Crash) => log.crash(),
                    Some(Kind::Duplicate(later)) => self.again.push((seq, self.consumer_seq + 1 + u64::from(later))),
                    _ => {}
                }
                match fault {
                    None | Some(Kind::Duplicate(_) | Kind::Lost) => {}
                    // It comes with the next look, or not to this one.
                    Some(_) => return None,
                }
                self.next += 1;
                if hole || fault == Some(Kind::Lost) {
                    // Delivered into a connection that was just cut.
                    self.consumer_seq += 1;
                    return None;
                }
                (seq, 1)
            }
        };
        self.before = self.before.saturating_sub(1);
        if duplicate {
            self.again.push((seq, 0));
        }
        self.consumer_seq += 1;
        let Record { subject, headers, payload, .. } = inner.records[seq as usize - 1].clone();
        let headers = Headers::Read(headers);
        let ack = format!("{}/{seq}", self.consumer);
        let pending = inner.records.len() as u64 - seq;
        let pin = Some(self.seen.0.to_string().into());
        let consumer_seq = self.consumer_seq;
        Some(Delivery { seq, subject, headers, payload, consumer_seq, delivered, pending, pin, ack })
    }
}

#[async_trait]
impl Deliveries for Follower {
    async fn next(&mut self) -> Result<Option<Delivery>, ReadError> {
        let changed = Arc::clone(&self.log.changed);
        let changed = changed.notified();
        tokio::task::yield_now().await;
        self.log.thaws().await;
        // Nothing is awaited between taking a delivery and giving it.
        if let Some(delivery) = self.take() {
            self.quiet_since = Instant::now();
            return Ok(Some(delivery));
        }
        // What was delivered and not acknowledged comes again after a while.
        if self.quiet_since.elapsed() > ACK_WAIT {
            self.quiet_since = Instant::now();
            let floor = self.log.floor(&self.consumer);
            self.again = (floor + 1..self.next).map(|seq| (seq, 0)).collect();
        }
        let _ = tokio::time::timeout(WAIT, changed).await;
        Ok(None)
    }

    async fn ack_through(&mut self, ack: &str) -> Result<(), ReadError> {
        if self.log.meets(Op::Ack).await == Some(Kind::Lost) {
            return Ok(());
        }
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
        self.log.thaws().await;
        self.log.lock().pins.entry(self.consumer.clone()).or_default().resets += 1;
        self.again.clear();
        Ok(())
    }

    async fn unpin(&mut self) -> Result<(), ReadError> {
        let mut inner = self.log.lock();
        let pin = inner.pins.entry(self.consumer.clone()).or_default();
        pin.resets += 1;
        pin.holder = pin.holder.filter(|(holder, _)| *holder != self.id);
        Ok(())
    }
}
