//! CloudEvents 1.0 from outside: goals and requests as any client sends them, and our own events as
//! files hold them. NATS binary mode and structured mode, through the CloudEvents SDK.

use crate::{
    event::{Event, Part},
    fact::{Ending, Fact, Tail, ce_type, kind_of_type, word},
    fault::Fault,
    time::Time,
    value::Value,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use cloudevents::{
    AttributesReader, Data, Event as Sdk,
    event::{ExtensionValue, SpecVersion},
    message::{self, BinaryDeserializer, BinarySerializer, MessageAttributeValue},
};
use percent_encoding::percent_decode_str;
use serde_json::{Map, json};
use std::collections::BTreeMap;

/// A CloudEvent that is well formed.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudEvent {
    pub id: String,
    pub source: String,
    pub ty: String,
    /// The data as JSON; `null` when there is none.
    pub data: Value,
    pub extensions: BTreeMap<String, String>,
}

impl CloudEvent {
    pub fn extension(&self, name: &str) -> Option<&str> {
        self.extensions.get(name).map(String::as_str)
    }
}

/// Reads a CloudEvent in either mode: binary when there are `ce-` headers, else structured.
///
/// # Errors
/// The first thing wrong, with its place (`/id`, `/data`, …).
pub fn parse(headers: &[(String, String)], body: &[u8]) -> Result<CloudEvent, Fault> {
    // The first of a name counts, so that what is checked is what is read.
    let lower: BTreeMap<String, &str> =
        headers.iter().rev().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
    let content_type = lower.get("content-type").map(|value| value.to_ascii_lowercase());
    if content_type.as_deref().is_some_and(|value| value.starts_with("application/cloudevents-batch")) {
        return Err(Fault::new("", "a batch of CloudEvents is not taken: send them one by one"));
    }
    let structured = content_type.as_deref().is_some_and(|value| value.starts_with("application/cloudevents"));
    let binary = lower.keys().any(|name| name.starts_with("ce-"));
    if binary && !structured {
        return of_binary(Binary { headers: lower, content_type, body: body.to_vec() });
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        Fault::new(
            "",
            format!(
                "neither `ce-` headers nor a JSON body: {error}. Send a CloudEvent 1.0 in binary or structured mode"
            ),
        )
    })?;
    of_structured(value)
}

/// Reads a CloudEvent in structured mode.
///
/// # Errors
/// The first thing wrong, with its place.
pub fn of_structured(value: Value) -> Result<CloudEvent, Fault> {
    let Value::Object(object) = &value else {
        return Err(Fault::new(
            "",
            "a CloudEvent in structured mode is a JSON object with specversion, id, source, type and data",
        ));
    };
    required(|name| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Fault::new(format!("/{name}"), "must be a text")),
    })?;
    optional(object)?;
    let event: Sdk =
        serde_json::from_value(value).map_err(|error| Fault::new("", format!("not a CloudEvent 1.0: {error}")))?;
    of_sdk(event)
}

fn of_binary(binary: Binary<'_>) -> Result<CloudEvent, Fault> {
    required(|name| Ok(binary.attribute(name)))?;
    let event = BinaryDeserializer::into_event(binary)
        .map_err(|error| Fault::new("", format!("not a CloudEvent 1.0: {error}")))?;
    of_sdk(event)
}

/// The attributes that every CloudEvent has, and its time, checked for words better than a parser's.
fn required(attribute: impl Fn(&str) -> Result<Option<String>, Fault>) -> Result<(), Fault> {
    match attribute("specversion")?.as_deref() {
        None => return Err(Fault::new("/specversion", "missing: must be \"1.0\"")),
        Some("1.0") => {}
        Some(other) => {
            return Err(Fault::new("/specversion", format!("is \"{other}\": only CloudEvents 1.0 is taken")));
        }
    }
    for name in ["id", "source", "type"] {
        if attribute(name)?.is_none_or(|value| value.trim().is_empty()) {
            return Err(Fault::new(
                format!("/{name}"),
                "missing or empty: every CloudEvent has specversion, id, source and type",
            ));
        }
    }
    match attribute("time")?.map(|time| time.parse::<Time>()) {
        Some(Err(why)) => Err(Fault::new("/time", format!("must be a time like 2026-01-31T12:00:00Z: {why}"))),
        _ => Ok(()),
    }
}

