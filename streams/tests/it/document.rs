//! `schemas/asyncapi.yaml`, `docs/events.md` and the table in `docs/security.md`: every word, stream
//! and subject, who says it and who reads it, generated from the tables that the code runs on.
//!
//! `STAGE7_REGENERATE=1 cargo test -p streams document` writes them anew.

mod channel;
mod message;
mod operation;
mod page;
mod reader;
mod right;
mod schema;

use crate::yaml;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// The AsyncAPI document.
fn asyncapi() -> Value {
    let channels = channel::all();
    json!({
        "asyncapi": "3.0.0",
        "id": "urn:stage7",
        "info": {
            "title": "stage7",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every event and every subject of stage7. Generated from schemas/src/fact.rs and \
                streams/src/topology.rs: do not edit.",
            "license": {"name": "Apache-2.0"},
            "tags": [{"name": "log"}, {"name": "stream"}, {"name": "request"}, {"name": "live"}],
        },
        "defaultContentType": "application/json",
        "servers": {
            "nats": {
                "host": "127.0.0.1:4222",
                "protocol": "nats",
                "description": "nats-server 2.14 or newer with nats/nats-server.conf; `stage7 up` says in \
                    .stage7/up.json where its own listens",
                "security": [{"$ref": "#/components/securitySchemes/nkey"}],
            },
        },
        "channels": channels,
        "operations": operation::all(),
        "components": {
            "securitySchemes": {
                "nkey": {
                    "type": "asymmetricEncryption",
                    "description": "NKey (Ed25519): the client signs the server's nonce with its user's seed, a \
                        file of .stage7/creds. What each user may publish and hear is in docs/security.md",
                },
            },
            "parameters": channel::parameters(),
            "messages": message::all(),
            "schemas": schema::all(),
        },
    })
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares a checked-in file with what it should be, or writes it.
fn hold(file: &str, text: &str) {
    let path = root().join(file);
    #[expect(clippy::disallowed_methods, reason = "a test is told by its caller to write instead of compare")]
    if std::env::var("STAGE7_REGENERATE").is_ok_and(|value| value == "1") {
        fs::write(&path, text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "{file} is stale: run `STAGE7_REGENERATE=1 cargo test -p streams document`");
}

#[test]
fn the_checked_in_asyncapi_document_is_that_of_the_tables() {
    let text = yaml::text(&asyncapi());
    hold("schemas/asyncapi.yaml", &format!("# Generated: STAGE7_REGENERATE=1 cargo test -p streams document\n{text}"));
}

#[test]
fn the_page_of_events_is_that_of_the_tables() {
    hold("docs/events.md", &page::text(&asyncapi()));
}

#[test]
fn the_users_in_the_page_of_security_are_those_of_the_tables() {
    const BEGIN: &str = "<!-- Generated from here -->\n";
    const END: &str = "<!-- to here -->\n";
    let file = "docs/security.md";
    let found = fs::read_to_string(root().join(file)).unwrap();
    let (before, rest) = found.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    hold(file, &format!("{before}{BEGIN}{}{END}{after}", right::table()));
}

/// Every reference in the document leads somewhere in it.
#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(String::from));
                members.values().for_each(|member| walk(member, found));
            }
            Value::Array(elements) => elements.iter().for_each(|element| walk(element, found)),
            _ => {}
        }
    }
    let document = asyncapi();
    let mut references = Vec::new();
    walk(&document, &mut references);
    assert!(references.len() > 200, "{}", references.len());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

/// The parser doesn't look at examples.
#[test]
fn every_example_fits_its_schema_and_its_headers() {
    let document = asyncapi();
    let mut seen = 0;
    for (name, message) in document["components"]["messages"].as_object().unwrap() {
        for part in ["payload", "headers"] {
            let examples = message["examples"].as_array().into_iter().flatten().filter_map(|one| one.get(part));
            let examples: Vec<&Value> = examples.collect();
            if examples.is_empty() {
                continue;
            }
            let schema = json!({"allOf": [message[part]], "components": document["components"]});
            let validator = jsonschema::validator_for(&schema).unwrap_or_else(|why| panic!("{name}: {why}"));
            for example in examples {
                validator.validate(example).unwrap_or_else(|why| panic!("{name}, {part}: {why}: {example}"));
                seen += 1;
            }
        }
    }
    assert!(seen > 120, "{seen}");
}
