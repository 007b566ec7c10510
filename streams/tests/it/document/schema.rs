//! `components/schemas`: the data of every word, hoisted so that references lead into this document.

use super::message::EXTENSIONS;
use schemas::{Value, fact::WORDS};
use serde_json::{Map, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// A checked-in JSON Schema by its name.
fn checked_in(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../schemas/json/{name}.json"));
    serde_json::from_slice(&fs::read(&path).unwrap()).unwrap()
}

/// The sentence that says what a word says: the first line of its type's documentation.
pub fn sentence(kind: &str) -> String {
    let schema = checked_in(&format!("{kind}.v1"));
    schema["description"].as_str().unwrap_or_else(|| panic!("{kind} has no description")).replace('\n', " ")
}

pub fn all() -> Map<String, Value> {
    let words = WORDS.iter().map(|word| (word.kind.to_string(), format!("{}.v1", word.kind)));
    let files: Vec<(String, Value)> = words
        .chain(["goal", "catalogue"].map(|name| (name.to_string(), name.to_string())))
        .map(|(name, file)| (name, checked_in(&file)))
        .collect();
    // Two types of one name and different contents are told apart by the word that they belong to.
    let mut contents: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, definition) in files.iter().filter_map(|(_, schema)| schema["$defs"].as_object()).flatten() {
        contents.entry(name).or_default().insert(definition.to_string());
    }
    let shared = |name: &str| contents[name].len() == 1;
    let mut all = Map::new();
    for (word, schema) in &files {
        let called = |name: &str| if shared(name) { name.to_string() } else { format!("{}{name}", pascal(word)) };
        let mut schema = schema.clone();
        let members = schema.as_object_mut().unwrap();
        for key in ["$schema", "$id", "title"] {
            members.remove(key);
        }
        for (name, definition) in members.remove("$defs").iter().filter_map(Value::as_object).flatten() {
            all.insert(called(name), rewritten(definition.clone(), &called));
        }
        all.insert(word.clone(), rewritten(schema, &called));
    }
    for (name, schema) in ours() {
        assert!(all.insert(name.into(), schema).is_none(), "two types are called {name}");
    }
    all
}

/// `noun.verb` as the beginning of a type's name.
fn pascal(kind: &str) -> String {
    let upper = |part: &str| part[..1].to_uppercase() + &part[1..];
    kind.split('.').map(upper).collect()
}

/// References into this document; what stands beside a reference would be ignored by draft 7, which
/// AsyncAPI's schemas are.
fn rewritten(value: Value, called: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Map<String, Value> =
                members.into_iter().map(|(name, member)| (name, rewritten(member, called))).collect();
            let Some(reference) = members.remove("$ref") else { return Value::Object(members) };
            let name = reference.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
            let to = json!({"$ref": format!("#/components/schemas/{}", called(name))});
            if members.is_empty() {
                return to;
            }
            members.insert("allOf".into(), json!([to]));
            Value::Object(members)
        }
        Value::Array(elements) => elements.into_iter().map(|element| rewritten(element, called)).collect(),
        other => other,
    }
}

