//! Records: events as they lie in the log, in the CloudEvents NATS binary mode.
//!
//! Written by hand for speed: every worker decodes every event of its stream. A test holds the
//! result against the CloudEvents SDK.

use crate::subject::{self, Subject};
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use schemas::{
    Event, Fact,
    event::Part,
    fact::{ce_type, kind_of_type},
    id::EventId,
};

/// Data longer than this (bytes) lies in `ARTIFACTS`, and the event names it by `dataref`.
pub const PAYLOAD_LIMIT: usize = 64 * 1024;

/// What the NATS binding percent-encodes in a header: everything that is not printable ASCII, and
/// the space, the double quote and the percent sign.
const HEADER: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// One message of the log: bytes with names, not yet understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Stream sequence; 0 while it is not in the log.
    pub seq: u64,
    pub subject: String,
    /// In the order of the wire; names as they came.
    pub headers: Vec<(String, String)>,
    pub payload: Bytes,
}

/// A record understood.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "almost every record is an event")]
pub enum Decoded {
    Event(Event),
    /// A word, or a version of one, that this build does not know: skipped by every fold.
    Unknown {
        subject: Subject,
        ce_type: String,
    },
}

/// A record that is no event of ours: skipped, counted, and found by `dead list`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    #[error(transparent)]
    Subject(#[from] subject::Malformed),
    #[error("header `{0}` is missing")]
    Missing(&'static str),
    #[error("header `{name}` is `{value}`: {why}")]
    Header { name: &'static str, value: String, why: String },
    #[error("subject and header `{name}` disagree: `{subject}` is not `{header}`")]
    Disagree { name: &'static str, subject: String, header: String },
    #[error("header `{0}` belongs to the server: an event may not carry it")]
    Forged(String),
    #[error("data of `{kind}`: {why}")]
    Data { kind: String, why: String },
}

/// Where the data of an event lies when it is not in it: `urn:stage7:artifact:{sha256}:{bytes}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataref {
    pub sha256: String,
    pub size: u64,
}

impl Dataref {
    pub fn to_urn(&self) -> String {
        format!("urn:stage7:artifact:{}:{}", self.sha256, self.size)
    }
    pub fn from_urn(urn: &str) -> Option<Self> {
        let (sha256, size) = urn.strip_prefix("urn:stage7:artifact:")?.split_once(':')?;
        let size = size.parse().ok()?;
        schemas::goal::is_sha256(sha256).then(|| Self { sha256: sha256.into(), size })
    }
}

/// Names that only the server may write; on a stored event they are a forgery.
const SERVERS: [&str; 9] = [
    "nats-subject",
    "nats-sequence",
    "nats-time-stamp",
    "nats-stream",
    "nats-num-pending",
    "nats-last-sequence",
    "nats-upto-sequence",
    "status",
    "description",
];

impl Record {
    /// The value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Where the data lies, when it is not here.
    pub fn dataref(&self) -> Option<Dataref> {
        Dataref::from_urn(self.header("ce-dataref")?)
    }

    /// The record of an event, data inline.
    pub fn encode(event: &Event) -> Self {
        let kind = event.fact.kind();
        let subject = Subject {
            tenant: event.tenant.clone(),
            mission: event.mission,
            writer: event.writer,
            kind: kind.into(),
            tail: event.tail.clone(),
        };
        let mut headers = Vec::with_capacity(12);
        let mut put = |name: &str, value: String| headers.push((name.to_string(), value));
        put("ce-specversion", "1.0".into());
        put("ce-id", event.id.to_string());
        put("ce-type", ce_type(kind));
        put("ce-source", event.source());
        put("ce-time", event.time.to_string());
        put("ce-correlationid", event.mission.to_string());
        if let Some(causation) = event.causation {
            put("ce-causationid", causation.to_string());
        }
        if let Some(basis) = event.basis {
            put("ce-basis", basis.to_string());
        }
        if let Some(part) = event.part {
            put("ce-part", format!("{}/{}", part.k, part.n));
        }
        if !event.worker_version.is_empty() {
            put("ce-workerversion", encode_header(&event.worker_version));
        }
        if let Some(trace) = &event.traceparent {
            put("ce-traceparent", encode_header(trace));
        }
        if let Some(person) = &event.authid {
            put("ce-authid", encode_header(person));
        }
        Self { seq: event.seq, subject: subject.to_string(), headers, payload: event.fact.to_bytes().into() }
    }

    /// Reads the event, checking that subject and headers say the same.
    ///
    /// Data that lies elsewhere must have been put into `payload` before. Data is judged last: a
    /// complaint about it means that everything else is right.
    ///
    /// # Errors
    /// What makes it no event of ours.
    pub fn decode(&self) -> Result<Decoded, Undecodable> {
        self.not_forged()?;
        self.read(Subject::parse(&self.subject)?)
    }

    /// The same, of a record whose subject is read already.
    ///
    /// # Errors
    /// What makes it no event of ours.
    pub fn decode_as(&self, subject: Subject) -> Result<Decoded, Undecodable> {
        self.not_forged()?;
        self.read(subject)
    }

    fn not_forged(&self) -> Result<(), Undecodable> {
        let is_servers = |name: &str| !name.starts_with("ce-") && SERVERS.iter().any(|s| name.eq_ignore_ascii_case(s));
        match self.headers.iter().find(|(name, _)| is_servers(name)) {
            Some((name, _)) => Err(Undecodable::Forged(name.clone())),
            None => Ok(()),
        }
    }

    fn read(&self, subject: Subject) -> Result<Decoded, Undecodable> {
        let must = |name: &'static str| self.header(name).ok_or(Undecodable::Missing(name));
        let agree = |name: &'static str, subject: &str, header: &str| match subject == header {
            true => Ok(()),
            false => Err(Undecodable::Disagree { name, subject: subject.into(), header: header.into() }),
        };
        agree("ce-specversion", "1.0", must("ce-specversion")?)?;
        let ce_type = must("ce-type")?;
        let newer = kind_of_type(ce_type).is_none();
        if !newer {
            let kind = kind_of_type(ce_type).unwrap_or_default();
            agree("ce-type", &subject.kind, kind)?;
        }
        let source = must("ce-source")?;
        let whose = source.strip_prefix("/stage7/").and_then(|rest| rest.split_once('/'));
        if whose != Some((subject.tenant.as_str(), subject.writer.as_str())) {
            agree("ce-source", &format!("/stage7/{}/{}", subject.tenant, subject.writer), source)?;
        }
        let mut mission = [0; 32];
        agree("ce-correlationid", subject.mission.0.as_simple().encode_lower(&mut mission), must("ce-correlationid")?)?;
        let unknown = |subject: Subject| Decoded::Unknown { subject, ce_type: ce_type.into() };
        if newer {
            return Ok(unknown(subject));
        }
        let Some(word) = schemas::fact::word(&subject.kind) else { return Ok(unknown(subject)) };
        if !word.writers.contains(&subject.writer) {
            return Err(Undecodable::Disagree {
                name: "ce-type",
                subject: subject.writer.to_string(),
                header: ce_type.into(),
            });
        }
        let id = parse("ce-id", must("ce-id")?)?;
        let time = parse("ce-time", must("ce-time")?)?;
        let causation = self.optional::<EventId>("ce-causationid")?;
        let basis = self.optional::<u64>("ce-basis")?;
        let part = self.header("ce-part").map(parse_part).transpose()?;
        let fact = match Fact::from_bytes(&subject.kind, &self.payload) {
            None => return Ok(unknown(subject)),
            Some(Err(why)) => return Err(Undecodable::Data { kind: subject.kind, why: why.to_string() }),
            Some(Ok(fact)) => fact,
        };
        let text = |name| self.header(name).map(decode_header);
        Ok(Decoded::Event(Event {
            seq: self.seq,
            id,
            time,
            tenant: subject.tenant,
            mission: subject.mission,
            writer: subject.writer,
            tail: subject.tail,
            fact,
            causation,
            basis,
            part,
            worker_version: text("ce-workerversion").unwrap_or_default(),
            traceparent: text("ce-traceparent"),
            authid: text("ce-authid"),
        }))
    }

    fn optional<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Undecodable> {
        self.header(name).map(|value| parse(name, value)).transpose()
    }
}

/// A header value as the NATS binding wants it.
pub fn encode_header(value: &str) -> String {
    utf8_percent_encode(value, HEADER).to_string()
}

/// What [`encode_header`] was given.
pub fn decode_header(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(name: &'static str, value: &str) -> Result<T, Undecodable> {
    value.parse().map_err(|why: T::Err| Undecodable::Header { name, value: value.into(), why: why.to_string() })
}

fn parse_part(value: &str) -> Result<Part, Undecodable> {
    value
        .split_once('/')
        .and_then(|(k, n)| Some(Part { k: k.parse().ok()?, n: n.parse().ok()? }))
        .filter(|part| 1 <= part.k && part.k <= part.n)
        .ok_or_else(|| Undecodable::Header {
            name: "ce-part",
            value: value.into(),
            why: "must be k/n with 1 ≤ k ≤ n".into(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::{MissionId, Time, Writer, control, fact::Tail, user};
    use uuid::Uuid;

    fn event(writer: Writer, fact: Fact, tail: Tail) -> Event {
        Event {
            seq: 7,
            id: EventId(Uuid::from_u128(9)),
            time: Time(1_700_000_000_123),
            tenant: "default".parse().expect("a tenant"),
            mission: MissionId(Uuid::from_u128(2)),
            writer,
            tail,
            fact,
            causation: Some(EventId(Uuid::from_u128(3))),
            basis: Some(6),
            part: Some(Part { k: 1, n: 2 }),
            worker_version: "0a1b2c3d".into(),
            traceparent: None,
            authid: Some("Zoë \"%".into()),
        }
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same() {
        let paused = event(Writer::User, user::PauseRequested { reason: Some("tea".into()) }.into(), Tail::Bare);
        assert_eq!(Record::encode(&paused).decode(), Ok(Decoded::Event(paused)));
        let cancelled = control::StepCancelled {
            step: "a".into(),
            attempt: 1,
            class: schemas::Class::Transient,
            reason: "late".into(),
        };
        let cancelled = event(Writer::Control, cancelled.into(), Tail::Step("a".into()));
        assert_eq!(Record::encode(&cancelled).decode(), Ok(Decoded::Event(cancelled)));
    }

    #[test]
    fn a_record_whose_parts_disagree_is_no_event() {
        let good = Record::encode(&event(Writer::User, user::PauseRequested::default().into(), Tail::Bare));
        for (name, value) in [
            ("ce-source", "/stage7/default/control"),
            ("ce-type", "io.stage7.abort.requested.v1"),
            ("ce-correlationid", "00000000000000000000000000000012"),
            ("ce-specversion", "0.3"),
            ("ce-part", "3/2"),
            ("ce-id", "x"),
            ("ce-time", "yesterday"),
        ] {
            let mut bad = good.clone();
            bad.headers.retain(|(key, _)| key != name);
            bad.headers.push((name.into(), value.into()));
            assert!(bad.decode().is_err(), "{name}: {value}");
        }
        let mut forged = good.clone();
        forged.headers.push(("Nats-Sequence".into(), "1".into()));
        assert!(matches!(forged.decode(), Err(Undecodable::Forged(_))));
        let mut other = good.clone();
        other.subject = other.subject.replace(".user.", ".agent.");
        assert!(other.decode().is_err(), "agents do not say what users say");
    }

    #[test]
    fn newer_and_unknown_words_are_told_from_broken_ones() {
        let mut newer = Record::encode(&event(Writer::User, user::PauseRequested::default().into(), Tail::Bare));
        newer
            .headers
            .iter_mut()
            .filter(|(k, _)| k == "ce-type")
            .for_each(|(_, v)| *v = "io.stage7.pause.requested.v2".into());
        assert!(matches!(newer.decode(), Ok(Decoded::Unknown { .. })));
    }
}
