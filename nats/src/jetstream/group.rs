//! Group commit: under load, appends of many missions go into the log as one atomic batch, which
//! waits for the disk once.
//!
//! Each message keeps its own guard, and a batch stands or falls as a whole. So when the server
//! refuses one, nothing of it is in the log, and every message goes on its own. With few appends under
//! way a batch would only be slower (a few milliseconds; a single append waits for nothing but the
//! disk): then there is none.

use super::JetStream;
use crate::log::AppendError;
use async_nats::{HeaderMap, header::HeaderName, jetstream::message::PublishMessage};
use bytes::Bytes;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Notify, oneshot};

/// So many appends go on their own at once; those beyond wait for a batch.
const ALONE: usize = 16;
/// A batch of fewer is not worth its while.
const LEAST: usize = 16;
/// A batch of fewer waits for more, but not longer than this.
const GOOD: usize = 256;
const LINGER: Duration = Duration::from_millis(10);
/// Messages in one batch: below the server's limit, and small enough not to hold others up.
pub const MOST: usize = 500;
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
    Alone(Outgoing),
}

struct Waiting {
    message: Outgoing,
    tell: oneshot::Sender<Verdict>,
}

/// The appends of one connection.
#[derive(Default)]
pub struct Group {
    state: Mutex<State>,
    /// There is a good batch.
    good: Notify,
}

#[derive(Default)]
struct State {
    /// Under way on their own.
    alone: usize,
    waiting: Vec<Waiting>,
    /// Somebody sees to those who wait.
    attended: bool,
}

impl Group {
    /// Appends one message; gives its sequence.
    pub async fn append(self: &Arc<Self>, log: &JetStream, message: Outgoing) -> Result<u64, AppendError> {
        let message = match self.enter(message) {
            Ok(message) => message,
            Err(verdict) => {
                self.attend(log);
                match verdict.await {
                    Ok(Verdict::Stored(seq)) => return Ok(seq),
                    Ok(Verdict::Unknown(why)) => return Err(AppendError::Unknown(why)),
                    Ok(Verdict::Alone(message)) => message,
                    Err(_) => return Err(AppendError::Unknown("the program ends".into())),
                }
            }
        };
        let leaving = Leaving { group: self, log };
        let appended = log.publish(message.subject, message.headers, message.payload).await;
        drop(leaving);
        appended
    }

    /// On its own, when there are few; else it waits for a verdict.
    fn enter(&self, message: Outgoing) -> Result<Outgoing, oneshot::Receiver<Verdict>> {
        let mut state = self.state.lock().expect("nobody panics while holding it");
        let few = state.alone < ALONE && state.waiting.is_empty() && !state.attended;
        let fits = message.payload.len() <= LONG && message.subject.starts_with(LOG);
        if few || !fits {
            state.alone += 1;
            return Ok(message);
        }
        let (tell, verdict) = oneshot::channel();
        state.waiting.push(Waiting { message, tell });
        if state.waiting.len() == GOOD {
            self.good.notify_one();
        }
        Err(verdict)
    }

    /// Sees to those who wait, unless somebody does, or there are too few of them and others under
    /// way: whoever comes back looks again.
    fn attend(self: &Arc<Self>, log: &JetStream) {
        let mut state = self.state.lock().expect("nobody panics while holding it");
        let due = state.waiting.len() >= LEAST || state.alone + state.waiting.len() <= ALONE;
        if state.attended || state.waiting.is_empty() || !due {
            return;
        }
        state.attended = true;
        let (group, log) = (Arc::clone(self), log.clone());
        tokio::spawn(async move {
            loop {
                let _ = tokio::time::timeout(LINGER, group.good.notified()).await;
                let Some(batch) = group.next() else { break };
                group.commit(&log, batch).await;
            }
        });
    }

    /// The next batch; `None` when there is none, and then nobody attends any more.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut state = self.state.lock().expect("nobody panics while holding it");
        if state.waiting.len() >= LEAST {
            let most = state.waiting.len().min(MOST);
            return Some(state.waiting.drain(..most).collect());
        }
        for waiting in std::mem::take(&mut state.waiting) {
            state.alone += usize::from(waiting.tell.send(Verdict::Alone(waiting.message)).is_ok());
        }
        state.attended = false;
        None
    }

    /// These are sent on their own.
    fn release(&self, batch: Vec<Waiting>) {
        let mut state = self.state.lock().expect("nobody panics while holding it");
        for waiting in batch {
            state.alone += usize::from(waiting.tell.send(Verdict::Alone(waiting.message)).is_ok());
        }
    }

    /// Puts a batch into the log, and tells everybody.
    async fn commit(&self, log: &JetStream, batch: Vec<Waiting>) {
        match send(log, &batch).await {
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
            Err(_) => self.release(batch),
        }
    }
}

/// One append fewer under way, however it ended.
struct Leaving<'a> {
    group: &'a Arc<Group>,
    log: &'a JetStream,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.group.state.lock().expect("nobody panics while holding it").alone -= 1;
        self.group.attend(self.log);
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
