//! The consumer of an effect: any number of instances share it, each takes what it can start now.

use super::{message, pull::Puller};
use crate::log::{Job, ReadError, Work};
use async_trait::async_trait;
use streams::record::Record;

pub struct Group(pub Puller);

#[async_trait]
impl Work for Group {
    async fn next(&mut self, free: usize) -> Result<Option<Job>, ReadError> {
        self.0.want(free).await?;
        let pulled = self.0.next().await?;
        Ok(pulled.map(|pulled| Job {
            record: Record {
                seq: pulled.seq,
                subject: pulled.subject,
                headers: message::stored(&pulled.headers, &[]),
                payload: pulled.payload,
            },
            stored: pulled.stored,
            delivered: pulled.delivered,
            ack: pulled.ack,
        }))
    }
}
