//! Missions outside the log: one file of CloudEvents each, one a line, with the bytes that its
//! events name beside them. `mission export` writes it, an archived mission lies in `ARTIFACTS` so.

use crate::{
    record::{Dataref, Record, decode_header, encode_header},
    subject::{self, Subject},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use schemas::{
    MissionId, Tenant, Time, Value, Writer,
    cloudevent::{Unreadable, from_structured},
    control::GoalEvent,
    event::Event,
    fact::{Tail, kind_of_type},
    value::{Ref, sha256},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::BTreeMap;

/// The CloudEvents type of a line that holds bytes: its `id` is their SHA-256.
pub const ARTIFACT: &str = "io.stage7.artifact.v1";

/// `noun.verb` of an [`Archived`] in the registry; its key is [`key`].
pub const KIND: &str = "mission.archived";

/// All words about archived missions.
pub const ALL: &str = "stage7.registry.librarian.mission.archived.>";

/// A mission that has left the log, or never was in it: the data of `mission.archived`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    pub tenant: Tenant,
    pub mission: MissionId,
    /// The file in `ARTIFACTS` of this tenant, compressed with gzip.
    pub archive: Ref,
    pub events: u64,
    /// The sequence of its last event.
    pub last: u64,
    pub at: Time,
    /// It came by `mission import`: it was never run here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
    /// The goal of which it was made: that event makes no mission any more.
    pub goal_event: GoalEvent,
    /// The sequence of the `mission.archiving` under which this was made.
    pub fence: u64,
}

/// What a registry word about a mission is filed under. Two tenants may import the same mission.
pub fn key(tenant: &Tenant, mission: MissionId) -> String {
    format!("{tenant}.{mission}")
}

/// The subject of the registry word about a mission.
pub fn tombstone(tenant: &Tenant, mission: MissionId) -> String {
    subject::registry(Writer::Librarian, KIND, Some(&key(tenant, mission)))
}

/// Is this the librarian's word that a mission leaves the log? It is about the log, and no part of
/// the mission.
pub fn is_fence(record: &Record) -> bool {
    record.subject.ends_with(".librarian.mission.archiving")
}

/// A line that does not belong into an export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Malformed {
    /// From 1.
    pub line: usize,
    pub why: String,
}

/// One event of an export.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// In the file, from 1.
    pub line: usize,
    pub seq: u64,
    /// In structured mode, its data in it.
    pub value: Value,
    /// `None` for a word that this version does not know.
    pub event: Option<Box<Event>>,
}

/// An export, read and found whole: one mission, in the order of the log, every hash as it says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Export {
    pub lines: Vec<Line>,
    /// Bytes by their hash.
    pub artifacts: BTreeMap<String, Vec<u8>>,
}

impl Export {
    /// Reads an export. Bytes that events refer to may stand anywhere in it.
    ///
    /// # Errors
    /// The first line that is no CloudEvent, of another mission, out of order, or other bytes than
    /// its hash says.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (mut events, mut export) = (Vec::new(), Self::default());
        // Some editors put a mark before everything.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let whole = text.ends_with('\n');
        let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()).peekable();
        while let Some((text, line)) = lines.next() {
            let malformed = |why: String| Malformed { line, why };
            let last = lines.peek().is_none() && !whole;
            let value: Value = serde_json::from_str(text).map_err(|error| {
                malformed(match last && error.is_eof() {
                    true => "it ends in the middle: the file was cut off; export the mission again".into(),
                    false => format!("not JSON ({error}): an export has one CloudEvent a line"),
                })
            })?;
            if !value.is_object() {
                return Err(malformed("no JSON object: an export has one CloudEvent a line".into()));
            }
            if value["type"] == ARTIFACT {
                let (sha256, bytes) = artifact(&value).map_err(malformed)?;
                export.artifacts.insert(sha256, bytes);
            } else {
                events.push((line, value));
            }
        }
        for (line, mut value) in events {
            let read = attach(&mut value, &export.artifacts).and_then(|()| export.next(line, value));
            export.lines.push(read.map_err(|why| Malformed { line, why })?);
        }
        Ok(export)
    }

    fn next(&self, line: usize, value: Value) -> Result<Line, String> {
        let (seq, event) = match from_structured(&value) {
            Ok(event) => (event.seq, Some(Box::new(event))),
            Err(Unreadable::Unknown(ce_type)) => {
                let seq = value["sequence"].as_str().and_then(|seq| seq.parse().ok());
                (seq.ok_or_else(|| format!("`{ce_type}` is no word of a mission's log"))?, None)
            }
            Err(error) => return Err(error.to_string()),
        };
        let before = self.lines.last().map_or(0, |line| line.seq);
        if seq <= before {
            return Err(format!(
                "the event {seq} comes after the event {before}: lines must be in the order of the log"
            ));
        }
        if let (Some(event), Some(first)) = (&event, self.lines.iter().find_map(|line| line.event.as_ref())) {
            let of = first.mission;
            if event.mission != of {
                return Err(format!("an event of mission {}, in an export of {of}", event.mission));
            }
            if event.tenant != first.tenant {
                return Err(format!("an event of tenant {}, in an export of tenant {}", event.tenant, first.tenant));
            }
        }
        Ok(Line { line, seq, value, event })
    }
}

