//! Group commit: under load, appends of many missions go into the log as one atomic batch, which
//! waits for the disk once.
//!
//! Each message keeps its own guard, and a batch stands or falls as a whole. So when the server
//! refuses one, nothing of it is in the log, and every message goes on its own. With few appends under
//! way a batch would only be slower (a few milliseconds; a single append waits for nothing but the
//! disk): then there is none.

use super::{JetStream, TIMEOUT};
use crate::log::AppendError;
use async_nats::{HeaderMap, header::HeaderName, jetstream::message::PublishMessage};
use bytes::Bytes;
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::{Notify, oneshot};

/// So many appends go on their own at once; those beyond wait for a batch.
const ALONE: usize = 16;
/// A batch of fewer is not worth its while.
const LEAST: usize = 16;
/// Messages in one batch at the most; the server is told, too.
pub const MOST: usize = 500;
/// A batch of fewer waits for more, but not longer than this.
const LINGER: Duration = Duration::from_millis(10);
/// Where so many wait then, there is a load, and a fuller batch gains more than waiting costs.
const MANY: usize = 100;
const LINGER_UNDER_LOAD: Duration = Duration::from_millis(20);
/// A batch is one stream's.
const LOG: &str = "stage7.mission.";
/// Longer payloads (bytes) go on their own.
const LONG: usize = 16 * 1024;

const ID: HeaderName = HeaderName::from_static("Nats-Batch-Id");
const SEQUENCE: HeaderName = HeaderName::from_static("Nats-Batch-Sequence");
const COMMIT: HeaderName = HeaderName::from_static("Nats-Batch-Commit");

/// One message on its way.
pub struct Outgoing {
    pub subject: String,
    pub headers: HeaderMap,
    pub payload: Bytes,
}

/// What became of a message that waited.
enum Verdict {
    Stored(u64),
    /// Nobody knows.
    Unknown(String),
    /// It goes on its own.
    Alone(Box<(Outgoing, Place)>),
}

struct Waiting {
    message: Outgoing,
    tell: oneshot::Sender<Verdict>,
}

/// The appends of one connection.
#[derive(Default)]
pub struct Group {
    state: Mutex<State>,
    /// There is a full batch.
    full: Notify,
}

#[derive(Default)]
struct State {
    /// Under way on their own.
    alone: usize,
    waiting: Vec<Waiting>,
    /// Somebody sees to those who wait.
    attended: bool,
}

/// Of one that is under way on its own; given back however that ends, and wherever it is dropped.
struct Place {
    group: Arc<Group>,
    log: JetStream,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.group.state().alone -= 1;
        self.group.attend(&self.log);
    }
}

impl Group {
    /// Appends one message; gives its sequence.
    pub async fn append(self: &Arc<Self>, log: &JetStream, message: Outgoing) -> Result<u64, AppendError> {
        let (message, _place) = match self.enter(log, message) {
            Ok(alone) => alone,
            Err(verdict) => {
                self.attend(log);
                match verdict.await {
                    Ok(Verdict::Stored(seq)) => return Ok(seq),
                    Ok(Verdict::Unknown(why)) => return Err(AppendError::Unknown(why)),
                    Ok(Verdict::Alone(alone)) => *alone,
                    Err(_) => return Err(AppendError::Unknown("the program ends".into())),
                }
            }
        };
        log.publish(message.subject, message.headers, message.payload).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }

    /// On its own, when there are few; else it waits for a verdict.
    fn enter(
        self: &Arc<Self>,
        log: &JetStream,
        message: Outgoing,
    ) -> Result<(Outgoing, Place), oneshot::Receiver<Verdict>> {
        let mut state = self.state();
        let few = state.alone < ALONE && state.waiting.is_empty() && !state.attended;
        let fits = message.payload.len() <= LONG && message.subject.starts_with(LOG);
        if few || !fits {
            state.alone += 1;
            return Ok((message, Place { group: Arc::clone(self), log: log.clone() }));
        }
        let (tell, verdict) = oneshot::channel();
        state.waiting.push(Waiting { message, tell });
        if state.waiting.len() == MOST {
            self.full.notify_one();
        }
        Err(verdict)
    }

