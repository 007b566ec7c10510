//! A form: the JSON Schema of an object that a person fills in.

use crate::{Fault, manifest::faults, value::REF_KEY};
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Keywords that lead elsewhere: outside, or back to where they are, for ever.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];
/// Memory that one pattern may take, in bytes.
const PATTERN: usize = 1 << 20;

/// Compiles a form.
///
/// # Errors
/// What is no JSON Schema of an object in it, each with its place.
pub fn compile(form: &Value) -> Result<Validator, Vec<Fault>> {
    if form.get("type").and_then(Value::as_str) != Some("object") {
        return Err(vec![Fault::new("/type", "must be \"object\": what is filled in has fields")]);
    }
    if let Some(at) = reference(form, "") {
        return Err(vec![Fault::new(at, "a form holds no references: write what it means in its place")]);
    }
    if let Err(e) = jsonschema::meta::validate(form) {
        return Err(vec![Fault::new(e.instance_path().to_string(), format!("is not JSON Schema: {e}"))]);
    }
    // Patterns that take time in proportion to the text, however they are written.
    let patterns = PatternOptions::regex().size_limit(PATTERN);
    let compiled = jsonschema::options().with_pattern_options(patterns).build(form);
    compiled.map_err(|e| vec![Fault::new(e.instance_path().to_string(), e.to_string())])
}

/// What is wrong with what was filled in, each with its place.
pub fn misfits(form: &Value, values: &Value, at: &str) -> Vec<Fault> {
    match compile(form) {
        Err(faults) => faults,
        Ok(_) if holds(values, REF_KEY) => vec![Fault::new(at, format!("the key `{REF_KEY}` is reserved"))],
        Ok(compiled) => faults(&compiled, values, at),
    }
}

/// Where the first reference is.
fn reference(part: &Value, at: &str) -> Option<String> {
    match part {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let at = format!("{at}/{name}");
            if REFERENCES.contains(&name.as_str()) { Some(at) } else { reference(value, &at) }
        }),
        Value::Array(items) => items.iter().enumerate().find_map(|(i, item)| reference(item, &format!("{at}/{i}"))),
        _ => None,
    }
}

fn holds(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key(key) || fields.values().any(|value| holds(value, key)),
        Value::Array(items) => items.iter().any(|item| holds(item, key)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_form_is_refused_with_its_place() {
        for (form, at) in [
            (json!({}), "/type"),
            (json!(true), "/type"),
            (json!({"type": "array"}), "/type"),
            (json!({"type": "object", "properties": {"a": {"type": "text"}}}), "/properties/a/type"),
            (json!({"type": "object", "required": "a"}), "/required"),
            (json!({"type": "object", "properties": {"a": {"$ref": "#"}}}), "/properties/a/$ref"),
            (json!({"type": "object", "allOf": [{"$ref": "http://localhost/x"}]}), "/allOf/0/$ref"),
            (json!({"type": "object", "properties": {"a": {"pattern": "("}}}), "/properties/a/pattern"),
            (json!({"type": "object", "properties": {"a": {"pattern": "(?=x)"}}}), "/properties/a/pattern"),
            (
                json!({"type": "object", "properties": {"a": {"pattern": "((a{100}){100}){100}"}}}),
                "/properties/a/pattern",
            ),
            (json!({"type": "object", "$schema": "http://localhost/x"}), ""),
        ] {
            let faults = compile(&form).expect_err(at);
            assert_eq!(faults[0].at, at, "{form}: {faults:?}");
        }
    }

    #[test]
    fn values_fit_or_say_where_they_do_not() {
        let form = json!({
            "type": "object", "required": ["name"], "additionalProperties": false,
            "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}},
        });
        let faults = |values: Value| -> Vec<String> {
            misfits(&form, &values, "/answer").into_iter().map(|fault| fault.at).collect()
        };
        assert!(faults(json!({"name": "Ada", "age": 36})).is_empty());
        assert_eq!(faults(json!({"age": -1, "x/y": 1})), ["/answer/age", "/answer/x~1y", "/answer"]);
        assert_eq!(faults(json!([])), ["/answer"]);
        assert_eq!(misfits(&json!({"type": "object"}), &json!({"a": [{"stage7:ref": "x"}]}), "").len(), 1);
    }
}
