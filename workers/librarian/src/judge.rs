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
    let mut fetched = true;
    if record.dataref().is_some() {
        let subject = Subject::parse(&record.subject).ok();
        let needed = subject.filter(|subject| whole || concerns(&subject.kind));
        let tenant = needed.map(|subject| owner.cloned().unwrap_or(subject.tenant));
        match &tenant {
            None => fetched = false,
            Some(tenant) => match attach(log, &mut record, tenant).await {
                Err(error @ ReadError::Artifact { .. }) => {
                    let unread = dead(&record, Trouble::MissingData, &error.to_string());
                    return Ok(item(&record, owner, Some(unread)));
                }
                attached => attached?,
            },
        }
    }
    Ok(match record.decode() {
        Ok(Decoded::Event(mut event)) => {
            if let Some(owner) = owner {
                event.tenant.clone_from(owner);
            }
            let subject =
                Subject::new(event.tenant.clone(), event.mission, event.writer, &event.fact, event.tail.clone());
            let concerned = concerns(&subject.kind);
            let (seq, time) = (event.seq, Some(event.time));
            let event = concerned.then(|| Box::new(event));
            Item { seq, subject: Some(subject), time, event, unread: None }
        }
        Ok(Decoded::Unknown { ce_type, .. }) => item(&record, owner, Some(Unread::Newer { ce_type })),
        // Everything else about it is right.
        Err(Undecodable::Data { .. }) if !fetched => item(&record, owner, None),
        Err(error) => {
            let unread = dead(&record, Trouble::of(&error), &error.to_string());
            Item { subject: None, ..item(&record, owner, Some(unread)) }
        }
    })
}

/// A record that brings no event.
fn item(record: &Record, owner: Option<&Tenant>, unread: Option<Unread>) -> Item {
    let mut subject = Subject::parse(&record.subject).ok();
    if let (Some(subject), Some(owner)) = (&mut subject, owner) {
        subject.tenant.clone_from(owner);
    }
    let time = record.header("ce-time").and_then(|time| time.parse().ok());
    Item { seq: record.seq, subject, time, event: None, unread }
}

fn dead(record: &Record, trouble: Trouble, reason: &str) -> Unread {
    Unread::Dead { trouble, reason: reason.into(), subject: record.subject.clone() }
}
