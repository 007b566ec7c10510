//! The body of a command: a CloudEvent in either mode, or just its data as JSON.

use nats::service::Request;
use schemas::{
    Fact, Fault, Value, cloudevent,
    fact::{ce_type, word},
};
use serde_json::Map;
use streams::submission::Refusal;

/// Longest text a person may say, in characters.
pub const MAX_TEXT: usize = 20_000;

/// What is to be said.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    pub fact: Fact,
    /// Source and id of the client's event, when it is one.
    pub name: Option<String>,
    pub traceparent: Option<String>,
}

impl Body {
    /// # Errors
    /// `invalid_event`, `invalid_json`, `invalid_data`.
    pub fn read(kind: &str, request: &Request) -> Result<Self, Refusal> {
        let json = match request.payload.is_empty() {
            true => Ok(Value::Object(Map::new())),
            false => serde_json::from_slice::<Value>(&request.payload),
        };
        let structured = json.as_ref().is_ok_and(|json| json.get("specversion").is_some());
        let (data, name, traceparent) = if structured || is_event(&request.headers) {
            let event = cloudevent::parse(&request.headers, &request.payload)
                .map_err(|fault| Refusal::of_faults("invalid_event", vec![fault]))?;
            if event.ty != ce_type(kind) {
                let message = format!("the type of `{kind}` is `{}`, this is `{}`", ce_type(kind), event.ty);
                return Err(Refusal::of_faults("invalid_event", vec![Fault::new("/type", message)]));
            }
            let traceparent = event.extension("traceparent").map(str::to_string);
            (event.data, Some(format!("{} {}", event.source, event.id)), traceparent)
        } else {
            let data = json
                .map_err(|e| Refusal::new("invalid_json", format!("the body is neither a CloudEvent nor JSON: {e}")))?;
            (data, None, None)
        };
        let fact = fact(kind, data).map_err(|faults| Refusal::of_faults("invalid_data", faults))?;
        Ok(Self { fact, name, traceparent })
    }
}

fn is_event(headers: &[(String, String)]) -> bool {
    headers.iter().any(|(name, value)| {
        name.to_ascii_lowercase().starts_with("ce-")
            || name.eq_ignore_ascii_case("content-type") && value.starts_with("application/cloudevents")
    })
}

/// The word, if the data has its fields and no others.
fn fact(kind: &str, data: Value) -> Result<Fact, Vec<Fault>> {
    // A CloudEvent may have no data at all.
    let data = if data.is_null() { Value::Object(Map::new()) } else { data };
    let mut schema = word(kind).map(|word| (word.schema)().to_value()).unwrap_or_default();
    schema["additionalProperties"] = Value::Bool(false);
    if let ("message.said", Some(Value::Object(fields))) = (kind, schema.get_mut("properties")) {
        // Agents say with this word who they are; a person is known otherwise.
        fields.shift_remove("agent");
    }
    let validator = jsonschema::validator_for(&schema).expect("a derived schema is a schema");
    let faults: Vec<Fault> =
        validator.iter_errors(&data).map(|e| Fault::new(e.instance_path().to_string(), e.to_string())).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let parsed = Fact::from_bytes(kind, data.to_string().as_bytes()).expect("the caller knows the word");
    let fact = parsed.map_err(|e| vec![Fault::new("", e.to_string())])?;
    let faults = texts(&fact);
    if faults.is_empty() { Ok(fact) } else { Err(faults) }
}

/// Texts that are blank, too long, or hold control characters.
fn texts(fact: &Fact) -> Vec<Fault> {
    let (at, text) = match fact {
        Fact::MessageSaid(said) => ("/text", Some(&said.text)),
        Fact::PauseRequested(asked) => ("/reason", asked.reason.as_ref()),
        Fact::AbortRequested(asked) => ("/reason", asked.reason.as_ref()),
        _ => return Vec::new(),
    };
    text.and_then(|text| fault_of_text(text)).map(|why| Fault::new(at, why)).into_iter().collect()
}

/// What is wrong with a text that a person gives, if anything.
pub fn fault_of_text(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some("is blank".into());
    }
    let chars = text.chars().count();
    if chars > MAX_TEXT {
        return Some(format!("has {chars} characters, {MAX_TEXT} are allowed"));
    }
    let control = text.chars().find(|c| c.is_control() && !matches!(c, '\t' | '\n'))?;
    Some(format!("holds the control character U+{:04X}; only tab and newline are allowed", control as u32))
}
