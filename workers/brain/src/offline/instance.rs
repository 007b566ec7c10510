//! A JSON value made from a schema: the offline answer where JSON is wanted.

use super::template::LABEL;
use serde_json::{Map, Value, json};

/// References are followed this far; a schema that needs more describes no finite value simply.
const DEPTH: usize = 32;

/// The plainest value that fits a JSON Schema: defaults and examples where it gives them, empty or
/// smallest values otherwise, strings labelled as the offline provider's where there is room.
///
/// # Errors
/// A sentence, when no such value could be made without a model.
pub fn instance(schema: &Value) -> Result<Value, String> {
    let refused =
        |why: String| format!("the offline provider can't make JSON for this schema: {why}; a model is needed");
    let made = make(schema, schema, DEPTH).map_err(refused)?;
    let validator = jsonschema::validator_for(schema).map_err(|e| refused(e.to_string()))?;
    match validator.validate(&made) {
        Ok(()) => Ok(made),
        Err(e) => Err(refused(format!("at “{}” {e}", e.instance_path()))),
    }
}

fn make(root: &Value, schema: &Value, depth: usize) -> Result<Value, String> {
    if depth == 0 {
        return Err("it refers to itself without end".into());
    }
    let Value::Object(schema) = schema else {
        return if *schema == Value::Bool(false) { Err("it allows no value".into()) } else { Ok(LABEL.into()) };
    };
    if let Some(given) = schema.get("const").or_else(|| schema.get("default")) {
        return Ok(given.clone());
    }
    for list in ["examples", "enum"] {
        if let Some(first) = schema.get(list).and_then(|list| list.get(0)) {
            return Ok(first.clone());
        }
    }
    if let Some(place) = schema.get("$ref").and_then(Value::as_str) {
        let target = place.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return make(root, target.ok_or_else(|| format!("{place} is not in it"))?, depth - 1);
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(list).and_then(|list| list.get(0)) {
            return make(root, first, depth - 1);
        }
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first(),
        kind => kind,
    };
    match kind.and_then(Value::as_str) {
        Some("object") => object(root, schema, depth),
        Some("array") => array(root, schema, depth),
        Some("integer" | "number") => Ok(number(schema)),
        Some("boolean") => Ok(false.into()),
        Some("null") => Ok(Value::Null),
        None if schema.contains_key("properties") => object(root, schema, depth),
        _ => Ok(string(schema)),
    }
}

fn object(root: &Value, schema: &Map<String, Value>, depth: usize) -> Result<Value, String> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let entries = required.map(|name| {
        let inner = schema.get("properties").and_then(|properties| properties.get(name)).unwrap_or(&Value::Bool(true));
        Ok((name.to_string(), make(root, inner, depth - 1)?))
    });
    entries.collect::<Result<Map<_, _>, _>>().map(Value::Object)
}

fn array(root: &Value, schema: &Map<String, Value>, depth: usize) -> Result<Value, String> {
    let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
    if least > 100 {
        return Err(format!("it wants {least} items"));
    }
    let items = schema.get("items").unwrap_or(&Value::Bool(true));
    (0..least).map(|_| make(root, items, depth - 1)).collect()
}

fn number(schema: &Map<String, Value>) -> Value {
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1)));
    json!(least.unwrap_or(0).max(0).min(most.unwrap_or(i64::MAX)).max(least.unwrap_or(i64::MIN)))
}

fn string(schema: &Map<String, Value>) -> Value {
    let length = |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "1970-01-01",
        Some("date-time") => "1970-01-01T00:00:00Z",
        Some("time") => "00:00:00Z",
        Some("uri") => "https://example.com/",
        Some("email") => "nobody@example.com",
        _ => LABEL,
    };
    let mut text: String = text.chars().take(length("maxLength").unwrap_or(usize::MAX)).collect();
    // A wish for a very long text is left to the validation, which refuses it.
    let missing = length("minLength").unwrap_or(0).saturating_sub(text.chars().count()).min(10_000);
    text.extend(std::iter::repeat_n('.', missing));
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_fits_its_schema() {
        for (schema, made) in [
            (
                json!({"type": "object", "required": ["n", "s"], "properties": {"n": {"type": "integer", "minimum": 3}, "s": {"type": "string", "maxLength": 8}, "x": {}}}),
                json!({"n": 3, "s": "Template"}),
            ),
            (json!({"type": "array", "minItems": 2, "items": {"enum": ["a", "b"]}}), json!(["a", "a"])),
            (json!({"$ref": "#/$defs/p", "$defs": {"p": {"type": "boolean"}}}), json!(false)),
            (json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), Value::Null),
            (json!({"type": "number", "exclusiveMaximum": 0}), json!(-1)),
            (json!(true), json!(LABEL)),
        ] {
            assert_eq!(instance(&schema), Ok(made), "{schema}");
        }
    }

    #[test]
    fn what_can_not_be_made_is_refused() {
        for schema in [
            json!(false),
            json!({"type": "string", "pattern": "^[0-9]{4}$"}),
            json!({"$ref": "#"}),
            json!({"type": "array", "minItems": 2, "uniqueItems": true, "items": {"const": 1}}),
            json!({"$ref": "https://example.com/x.json"}),
        ] {
            assert!(instance(&schema).expect_err("needs a model").contains("a model is needed"), "{schema}");
        }
    }
}
