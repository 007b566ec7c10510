//! Missions outside the log: their files in `ARTIFACTS`, compressed, and the registry's words about
//! them.

use crate::{
    decider::attach,
    jetstream::JetStream,
    log::{AppendError, Log, ReadError},
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use schemas::{
    Event, Fact, MissionId, Tenant,
    value::{Blob, Form, Ref},
};
use std::{
    collections::BTreeSet,
    io::{Read, Write},
};
use streams::{
    archive::{ARTIFACT, Archived, artifact_line, named, of_line, to_line, tombstone},
    record::{Decoded, Record},
};

/// An archive has at most so many bytes once it is unpacked: a hostile one of a few KiB could fill
/// the memory.
pub const MOST: u64 = 256 << 20;

const MEDIA_TYPE: &str = "application/gzip";

/// The registry's word about a mission that is not in the log any more, or never was.
///
/// # Errors
/// When the registry can't be read.
pub async fn find(log: &JetStream, tenant: &Tenant, mission: MissionId) -> Result<Option<Archived>, ReadError> {
    let word = log.last_from("REGISTRY", &tombstone(tenant, mission)).await?;
    Ok(word.and_then(|record| read(&record)))
}

/// The word in a record of the registry; `None` when it is about another mission than it says.
pub fn read(record: &Record) -> Option<Archived> {
    let archived: Archived = serde_json::from_slice(&record.payload).ok()?;
    (record.subject == tombstone(&archived.tenant, archived.mission)).then_some(archived)
}

/// The records of an archived mission, in the order of the log that they were in.
///
/// # Errors
/// When the file is missing, is not what its hash says, or holds something else.
pub async fn records(log: &JetStream, archived: &Archived) -> Result<Vec<Record>, ReadError> {
    let Ref { sha256, size, .. } = &archived.archive;
    let bytes = log.get(&archived.tenant, sha256, *size).await?;
    let broken = |why: String| ReadError::Artifact { sha256: sha256.clone(), why };
    // Unpacking and parsing take their time: they must not hold up who else runs on this thread.
    let parsed = tokio::task::spawn_blocking(move || {
        let text = unpack(&bytes)?;
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let mut records = Vec::new();
        for line in lines {
            let value: schemas::Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
            if value["type"] != ARTIFACT {
                records.push(of_line(&value)?);
            }
        }
        Ok(records)
    });
    parsed.await.unwrap_or_else(|panic| Err(panic.to_string())).map_err(broken)
}

/// What is archived of a mission.
pub struct Packed {
    pub archive: Ref,
    pub events: u64,
    pub last: u64,
    /// Its `mission.created`.
    pub created: Event,
}

/// Puts a mission's records into a file of their own, with what they refer to.
///
/// # Errors
/// When the mission has no beginning that can be read, or the log does not answer.
pub async fn store(
    log: &JetStream,
    tenant: &Tenant,
    mission: MissionId,
    records: &[Record],
) -> Result<Packed, StoreError> {
    let (mut lines, mut events, mut last, mut beginning) = (Vec::new(), 0, 0, None);
    let mut refers = BTreeSet::new();
    for record in records {
        let mut whole = record.clone();
        match attach(log, &mut whole, tenant).await {
            Ok(()) | Err(ReadError::Artifact { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        match whole.decode() {
            Ok(Decoded::Event(event)) => {
                if matches!(event.fact, Fact::MissionCreated(_)) {
                    beginning.get_or_insert(event);
                }
            }
            Ok(Decoded::Unknown { .. }) => {}
            Err(error) => {
                tracing::warn!(seq = record.seq, %error, "no event of ours: it is not archived");
                continue;
            }
        }
        let Some(line) = to_line(record) else { continue };
        if let Some(whole) = to_line(&whole) {
            refers.extend(named(&whole).into_iter().chain(named(&line)).map(|named| (named.sha256, named.size)));
        }
        lines.push(line.to_string());
        (events, last) = (events + 1, record.seq);
    }
    let created = beginning.ok_or(StoreError::NoBeginning)?;
    for (sha256, size) in refers {
        match log.get(tenant, &sha256, size).await {
            Ok(bytes) => lines.push(artifact_line(tenant, mission, &sha256, &bytes).to_string()),
            Err(ReadError::Artifact { why, .. }) => tracing::warn!(%mission, sha256, why, "left out of the archive"),
            Err(error) => return Err(error.into()),
        }
    }
    let archive = put(log, tenant, lines).await?;
    Ok(Packed { archive, events, last, created })
}

async fn put(log: &JetStream, tenant: &Tenant, lines: Vec<String>) -> Result<Ref, StoreError> {
    let packed = tokio::task::spawn_blocking(move || pack(&lines)).await;
    let packed = packed.map_err(|panic| StoreError::Unpacked(panic.to_string()))?;
    let Blob { reference, bytes } = Blob::new(Form::File, MEDIA_TYPE, packed);
    log.put(tenant, &reference.sha256, &bytes).await?;
    Ok(reference)
}

/// Why a mission can't be put into a file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the mission has no `mission.created` that can be read")]
    NoBeginning,
    #[error("it can't be packed: {0}")]
    Unpacked(String),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Lines, compressed; the same lines give the same bytes.
pub fn pack(lines: &[String]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    for line in lines {
        gzip.write_all(line.as_bytes()).and_then(|()| gzip.write_all(b"\n")).expect("a vector takes all bytes");
    }
    gzip.finish().expect("a vector takes all bytes")
}

/// The text of a file, compressed or not.
///
/// # Errors
/// When it is no text, or larger than [`MOST`].
pub fn unpack(bytes: &[u8]) -> Result<String, String> {
    let mut text = String::new();
    let read = match bytes.starts_with(&[0x1f, 0x8b]) {
        true => GzDecoder::new(bytes).take(MOST + 1).read_to_string(&mut text),
        false => bytes.take(MOST + 1).read_to_string(&mut text),
    };
    match read {
        Ok(size) if size as u64 > MOST => Err(format!("it has more than {MOST} bytes ({} MiB)", MOST >> 20)),
        Ok(_) => Ok(text),
        Err(error) => Err(format!("it is neither text nor compressed with gzip: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_a_bomb_is_not() {
        let lines = ["{\"a\": \"ä\"}".to_string(), "{}".to_string()];
        assert_eq!(unpack(&pack(&lines)), Ok("{\"a\": \"ä\"}\n{}\n".into()));
        assert_eq!(unpack("{}\n".as_bytes()), Ok("{}\n".into()));
        assert!(unpack(&[0x1f, 0x8b, 1, 2, 3]).unwrap_err().contains("gzip"));
        assert!(unpack(&[0xff, 0xfe]).unwrap_err().contains("neither text"));
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let zeros = vec![b' '; 1 << 20];
        (0..=MOST >> 20).for_each(|_| gzip.write_all(&zeros).unwrap());
        let bomb = gzip.finish().unwrap();
        assert!(bomb.len() < 8 << 20);
        assert!(unpack(&bomb).unwrap_err().contains("256 MiB"));
    }
}
