//! One mission's turn: what a delivery, a read or an append means for it.

use super::{Appended, Came, Done, GONE, Key, Loop, OwnWords, PAUSE, append, now, read};
use crate::{
    decider::{
        Seen,
        slot::{Fetching, Panic, Parked, Phase, Slot},
    },
    log::{Delivery, ReadError},
};
use futures::FutureExt;
use schemas::{MissionId, Writer};
use std::{collections::VecDeque, sync::Arc};
use streams::{
    decide::Decider,
    record::Record,
    subject::{self, Subject},
};

impl<D: Decider> Loop<D> {
    /// One delivery for one mission.
    pub(super) fn take(&mut self, subject: Subject, delivery: Delivery) {
        let (seq, consumer_seq, pending) = (delivery.seq, delivery.consumer_seq, delivery.pending);
        let key = (subject.tenant.clone(), subject.mission);
        if subject.writer == Writer::Librarian {
            return self.leaves(key, consumer_seq);
        }
        // A mission's first word needs no reading; any other mission that is not here does.
        let first = subject.kind == "mission.created" && delivery.delivered == 1;
        let known = self.slots.contains_key(&key);
        let slot = self.slots.entry(key.clone()).or_insert_with(|| Slot::empty(now()));
        slot.touched = now();
        if let Some(fetching) = &mut slot.fetching {
            return fetching.waiting.push_back((subject, delivery));
        }
        if slot.phase == Phase::Stuck {
            if read::is_retry::<D>(&subject, &delivery.payload) {
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
        let hole = self.options.rules.no_holes && known && delivery.delivered > 1;
        // What a read must still bring comes before this: folding now would skip it for ever.
        if slot.is_behind() || hole || !(known || first) {
            slot.parked.push_back(Parked { consumer_seq, seq });
            if hole {
                // A look that shows less than was known would be another hole.
                slot.wanted = slot.wanted.max(slot.folded);
                slot.state = D::State::default();
                slot.folded = 0;
            }
            return self.load(key, seq);
        }
        let came = Came { seq, consumer_seq, pending, own: subject.writer == D::WRITER };
        // Its own word it need not read again.
        match slot.said(seq) {
            _ if !read::concerns::<D>(&subject) => self.see(key, came, &Seen::Passed),
            Some(event) => {
                debug_assert!(read::is_same(delivery.record(), &event), "what is remembered is not what is stored");
                self.see(key, came, &Seen::Event(Box::new(event)));
            }
            None => {
                let record = delivery.record();
                match read::at_once::<D>(&record, subject, &self.catalogues) {
                    Some(seen) => self.see(key, came, &seen),
                    None => self.fetch(key, came, record),
                }
            }
        }
    }

    /// Folds what comes next of a mission that lacks nothing before it.
    fn see(&mut self, key: Key, came: Came, seen: &Seen) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let Came { seq, consumer_seq, .. } = came;
        if came.own {
            slot.own = slot.own.max(seq);
        }
        let (first, passed) = (slot.folded == 0, !matches!(seen, Seen::Event(_)));
        tell_skipped(key.1, seq, seen);
        match slot.fold(seq, seen) {
            Err(panic) => self.stuck(key, panic, seq),
            // Nothing is due because of what is only counted.
            Ok(()) if passed || seq <= slot.decided => self.window.handled(consumer_seq),
            Ok(()) => {
                slot.parked.push_back(Parked { consumer_seq, seq });
                if first && came.pending > self.options.behind {
                    self.look(key);
                } else {
                    self.advance(key);
                }
            }
        }
    }

    /// Gets what a delivery refers to; its mission's next deliveries wait meanwhile, which is less than
    /// reading the mission: after a start, thousands may come before their catalogue does.
    fn fetch(&mut self, key: Key, came: Came, record: Record) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.fetching = Some(Fetching { consumer_seq: came.consumer_seq, waiting: VecDeque::new() });
        let (log, epoch, catalogues) = (Arc::clone(&self.log), self.epoch, Arc::clone(&self.catalogues));
        self.running.push(
            async move {
                let result = read::resolved::<D>(log.as_ref(), record, &catalogues).await;
                (key, Done::Fetched { epoch, came, result })
            }
            .boxed(),
        );
    }

