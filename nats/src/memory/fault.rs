//! What goes wrong, written down: so a run that failed can be had again, and made smaller.

use super::Memory;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Mutex, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// At a service's `at`th operation of this sort, counted from 1 over all its instances, this happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The service, as the handle was named.
    pub who: String,
    pub op: Op,
    pub at: u32,
    pub kind: Kind,
}

/// What a service does with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// It is given a delivery, or a request.
    Delivery,
    Append,
    /// It reads a mission.
    Read,
    Ack,
}

/// What happens. Those that make no sense for an operation do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request, the delivery (a hole under the same pin) or the acknowledgement is lost.
    Lost,
    /// An append stands, but its answer is lost.
    Unheard,
    /// A read lacks so many of the newest records.
    Stale(u32),
    /// The instance dies before it comes to it.
    Crash,
    /// The instance dies, and what it did stands.
    CrashAfter,
    /// The instance stands still for so many milliseconds before, then goes on.
    Freeze(u32),
    /// It stands still after, and goes on with what it knew.
    FreezeAfter(u32),
    /// It comes again, so many deliveries later.
    Duplicate(u32),
    /// It comes so many milliseconds later, and all behind it with it.
    Late(u32),
    /// The server begins anew with another pin.
    NewPin,
    /// So many deliveries that were on their way come after the first ones of another pin.
    LateBatch(u32),
    /// Another instance takes over, while this one still has so many deliveries in hand.
    TwoOwners(u32),
    /// The server forgets so many acknowledgements, and counts deliveries from 1 again.
    FallBack(u32),
}

/// The faults of a run, and how far it has come.
#[derive(Default)]
pub(super) struct Script {
    faults: Vec<Fault>,
    done: HashMap<(String, Op), u32>,
    pub met: u64,
}

impl Script {
    pub fn new(faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::default() }
    }

    /// One more operation: what goes wrong with it?
    pub fn next(&mut self, instance: Option<&Instance>, op: Op) -> Option<Kind> {
        let service = &instance?.service;
        if !self.faults.iter().any(|fault| fault.who == *service && fault.op == op) {
            return None;
        }
        let done = self.done.entry((service.clone(), op)).or_default();
        *done += 1;
        let is_it = |fault: &&Fault| fault.who == *service && fault.op == op && fault.at == *done;
        let kind = self.faults.iter().find(is_it)?.kind;
        self.met += 1;
        Some(kind)
    }
}

/// One run of a service, from its start to its end.
pub(super) struct Instance {
    service: String,
    pub life: CancellationToken,
    frozen: Mutex<Option<Instant>>,
}

impl Instance {
    pub fn new(service: &str) -> Self {
        Self { service: service.into(), life: CancellationToken::new(), frozen: Mutex::new(None) }
    }

    pub fn freeze(&self, ms: u32) {
        let until = Instant::now() + Duration::from_millis(ms.into());
        *self.frozen.lock().expect("nobody panics while holding it") = Some(until);
    }

    pub fn frozen_until(&self) -> Option<Instant> {
        let until = *self.frozen.lock().expect("nobody panics while holding it");
        until.filter(|until| *until > Instant::now())
    }
}

impl Memory {
    /// An operation begins: gives what goes wrong with it, once the instance stands still no more.
    pub(super) async fn meets(&self, op: Op) -> Option<Kind> {
        self.thaws().await;
        let fault = self.lock().script.next(self.instance.as_deref(), op);
        match fault {
            Some(Kind::Freeze(ms)) => self.freeze(ms),
            Some(Kind::Crash) => self.crash(),
            _ => {}
        }
        self.thaws().await;
        fault
    }

    /// An operation is done.
    pub(super) async fn goes_on(&self, fault: Option<Kind>) {
        match fault {
            Some(Kind::FreezeAfter(ms)) => self.freeze(ms),
            Some(Kind::CrashAfter) => self.crash(),
            _ => {}
        }
        self.thaws().await;
    }

    pub(super) fn freeze(&self, ms: u32) {
        self.instance.iter().for_each(|instance| instance.freeze(ms));
    }

    pub(super) fn crash(&self) {
        self.instance.iter().for_each(|instance| instance.life.cancel());
        self.changed.notify_waiters();
    }

    /// Waits while the instance stands still; for ever when it is dead.
    pub(super) async fn thaws(&self) {
        while let Some(until) = self.frozen_until() {
            tokio::time::sleep_until(until).await;
        }
        if self.instance.as_ref().is_some_and(|instance| instance.life.is_cancelled()) {
            std::future::pending::<()>().await;
        }
    }
}
