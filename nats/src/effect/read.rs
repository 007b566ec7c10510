//! Reading a request: what can't be read is told from what nobody waits for.

use crate::{
    decider::attach,
    log::{Job, Log, ReadError},
};
use schemas::{Event, EventId, Time, fact::Tail, user::MessageSaid};
use streams::{
    record::{Decoded, Record},
    subject::Subject,
};

pub enum Request {
    Event(Box<Event>),
    /// Its name is all that is known, which is enough to answer it.
    Unreadable {
        request: Box<Event>,
        why: String,
    },
    /// Without a name it can't be answered, and no decider can have it among its own.
    Nobodys,
}

/// # Errors
/// The log does not say.
pub async fn request(log: &dyn Log, job: &Job) -> Result<Request, ReadError> {
    let record = &job.record;
    let Ok(subject) = Subject::parse(&record.subject) else {
        tracing::warn!(seq = record.seq, subject = record.subject, "a request is no event of ours: skipped");
        return Ok(Request::Nobodys);
    };
    let decoded = match record.dataref() {
        None => Ok(record.decode()),
        Some(_) => {
            let mut whole = record.clone();
            attach(log, &mut whole, &subject.tenant).await.map(|()| whole.decode())
        }
    };
    let why = match decoded {
        Err(error @ ReadError::Artifact { .. }) => error.to_string(),
        Err(error) => return Err(error),
        Ok(Ok(Decoded::Event(event))) => return Ok(Request::Event(Box::new(event))),
        Ok(Ok(Decoded::Unknown { ce_type, .. })) => format!("{ce_type} is newer than this version"),
        Ok(Err(error)) => error.to_string(),
    };
    match named(record, subject) {
        Some(request) => Ok(Request::Unreadable { request: Box::new(request), why }),
        None => {
            tracing::warn!(seq = record.seq, why, "a request is no event of ours: skipped");
            Ok(Request::Nobodys)
        }
    }
}

/// What an answer needs to know of its request. What it asks for is not known: a word that is no
/// request stands for it.
fn named(record: &Record, subject: Subject) -> Option<Event> {
    let id: EventId = record.header("ce-id")?.parse().ok()?;
    Some(Event {
        seq: record.seq,
        id,
        time: Time::default(),
        tenant: subject.tenant,
        mission: subject.mission,
        writer: subject.writer,
        tail: Tail::Bare,
        fact: MessageSaid { text: String::new(), step: None, agent: None }.into(),
        causation: None,
        basis: None,
        part: None,
        worker_version: String::new(),
        traceparent: record.header("ce-traceparent").map(String::from),
        authid: None,
    })
}
