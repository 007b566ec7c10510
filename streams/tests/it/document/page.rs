//! `docs/events.md`, made from the AsyncAPI document.

use super::{
    channel::{self, words},
    reader::{readers, speaker},
};
use schemas::Writer;
use serde_json::{Map, Value};
use std::{collections::BTreeSet, fmt::Write};
use streams::topology::{CONSUMERS, STREAMS, access::USERS};

const HEAD: &str = "\
# Events, streams and subjects

Generated, as [schemas/asyncapi.yaml](../schemas/asyncapi.yaml) is, from the tables that stage7 runs on
(`STAGE7_REGENERATE=1 cargo test -p streams document`): do not edit. The same for programs: that document,
which any AsyncAPI 3 tool reads, and the JSON Schemas in [schemas/json](../schemas/json).

Events are CloudEvents 1.0 in NATS binary mode. Their subject is
`stage7.mission.{tenant}.{shard}.{mission}.{writer}.{noun}.{verb}`; answers end in who asked and which request,
`step.cancelled` in its step. The librarian and the door read every word; named below is who acts on it.
";

/// The whole page.
pub fn text(document: &Value) -> String {
    let mut page = String::from(HEAD);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    contents(&mut page);
    headers(&mut page, &schemas["Envelope"]);
    let mut told = BTreeSet::new();
    for writer in Writer::ALL {
        let Some(user) = speaker(writer) else { continue };
        let about = USERS.iter().find(|u| u.name == user).unwrap().about;
        if words().all(|(of, _)| of != writer) {
            continue;
        }
        let _ = write!(page, "\n## {writer}\n\nSaid by `{user}` ({about}).\n");
        for (_, word) in words().filter(|(of, _)| *of == writer) {
            let message = &document["components"]["messages"][word.kind];
            let _ = write!(page, "\n### {writer}: {}\n\n{}\n\n", word.kind, message["summary"].as_str().unwrap());
            let _ = writeln!(page, "- subject `{}`", channel::address(writer, word));
            let names: Vec<_> = readers(writer, word)
                .iter()
                .map(|r| r.consumer.map_or(format!("`{}`", r.user), |c| format!("`{}` (consumer `{c}`)", r.user)))
                .collect();
            let _ =
                writeln!(page, "- read by {}", if names.is_empty() { "nobody else".into() } else { names.join(", ") });
            if !told.insert(word.kind) {
                let first = format!("{}: {}", word.writers[0], word.kind);
                let _ = writeln!(page, "- fields: as of [{first}](#{})", anchor(&first));
                continue;
            }
            fields(&mut page, &schemas[word.kind]);
            let sample = &message["examples"][0]["payload"];
            let sample = serde_json::to_string_pretty(sample).unwrap();
            let _ = write!(page, "\n<details><summary>Sample</summary>\n\n```json\n{sample}\n```\n\n</details>\n");
        }
    }
    streams(&mut page);
    subjects(&mut page, document);
    types(&mut page, schemas);
    page
}

fn contents(page: &mut String) {
    page.push_str("\nWords of ");
    let writers = Writer::ALL.into_iter().filter(|writer| words().any(|(of, _)| of == *writer));
    let links: Vec<_> = writers.map(|writer| format!("[{writer}](#{writer})")).collect();
    let _ = writeln!(
        page,
        "{} · [Headers](#headers) · [Streams](#streams) · [Other subjects](#other-subjects) · [Types](#types)",
        links.join(" · ")
    );
}

fn headers(page: &mut String, envelope: &Value) {
    page.push_str("\n## Headers\n\n| header | what | always |\n|---|---|---|\n");
    let required = envelope["required"].as_array().unwrap();
    for (name, header) in envelope["properties"].as_object().unwrap() {
        let always = if required.contains(&Value::from(name.as_str())) { "yes" } else { "" };
        let _ = writeln!(page, "| `{name}` | {} | {always} |", header["description"].as_str().unwrap());
    }
}