fn artifact(line: &Value) -> Result<(String, Vec<u8>), String> {
    let text = |name: &str| line[name].as_str().ok_or_else(|| format!("an artifact without `{name}`"));
    let (hash, base64) = (text("id")?, text("data_base64")?);
    let bytes = STANDARD.decode(base64).map_err(|error| format!("`data_base64`: {error}"))?;
    match sha256(&bytes) {
        found if found == hash => Ok((found, bytes)),
        found => Err(format!("the artifact {hash} holds other bytes: their hash is {found}")),
    }
}

/// Puts data that lies elsewhere into its event.
fn attach(event: &mut Value, artifacts: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    let Some(urn) = event["dataref"].as_str().filter(|_| event["data"].is_null()) else { return Ok(()) };
    let dataref = Dataref::from_urn(urn).ok_or_else(|| format!("`dataref` is `{urn}`, which names no artifact"))?;
    let bytes = artifacts
        .get(&dataref.sha256)
        .ok_or_else(|| format!("its data, artifact {}, is not in the file", dataref.sha256))?;
    event["data"] =
        serde_json::from_slice(bytes).map_err(|error| format!("its data, artifact {}: {error}", dataref.sha256))?;
    Ok(())
}

/// The line that holds bytes.
pub fn artifact_line(tenant: &Tenant, mission: MissionId, sha256: &str, bytes: &[u8]) -> Value {
    json!({
        "specversion": "1.0", "id": sha256, "source": format!("/stage7/{tenant}/artifacts"), "type": ARTIFACT,
        "correlationid": mission, "data_base64": STANDARD.encode(bytes),
    })
}

/// The bytes that an event in structured mode names beside itself: its data, and the catalogue,
/// without which no decision can be made again.
pub fn named(event: &Value) -> Vec<Dataref> {
    let dataref = event.get("dataref").and_then(|urn| Dataref::from_urn(urn.as_str()?));
    let catalogue = event.pointer("/data/catalogue").and_then(Ref::from_value);
    let catalogue = catalogue.map(|found| Dataref { sha256: found.sha256, size: found.size });
    dataref.into_iter().chain(catalogue).collect()
}

/// A record as a line: attributes as they stand in the headers, data as far as it is in the record.
/// `None` for what is no event.
pub fn to_line(record: &Record) -> Option<Value> {
    let subject = Subject::parse(&record.subject).ok()?;
    let attributes = record.headers.iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        Some((name.strip_prefix("ce-")?.to_string(), Value::String(decode_header(value))))
    });
    let mut event: Map<String, Value> = attributes.collect();
    event.insert("sequence".into(), record.seq.to_string().into());
    match subject.tail {
        Tail::Bare => {}
        Tail::Step(step) => drop(event.insert("step".into(), step.into())),
        Tail::Answer { requester, request } => {
            event.insert("requester".into(), requester.as_str().into());
            event.insert("request".into(), request.to_string().into());
        }
    }
    if !record.payload.is_empty() {
        event.insert("datacontenttype".into(), "application/json".into());
        event.insert("data".into(), serde_json::from_slice(&record.payload).ok()?);
    }
    Some(Value::Object(event))
}

