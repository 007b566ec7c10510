//! What is in a table, column by column.

use serde_json::{Value, json};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

/// The number of rows, and what each column holds; columns in order of their first appearance. A
/// list of other things than objects is one column `value`, a single object one row.
pub fn columns(data: &Value) -> (usize, Vec<Value>) {
    let rows: Vec<&Value> = match data {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    };
    let mut order: Vec<&str> = Vec::new();
    let mut columns: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let mut add = |name, value| {
        columns
            .entry(name)
            .or_insert_with(|| {
                order.push(name);
                Vec::new()
            })
            .push(value);
    };
    for row in &rows {
        match row {
            Value::Object(entries) => entries.iter().for_each(|(name, value)| add(name, value)),
            other => add("value", other),
        }
    }
    (rows.len(), order.iter().map(|name| column(name, &columns[name], rows.len())).collect())
}

fn column(name: &str, values: &[&Value], rows: usize) -> Value {
    let present: Vec<&Value> = values.iter().copied().filter(|value| !missing(value)).collect();
    let kinds: BTreeSet<&str> = present.iter().map(|value| kind(value)).collect();
    let numbers: Vec<Option<f64>> = present.iter().map(|value| number(value)).collect();
    let numeric = !present.is_empty() && numbers.iter().all(Option::is_some);
    let order = |(a, x): &(&Value, Option<f64>), (b, y): &(&Value, Option<f64>)| {
        if numeric { x.partial_cmp(y).unwrap_or(Ordering::Equal) } else { a.as_str().cmp(&b.as_str()) }
    };
    let ordered =
        || present.iter().copied().zip(numbers.iter().copied()).filter(|(value, _)| numeric || value.is_string());
    let mut column = json!({
        "name": name,
        "type": match kinds.len() {
            0 => "null",
            1 => kinds.first().copied().unwrap_or_default(),
            2 if kinds.contains("integer") && kinds.contains("number") => "number",
            _ => "mixed",
        },
        "numeric": numeric,
        "count": present.len(),
        "missing": rows - present.len(),
        "distinct": present.iter().map(|value| value.to_string()).collect::<BTreeSet<_>>().len(),
    });
    if let (Some((min, _)), Some((max, _))) = (ordered().min_by(order), ordered().max_by(order)) {
        column["min"] = min.clone();
        column["max"] = max.clone();
    }
    column
}

/// Null, and the empty field of a CSV row.
fn missing(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// A number, or a text that reads as one.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
        _ => None,
    }
}

/// The JSON type of a value.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data: Value, rows: usize, expected: Value) {
        let (counted, columns) = columns(&data);
        assert_eq!((counted, Value::from(columns)), (rows, expected));
    }

    #[test]
    fn numbers_in_texts_are_compared_as_numbers() {
        check(
            json!([{"x": "10", "y": "b"}, {"x": "9", "y": ""}, {"x": "9"}]),
            3,
            json!([
                {"name": "x", "type": "string", "numeric": true, "count": 3, "missing": 0, "distinct": 2, "min": "9", "max": "10"},
                {"name": "y", "type": "string", "numeric": false, "count": 1, "missing": 2, "distinct": 1, "min": "b", "max": "b"},
            ]),
        );
    }

    #[test]
    fn types_are_told_or_mixed() {
        check(
            json!([{"a": 1, "b": true, "c": null, "d": [1]}, {"a": 2.5, "b": "x", "c": null, "d": [1]}]),
            2,
            json!([
                {"name": "a", "type": "number", "numeric": true, "count": 2, "missing": 0, "distinct": 2, "min": 1, "max": 2.5},
                {"name": "b", "type": "mixed", "numeric": false, "count": 2, "missing": 0, "distinct": 2, "min": "x", "max": "x"},
                {"name": "c", "type": "null", "numeric": false, "count": 0, "missing": 2, "distinct": 0},
                {"name": "d", "type": "array", "numeric": false, "count": 2, "missing": 0, "distinct": 1},
            ]),
        );
    }

    #[test]
    fn what_is_no_table_has_one_column() {
        check(
            json!([3, 1]),
            2,
            json!([{"name": "value", "type": "integer", "numeric": true, "count": 2, "missing": 0, "distinct": 2, "min": 1, "max": 3}]),
        );
        check(json!([]), 0, json!([]));
    }
}