fn fields(page: &mut String, schema: &Value) {
    let Some(properties) = schema["properties"].as_object().filter(|all| !all.is_empty()) else {
        match schema.get("properties").is_some() || schema["type"] == "object" {
            true => page.push_str("- no fields\n"),
            false => drop(writeln!(page, "\n{}", kind(schema))),
        }
        return;
    };
    page.push_str("\n| field | type | | what |\n|---|---|---|---|\n");
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in properties {
        let optional = if required.contains(&name.as_str()) { "" } else { "optional" };
        let about = field["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        let _ = writeln!(page, "| `{name}` | {} | {optional} | {about} |", kind(field));
    }
}

/// A type in a few words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", anchor(name));
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values
            .iter()
            .map(|v| format!("`{}`", v.as_str().map_or(v.to_string(), String::from)))
            .collect::<Vec<_>>()
            .join(" · ");
    }
    for several in ["anyOf", "oneOf", "allOf"] {
        if let Some(all) = schema[several].as_array() {
            let all: Vec<_> = all.iter().filter(|one| one["type"] != "null").map(kind).collect();
            return all.join(" or ");
        }
    }
    let one = |name: &str| match name {
        "array" => {
            format!("list of {}", if schema["items"].is_object() { kind(&schema["items"]) } else { "anything".into() })
        }
        "object" => match &schema["additionalProperties"] {
            Value::Object(_) => format!("map of {}", kind(&schema["additionalProperties"])),
            _ => "object".into(),
        },
        other => match schema["pattern"].as_str() {
            Some(pattern) => format!("{other} `{}`", pattern.replace('|', "\\|")),
            None => other.to_string(),
        },
    };
    match &schema["type"] {
        Value::String(name) => one(name),
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).filter(|n| *n != "null").map(one).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".into(),
    }
}

fn streams(page: &mut String) {
    page.push_str("\n## Streams\n\n| stream | subjects | what | kept | consumers |\n|---|---|---|---|---|\n");
    for stream in &STREAMS {
        let consumers: Vec<_> = CONSUMERS
            .iter()
            .filter(|c| c.stream == stream.name)
            .map(|c| format!("`{}` (`{}`)", c.name, c.filter))
            .collect();
        let kept = match (stream.max_age, stream.messages_per_subject) {
            (Some(age), _) => format!("{} s, {} MiB", age.as_secs(), stream.max_bytes >> 20),
            (None, Some(most)) => format!("{} MiB, {most} a subject", stream.max_bytes >> 20),
            (None, None) => format!("{} MiB", stream.max_bytes >> 20),
        };
        let subjects = stream.subjects.join("`, `");
        let _ = writeln!(
            page,
            "| `{}` | `{subjects}` | {} | {kept} | {} |",
            stream.name,
            stream.about,
            consumers.join(", ")
        );
    }
}

fn subjects(page: &mut String, document: &Value) {
    page.push_str("\n## Other subjects\n\nWhat carries no word of a mission's log, or many. `person` is any user of the tenant.\n");
    page.push_str(
        "\n| subject | what | messages | answered with | sent by | received by |\n|---|---|---|---|---|---|\n",
    );
    let operations = document["operations"].as_object().unwrap();
    for other in channel::others() {
        let to = format!("#/channels/{}", other.name);
        let users = |action: &str| -> String {
            let all = operations.values().filter(|o| o["action"] == action && o["channel"]["$ref"] == to.as_str());
            all.map(|o| format!("`{}`", o["tags"][0]["name"].as_str().unwrap())).collect::<Vec<_>>().join(", ")
        };
        let messages = match other.messages.len() {
            0..=2 => other.messages.iter().map(|m| format!("`{m}`")).collect::<Vec<_>>().join(", "),
            many => format!("{many} words"),
        };
        let answers: Vec<_> = other.answers.iter().map(|a| format!("`{a}`")).collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {messages} | {} | {} | {} |",
            other.address,
            other.about,
            answers.join(", "),
            users("send"),
            users("receive")
        );
    }
}

/// What fields refer to.
fn types(page: &mut String, schemas: &Map<String, Value>) {
    page.push_str("\n## Types\n");
    let mut named: Vec<_> =
        schemas.iter().filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_uppercase())).collect();
    named.sort_by_key(|(name, _)| *name);
    for (name, schema) in named.into_iter().filter(|(name, _)| *name != "Envelope") {
        let about = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
        let _ = write!(page, "\n### {name}\n\n{about}\n");
        fields(page, schema);
    }
}

/// How a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
