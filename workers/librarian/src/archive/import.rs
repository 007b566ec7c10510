//! `mission import`: an export becomes a mission of the archive. It is never run.

use super::{Archivist, order::refusal, order::unread};
use nats::{
    archive::{self, StoreError, unpack},
    decider::attach,
    log::{AppendError, Log},
    registry::publish,
};
use schemas::{
    Event, Fact, Tenant, Value, Writer,
    goal::{MAX_FILE, Stored},
    value::sha256,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use streams::{
    archive::{Archived, Export, KIND, is_fence, key, named, of_line, to_line},
    record::{Dataref, Decoded, PAYLOAD_LIMIT, Record},
    subject,
    submission::Refusal,
};

/// An export that is a whole mission.
struct Import {
    /// Its first event.
    created: Event,
    records: Vec<Record>,
    artifacts: BTreeMap<String, Vec<u8>>,
}

impl Archivist {
    pub(super) async fn import(&self, tenant: &Tenant, file: &Stored) -> Result<Value, Refusal> {
        if file.size > MAX_FILE {
            return Err(Refusal::new(
                "too_large",
                format!("a file has at most {MAX_FILE} bytes, this has {}", file.size),
            ));
        }
        let bytes = self.js.get(tenant, &file.sha256, file.size).await.map_err(unread)?;
        let read = tokio::task::spawn_blocking(move || read(&bytes)).await;
        let import = read.unwrap_or_else(|_| Err("it can't be read".into()));
        let import = import.map_err(|why| Refusal::new("invalid_export", why))?;
        let mission = import.created.mission;
        if let Some(there) = self.there(tenant, &import).await? {
            return there;
        }
        let (fence, at) = match self.fence(tenant, mission, 0).await {
            Ok(fence) => fence,
            // It began just now, or another import of it is under way.
            Err(AppendError::Conflict) => {
                return self.there(tenant, &import).await?.unwrap_or_else(|| Err(exists(mission)));
            }
            Err(error) => return Err(refusal(error.into())),
        };
        for (sha256, bytes) in &import.artifacts {
            self.js.put(tenant, sha256, bytes).await.map_err(|error| refusal(error.into()))?;
        }
        let packed = archive::store(&self.js, tenant, mission, &import.records).await;
        let packed = packed.map_err(|error| refusal(error.into()))?;
        let Fact::MissionCreated(created) = packed.created.fact else {
            return Err(refusal(StoreError::NoBeginning.into()));
        };
        let word = Archived {
            tenant: tenant.clone(),
            mission,
            archive: packed.archive,
            events: packed.events,
            last: packed.last,
            at,
            imported: true,
            goal_event: created.goal_event,
            fence,
        };
        let said = publish(&self.js, Writer::Librarian, KIND, Some(&key(tenant, mission)), &word).await;
        said.map_err(|error| refusal(error.into()))?;
        self.leave(tenant, mission, Vec::new(), fence).await.map_err(unread)?;
        tracing::info!(%tenant, %mission, events = word.events, "imported");
        Ok(json!({"mission": mission, "events": word.events, "already": false}))
    }

    /// What to answer when there is such a mission: `Ok` if it is the very same.
    async fn there(&self, tenant: &Tenant, import: &Import) -> Result<Option<Result<Value, Refusal>>, Refusal> {
        let mission = import.created.mission;
        let mut found = self.js.load(&subject::mission(tenant, mission), 0).await.map_err(unread)?;
        found.retain(|record| !is_fence(record));
        let begins = found.first().is_some_and(|first| first.subject.ends_with(".control.mission.created"));
        if !begins {
            match archive::find(&self.js, tenant, mission).await.map_err(unread)? {
                Some(word) => found = archive::records(&self.js, &word).await.map_err(unread)?,
                None => return Ok(None),
            }
        }
        let mut same = found.len() == import.records.len();
        for (mut there, record) in found.into_iter().zip(&import.records) {
            if !same {
                break;
            }
            // An artifact that is gone makes it another mission, not an unreadable one.
            let _ = attach(&self.js, &mut there, tenant).await;
            let mut record = record.clone();
            if let Some(bytes) = record.dataref().and_then(|named| import.artifacts.get(&named.sha256)) {
                record.payload = bytes.clone().into();
            }
            same &= match (there.decode(), record.decode()) {
                (Ok(Decoded::Event(there)), Ok(Decoded::Event(event))) => {
                    Event { tenant: event.tenant.clone(), ..there } == event
                }
                (there, record) => there == record,
            };
        }
        Ok(Some(match same {
            true => Ok(json!({"mission": mission, "events": import.records.len(), "already": true})),
            false => Err(exists(mission)),
        }))
    }
}

fn exists(mission: schemas::MissionId) -> Refusal {
    Refusal::new("exists", format!("there is a mission {mission} already, and it is not the same: nothing is imported"))
}

/// Reads the file by the rules of every export, and by one more: it holds a mission from its
/// beginning.
fn read(bytes: &[u8]) -> Result<Import, String> {
    let text = unpack(bytes)?;
    let Export { lines, mut artifacts } = Export::parse(&text).map_err(|malformed| malformed.to_string())?;
    let Some(first) = lines.first() else { return Err("it holds no events of a mission".into()) };
    let begins = first.event.as_ref().filter(|event| matches!(event.fact, Fact::MissionCreated(_)));
    let created = begins.ok_or_else(|| format!("line {}: a mission begins with mission.created", first.line))?;
    let created = created.as_ref().clone();
    let mut records = Vec::with_capacity(lines.len());
    for line in lines {
        let at = |why: String| format!("line {}: {why}", line.line);
        let mut record = of_line(&line.value).map_err(at)?;
        let subject = subject::Subject::parse(&record.subject).map_err(|error| at(error.to_string()))?;
        if (&subject.tenant, subject.mission) != (&created.tenant, created.mission) {
            return Err(at(format!("an event of mission {}, in an export of {}", subject.mission, created.mission)));
        }
        record.decode().map_err(|error| at(error.to_string()))?;
        if record.dataref().is_some() || record.payload.len() > PAYLOAD_LIMIT {
            aside(&mut record, &mut artifacts);
        }
        records.push(record);
    }
    // Nothing is stored that no event names.
    let lines = records.iter().filter_map(to_line).flat_map(|line| named(&line)).map(|named| named.sha256);
    let mut named: BTreeSet<String> = lines.collect();
    if let Fact::MissionCreated(said) = &created.fact {
        named.insert(said.catalogue.reference.sha256.clone());
    }
    artifacts.retain(|sha256, _| named.contains(sha256));
    Ok(Import { created, records, artifacts })
}

/// Long data lies beside its event, as in the log.
fn aside(record: &mut Record, artifacts: &mut BTreeMap<String, Vec<u8>>) {
    let bytes = std::mem::take(&mut record.payload);
    let dataref = Dataref { sha256: sha256(&bytes), size: bytes.len() as u64 };
    record.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("ce-dataref"));
    record.headers.push(("ce-dataref".into(), dataref.to_urn()));
    artifacts.insert(dataref.sha256, bytes.into());
}
