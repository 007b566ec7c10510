//! What makes one JSON value of another, as JSON Patch (RFC 6902) says it.

use schemas::Value;
use serde::Serialize;

/// An operation of a JSON Patch. Who applies it may ignore `was`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub op: Op,
    /// A JSON Pointer.
    pub path: String,
    /// What was there; absent where something is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// What is there now; absent where something is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    Add,
    Replace,
    Remove,
}

impl Change {
    pub fn add(path: String, value: Value) -> Self {
        Self { op: Op::Add, path, was: None, value: Some(value) }
    }
    fn replace(path: String, was: &Value, value: &Value) -> Self {
        Self { op: Op::Replace, path, was: Some(was.clone()), value: Some(value.clone()) }
    }
    fn remove(path: String, was: &Value) -> Self {
        Self { op: Op::Remove, path, was: Some(was.clone()), value: None }
    }
}

/// Adds to `changes` what makes `after` of `before`, in the order in which it must be applied.
pub fn patch(before: &Value, after: &Value, path: &str, changes: &mut Vec<Change>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(old), Value::Object(new)) => {
            for (name, was) in old {
                match new.get(name) {
                    Some(value) => patch(was, value, &member(path, name), changes),
                    None => changes.push(Change::remove(member(path, name), was)),
                }
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                changes.push(Change::add(member(path, name), value.clone()));
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (i, (was, value)) in old.iter().zip(new).enumerate() {
                patch(was, value, &format!("{path}/{i}"), changes);
            }
            for (i, value) in new.iter().enumerate().skip(old.len()) {
                changes.push(Change::add(format!("{path}/{i}"), value.clone()));
            }
            for (i, was) in old.iter().enumerate().skip(new.len()).rev() {
                changes.push(Change::remove(format!("{path}/{i}"), was));
            }
        }
        _ => changes.push(Change::replace(path.into(), before, after)),
    }
}

/// The pointer to a member.
pub fn member(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}
