//! Timers as scheduled messages of the server.

use nats::{jetstream::JetStream, log::AppendError, service::store};
use schemas::{Event, EventId, MissionId, Tenant, Time, Writer};
use serde::{Deserialize, Serialize};
use streams::{record::Record, subject};

/// A timer: the payload of its schedule, which comes back when it is due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timer {
    pub tenant: Tenant,
    pub mission: MissionId,
    /// The decider that set it.
    pub requester: Writer,
    pub timer: EventId,
    pub at: Time,
    pub traceparent: Option<String>,
}

impl Timer {
    /// The timer that `event` is about.
    pub fn new(event: &Event, timer: EventId, at: Time) -> Self {
        Self {
            tenant: event.tenant.clone(),
            mission: event.mission,
            requester: event.writer,
            timer,
            at,
            traceparent: event.traceparent.clone(),
        }
    }

    fn subject(&self, phase: &str) -> String {
        subject::timer(phase, &self.tenant, self.mission, self.requester, self.timer)
    }
}

/// Has the server publish the timer once its clock says `due`; takes the place of an earlier
/// schedule of it.
///
/// # Errors
/// As the stream says.
pub async fn set(js: &JetStream, timer: &Timer, due: Time) -> Result<(), AppendError> {
    let headers =
        vec![("Nats-Schedule".into(), format!("@at {due}")), ("Nats-Schedule-Target".into(), timer.subject("due"))];
    let payload = serde_json::to_vec(timer).expect("names and numbers serialise").into();
    store(js, &Record { seq: 0, subject: timer.subject("set"), headers, payload }).await.map(|_| ())
}

/// Takes the schedule's place with a message that soon goes by itself: nothing will come due.
///
/// # Errors
/// As the stream says.
pub async fn clear(js: &JetStream, timer: &Timer) -> Result<(), AppendError> {
    let headers = vec![("Nats-TTL".into(), "1s".into())];
    store(js, &Record { seq: 0, subject: timer.subject("set"), headers, payload: Default::default() }).await.map(|_| ())
}
