//! The consumer of a decider: one instance at a time, in order.

use super::{JetStream, message};
use crate::log::{Deliveries, Delivery, ReadError};
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use std::time::Duration;
use streams::record::Record;

/// The pin is renewed by pull requests only: a larger batch would lose it while being worked on.
const BATCH: usize = 200;
/// How long one pull request stands; also how soon a lost one is noticed.
const EXPIRY: Duration = Duration::from_secs(1);

pub struct Follow {
    log: JetStream,
    stream: String,
    name: String,
    group: &'static str,
    messages: pull::Stream,
}

impl Follow {
    pub async fn start(log: JetStream, name: &str, group: &'static str) -> Result<Self, ReadError> {
        let consumer = log.consumer(name).await?;
        let stream = consumer.cached_info().stream_name.clone();
        let messages = messages(&consumer, group).await?;
        Ok(Self { log, stream, name: name.into(), group, messages })
    }

    async fn call(&self, verb: &str, payload: Bytes) -> Result<(), ReadError> {
        let subject = format!("$JS.API.CONSUMER.{verb}.{}.{}", self.stream, self.name);
        let request = tokio::time::timeout(super::TIMEOUT, self.log.client.request(subject, payload)).await;
        let answer = request.map_err(|_| ReadError::Unknown(format!("{verb} took too long")))?;
        let answer = answer.map_err(|e| ReadError::Unknown(e.to_string()))?;
        let body: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
        match body.get("error") {
            None => Ok(()),
            Some(error) => Err(ReadError::Refused(format!("{verb}: {error}"))),
        }
    }
}

async fn messages(consumer: &PullConsumer, group: &str) -> Result<pull::Stream, ReadError> {
    let stream = consumer.stream().group(group).max_messages_per_batch(BATCH).expires(EXPIRY).heartbeat(EXPIRY / 3);
    stream.messages().await.map_err(|e| ReadError::Unknown(e.to_string()))
}

#[async_trait]
impl Deliveries for Follow {
    async fn next(&mut self) -> Result<Option<Delivery>, ReadError> {
        let message = match tokio::time::timeout(EXPIRY, self.messages.next()).await {
            Err(_) => return Ok(None),
            // Missed heartbeats and lost pulls end the library's stream: begin another.
            Ok(None) => {
                let consumer = self.log.consumer(&self.name).await?;
                self.messages = messages(&consumer, self.group).await?;
                return Ok(None);
            }
            Ok(Some(Err(error))) => return Err(ReadError::Unknown(error.to_string())),
            Ok(Some(Ok(message))) => message,
        };
        let info = message.info().map_err(|e| ReadError::Unknown(e.to_string()))?;
        let (seq, consumer_seq, delivered) = (info.stream_sequence, info.consumer_sequence, info.delivered.unsigned_abs());
        let message = message.message;
        let headers = message.headers.unwrap_or_default();
        // The server's own value is the last: a publisher can send this header too.
        let pin = headers.get_last("Nats-Pin-Id").map(|value| value.as_str().to_string());
        let record = Record {
            seq,
            subject: message.subject.to_string(),
            headers: message::stored(&headers, &["Nats-Pin-Id"]),
            payload: message.payload,
        };
        let ack = message.reply.map(|subject| subject.to_string()).unwrap_or_default();
        Ok(Some(Delivery { record, consumer_seq, delivered, pin, ack }))
    }

    async fn ack_through(&mut self, ack: &str) -> Result<(), ReadError> {
        self.log.client.publish(ack.to_string(), Bytes::new()).await.map_err(|e| ReadError::Unknown(e.to_string()))
    }

    async fn reset(&mut self) -> Result<(), ReadError> {
        self.call("RESET", Bytes::new()).await
    }

    async fn unpin(&mut self) -> Result<(), ReadError> {
        self.call("UNPIN", serde_json::json!({"group": self.group}).to_string().into()).await
    }
}