/// The record that a line was made of.
///
/// # Errors
/// What makes it no event of a mission's log.
pub fn of_line(line: &Value) -> Result<Record, String> {
    let text = |name: &str| line[name].as_str().ok_or_else(|| format!("`{name}` is missing"));
    let mut source = text("source")?.strip_prefix("/stage7/").unwrap_or_default().split('/');
    let (Some(tenant), Some(writer), None) = (source.next(), source.next(), source.next()) else {
        return Err("`source` must be /stage7/{tenant}/{writer}".into());
    };
    let tenant: Tenant = tenant.parse().map_err(|error| format!("`source`: {error}"))?;
    let mission: MissionId = text("correlationid")?.parse().map_err(|error| format!("`correlationid`: {error}"))?;
    let ce_type = text("type")?;
    // Of a newer version of a word only the shape is known.
    let kind = kind_of_type(ce_type).or_else(|| Some(ce_type.strip_prefix("io.stage7.")?.rsplit_once('.')?.0));
    let kind = kind.ok_or_else(|| format!("`type` is `{ce_type}`, which is no word of a mission's log"))?;
    let mut subject = format!("{}.{writer}.{kind}", subject::mission_prefix(&tenant, mission));
    match (line["step"].as_str(), line["requester"].as_str(), line["request"].as_str()) {
        (_, Some(requester), Some(request)) => subject.push_str(&format!(".{requester}.{request}")),
        (Some(step), ..) => subject.push_str(&format!(".{step}")),
        _ => {}
    }
    Subject::parse(&subject).map_err(|error| error.to_string())?;
    let seq = text("sequence")?.parse().map_err(|error| format!("`sequence`: {error}"))?;
    let apart = ["sequence", "step", "requester", "request", "data", "datacontenttype"];
    let headers = line.as_object().into_iter().flatten().filter(|(name, _)| !apart.contains(&name.as_str()));
    let headers = headers.filter_map(|(name, value)| Some((format!("ce-{name}"), encode_header(value.as_str()?))));
    let payload = match &line["data"] {
        Value::Null => Vec::new(),
        data => serde_json::to_vec(data).map_err(|error| error.to_string())?,
    };
    Ok(Record { seq, subject, headers: headers.collect(), payload: payload.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Decoded;
    use schemas::{EventId, Fact, user};
    use uuid::Uuid;

    fn event(seq: u64) -> Event {
        let fact: Fact = user::PauseRequested { reason: Some("tea \"now\" ☕".into()) }.into();
        let mission = MissionId(Uuid::from_u128(2));
        Event {
            seq,
            id: EventId::of_word(mission, Writer::User, fact.kind(), "", seq as u32),
            time: Time(1_700_000_000_123),
            tenant: Tenant::default(),
            mission,
            writer: Writer::User,
            tail: Tail::Bare,
            fact,
            causation: None,
            basis: Some(3),
            part: None,
            worker_version: "0a1b2c3d".into(),
            traceparent: None,
            authid: Some("Zoë \"%".into()),
        }
    }

    #[test]
    fn a_record_comes_back_from_its_line() {
        let record = Record::encode(&event(7));
        let again = of_line(&to_line(&record).unwrap()).unwrap();
        assert_eq!((&again.subject, again.seq, &again.payload), (&record.subject, 7, &record.payload));
        assert_eq!(again.decode(), Ok(Decoded::Event(event(7))));
        assert_eq!(again.decode(), record.decode());
    }

    #[test]
    fn a_newer_word_comes_back_too() {
        let mut record = Record::encode(&event(7));
        let newer = |(name, value): &mut (String, String)| {
            if name == "ce-type" {
                *value = "io.stage7.pause.requested.v2".into();
            }
        };
        record.headers.iter_mut().for_each(newer);
        let again = of_line(&to_line(&record).unwrap()).unwrap();
        assert_eq!(again.decode(), record.decode());
        assert!(matches!(again.decode(), Ok(Decoded::Unknown { .. })));
    }

    #[test]
    fn what_does_not_belong_into_an_export_is_told_with_its_line() {
        let line = |seq| to_line(&Record::encode(&event(seq))).unwrap().to_string();
        let mut other = to_line(&Record::encode(&event(9))).unwrap();
        other["correlationid"] = "00000000000000000000000000000003".into();
        let forged = artifact_line(&Tenant::default(), event(1).mission, &"0".repeat(64), b"x");
        for (text, why) in [
            (format!("{}\n\n{}", line(7), line(7)), "line 3: the event 7 comes after"),
            (format!("{}\n{other}", line(7)), "line 2: an event of mission 00000000000000000000000000000003"),
            (format!("{}\n{forged}", line(7)), "line 2: the artifact 0000"),
            ("[]".into(), "line 1: no JSON object"),
            ("{".into(), "line 1: it ends in the middle"),
            ("{\n".into(), "line 1: not JSON"),
        ] {
            let told = Export::parse(&text).unwrap_err().to_string();
            assert!(told.starts_with(why), "{told}");
        }
        assert_eq!(Export::parse(&format!("{}\n{}", line(7), line(9))).unwrap().lines.len(), 2);
    }
}
