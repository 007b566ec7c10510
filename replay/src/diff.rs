//! Two missions, or two moments of one, side by side.
//!
//! Steps are aligned by their ids, calls and questions by the step and attempt they belong to.
//! What differs between any two runs, ids and times, is no difference.

use crate::patch::{Change, patch};
use schemas::Value;
use serde::Serialize;
use serde_json::Map;
use std::collections::HashMap;
use streams::overview::Overview;

/// Something that is otherwise in the one than in the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Apart {
    /// A JSON Pointer into the overview, lists by name: `/steps/fetch/status`.
    pub path: String,
    /// In the first; absent where only the second has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<Value>,
    /// In the second; absent where only the first has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Value>,
}

/// All that differs.
pub fn diff(a: &Overview, b: &Overview) -> Vec<Apart> {
    let mut changes = Vec::new();
    patch(&comparable(a), &comparable(b), "", &mut changes);
    changes.into_iter().map(|Change { path, was, value, .. }| Apart { path, a: was, b: value }).collect()
}

/// Members that differ between any two runs.
const INCIDENTAL: [&str; 11] =
    ["id", "created", "updated", "events", "last_seq", "started", "ended", "at", "ms", "asked", "answered"];

fn comparable(overview: &Overview) -> Value {
    let Ok(Value::Object(mut all)) = serde_json::to_value(overview) else { return Value::Null };
    let name = |member: &'static str| move |item: &Value| text(item, member);
    let of_attempt = |item: &Value| format!("{} {}", text(item, "step"), item["attempt"]);
    key(&mut all, "steps", name("id"));
    key(&mut all, "agents", name("id"));
    key(&mut all, "deliverables", name("name"));
    key(&mut all, "questions", of_attempt);
    key(&mut all, "calls", |item| format!("{} {}", of_attempt(item), text(item, "purpose")));
    key(&mut all, "faults", |item| format!("{} {}", text(item, "step"), item["round"]));
    strip(&mut all);
    for list in ["steps", "agents", "calls", "questions", "messages"] {
        let items: Vec<&mut Value> = match all.get_mut(list) {
            Some(Value::Object(items)) => items.values_mut().collect(),
            Some(Value::Array(items)) => items.iter_mut().collect(),
            _ => Vec::new(),
        };
        for item in items {
            if let Value::Object(item) = item {
                strip(item);
                item.remove("expires");
                let failures = item.get_mut("failures").and_then(Value::as_array_mut).into_iter().flatten();
                failures.filter_map(Value::as_object_mut).for_each(strip);
            }
        }
    }
    Value::Object(all)
}

fn strip(object: &mut Map<String, Value>) {
    object.retain(|name, _| !INCIDENTAL.contains(&name.as_str()));
}

/// Makes an object of a list, each element by its name; the second of a name has `#2` behind it.
fn key(all: &mut Map<String, Value>, list: &str, name: impl Fn(&Value) -> String) {
    let Some(Value::Array(items)) = all.get_mut(list).map(Value::take) else { return };
    let mut seen: HashMap<String, u32> = HashMap::new();
    let named = items.into_iter().map(|item| {
        let name = name(&item);
        let nth = seen.entry(name.clone()).and_modify(|n| *n += 1).or_insert(1);
        (if *nth > 1 { format!("{name} #{nth}") } else { name }, item)
    });
    let named: Map<String, Value> = named.collect();
    all.insert(list.into(), Value::Object(named));
}

fn text(item: &Value, member: &str) -> String {
    item[member].as_str().unwrap_or_default().into()
}
