//! The consumer of an effect: any number of instances share it, each takes what it can start now.

use super::pull::Puller;
use crate::log::{Job, ReadError, Work};
use async_trait::async_trait;

pub struct Group(pub Puller);

#[async_trait]
impl Work for Group {
    async fn next(&mut self, free: usize) -> Result<Option<Job>, ReadError> {
        self.0.want(free).await?;
        let pulled = self.0.next().await?;
        Ok(pulled.map(|pulled| Job {
            record: pulled.record,
            stored: pulled.stored,
            delivered: pulled.delivered,
            ack: pulled.ack,
        }))
    }
}
