//! What a record is to the rows: an event, a word to come, or dead.

use crate::{
    project::{Item, Unread, concerns},
    trouble::Trouble,
};
use nats::{
    decider::attach,
    log::{Log, ReadError},
};
use schemas::Tenant;
use streams::{
    record::{Decoded, Record, Undecodable},
    subject::Subject,
};

/// Judges every record of the log. What lies elsewhere is fetched only where `whole` or the rows
/// need it: a word whose bytes are gone makes its mission stuck, and that is found. In an archive a
/// record is its `owner`'s, whatever tenant its events were said to.
///
/// # Errors
/// The log does not say.
pub async fn judge(log: &dyn Log, mut record: Record, owner: Option<&Tenant>, whole: bool) -> Result<Item, ReadError> {
    let mut subject = Subject::parse(&record.subject).ok();
    if let (Some(subject), Some(owner)) = (&mut subject, owner) {
        subject.tenant.clone_from(owner);
    }
    let time = record.header("ce-time").and_then(|time| time.parse().ok());
    let concerned = subject.as_ref().is_some_and(|subject| concerns(&subject.kind));
    let mut item = Item { seq: record.seq, subject, time, event: None, unread: None };
    let fetched = match &item.subject {
        Some(subject) if concerned || whole => match attach(log, &mut record, &subject.tenant).await {
            Err(error @ ReadError::Artifact { .. }) => {
                item.unread = Some(dead(&record, Trouble::MissingData, &error.to_string()));
                return Ok(item);
            }
            attached => attached.map(|()| true)?,
        },
        _ => record.dataref().is_none(),
    };
    match record.decode() {
        Ok(Decoded::Event(mut event)) => {
            if let Some(owner) = owner {
                event.tenant.clone_from(owner);
            }
            item.event = Some(event).filter(|_| concerned);
        }
        Ok(Decoded::Unknown { ce_type, .. }) => item.unread = Some(Unread::Newer { ce_type }),
        // Everything else about it is right.
        Err(Undecodable::Data { .. }) if !fetched => {}
        Err(error) => {
            item.unread = Some(dead(&record, Trouble::of(&error), &error.to_string()));
            item.subject = None;
        }
    }
    Ok(item)
}

fn dead(record: &Record, trouble: Trouble, reason: &str) -> Unread {
    Unread::Dead { trouble, reason: reason.into(), subject: record.subject.clone() }
}
