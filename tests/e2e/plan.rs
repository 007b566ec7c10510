//! Ready plans.

use serde_json::{Value, json};

/// A goal that carries its plan, for the provider that needs no model.
pub fn goal(steps: Vec<Value>) -> Value {
    json!({"goal": "Do what the plan says", "model": "offline", "plan": {"steps": steps}})
}

/// A query that takes a second or two of computing.
pub fn slow(id: &str) -> Value {
    turns(id, if cfg!(debug_assertions) { 400_000 } else { 6_000_000 })
}

/// A query of so many turns; its result is their number.
pub fn turns(id: &str, turns: u64) -> Value {
    query(id, json!(null), &format!("reduce range({turns}) as $i (0; . + 1)"))
}

/// A query over data.
pub fn query(id: &str, data: Value, query: &str) -> Value {
    json!({
        "id": id, "verb": "DATA_TOOLKIT",
        "inputs": {"operation": {"value": "query"}, "data": {"value": data}, "query": {"value": query}},
        "outputs": {"data": {"type": "any"}},
    })
}

/// A query that never ends by itself.
pub fn endless(id: &str) -> Value {
    query(id, json!({}), "def f: f; f")
}

pub fn ask(id: &str, text: &str, kind: &str, choices: &[&str]) -> Value {
    let mut inputs = json!({"question": {"value": text}, "type": {"value": kind}});
    if !choices.is_empty() {
        inputs["choices"] = json!({"value": choices});
    }
    json!({"id": id, "verb": "ASK_USER_QUESTION", "inputs": inputs, "outputs": {"answer": {"type": "any"}}})
}

/// Reads a file of the mission's folder.
pub fn read(id: &str, path: &str) -> Value {
    json!({
        "id": id, "verb": "FILE_OPS", "inputs": {"operation": {"value": "read"}, "path": {"value": path}},
        "outputs": {"content": {"type": "string"}},
    })
}

/// The step with an input that comes from another one.
pub fn with(mut step: Value, input: &str, from: &str, output: &str) -> Value {
    step["inputs"][input] = json!({"from": from, "output": output});
    step
}

/// The step after others.
pub fn after(mut step: Value, others: &[&str]) -> Value {
    step["after"] = json!(others);
    step
}

/// The step with one of its outputs as a file for the person.
pub fn delivered(mut step: Value, output: &str, name: &str) -> Value {
    step["outputs"][output]["deliverable"] = json!(name);
    step
}
