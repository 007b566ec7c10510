//! CSV: a header line, then rows of as many fields.

use crate::Failure;
use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A list of objects by header; every value stays the string it is.
pub fn read(text: &str) -> Result<Value, Failure> {
    // Flexible: a row of another length is reported below with its line.
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| Failure::input(format!("`data` is not CSV: {e}")))?.clone();
    check(&header)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| Failure::input(format!("`data` is not CSV: {e}")))?;
        if record.len() != header.len() {
            let line = record.position().map_or(0, csv::Position::line);
            let (found, wanted) = (record.len(), header.len());
            return Err(Failure::input(format!("CSV line {line} has {found} fields, the header has {wanted}")));
        }
        let row: Map<String, Value> =
            header.iter().zip(&record).map(|(name, field)| (name.into(), field.into())).collect();
        rows.push(Value::Object(row));
    }
    Ok(rows.into())
}

fn check(header: &StringRecord) -> Result<(), Failure> {
    if header.is_empty() {
        return Err(Failure::input("`data` is empty: CSV needs a header line"));
    }
    let mut seen = BTreeSet::new();
    for (at, name) in header.iter().enumerate() {
        if name.trim().is_empty() {
            return Err(Failure::input(format!("CSV line 1: column {} has no name", at + 1)));
        }
        if !seen.insert(name) {
            return Err(Failure::input(format!("CSV line 1: two columns are called \"{name}\"")));
        }
    }
    Ok(())
}

/// The keys of all objects, in order of their first appearance, are the header.
pub fn write(data: &Value) -> Result<String, Failure> {
    let rows = objects(data)?;
    let mut header: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        if seen.insert(name.as_str()) {
            header.push(name);
        }
    }
    if header.is_empty() {
        return Ok(String::new());
    }
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    let into_memory = "writing to memory does not fail";
    writer.write_record(&header).expect(into_memory);
    for row in rows {
        writer.write_record(header.iter().map(|name| field(row.get(*name)))).expect(into_memory);
    }
    let bytes = writer.into_inner().expect(into_memory);
    Ok(String::from_utf8(bytes).expect("made of strings"))
}

fn objects(data: &Value) -> Result<Vec<&Map<String, Value>>, Failure> {
    let needs = "CSV needs a list of objects";
    match data {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| {
                item.as_object()
                    .ok_or_else(|| Failure::input(format!("{needs}: item {at} is {}", super::describe::kind(item))))
            })
            .collect(),
        Value::Object(one) => Ok(vec![one]),
        other => Err(Failure::input(format!("{needs}, not {}", super::describe::kind(other)))),
    }
}

fn field(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fault(text: &str) -> String {
        read(text).expect_err(text).message
    }

    #[test]
    fn values_stay_strings_in_the_order_of_the_header() {
        let rows = read("z,a\r\n007,1.50\r\n\"x\ny\",\n").expect("reads");
        assert_eq!(rows, json!([{"z": "007", "a": "1.50"}, {"z": "x\ny", "a": ""}]));
        assert_eq!(rows[0].as_object().expect("a row").keys().collect::<Vec<_>>(), ["z", "a"]);
        assert_eq!(read("a,b\n").expect("reads"), json!([]));
    }

    #[test]
    fn faults_name_the_line() {
        assert_eq!(fault("a,b\n1,2\n3\n"), "CSV line 3 has 1 fields, the header has 2");
        assert_eq!(fault("a,b\n\"1\n1\",2\n1,2,3\n"), "CSV line 4 has 3 fields, the header has 2");
        assert_eq!(fault("a,b,a\n"), "CSV line 1: two columns are called \"a\"");
        assert_eq!(fault("a,,b\n"), "CSV line 1: column 2 has no name");
        assert_eq!(fault("a, \n"), "CSV line 1: column 2 has no name");
        assert_eq!(fault(""), "`data` is empty: CSV needs a header line");
        assert_eq!(fault("\n\n"), "`data` is empty: CSV needs a header line");
    }

    #[test]
    fn the_header_is_the_union_of_keys() {
        let data = json!([{"b": 1, "a": null}, {"c": [1, {"x": "y"}], "a": true}]);
        assert_eq!(write(&data).expect("writes"), "b,a,c\n1,,\n,true,\"[1,{\"\"x\"\":\"\"y\"\"}]\"\n");
        assert_eq!(write(&json!({"a": 1.5})).expect("writes"), "a\n1.5\n");
        assert_eq!(write(&json!([])).expect("writes"), "");
    }

    #[test]
    fn only_objects_are_rows() {
        let fault = |data: Value| write(&data).expect_err("not rows").message;
        assert_eq!(fault(json!([{}, 1])), "CSV needs a list of objects: item 1 is integer");
        assert_eq!(fault(json!("x")), "CSV needs a list of objects, not string");
    }
}