/// What is no word in a mission's log; each has an example made by the code that writes it, or by
/// hand where that code is a worker's.
fn ours() -> Vec<(&'static str, Value)> {
    let text = || json!({"type": "string"});
    let id = || json!({"type": "string", "pattern": "^[0-9a-f]{32}$"});
    let object = |about: &str, properties: Value, required: &[&str]| json!({"type": "object", "description": about, "properties": properties, "required": required});
    let fault = object(
        "One thing wrong.",
        json!({"code": {"type": "string", "description": "For programs."},
            "message": {"type": "string", "description": "For people: what is wrong and what would be right."},
            "at": {"type": "string", "description": "A JSON pointer into the data that was given; empty for the whole."}}),
        &["code", "message", "at"],
    );
    let faults = json!({"type": "array", "description": "All that is wrong, when it is more than one thing.",
        "items": {"type": "object"}});
    let refusal = json!({"error": {"$ref": "#/components/schemas/Problem"}, "faults": faults});
    let mut refused = refusal.clone();
    refused["source"] =
        json!({"type": ["string", "null"], "description": "Of the goal event, as far as it could be read."});
    refused["id"] = json!({"type": ["string", "null"]});
    refused["excerpt"] = json!({"type": "string", "description": "How what was refused begins."});
    let verbs = json!({"verbs": {"type": "array", "items": text(), "uniqueItems": true}});
    let plugin = json!({
        "verb": {"$ref": "#/components/schemas/Verb"},
        "digest": {"type": "string", "description": "SHA-256 over manifest and files, lower-case hex."},
        "state": {"enum": ["enabled", "unavailable", "disabled"]},
        "reason": {"type": "string", "description": "Why it cannot be used, and what would help."},
        "settings": {"type": "array", "items": {"type": "object"}, "description": "What a tenant may choose for it."},
    });
    let archived = json!({"tenant": text(), "mission": id(), "at": text(),
        "archive": {"type": "object", "description": "A reference to the export in `ARTIFACTS`, compressed with gzip."},
        "events": {"type": "integer"},
        "last": {"type": "integer", "description": "The sequence of its last event."},
        "imported": {"type": "boolean", "description": "It was never run here."},
        "goal_event": {"type": "object", "description": "The goal of which it was made, by source and id."},
        "fence": {"type": "integer", "description": "The sequence of the `mission.archiving` under which this was said."},
    });
    let timer = json!({"tenant": text(), "mission": id(), "requester": text(), "timer": id(), "at": text(),
        "traceparent": {"type": ["string", "null"]}});
    let ack = json!({"stream": text(), "seq": {"type": "integer", "minimum": 1}});
    let said = json!({"seq": {"type": "integer", "description": "Where it lies in the log."}, "id": id()});
    let submitted = json!({"mission": id(), "subject": {"type": "string", "description": "Where to watch it grow."}});
    let question = json!({
        "type": "object",
        "description": "`{\"mission\", \"after\"?, \"limit\"?}` events · `{\"mission\", \"state\": true, \"at\"?}` the mission \
            as it stands, or stood · `{\"list\": {…}}` · `{\"search\": {…}}` · `{\"plugins\": true}` · `{\"plugin\": \"VERB\"}` · \
            `{\"refused\": {\"source\", \"id\"}}` · `{\"dead\": {…}}` · \
            `{\"cost\": {\"by\"?, \"mission\"?, \"since\"?, \"until\"?, \"limit\"?, \"after\"?}}` · \
            `{\"secrets\": true}` their names and the key to seal to",
        "minProperties": 1,
    });
    let order = json!({
        "type": "object",
        "description": "`{\"mission\"}` for `mission.archive`, `{\"sha256\", \"size\"}` of a stored export for `mission.import`; \
            `{\"verb\", \"version\"?}` and the like for plugins, `{\"fingerprint\", …}` for keys, \
            `{\"name\", \"for\"?, \"seal\"}` for secrets, `{\"verb\", \"name\", \"value\"}` for settings",
        "minProperties": 1,
    });
    let done = json!({
        "verb": text(), "version": {"type": ["string", "null"]}, "fingerprint": text(),
        "mission": id(),
        "already": {"type": "boolean", "description": "It was there before."},
        "events": {"type": "integer", "description": "Of an import: how many it has."},
    });
    let extensions: Map<String, Value> = EXTENSIONS
        .iter()
        .map(|(name, about)| (format!("ce-{name}"), json!({"type": "string", "description": about})))
        .collect();
    vec![
        ("Problem", fault),
        ("Refusal", object("A request that was not granted.", refusal, &["error"])),
        ("Refused", object("A goal that was refused, with the reason.", refused, &["error", "excerpt"])),
        ("Registered", object("A verb, and whether it can be used.", plugin, &["verb", "digest", "state"])),
        (
            "Archived",
            object(
                "A mission that lies in the archive.",
                archived,
                &["tenant", "mission", "archive", "events", "last", "at", "goal_event", "fence"],
            ),
        ),
        (
            "Trusted",
            object(
                "A publisher's public key, PEM.",
                json!({"publisher": text(), "key": text()}),
                &["publisher", "key"],
            ),
        ),
        (
            "Added",
            object(
                "A version of a plugin, and where its package lies.",
                json!({"verb": text(), "version": text(), "publisher": text(), "digest": text(), "sha256": text(), "size": {"type": "integer", "minimum": 0}, "tenant": text()}),
                &["verb", "version", "publisher", "digest", "sha256", "size", "tenant"],
            ),
        ),
        ("Chosen", object("A plugin's setting.", json!({"value": {"type": ["string", "number", "boolean"]}}), &[])),
        (
            "Announced",
            object("A public key for sealing, an NKey.", json!({"key": {"type": "string", "pattern": "^X"}}), &["key"]),
        ),
        (
            "Secret",
            object(
                "A secret, sealed.",
                json!({"for": {"type": "array", "items": text(), "description": "Who may have it: VERB, or VERB@HOST to send it there only."},
                    "since": text(),
                    "seal": {"type": "object", "description": "To whom, from whom (made for this once), and the sealed bytes in base64.",
                        "properties": {"to": text(), "from": text(), "sealed": text()}, "required": ["to", "from", "sealed"]}}),
                &["for", "since"],
            ),
        ),
        (
            "Failed",
            object(
                "A model's failure.",
                json!({"reason": text(), "times": {"type": "integer", "minimum": 1},
                    "until": {"type": "string", "description": "Absent: until a person resets it, or a brain starts anew."}}),
                &["reason", "times"],
            ),
        ),
        (
            "Measured",
            object(
                "How a model does.",
                json!({"success": {"type": "number", "minimum": 0, "maximum": 1, "description": "Of its calls, the last ones counting most."},
                    "pace": {"type": "number", "minimum": 0, "description": "Milliseconds for a token of its answers."}}),
                &["success"],
            ),
        ),
        (
            "Rated",
            object(
                "What a person thinks of a model's answer.",
                json!({"tenant": text(), "mission": text(), "call": text(), "good": {"type": "boolean"},
                    "note": {"type": "string", "description": "Why, in the person's words."}}),
                &["tenant", "mission", "call", "good"],
            ),
        ),
        ("Pinned", object("The version that new missions get.", json!({"version": text()}), &[])),
        ("Nothing", object("The subject says it all.", json!({}), &[])),
        ("Listed", object("All verbs of one writer; only what is on its last list counts.", verbs, &["verbs"])),
        (
            "Timer",
            object(
                "A timer, as it lies in its schedule and as it comes due.",
                timer,
                &["tenant", "mission", "requester", "timer", "at"],
            ),
        ),
        ("Acknowledged", object("JetStream's acknowledgement: it is safe.", ack, &["stream", "seq"])),
        ("Said", object("The word is in the log.", said, &["seq", "id"])),
        ("Submitted", object("The mission that the goal will be.", submitted, &["mission", "subject"])),
        ("Kept", object("The stored bytes are the ones that were sent.", json!({"ok": {"const": true}}), &["ok"])),
        ("Order", order),
        ("Done", object("What the order came to.", done, &[])),
        ("Question", question),
        ("Answer", json!({"type": "object", "description": "What was asked for."})),
        (
            "Envelope",
            json!({"type": "object", "description": "CloudEvents 1.0 in NATS binary mode.",
            "properties": extensions,
            "required": ["ce-specversion", "ce-id", "ce-type", "ce-source", "ce-time"]}),
        ),
    ]
}