/// The other members of structured mode: the SDK would refuse them without saying which.
fn optional(object: &Map<String, Value>) -> Result<(), Fault> {
    for (name, value) in object.iter().filter(|(name, _)| *name != "data") {
        let expected = match (name.as_str(), value) {
            ("data_base64", _) if object.contains_key("data") => "can't stand beside `data`: give either",
            ("data_base64", Value::String(text)) if STANDARD.decode(text).is_ok() => continue,
            ("data_base64", _) => "must be base64",
            (_, Value::String(_) | Value::Null) => continue,
            ("datacontenttype" | "dataschema" | "subject", _) => "must be a text",
            (_, Value::Bool(_)) => continue,
            (_, Value::Number(number)) if number.is_i64() => continue,
            _ => "must be a text, a boolean or a whole number: it is an extension",
        };
        return Err(Fault::new(format!("/{name}"), expected));
    }
    Ok(())
}

fn of_sdk(mut event: Sdk) -> Result<CloudEvent, Fault> {
    let data = match event.take_data().2 {
        None => Value::Null,
        Some(Data::Json(value)) => value,
        Some(Data::String(text)) => json_of(text.as_bytes())?,
        Some(Data::Binary(bytes)) => json_of(&bytes)?,
    };
    let text = |value: &ExtensionValue| match value {
        ExtensionValue::String(text) => text.clone(),
        ExtensionValue::Boolean(value) => value.to_string(),
        ExtensionValue::Integer(value) => value.to_string(),
    };
    Ok(CloudEvent {
        id: event.id().into(),
        source: event.source().to_string(),
        ty: event.ty().into(),
        data,
        extensions: event.iter_extensions().map(|(name, value)| (name.to_string(), text(value))).collect(),
    })
}

fn json_of(bytes: &[u8]) -> Result<Value, Fault> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(bytes).map_err(|error| Fault::new("/data", format!("not JSON: {error}")))
}

/// A NATS message in binary mode, header names in lower case.
struct Binary<'a> {
    headers: BTreeMap<String, &'a str>,
    content_type: Option<String>,
    body: Vec<u8>,
}

impl Binary<'_> {
    fn attribute(&self, name: &str) -> Option<String> {
        self.headers.get(&format!("ce-{name}")).map(|value| percent_decoded(value))
    }
}

impl BinaryDeserializer for Binary<'_> {
    fn deserialize_binary<R: Sized, V: BinarySerializer<R>>(self, mut serializer: V) -> message::Result<R> {
        serializer = serializer.set_spec_version(SpecVersion::V10)?;
        if let Some(content_type) = &self.content_type {
            serializer =
                serializer.set_attribute("datacontenttype", MessageAttributeValue::String(content_type.clone()))?;
        }
        for (name, value) in self.headers.iter().filter_map(|(key, value)| Some((key.strip_prefix("ce-")?, value))) {
            let value = MessageAttributeValue::String(percent_decoded(value));
            serializer = match name {
                "specversion" => serializer,
                "id" | "source" | "type" | "subject" | "time" | "dataschema" | "datacontenttype" => {
                    serializer.set_attribute(name, value)?
                }
                extension => serializer.set_extension(extension, value)?,
            };
        }
        if self.body.is_empty() { serializer.end() } else { serializer.end_with_data(self.body) }
    }
}

/// `%C3%A4` and the like; what is no such code stays.
fn percent_decoded(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

/// One of our own events in structured mode, as `mission export` writes it.
///
/// What the subject holds beside the mission stands in the extensions `requester` and `request`, or
/// `step`; the place in the log in `sequence`.
pub fn to_structured(event: &Event) -> Value {
    let mut all = Map::new();
    let mut put = |name: &str, value: String| all.insert(name.into(), Value::String(value));
    put("specversion", "1.0".into());
    put("id", event.id.to_string());
    put("source", event.source());
    put("type", ce_type(event.fact.kind()));
    put("time", event.time.to_string());
    put("datacontenttype", "application/json".into());
    put("correlationid", event.mission.to_string());
    put("sequence", event.seq.to_string());
    match &event.tail {
        Tail::Bare => {}
        Tail::Step(step) => {
            put("step", step.clone());
        }
        Tail::Answer { requester, request } => {
            put("requester", requester.to_string());
            put("request", request.to_string());
        }
    }
    let optional = [
        ("causationid", event.causation.map(|id| id.to_string())),
        ("basis", event.basis.map(|basis| basis.to_string())),
        ("part", event.part.map(|part| format!("{}/{}", part.k, part.n))),
        ("workerversion", Some(event.worker_version.clone()).filter(|version| !version.is_empty())),
        ("traceparent", event.traceparent.clone()),
        ("authid", event.authid.clone()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            put(name, value);
        }
    }
    all.insert("data".into(), event.fact.to_value());
    Value::Object(all)
}

/// Why a line of an export is no event of this version.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unreadable {
    /// A newer word, or a line of another kind: to be kept as it is.
    #[error("`{0}` is not a word that this version knows")]
    Unknown(String),
    #[error("{0}")]
    Malformed(Fault),
}

