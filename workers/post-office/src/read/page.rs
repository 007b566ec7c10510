//! A mission's events, a page at a time.

use super::shelf::Shelf;
use crate::{mission::Mission, unread};
use nats::{decider::attach, log::ReadError};
use schemas::{Value, cloudevent::to_structured};
use serde_json::json;
use streams::{
    archive::{is_fence, to_line},
    record::{Decoded, Record},
    submission::Refusal,
};

/// A page ends before it grows beyond this (bytes): an answer is one message.
const MOST_BYTES: usize = 512 * 1024;
/// Data larger than this (bytes) stays where it is, and the event keeps its `dataref`.
const MOST_DATA: u64 = 256 * 1024;
/// A page ends after this many events at the latest.
const MOST_EVENTS: usize = 1_000;

/// The events above `after`, and the sequence to ask for more with. No events: there are no more.
pub async fn events(mission: &Mission<'_>, shelf: &Shelf, after: u64, limit: Option<usize>) -> Result<Value, Refusal> {
    let most = limit.unwrap_or(MOST_EVENTS).clamp(1, MOST_EVENTS);
    let (mut events, mut bytes, mut last) = (Vec::new(), 0, after);
    // Once, but for a page of nothing but records that are no events of ours.
    loop {
        let (records, pending) = shelf.page(mission, last, most).await?;
        for record in records {
            let seq = record.seq;
            if let Some(event) = structured(mission, record).await? {
                bytes += event.to_string().len() + 1;
                if bytes > MOST_BYTES && !events.is_empty() {
                    return Ok(json!({"events": events, "last": last}));
                }
                events.push(event);
            }
            last = seq;
        }
        if pending == 0 || !events.is_empty() {
            return Ok(json!({"events": events, "last": last}));
        }
    }
}

/// A record as a CloudEvent in structured mode; `None` for what is no event of ours.
async fn structured(mission: &Mission<'_>, mut record: Record) -> Result<Option<Value>, Refusal> {
    if is_fence(&record) {
        return Ok(None);
    }
    if record.dataref().is_some_and(|data| data.size > MOST_DATA) {
        return Ok(to_line(&record));
    }
    match attach(mission.log, &mut record, mission.tenant).await {
        Ok(()) => {}
        // It stays what it is: a reference, to bytes that are gone.
        Err(ReadError::Artifact { .. }) => return Ok(to_line(&record)),
        Err(error) => return Err(unread(error)),
    }
    Ok(match record.decode() {
        Ok(Decoded::Event(event)) => Some(to_structured(&event)),
        Ok(Decoded::Unknown { .. }) => to_line(&record),
        Err(_) => None,
    })
}
