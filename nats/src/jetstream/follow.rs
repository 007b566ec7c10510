//! The consumer of a decider: one instance at a time, in order.

use super::{
    JetStream,
    pull::{Pulled, Puller},
};
use crate::log::{Deliveries, Delivery, Headers, Log, ReadError};
use async_trait::async_trait;
use bytes::Bytes;

/// The pin is renewed by pull requests only: a larger batch would lose it while being worked on.
const BATCH: usize = 200;

pub struct Follow {
    log: JetStream,
    stream: &'static str,
    consumer: String,
    group: &'static str,
    puller: Puller,
}

impl Follow {
    pub async fn start(
        log: JetStream,
        stream: &'static str,
        consumer: &str,
        group: &'static str,
    ) -> Result<Self, ReadError> {
        let puller = Puller::start(log.clone(), stream, consumer, Some(group)).await?;
        Ok(Self { log, stream, consumer: consumer.into(), group, puller })
    }

    async fn call(&self, verb: &str, payload: Bytes) -> Result<(), ReadError> {
        let subject = format!("$JS.API.CONSUMER.{verb}.{}.{}", self.stream, self.consumer);
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

fn delivery(pulled: Pulled) -> Delivery {
    Delivery {
        seq: pulled.seq,
        subject: pulled.subject,
        headers: Headers::Wire { headers: pulled.headers, added: &["Nats-Pin-Id"] },
        payload: pulled.payload,
        consumer_seq: pulled.consumer_seq,
        delivered: pulled.delivered,
        pending: pulled.pending,
        pin: pulled.pin,
        ack: pulled.ack,
    }
}

#[async_trait]
impl Deliveries for Follow {
    async fn next(&mut self) -> Result<Option<Delivery>, ReadError> {
        self.puller.want(BATCH).await?;
        let pulled = self.puller.next().await?;
        Ok(pulled.map(delivery))
    }

    fn ready(&mut self) -> Option<Delivery> {
        self.puller.ready().map(delivery)
    }

    async fn ack_through(&mut self, ack: &str) -> Result<(), ReadError> {
        self.log.ack(ack).await
    }

    async fn reset(&mut self) -> Result<(), ReadError> {
        self.call("RESET", Bytes::new()).await
    }

    async fn unpin(&mut self) -> Result<(), ReadError> {
        self.call("UNPIN", serde_json::json!({"group": self.group}).to_string().into()).await
    }
}
