//! Given a log, when a word comes, then these words are due: every file of `decision/` is such a
//! conversation.
//!
//! An entry `{"control": "step.assigned", "data": {…}}` is said by that writer; answers name what
//! they answer with `to`. Entries `{"due": "llm.requested", "data": {…}}` in a row are all that is
//! due, in that order, `data` being a part of theirs; `{"due": null}` means that nothing is. An
//! entry may be named with `as`, and is then written `$name`. A text that begins with `~` is to be
//! contained. `blobs` is how many bytes are stored before the word.

use super::log::{Log, fact};
use schemas::{EventId, Value, Writer, fact::Tail};
use std::collections::VecDeque;

const WRITERS: [(&str, Writer); 6] = [
    ("control", Writer::Control),
    ("user", Writer::User),
    ("agent", Writer::Agent),
    ("brain", Writer::Brain),
    ("capability", Writer::Capability),
    ("timer", Writer::Timer),
];

#[test]
fn the_conversations_go_as_written() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/decision");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("readable");
        let cases: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for (name, script) in cases.as_object().expect("conversations by name") {
            let name = format!("{}: {name}", path.file_stem().expect("named").to_string_lossy());
            converse(&name, script.as_array().expect("a list of entries"));
        }
    }
}

fn converse(name: &str, script: &[Value]) {
    let mut log = Log::default();
    let mut due: VecDeque<_> = VecDeque::new();
    let mut expecting = false;
    for entry in script {
        match entry.get("due") {
            Some(kind) => {
                if !expecting {
                    due = log.decide().into();
                    expecting = true;
                }
                if kind.is_null() {
                    assert_eq!(due.len(), 0, "{name}: due is {due:?}");
                    continue;
                }
                let (id, found) = due.pop_front().unwrap_or_else(|| panic!("{name}: {kind} is not due"));
                assert_eq!(Value::from(found.fact.kind()), *kind, "{name}: {:?}", found.fact);
                if let Some(called) = entry.get("as").and_then(Value::as_str) {
                    log.names.insert(called.into(), id);
                }
                let data = entry.get("data").map(|data| named(data, &log)).unwrap_or_default();
                fits(&found.fact.to_value(), &data, &format!("{name}: {kind}"));
                assert_eq!(
                    found.blobs.len() as u64,
                    entry.get("blobs").map_or(found.blobs.len() as u64, |n| n.as_u64().expect("a number")),
                    "{name}"
                );
                if let Some(cause) = entry.get("because").map(|cause| named(cause, &log)) {
                    assert_eq!(found.causation.map(|id| id.to_string()).as_deref(), cause.as_str(), "{name}: {kind}");
                }
            }
            None => {
                assert!(due.is_empty(), "{name}: also due is {due:?}");
                expecting = false;
                said(entry, &mut log);
            }
        }
    }
    assert!(due.is_empty(), "{name}: also due is {due:?}");
    assert_eq!(log.decide(), [], "{name}: something is due at the end");
}

fn said(entry: &Value, log: &mut Log) {
    if let Some(mission) = entry.get("mission") {
        return log.created(mission);
    }
    let (writer, kind) = WRITERS
        .iter()
        .find_map(|(key, writer)| Some((*writer, entry.get(key)?.as_str()?)))
        .unwrap_or_else(|| panic!("nobody says {entry}"));
    let data = named(entry.get("data").unwrap_or(&Value::Object(Default::default())), log);
    let request = entry.get("to").map(|to| named(to, log).as_str().expect("a name").parse::<EventId>().expect("an id"));
    let tail = request.map_or(Tail::Bare, |request| Tail::Answer { requester: Writer::Agent, request });
    let id = log.say(writer, fact(kind, &data), tail);
    if let Some(called) = entry.get("as").and_then(Value::as_str) {
        log.names.insert(called.into(), id);
    }
}

/// Puts ids in the place of names, and long texts in the place of their lengths.
fn named(value: &Value, log: &Log) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('$').and_then(|name| log.names.get(name)) {
            Some(id) => id.to_string().into(),
            None => value.clone(),
        },
        Value::Array(all) => all.iter().map(|one| named(one, log)).collect(),
        Value::Object(all) => match all.get("xs") {
            Some(length) => "x".repeat(length.as_u64().expect("a length") as usize).into(),
            None => {
                all.iter().map(|(key, one)| (key.clone(), named(one, log))).collect::<serde_json::Map<_, _>>().into()
            }
        },
        other => other.clone(),
    }
}

fn fits(found: &Value, wanted: &Value, at: &str) {
    match wanted {
        Value::Null => {}
        Value::Object(wanted) => {
            for (key, part) in wanted {
                match found.get(key) {
                    Some(found) => fits(found, part, &format!("{at}/{key}")),
                    None => assert!(part == "absent", "{at}/{key} is missing in {found}"),
                }
            }
        }
        Value::Array(wanted) => {
            let found = found.as_array().unwrap_or_else(|| panic!("{at}: {found} is no list"));
            assert_eq!(found.len(), wanted.len(), "{at}: {found:?}");
            for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                fits(found, wanted, &format!("{at}/{i}"));
            }
        }
        Value::String(text) if text.starts_with('~') => {
            let found = found.as_str().unwrap_or_else(|| panic!("{at}: {found} is no text"));
            assert!(found.contains(&text[1..]), "{at}: {found:?} does not contain {text:?}");
        }
        other => assert_eq!(found, other, "{at}"),
    }
}
