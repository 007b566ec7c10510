//! Files in and out, in chunks of 128 KiB under the hash of the whole.

use crate::{unread, unwritten};
use bytes::Bytes;
use nats::{
    jetstream::JetStream,
    log::{CHUNK, ReadError, chunks},
    service::{get_chunk, put_chunk},
};
use schemas::{
    Tenant, Value,
    goal::{MAX_FILE, is_sha256},
};
use serde_json::json;
use streams::submission::Refusal;

/// Stores a chunk; one that is there already must be equal.
pub async fn put(log: &JetStream, tenant: &Tenant, sha256: &str, n: &str, chunk: &Bytes) -> Result<Value, Refusal> {
    let n = place(sha256, n)?;
    if chunk.len() > CHUNK {
        return Err(Refusal::new("too_large", format!("a chunk has {CHUNK} bytes, this has {}", chunk.len())));
    }
    if chunk.is_empty() && n > 0 {
        return Err(Refusal::new("empty_chunk", "only the first chunk, of an empty file, may be empty"));
    }
    match put_chunk(log, tenant, sha256, n, chunk.clone()).await {
        Ok(()) => Ok(json!({"ok": true})),
        Err(nats::log::AppendError::Refused(why)) if why.contains("other bytes") => Err(Refusal::new("conflict", why)),
        Err(error) => Err(unwritten(error)),
    }
}

/// The bytes of a chunk.
pub async fn get(log: &JetStream, tenant: &Tenant, sha256: &str, n: &str) -> Result<Bytes, Refusal> {
    let n = place(sha256, n)?;
    get_chunk(log, tenant, sha256, n).await.map_err(|error| match error {
        ReadError::Artifact { why, .. } => Refusal::new("unknown_file", format!("artifact {sha256}: {why}")),
        error => unread(error),
    })
}

fn place(sha256: &str, n: &str) -> Result<u64, Refusal> {
    if !is_sha256(sha256) {
        return Err(Refusal::new(
            "invalid_subject",
            format!("`{sha256}` is not a SHA-256 (64 lower-case hexadecimal digits)"),
        ));
    }
    let most = chunks(MAX_FILE);
    // One spelling a number: `00` would be another subject than `0`.
    match n.parse::<u64>().ok().filter(|parsed| parsed.to_string() == n) {
        Some(n) if n < most => Ok(n),
        Some(_) => Err(Refusal::new(
            "too_large",
            format!("a file has at most {MAX_FILE} bytes, which is {most} chunks (from 0)"),
        )),
        None => Err(Refusal::new("invalid_subject", "the number of a chunk counts from 0")),
    }
}
