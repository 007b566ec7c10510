//! Bytes under their hash, in write-once chunks of 128 KiB.

use super::JetStream;
use crate::log::{AppendError, CHUNK, ReadError, chunks};
use async_nats::HeaderMap;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use schemas::{Tenant, value};
use streams::subject;

/// Chunks on their way at once.
const PIPELINE: usize = 8;

/// Stores one chunk; one that is there already must be equal.
pub async fn put_chunk(
    log: &JetStream,
    tenant: &Tenant,
    sha256: &str,
    n: u64,
    chunk: Bytes,
) -> Result<(), AppendError> {
    let subject = subject::artifact(tenant, sha256, n);
    let refused = match log.publish(subject, HeaderMap::new(), chunk.clone()).await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    // A full subject, or an answer that was lost: what counts is whether the bytes are there.
    match get_chunk(log, tenant, sha256, n).await {
        Ok(stored) if stored == chunk => Ok(()),
        Ok(_) => Err(AppendError::Refused(format!("artifact {sha256} has other bytes in chunk {n}"))),
        Err(_) => Err(refused),
    }
}

pub async fn get_chunk(log: &JetStream, tenant: &Tenant, sha256: &str, n: u64) -> Result<Bytes, ReadError> {
    let found = log.last_from("ARTIFACTS", &subject::artifact(tenant, sha256, n)).await?;
    let missing = || ReadError::Artifact { sha256: sha256.into(), why: format!("chunk {n} is missing") };
    found.map(|record| record.payload).ok_or_else(missing)
}

pub async fn put(log: &JetStream, tenant: &Tenant, sha256: &str, bytes: &[u8]) -> Result<(), AppendError> {
    stream::iter(0..chunks(bytes.len() as u64))
        .map(|n| {
            let from = n as usize * CHUNK;
            let chunk = Bytes::copy_from_slice(&bytes[from..bytes.len().min(from + CHUNK)]);
            put_chunk(log, tenant, sha256, n, chunk)
        })
        .buffer_unordered(PIPELINE)
        .try_collect()
        .await
}

pub async fn get(log: &JetStream, tenant: &Tenant, sha256: &str, size: u64) -> Result<Bytes, ReadError> {
    let mut all = BytesMut::new();
    let mut parts = stream::iter(0..chunks(size)).map(|n| get_chunk(log, tenant, sha256, n)).buffered(PIPELINE);
    while let Some(chunk) = parts.try_next().await? {
        all.extend_from_slice(&chunk);
    }
    if all.len() as u64 != size || value::sha256(&all) != sha256 {
        let why = format!("its {} bytes have another hash or length than its reference says ({size} bytes)", all.len());
        return Err(ReadError::Artifact { sha256: sha256.into(), why });
    }
    Ok(all.freeze())
}
