//! A record of the log, as far as the rows need it.

use crate::project::{Item, concerns};
use nats::{decider::attach, jetstream::JetStream, log::ReadError};
use schemas::Tenant;
use streams::{
    record::{Decoded, Record},
    subject::Subject,
};

/// Reads a record; in an archive it is its owner's, whatever tenant its events were said to.
///
/// # Errors
/// When what it refers to can't be read now.
pub async fn item(js: &JetStream, mut record: Record, owner: Option<&Tenant>) -> Result<Item, ReadError> {
    let mut subject = Subject::parse(&record.subject).ok();
    if let (Some(subject), Some(owner)) = (&mut subject, owner) {
        subject.tenant.clone_from(owner);
    }
    let time = record.header("ce-time").and_then(|time| time.parse().ok());
    let mut item = Item { seq: record.seq, subject, time, event: None };
    let Some(subject) = item.subject.as_ref().filter(|subject| concerns(&subject.kind)) else { return Ok(item) };
    match attach(js, &mut record, &subject.tenant).await {
        Err(error @ ReadError::Artifact { .. }) => {
            tracing::warn!(seq = item.seq, %error, "an event can't be read: only counted");
            return Ok(item);
        }
        attached => attached?,
    }
    match record.decode() {
        Ok(Decoded::Event(mut event)) => {
            event.tenant.clone_from(&subject.tenant);
            item.event = Some(event);
        }
        Ok(Decoded::Unknown { .. }) => {}
        Err(error) => {
            tracing::warn!(seq = item.seq, %error, "no event of ours: skipped");
            item.subject = None;
        }
    }
    Ok(item)
}