    fn fetched(&mut self, key: Key, came: Came, result: Result<Seen, ReadError>) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let Came { seq, consumer_seq, .. } = came;
        // If the mission was archived meanwhile, this was handled with all else of it.
        let fetching = slot.fetching.take_if(|fetching| fetching.consumer_seq == consumer_seq);
        let Some(Fetching { mut waiting, .. }) = fetching else { return };
        match result {
            _ if slot.phase == Phase::Stuck => self.window.handled(consumer_seq),
            Ok(seen) if seq > slot.folded && !slot.is_behind() => self.see(key.clone(), came, &seen),
            _ => {
                slot.parked.push_back(Parked { consumer_seq, seq });
                if seq <= slot.folded {
                    self.advance(key.clone());
                } else {
                    // What can't be had, reading the mission meets again, and knows what to do.
                    self.load(key.clone(), seq);
                }
            }
        }
        while let Some((subject, delivery)) = waiting.pop_front() {
            self.take(subject, delivery);
            if let Some(next) = self.slots.get_mut(&key).and_then(|slot| slot.fetching.as_mut()) {
                return next.waiting.append(&mut waiting);
            }
        }
    }

    /// Decides, if the mission is idle and holds all that it said itself.
    pub(super) fn advance(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if slot.phase != Phase::Idle || slot.parked.is_empty() {
            return;
        }
        if slot.folded < slot.own && self.options.rules.own_words != OwnWords::Ignored {
            if slot.stalled.is_none() {
                slot.stalled = Some(now());
                self.stalled.push(key);
            }
            return;
        }
        slot.stalled = None;
        let basis = slot.folded;
        match slot.decide(self.options.rules.level) {
            Err(panic) => self.stuck(key, panic, basis),
            Ok(due) if due.is_empty() => {
                for consumer_seq in slot.settle(basis) {
                    self.window.handled(consumer_seq);
                }
            }
            Ok(due) => {
                let about = D::about(&slot.state).expect("something is due, so the mission has begun").clone();
                slot.phase = Phase::Appending;
                let job = append::Job {
                    about,
                    writer: D::WRITER,
                    own: slot.own,
                    guarded: self.options.rules.guards,
                    basis,
                    due,
                    worker_version: self.options.worker_version.clone(),
                };
                let (log, epoch) = (Arc::clone(&self.log), self.epoch);
                self.running
                    .push(async move { (key, Done::Appended { epoch, result: job.run(log.as_ref()).await }) }.boxed());
            }
        }
    }

    /// Reads the mission from its fold on, at least up to `wanted`.
    pub(super) fn load(&mut self, key: Key, wanted: u64) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.wanted = slot.wanted.max(wanted).max(slot.own);
        slot.stalled = None;
        if slot.phase != Phase::Idle {
            // A decision under way ends first; its words are read with the rest.
            return;
        }
        slot.phase = Phase::Loading;
        let (log, epoch, catalogues, after) =
            (Arc::clone(&self.log), self.epoch, Arc::clone(&self.catalogues), slot.folded);
        let version = self.options.worker_version.clone();
        self.running.push(
            async move {
                let result = read::mission::<D>(log.as_ref(), &key.0, key.1, after, &catalogues, &version).await;
                (key, Done::Loaded { epoch, result })
            }
            .boxed(),
        );
    }

    /// Far behind, the mission's own words are most likely ahead: one look spares a decision that the
    /// log would refuse, and the reading that follows from that. Meanwhile what comes is folded.
    fn look(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.phase = Phase::Looking;
        let (log, epoch) = (Arc::clone(&self.log), self.epoch);
        self.running.push(
            async move {
                let found = log.last(&subject::family(&key.0, key.1, D::WRITER)).await;
                (key, Done::Looked { epoch, found })
            }
            .boxed(),
        );
    }

    /// What was found is only a better beginning: if nothing was, the guard of the append tells.
    fn looked(&mut self, key: Key, found: Result<Option<Record>, ReadError>) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if slot.phase != Phase::Looking {
            return;
        }
        slot.phase = Phase::Idle;
        if let Ok(Some(last)) = found {
            slot.own = slot.own.max(last.seq);
            match Subject::parse(&last.subject) {
                // What that means, reading the mission tells.
                Ok(subject) if subject.kind == "decider.stuck" => return self.load(key, last.seq),
                _ => {}
            }
            if let Some(basis) = append::whole(&last) {
                slot.decided = slot.decided.max(basis);
                for consumer_seq in slot.settle(basis) {
                    self.window.handled(consumer_seq);
                }
            }
        }
        if slot.wanted > slot.folded {
            let wanted = slot.wanted;
            return self.load(key, wanted);
        }
        self.advance(key);
    }

    pub(super) fn done(&mut self, key: Key, done: Done) {
        match done {
            Done::Loaded { epoch, result } if epoch == self.epoch => self.loaded(key, result),
            Done::Appended { epoch, result } if epoch == self.epoch => self.appended(key, result),
            Done::Looked { epoch, found } if epoch == self.epoch => self.looked(key, found),
            Done::Fetched { epoch, came, result } if epoch == self.epoch => self.fetched(key, came, result),
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
                tracing::warn!(mission = %key.1, %error, "reading a mission: trying again");
                return self.load_later(key);
            }
        };
        if mission.leaves {
            return self.gone(key);
        }
        // A delivery that came again has had the state dropped on which this was to be put.
        if mission.after > slot.folded {
            return self.load(key, 0);
        }
        slot.own = slot.own.max(mission.own);
        if mission.stuck.as_ref().is_some_and(|version| *version == self.options.worker_version) {
            return self.leave_stuck(key);
        }
        for (seq, seen) in &mission.seen {
            tell_skipped(key.1, *seq, seen);
            if let Err(panic) = slot.fold(*seq, seen) {
                return self.stuck(key, panic, *seq);
            }
        }
        if slot.folded.max(mission.last) < slot.wanted.max(slot.own) {
            // A follower that lags gave a stale answer; or the trigger has left the log by
            // archiving, and then nothing of the mission is there, however often one looks.
            let nothing = mission.last == 0 && slot.folded == 0;
            if nothing && slot.nothing_since.get_or_insert_with(now).elapsed() > GONE {
                return self.gone(key);
            }
            return self.load_later(key);
        }
        slot.nothing_since = None;
        self.advance(key);
    }

    /// The librarian says that the mission, long ended, leaves the log: it need not be kept, let alone
    /// read again.
    fn leaves(&mut self, key: Key, consumer_seq: u64) {
        if self.slots.get(&key).is_some_and(Slot::rests) {
            self.slots.remove(&key);
        }
        self.window.handled(consumer_seq);
    }

    /// The mission was archived: there is nothing left to decide.
    fn gone(&mut self, key: Key) {
        if let Some(slot) = self.slots.remove(&key) {
            slot.open().for_each(|consumer_seq| self.window.handled(consumer_seq));
        }
    }

    pub(super) fn load_later(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.phase = Phase::Loading;
        let (log, epoch, catalogues, after) =
            (Arc::clone(&self.log), self.epoch, Arc::clone(&self.catalogues), slot.folded);
        let version = self.options.worker_version.clone();
        self.running.push(
            async move {
                tokio::time::sleep(PAUSE).await;
                let result = read::mission::<D>(log.as_ref(), &key.0, key.1, after, &catalogues, &version).await;
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
        slot.said.extend(result.said);
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
        // Refused or unknown: the log has more than this state, look and decide again. A look that
        // shows less than was known would leave a hole below the next delivery.
        slot.wanted = slot.wanted.max(slot.folded);
        slot.state = D::State::default();
        slot.folded = 0;
        if slot.rests() {
            self.slots.remove(&key);
            return;
        }
        self.load(key, 0);
    }

    /// Says that this version cannot go on with the mission, and leaves it alone.
    fn stuck(&mut self, key: Key, panic: Panic, at: u64) {
        tracing::error!(mission = %key.1, seq = at, message = panic.0, "a mission is stuck");
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
}

fn tell_skipped(mission: MissionId, seq: u64, seen: &Seen) {
    if let Seen::Undecodable(why) = seen {
        tracing::warn!(%mission, seq, why, "a record is no event of ours: skipped");
    }
}
