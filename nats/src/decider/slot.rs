//! One mission in the cache of a decider: its state, how far it is folded, and what waits for it.

use super::read::Seen;
use crate::log::Delivery;
use schemas::{Event, EventId};
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};
use streams::{
    decide::{Decider, Due},
    subject::Subject,
};
use tokio::time::Instant;

/// What a mission is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Idle,
    /// Words of a decision are on their way into the log.
    Appending,
    /// Its log is being read.
    Loading,
    /// Its decider's last word is being looked for.
    Looking,
    /// This version of the worker cannot go on with it.
    Stuck,
}

/// A delivery that is not yet handled.
#[derive(Debug)]
pub struct Parked {
    pub consumer_seq: u64,
    pub seq: u64,
}

/// A delivery that is not whole yet, and those that came after it and wait to be folded.
pub struct Fetching {
    pub consumer_seq: u64,
    pub waiting: VecDeque<(Subject, Delivery)>,
}

pub struct Slot<D: Decider> {
    pub state: D::State,
    /// Log sequence up to which the state holds everything that the decider folds.
    pub folded: u64,
    /// The last event folded.
    pub last: Option<EventId>,
    /// The decider's last own word, known from the log or from its own appends.
    pub own: u64,
    /// Every delivery up to here has had its decision: its words are in the log, whole.
    pub decided: u64,
    /// Own words that its consumer has not brought yet.
    pub said: VecDeque<Event>,
    pub phase: Phase,
    pub parked: VecDeque<Parked>,
    /// What a delivery refers to is being fetched.
    pub fetching: Option<Fetching>,
    /// Came while the log was being read: the read must reach this.
    pub wanted: u64,
    pub touched: Instant,
    /// Since when a decision waits for own words.
    pub stalled: Option<Instant>,
    /// Since when its log is read and nothing of it is there.
    pub nothing_since: Option<Instant>,
}

/// Why a mission cannot go on.
#[derive(Debug, Clone)]
pub struct Panic(pub String);

impl<D: Decider> Slot<D> {
    pub fn empty(now: Instant) -> Self {
        Self {
            state: D::State::default(),
            folded: 0,
            last: None,
            own: 0,
            decided: 0,
            said: VecDeque::new(),
            phase: Phase::Idle,
            parked: VecDeque::new(),
            fetching: None,
            wanted: 0,
            touched: now,
            stalled: None,
            nothing_since: None,
        }
    }

    /// Is nothing under way and nothing waited for? Then the log knows all that is known here.
    pub fn rests(&self) -> bool {
        self.phase == Phase::Idle && self.parked.is_empty() && self.fetching.is_none()
    }

    /// Must a read bring something before anything else is folded?
    pub fn is_behind(&self) -> bool {
        self.phase == Phase::Loading || self.wanted > self.folded
    }

    /// All its deliveries that are not handled.
    pub fn open(&self) -> impl Iterator<Item = u64> {
        let parked = self.parked.iter().map(|parked| parked.consumer_seq);
        let waiting = self.fetching.iter().flat_map(|fetching| {
            std::iter::once(fetching.consumer_seq)
                .chain(fetching.waiting.iter().map(|(_, delivery)| delivery.consumer_seq))
        });
        parked.chain(waiting)
    }

    /// Folds one thing seen at `seq`; what is at or below the fold is in it already.
    ///
    /// # Errors
    /// The message of a panic in `evolve`.
    pub fn fold(&mut self, seq: u64, seen: &Seen) -> Result<(), Panic> {
        if seq <= self.folded {
            return Ok(());
        }
        match seen {
            Seen::Event(event) => {
                self.last = Some(event.id);
                caught(|| D::evolve(&mut self.state, event))?;
            }
            Seen::Passed => caught(|| D::pass(&mut self.state))?,
            Seen::Undecodable(_) => {}
        }
        self.folded = seq;
        Ok(())
    }

    /// The own word at `seq`, if it is at hand; those before it are not asked for any more.
    pub fn said(&mut self, seq: u64) -> Option<Event> {
        while self.said.front().is_some_and(|event| event.seq < seq) {
            self.said.pop_front();
        }
        self.said.pop_front_if(|event| event.seq == seq)
    }

    /// Everything due; without `level` only what the last event led to.
    ///
    /// # Errors
    /// The message of a panic in `decide`.
    pub fn decide(&self, level: bool) -> Result<Vec<Due>, Panic> {
        let mut due = caught(|| D::decide(&self.state))?;
        if let (false, Some(about)) = (level, D::about(&self.state)) {
            let mut causes = vec![self.last];
            due.retain(|due| {
                let led_to = causes.contains(&due.causation);
                causes.extend(led_to.then(|| Some(due.id(about.mission, D::WRITER))));
                led_to
            });
        }
        Ok(due)
    }

    /// Deliveries at or below `basis` have had their decision.
    pub fn settle(&mut self, basis: u64) -> Vec<u64> {
        let (done, open): (VecDeque<_>, VecDeque<_>) = self.parked.drain(..).partition(|parked| parked.seq <= basis);
        self.parked = open;
        done.into_iter().map(|parked| parked.consumer_seq).collect()
    }
}

/// One mission's trouble stays its own: a panic becomes a value.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        Panic(
            text.or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a panic without words".into()),
        )
    })
}