    /// Sees to those who wait, unless somebody does, or there are too few of them and others under
    /// way: whoever comes back looks again.
    fn attend(self: &Arc<Self>, log: &JetStream) {
        let mut state = self.state();
        let due = state.waiting.len() >= LEAST || state.alone + state.waiting.len() <= ALONE;
        if state.attended || state.waiting.is_empty() || !due {
            return;
        }
        state.attended = true;
        let (group, log) = (Arc::clone(self), log.clone());
        tokio::spawn(async move {
            loop {
                group.gather().await;
                let Some(batch) = group.next(&log) else { break };
                group.commit(&log, batch).await;
            }
        });
    }

    /// Lets more come, until the batch is full or has waited long enough.
    async fn gather(&self) {
        let full = tokio::time::timeout(LINGER, self.full.notified()).await;
        if full.is_err() && self.state().waiting.len() >= MANY {
            let _ = tokio::time::timeout(LINGER_UNDER_LOAD, self.full.notified()).await;
        }
    }

    /// The next batch; `None` when there is none, and then nobody attends any more.
    fn next(self: &Arc<Self>, log: &JetStream) -> Option<Vec<Waiting>> {
        let mut state = self.state();
        let most = state.waiting.len().min(MOST);
        let batch = state.waiting.drain(..most).collect::<Vec<_>>();
        if batch.len() >= LEAST {
            return Some(batch);
        }
        state.attended = false;
        drop(state);
        self.release(log, batch);
        None
    }

    /// These are sent on their own.
    fn release(self: &Arc<Self>, log: &JetStream, batch: Vec<Waiting>) {
        self.state().alone += batch.len();
        for Waiting { message, tell } in batch {
            // Nobody may be waiting any more: then the place is given back here.
            let place = Place { group: Arc::clone(self), log: log.clone() };
            let _ = tell.send(Verdict::Alone(Box::new((message, place))));
        }
    }

    /// Puts a batch into the log, and tells everybody.
    async fn commit(self: &Arc<Self>, log: &JetStream, batch: Vec<Waiting>) {
        // The time for its acknowledgement, and as much for sending it: a connection that is lost takes
        // nothing for as long as it is.
        let sent = tokio::time::timeout(TIMEOUT * 2, send(log, &batch)).await;
        match sent.unwrap_or_else(|_| Err(AppendError::Unknown("the connection takes nothing".into()))) {
            Ok(last) => {
                let first = last + 1 - batch.len() as u64;
                for (waiting, seq) in batch.into_iter().zip(first..) {
                    let _ = waiting.tell.send(Verdict::Stored(seq));
                }
            }
            Err(AppendError::Unknown(why)) => {
                for waiting in batch {
                    let _ = waiting.tell.send(Verdict::Unknown(why.clone()));
                }
            }
            // One guard did not hold, or the server takes no batches now: nothing of it is in the log.
            Err(_) => self.release(log, batch),
        }
    }
}

/// Sends a batch; gives the sequence of its last message.
async fn send(log: &JetStream, batch: &[Waiting]) -> Result<u64, AppendError> {
    let id = log.client.new_inbox();
    let id = &id[id.len().saturating_sub(22)..];
    let count = batch.len();
    for (waiting, n) in batch.iter().zip(1..) {
        let Outgoing { subject, headers, payload } = &waiting.message;
        let (subject, payload) = (subject.clone(), payload.clone());
        let mut headers = headers.clone();
        headers.insert(ID, id);
        headers.insert(SEQUENCE, n.to_string());
        if n < count {
            let sent = log.client.publish_with_headers(subject, headers, payload).await;
            sent.map_err(|error| AppendError::Unknown(error.to_string()))?;
            continue;
        }
        headers.insert(COMMIT, "1");
        let message = PublishMessage::build().payload(payload).headers(headers);
        let sent = log.context.send_publish(subject, message).await.map_err(|e| super::refusal(&e))?;
        let ack = sent.await.map_err(|e| super::refusal(&e))?;
        return match ack.batch_size {
            Some(size) if size == count as u64 => Ok(ack.sequence),
            other => Err(AppendError::Unknown(format!("a batch of {count} was acknowledged as one of {other:?}"))),
        };
    }
    Err(AppendError::Unknown("an empty batch".into()))
}
