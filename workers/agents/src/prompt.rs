//! The words in which models are asked.

pub mod plan;
pub mod repair;
pub mod write;

use schemas::{Value, catalogue::Role};
use std::fmt::Write;

/// Longer texts are cut where a prompt only needs an impression of them (characters).
const GLANCE: usize = 4_000;

/// What a role brings to a conversation, as its first paragraph.
fn role(role: Option<&Role>) -> String {
    role.map(|role| format!("{}\n\n", role.prompt.trim())).unwrap_or_default()
}

/// The properties of an object schema, one a line; required ones are marked with `*`.
fn fields(schema: &Value) -> String {
    let required = |name: &str| {
        let all = schema.get("required").and_then(Value::as_array);
        all.is_some_and(|all| all.iter().any(|one| one == name))
    };
    let mut out = String::new();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let star = if required(name) { "*" } else { "" };
        let _ = write!(out, "  - {name}{star}: {}", kind(property));
        if let Some(text) = property.get("description").and_then(Value::as_str) {
            let _ = write!(out, ". {text}");
        }
        out.push('\n');
    }
    out
}

/// The type of a property in a few words.
fn kind(property: &Value) -> String {
    let mut kind = match property.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".into(),
    };
    if let Some(choices) = property.get("enum").and_then(Value::as_array) {
        let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
        kind = format!("{kind}, one of {}", choices.join(", "));
    }
    if let Some(default) = property.get("default") {
        kind = format!("{kind}, {default} when absent");
    }
    kind
}

/// The beginning of a long text.
fn glance(text: &str) -> String {
    match text.char_indices().nth(GLANCE) {
        None => text.to_string(),
        Some((end, _)) => format!("{}… ({} bytes in all)", &text[..end], text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_is_told_in_lines() {
        let schema = json!({"required": ["a"], "properties": {
            "a": {"type": "string", "enum": ["x", "y"], "default": "x", "description": "Which."},
            "b": {"type": ["object", "boolean"]},
            "c": {},
        }});
        assert_eq!(
            fields(&schema),
            "  - a*: string, one of \"x\", \"y\", \"x\" when absent. Which.\n  - b: object or boolean\n  - c: any\n"
        );
    }

    #[test]
    fn a_glance_ends_between_characters() {
        let long = "ä".repeat(GLANCE + 1);
        assert!(glance(&long).starts_with(&"ä".repeat(GLANCE)));
        assert!(glance(&long).ends_with("(8002 bytes in all)"));
        assert_eq!(glance("ä"), "ä");
    }
}
