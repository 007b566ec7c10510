//! Pull requests, and what comes of them.
//!
//! Written here rather than taken from the library: its stream asks for the consumer's description
//! first (an effect's account, which has no JetStream of its own, gets two answers to that), and it
//! was seen to stop asking when its waiting was given up and taken up again.

use super::JetStream;
use crate::log::ReadError;
use async_nats::{
    HeaderMap, Message, StatusCode, Subscriber,
    jetstream::{self, Context},
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use schemas::Time;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::Instant};

/// How long one request stands; also how soon the next one shows a standby that the pin is free.
pub const EXPIRY: Duration = Duration::from_secs(1);
/// The server says when one ends; if it can't, it is over by then.
const OVER: Duration = Duration::from_secs(3);

/// One message of a consumer.
pub struct Pulled {
    pub seq: u64,
    pub subject: String,
    pub headers: HeaderMap,
    pub payload: Bytes,
    /// When the stream took it, by the clock of the server.
    pub stored: Time,
    pub consumer_seq: u64,
    /// 1 the first time.
    pub delivered: u64,
    /// How many come after it.
    pub pending: u64,
    /// Whose turn it is, when the consumer is pinned.
    pub pin: Option<Arc<str>>,
    pub ack: String,
}

/// The standing requests to one consumer.
pub struct Puller {
    log: JetStream,
    /// `$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}`
    subject: String,
    /// The priority group of a pinned consumer.
    group: Option<&'static str>,
    pin: Option<Arc<str>>,
    /// Between two messages, for reading what their reply subjects say.
    context: Option<Context>,
    inbox: String,
    answers: Subscriber,
    /// By number, with when they are over.
    standing: BTreeMap<u64, Instant>,
    next: u64,
    /// A request that waits for its place on a busy connection: whoever waits for it may give up and
    /// come again, the request may not be lost.
    sending: Option<JoinHandle<Result<(), async_nats::PublishError>>>,
    /// Asked for and not yet come.
    asked: usize,
}

impl Puller {
    pub async fn start(
        log: JetStream,
        stream: &str,
        consumer: &str,
        group: Option<&'static str>,
    ) -> Result<Self, ReadError> {
        let inbox = log.client.new_inbox();
        let answers =
            log.client.subscribe(format!("{inbox}.*")).await.map_err(|e| ReadError::Unknown(e.to_string()))?;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        Ok(Self {
            log,
            subject,
            group,
            pin: None,
            context: None,
            inbox,
            answers,
            standing: BTreeMap::new(),
            next: 0,
            sending: None,
            asked: 0,
        })
    }

    /// Asks for more once half of `most` or less is on its way: few requests under load, and never
    /// more on the way than wanted.
    pub async fn want(&mut self, most: usize) -> Result<(), ReadError> {
        self.send().await?;
        self.forget_lost();
        let more = most.saturating_sub(self.asked);
        if more == 0 || more * 2 < most {
            return Ok(());
        }
        let mut body = json!({"batch": more, "expires": EXPIRY.as_nanos() as u64});
        if let Some(group) = self.group {
            body["group"] = group.into();
        }
        if let Some(pin) = &self.pin {
            body["id"] = pin.as_ref().into();
        }
        self.next += 1;
        let reply = format!("{}.{}", self.inbox, self.next);
        self.standing.insert(self.next, Instant::now() + OVER);
        self.asked += more;
        let (client, subject, body) = (self.log.client.clone(), self.subject.clone(), body.to_string());
        // In a task of its own: a future that nobody polls would hold its place in the connection's queue.
        self.sending = Some(tokio::spawn(async move { client.publish_with_reply(subject, reply, body.into()).await }));
        self.send().await
    }

    async fn send(&mut self) -> Result<(), ReadError> {
        let Some(sending) = &mut self.sending else { return Ok(()) };
        let sent = sending.await;
        self.sending = None;
        sent.map_err(|e| ReadError::Unknown(e.to_string()))?.map_err(|e| ReadError::Unknown(e.to_string()))
    }

    /// Waits for the next message; `None` after a second without one. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Result<Option<Pulled>, ReadError> {
        let message = match tokio::time::timeout(EXPIRY, self.answers.next()).await {
            Err(_) => return Ok(None),
            Ok(None) => return Err(ReadError::Unknown("the connection was closed".into())),
            Ok(Some(message)) => message,
        };
        self.read(message)
    }

    /// One that is there already. What keeps others from coming, the next wait will tell.
    pub fn ready(&mut self) -> Option<Pulled> {
        let message = self.answers.next().now_or_never()??;
        self.read(message).ok()?
    }

    fn read(&mut self, message: Message) -> Result<Option<Pulled>, ReadError> {
        // A status is a message without a place to acknowledge it.
        if message.reply.is_none() {
            return self.status(&message).map(|()| None);
        }
        self.asked = self.asked.saturating_sub(1);
        let context = self.context.take().unwrap_or_else(|| self.log.context.clone());
        let message = jetstream::Message { message, context };
        let told = message.info().map(|info| {
            let stored = info.published.unix_timestamp_nanos() / 1_000_000;
            (info.stream_sequence, info.consumer_sequence, info.delivered.unsigned_abs(), info.pending, stored)
        });
        let jetstream::Message { message, context } = message;
        self.context = Some(context);
        let (seq, consumer_seq, delivered, pending, stored) = told.map_err(|e| ReadError::Unknown(e.to_string()))?;
        let stored = Time(i64::try_from(stored).unwrap_or(i64::MAX));
        let headers = message.headers.unwrap_or_default();
        // The server's own value is the last: a publisher can send this header too.
        let pin = self.group.and_then(|_| headers.get_last("Nats-Pin-Id")).map(|value| match &self.pin {
            Some(known) if **known == *value.as_str() => Arc::clone(known),
            _ => value.as_str().into(),
        });
        if pin.is_some() {
            self.pin.clone_from(&pin);
        }
        let (subject, payload) = (message.subject.to_string(), message.payload);
        let ack = message.reply.map(|subject| subject.to_string()).unwrap_or_default();
        Ok(Some(Pulled { seq, subject, headers, payload, stored, consumer_seq, delivered, pending, pin, ack }))
    }

    fn status(&mut self, message: &Message) -> Result<(), ReadError> {
        let number: Option<u64> = message.subject.rsplit('.').next().and_then(|n| n.parse().ok());
        let header = |name: &str| {
            message.headers.as_ref().and_then(|headers| headers.get_last(name)).and_then(|n| n.as_str().parse().ok())
        };
        let left = header("Nats-Pending-Messages").unwrap_or(0usize);
        if message.status == Some(StatusCode::PIN_ID_MISMATCH) {
            // Another has the pin now: ask without one, and wait for a turn.
            self.pin = None;
        }
        if message.status != Some(StatusCode::IDLE_HEARTBEAT) {
            if let Some(number) = number {
                self.standing.remove(&number);
            }
            self.asked = self.asked.saturating_sub(left);
            self.forget_lost();
        }
        match message.status {
            // Nobody answers: the server, or its stream, is on its way up.
            Some(StatusCode::NO_RESPONDERS) => Err(ReadError::Unknown("nobody answers".into())),
            _ => Ok(()),
        }
    }

    /// Requests that a cut connection or a restart swallowed.
    fn forget_lost(&mut self) {
        let now = Instant::now();
        // The oldest comes first.
        while self.standing.first_key_value().is_some_and(|(_, over)| *over <= now) {
            self.standing.pop_first();
        }
        if self.standing.is_empty() {
            self.asked = 0;
        }
    }
}
