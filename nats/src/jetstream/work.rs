//! The consumer of an effect: any number of instances share it, each takes what it can start now.

use super::message;
use crate::log::{Job, ReadError, Work};
use async_nats::jetstream::{self, consumer::{PullConsumer, pull}};
use async_trait::async_trait;
use futures::{StreamExt, stream::FuturesUnordered, future::BoxFuture, FutureExt};
use std::time::Duration;
use streams::record::Record;

const EXPIRY: Duration = Duration::from_secs(1);

/// One standing pull request: how much of it is still to come.
struct Batch {
    left: usize,
    messages: pull::Batch,
}

type Next = (Batch, Option<Result<jetstream::Message, async_nats::Error>>);

pub struct Pull {
    consumer: PullConsumer,
    /// Each waits for the next message of its batch.
    batches: FuturesUnordered<BoxFuture<'static, Next>>,
    /// Asked for and not yet come.
    asked: usize,
}

impl Pull {
    pub fn new(consumer: PullConsumer) -> Self {
        Self { consumer, batches: FuturesUnordered::new(), asked: 0 }
    }

    async fn ask(&mut self, n: usize) -> Result<(), ReadError> {
        let fetch = self.consumer.fetch().max_messages(n).expires(EXPIRY);
        let messages = fetch.messages().await.map_err(|e| ReadError::Unknown(e.to_string()))?;
        self.asked += n;
        self.batches.push(next(Batch { left: n, messages }));
        Ok(())
    }
}

fn next(mut batch: Batch) -> BoxFuture<'static, Next> {
    async move {
        let message = batch.messages.next().await;
        (batch, message)
    }
    .boxed()
}

#[async_trait]
impl Work for Pull {
    async fn next(&mut self, free: usize) -> Result<Option<Job>, ReadError> {
        // A new request once half of what could be started is not asked for: few requests under
        // load, and never more on the way than can be started.
        if free > 0 && (free - self.asked.min(free)) * 2 >= free {
            self.ask(free - self.asked).await?;
        }
        let Ok(Some((mut batch, message))) = tokio::time::timeout(EXPIRY, self.batches.next()).await else {
            return Ok(None);
        };
        match message {
            None => {
                self.asked -= batch.left;
                Ok(None)
            }
            Some(Err(error)) => {
                self.asked -= batch.left;
                Err(ReadError::Unknown(error.to_string()))
            }
            Some(Ok(message)) => {
                self.asked -= 1;
                batch.left -= 1;
                self.batches.push(next(batch));
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
    }
}
