//! Types of values, as far as JSON Schemas and plans name them.

use schemas::Value;

/// JSON type names; empty: anything.
pub type Kinds<'a> = Vec<&'a str>;

/// The property of an object schema.
pub fn property<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema.get("properties")?.get(name)
}

/// The names of an object schema's properties.
pub fn properties(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(|all| all.keys().map(String::as_str))
}

/// Does an object schema say that there may be properties that it does not list? Silence is no:
/// a verb that takes or gives what nobody knows beforehand says so.
pub fn is_open(schema: &Value) -> bool {
    match schema.get("additionalProperties") {
        Some(Value::Bool(open)) => *open,
        Some(_) => true,
        None => schema.get("patternProperties").is_some() || schema.get("properties").is_none(),
    }
}

/// The types that a schema names.
pub fn of_schema(schema: &Value) -> Kinds<'_> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The type that a plan names.
pub fn of_plan(kind: &str) -> Option<&str> {
    Some(kind).filter(|kind| !kind.is_empty() && *kind != "any")
}

/// Can a value of these types be one of those?
pub fn fits(source: &[&str], target: &[&str]) -> bool {
    let one = |kind: &&str| target.contains(kind) || (*kind == "integer" && target.contains(&"number"));
    source.is_empty() || target.is_empty() || source.iter().any(one)
}