/// Reads one of our own events in structured mode.
///
/// # Errors
/// `Unknown` for a line to be kept as it is; `Malformed` with the place.
pub fn from_structured(value: &Value) -> Result<Event, Unreadable> {
    let malformed = |at: &str, why: String| Unreadable::Malformed(Fault::new(at, why));
    let event = of_structured(value.clone()).map_err(Unreadable::Malformed)?;
    let unknown = || Unreadable::Unknown(event.ty.clone());
    let kind = kind_of_type(&event.ty).ok_or_else(unknown)?;
    let ending = word(kind).ok_or_else(unknown)?.ending;
    fn read<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Result<T, Unreadable> {
        text.parse().map_err(|why: T::Err| Unreadable::Malformed(Fault::new(format!("/{name}"), why.to_string())))
    }
    let must = |name: &str| event.extension(name).ok_or_else(|| malformed(&format!("/{name}"), "missing".into()));
    let tail = match ending {
        Ending::Bare => Tail::Bare,
        Ending::Step => Tail::Step(must("step")?.into()),
        Ending::Answer => Tail::Answer {
            requester: read("requester", must("requester")?)?,
            request: read("request", must("request")?)?,
        },
    };
    let mut source = event.source.strip_prefix("/stage7/").unwrap_or_default().split('/');
    let (Some(tenant), Some(writer), None) = (source.next(), source.next(), source.next()) else {
        return Err(malformed("/source", format!("must be /stage7/{{tenant}}/{{writer}}, this is `{}`", event.source)));
    };
    let bytes = serde_json::to_vec(&event.data).map_err(|error| malformed("/data", error.to_string()))?;
    let fact =
        Fact::from_bytes(kind, &bytes).ok_or_else(unknown)?.map_err(|error| malformed("/data", error.to_string()))?;
    let writer = read("source", writer)?;
    if !fact.word().writers.contains(&writer) {
        return Err(malformed("/source", format!("{writer} does not say {kind}")));
    }
    let part = |text: &str| {
        let (k, n) = text.split_once('/')?;
        Some(Part { k: k.parse().ok()?, n: n.parse().ok()? }).filter(|part| 1 <= part.k && part.k <= part.n)
    };
    let part = event
        .extension("part")
        .map(|text| {
            part(text).ok_or_else(|| malformed("/part", format!("must be k/n with 1 ≤ k ≤ n, this is `{text}`")))
        })
        .transpose()?;
    let time = value.get("time").and_then(Value::as_str).ok_or_else(|| malformed("/time", "missing".into()))?;
    let text = |name: &str| event.extension(name).map(str::to_string);
    Ok(Event {
        seq: read("sequence", must("sequence")?)?,
        id: read("id", &event.id)?,
        time: read("time", time)?,
        tenant: read("source", tenant)?,
        mission: read("correlationid", must("correlationid")?)?,
        writer,
        tail,
        fact,
        causation: event.extension("causationid").map(|id| read("causationid", id)).transpose()?,
        basis: event.extension("basis").map(|basis| read("basis", basis)).transpose()?,
        part,
        worker_version: text("workerversion").unwrap_or_default(),
        traceparent: text("traceparent"),
        authid: text("authid"),
    })
}

/// A goal event in structured mode.
pub fn goal(source: &str, id: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": source, "type": crate::goal::TYPE,
        "datacontenttype": "application/json", "data": data,
    })
}
