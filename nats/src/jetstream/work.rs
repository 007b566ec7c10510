//! The consumer of an effect: any number of instances share it, each takes what it can start now.
//!
//! The pull requests are written here, because the library asks for the consumer's description
//! first, and an effect's account, which has no JetStream of its own, gets two answers to that.

use super::{JetStream, message};
use crate::log::{Job, ReadError, Work};
use async_nats::{Message, StatusCode, Subscriber, jetstream};
use async_trait::async_trait;
use futures::StreamExt;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use streams::record::Record;
use tokio::time::Instant;

/// How long one pull request stands.
const EXPIRY: Duration = Duration::from_secs(1);
/// The server says when one ends; if it can't, it is over by then.
const OVER: Duration = Duration::from_secs(3);

pub struct Pull {
    log: JetStream,
    /// `$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}`
    subject: String,
    inbox: String,
    answers: Subscriber,
    /// Standing requests by number, with when they are over.
    standing: BTreeMap<u64, Instant>,
    next: u64,
    /// Asked for and not yet come.
    asked: usize,
}

impl Pull {
    pub async fn start(log: JetStream, stream: &str, consumer: &str) -> Result<Self, ReadError> {
        let inbox = log.client.new_inbox();
        let answers = log.client.subscribe(format!("{inbox}.*")).await.map_err(|e| ReadError::Unknown(e.to_string()))?;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        Ok(Self { log, subject, inbox, answers, standing: BTreeMap::new(), next: 0, asked: 0 })
    }

    async fn ask(&mut self, n: usize) -> Result<(), ReadError> {
        self.next += 1;
        let body = json!({"batch": n, "expires": EXPIRY.as_nanos() as u64}).to_string();
        let reply = format!("{}.{}", self.inbox, self.next);
        let sent = self.log.client.publish_with_reply(self.subject.clone(), reply, body.into()).await;
        sent.map_err(|e| ReadError::Unknown(e.to_string()))?;
        self.standing.insert(self.next, Instant::now() + OVER);
        self.asked += n;
        Ok(())
    }

    /// A request ended: what it still had to give will not come.
    fn ended(&mut self, number: Option<u64>, left: usize) {
        if let Some(number) = number {
            self.standing.remove(&number);
        }
        self.asked = self.asked.saturating_sub(left);
        self.forget_lost();
    }

    /// Requests that a cut connection or a restart swallowed.
    fn forget_lost(&mut self) {
        let now = Instant::now();
        self.standing.retain(|_, over| *over > now);
        if self.standing.is_empty() {
            self.asked = 0;
        }
    }

    /// A status is a message without a place to acknowledge it.
    fn status(&mut self, message: &Message) -> Result<(), ReadError> {
        let number = message.subject.rsplit('.').next().and_then(|n| n.parse().ok());
        let header = |name: &str| message.headers.as_ref().and_then(|headers| headers.get_last(name)).and_then(|n| n.as_str().parse().ok());
        let left = header("Nats-Pending-Messages").unwrap_or(0);
        match message.status {
            Some(StatusCode::IDLE_HEARTBEAT) => {}
            // Nobody answers: the server, or its stream, is on its way up.
            Some(StatusCode::NO_RESPONDERS) => {
                self.ended(number, left);
                return Err(ReadError::Unknown("nobody answers".into()));
            }
            _ => self.ended(number, left),
        }
        Ok(())
    }
}

#[async_trait]
impl Work for Pull {
    async fn next(&mut self, free: usize) -> Result<Option<Job>, ReadError> {
        self.forget_lost();
        // A new request once half of what could be started is not asked for: few requests under
        // load, and never more on the way than can be started.
        if free > 0 && (free - self.asked.min(free)) * 2 >= free {
            self.ask(free - self.asked).await?;
        }
        let message = match tokio::time::timeout(EXPIRY, self.answers.next()).await {
            Err(_) => return Ok(None),
            Ok(None) => return Err(ReadError::Unknown("the connection was closed".into())),
            Ok(Some(message)) => message,
        };
        if message.reply.is_none() {
            return self.status(&message).map(|()| None);
        }
        self.asked = self.asked.saturating_sub(1);
        let message = jetstream::Message { message, context: self.log.context.clone() };
        let info = message.info().map_err(|e| ReadError::Unknown(e.to_string()))?;
        let (seq, delivered) = (info.stream_sequence, info.delivered.unsigned_abs());
        let message = message.message;
        let record = Record {
            seq,
            subject: message.subject.to_string(),
            headers: message::stored(&message.headers.unwrap_or_default(), &[]),
            payload: message.payload,
        };
        let ack = message.reply.map(|subject| subject.to_string()).unwrap_or_default();
        Ok(Some(Job { record, delivered, ack }))
    }
}
