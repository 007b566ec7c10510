//! Reading a mission: records from the log, what they refer to fetched, decoded for one decider.

use crate::log::{Log, ReadError};
use schemas::{Event, Fact, MissionId, Tenant, Writer, catalogue::Catalogue, value::Ref};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use streams::{
    decide::Decider,
    record::{Decoded, Record},
    subject::{self, Subject},
};
use tokio::sync::OnceCell;

/// Catalogues by hash: one for many missions.
#[derive(Default)]
pub struct Catalogues(Mutex<HashMap<String, Arc<OnceCell<Arc<Catalogue>>>>>);

impl Catalogues {
    pub fn known(&self, reference: &Ref) -> Option<Arc<Catalogue>> {
        self.0.lock().ok()?.get(&reference.sha256)?.get().cloned()
    }

    /// However many ask at once, it is read once.
    ///
    /// # Errors
    /// When the bytes are missing, or are not a catalogue.
    pub async fn fetch(&self, log: &dyn Log, tenant: &Tenant, reference: &Ref) -> Result<Arc<Catalogue>, ReadError> {
        let read = async || {
            let bytes = log.get(tenant, &reference.sha256, reference.size).await?;
            let catalogue = serde_json::from_slice(&bytes).map_err(|e| ReadError::Artifact {
                sha256: reference.sha256.clone(),
                why: format!("it is no catalogue: {e}"),
            })?;
            Ok(Arc::new(catalogue))
        };
        let cell = self.0.lock().ok().map(|mut known| Arc::clone(known.entry(reference.sha256.clone()).or_default()));
        cell.unwrap_or_default().get_or_try_init(read).await.cloned()
    }
}

/// What a record is to a decider.
#[derive(Debug)]
pub enum Seen {
    /// It folds this.
    Event(Box<Event>),
    /// It only counts this.
    Passed,
    /// It is no event of ours: skipped.
    Undecodable(String),
}

/// Decodes what needs nothing fetched; gives `None` when something must be.
pub fn at_once<D: Decider>(record: &Record, subject: Subject, catalogues: &Catalogues) -> Option<Seen> {
    if !concerns::<D>(&subject) {
        return Some(Seen::Passed);
    }
    if record.dataref().is_some() {
        return None;
    }
    match record.decode_as(subject) {
        Err(error) => Some(Seen::Undecodable(error.to_string())),
        Ok(Decoded::Unknown { .. }) => Some(Seen::Passed),
        Ok(Decoded::Event(mut event)) => {
            if let Fact::MissionCreated(created) = &mut event.fact {
                created.catalogue.content = Some(catalogues.known(&created.catalogue.reference)?);
            }
            Some(Seen::Event(Box::new(event)))
        }
    }
}

/// Decodes one record, fetching what it refers to.
///
/// # Errors
/// When what it refers to is missing or wrong, or cannot be read now.
pub async fn resolved<D: Decider>(
    log: &dyn Log,
    mut record: Record,
    catalogues: &Catalogues,
) -> Result<Seen, ReadError> {
    let subject = match Subject::parse(&record.subject) {
        Ok(subject) => subject,
        Err(error) => return Ok(Seen::Undecodable(error.to_string())),
    };
    let tenant = subject.tenant.clone();
    if let Some(seen) = at_once::<D>(&record, subject, catalogues) {
        return Ok(seen);
    }
    attach(log, &mut record, &tenant).await?;
    match record.decode() {
        Err(error) => Ok(Seen::Undecodable(error.to_string())),
        Ok(Decoded::Unknown { .. }) => Ok(Seen::Passed),
        Ok(Decoded::Event(mut event)) => {
            if let Fact::MissionCreated(created) = &mut event.fact {
                let found = catalogues.fetch(log, &tenant, &created.catalogue.reference).await?;
                created.catalogue.content = Some(found);
            }
            Ok(Seen::Event(Box::new(event)))
        }
    }
}

/// Puts the data of an event that lies elsewhere into its payload.
///
/// # Errors
/// When the bytes are missing or wrong.
pub async fn attach(log: &dyn Log, record: &mut Record, tenant: &Tenant) -> Result<(), ReadError> {
    if let Some(dataref) = record.dataref() {
        record.payload = log.get(tenant, &dataref.sha256, dataref.size).await?;
    }
    Ok(())
}

pub fn concerns<D: Decider>(subject: &Subject) -> bool {
    // Its own stuck words are the loop's business, and every decider must hear a retry of them.
    D::folds(subject.writer, &subject.kind, &subject.tail)
}

/// A mission, read from `after` to the end of its log.
pub struct Mission {
    /// What the reader knew already.
    pub after: u64,
    pub seen: Vec<(u64, Seen)>,
    /// The last word of the decider itself, 0 for none.
    pub own: u64,
    /// The last sequence read, 0 for none.
    pub last: u64,
    /// The last `decider.stuck` of the decider itself: its worker version.
    pub stuck: Option<String>,
    /// It is being archived: part of it may be gone, what is left says nothing.
    pub leaves: bool,
}

/// Reads a mission; one that `worker_version` is stuck with is not looked at any further.
///
/// # Errors
/// When the log cannot be read, or something that an event refers to is missing or wrong.
pub async fn mission<D: Decider>(
    log: &dyn Log,
    tenant: &Tenant,
    mission: MissionId,
    after: u64,
    catalogues: &Catalogues,
    worker_version: &str,
) -> Result<Mission, ReadError> {
    let records = log.load(&subject::mission(tenant, mission), after).await?;
    let mut read =
        Mission { after, seen: Vec::with_capacity(records.len()), own: 0, last: 0, stuck: None, leaves: false };
    let family = format!("{}.{}.", subject::mission_prefix(tenant, mission), D::WRITER);
    for record in &records {
        read.last = record.seq;
        // By its beginning, as the guard has it: a subject of ours with a wrong end counts too, or
        // no append would ever pass its guard again.
        if record.subject.starts_with(&family) {
            read.own = record.seq;
        }
        let Ok(subject) = Subject::parse(&record.subject) else { continue };
        read.leaves |= subject.writer == Writer::Librarian && subject.kind == "mission.archiving";
        if subject.writer == D::WRITER && subject.kind == "decider.stuck" {
            read.stuck = Some(record.header("ce-workerversion").unwrap_or_default().to_string());
        }
        if is_retry::<D>(&subject, &record.payload) {
            read.stuck = None;
        }
    }
    // What it died of would only be met again, and said again at every start; of what leaves nothing is needed.
    if read.leaves || read.stuck.as_deref() == Some(worker_version) {
        return Ok(read);
    }
    for record in records {
        read.seen.push((record.seq, resolved::<D>(log, record, catalogues).await?));
    }
    Ok(read)
}

/// Is this the record of the event? Of data that lies elsewhere it can't be told.
pub fn is_same(record: Record, event: &Event) -> bool {
    record.dataref().is_some() || matches!(record.decode(), Ok(Decoded::Event(stored)) if stored == *event)
}

/// Does a person ask this decider to try its stuck mission again?
pub fn is_retry<D: Decider>(subject: &Subject, payload: &[u8]) -> bool {
    subject.kind == "decider.retried"
        && matches!(Fact::from_bytes(&subject.kind, payload), Some(Ok(Fact::DeciderRetried(retried))) if retried.decider == D::WRITER)
}
