//! DATA_TOOLKIT: JSON, CSV, YAML and XML.
//!
//! A query is a program that somebody wrote: it may never end, or ask for all memory there is.
//! Nothing here stops it; the manifest asks for a process of its own, and its limits do.

mod describe;
mod format;
mod path;
pub mod query;
mod sql;
mod table;
mod xml;
mod yaml;

use crate::{Done, Failure, Run};
use format::{Format, parsed};
use serde_json::{Map, Value, json};

pub fn run(run: &Run) -> Result<Done, Failure> {
    let format = Format::of(run, "from")?;
    let given = run.inputs.get("data").ok_or_else(|| Failure::input("`data` is missing"))?;
    let data = parsed(given, format)?;
    match run.text("operation")? {
        "convert" => result(run, data),
        "query" => match run.text("query")? {
            path if path::is_path(path) => result(run, path::run(path, &data)?),
            program => result(run, query::run(program, data)?),
        },
        "sql" => result(run, sql::run(run.text("query")?, data)?),
        "merge" => result(run, merge(data, format)?),
        "describe" => {
            let (rows, columns) = describe::columns(&data);
            Ok(Done::with([("data", json!({"rows": rows, "columns": columns})), ("rows", rows.into())]))
        }
        "validate" => {
            let errors = errors(run.inputs.get("schema"), &data)?;
            let mut done = Done::with([("data", data), ("errors", errors)]);
            count(&mut done);
            Ok(done)
        }
        other => Err(Failure::input(format!(
            "`operation` can't be \"{other}\": use convert, query, validate, sql, merge or describe"
        ))),
    }
}

/// The result in the form that `to` asks for.
fn result(run: &Run, data: Value) -> Result<Done, Failure> {
    let mut done = Done::with([("data", data)]);
    count(&mut done);
    if let (Some(format), Some(data)) = (Format::of(run, "to")?, done.outputs.get_mut("data")) {
        *data = format.written(data.take())?;
    }
    Ok(done)
}

fn count(done: &mut Done) {
    if let Some(Value::Array(items)) = done.outputs.get("data") {
        let rows = items.len();
        done.outputs.insert("rows".into(), rows.into());
    }
}

/// Lists one after the other, or objects over each other: the later one's keys win.
fn merge(data: Value, format: Option<Format>) -> Result<Value, Failure> {
    let Value::Array(parts) = data else {
        return Err(Failure::input("`merge` needs a list of lists, or a list of objects"));
    };
    let mut list: Option<Vec<Value>> = None;
    let mut object: Option<Map<String, Value>> = None;
    for (at, part) in parts.into_iter().enumerate() {
        match parsed(&part, format).map_err(|e| Failure::input(format!("item {at}: {e}")))? {
            Value::Array(items) if object.is_none() => list.get_or_insert_default().extend(items),
            Value::Object(entries) if list.is_none() => object.get_or_insert_default().extend(entries),
            other => {
                let wanted = if object.is_some() { "an object" } else { "a list" };
                let wanted = if list.is_none() && object.is_none() { "a list or an object" } else { wanted };
                return Err(Failure::input(format!("item {at} is {}, not {wanted}", describe::kind(&other))));
            }
        }
    }
    Ok(object.map_or_else(|| Value::Array(list.unwrap_or_default()), Value::Object))
}

fn errors(schema: Option<&Value>, data: &Value) -> Result<Value, Failure> {
    let schema = schema.ok_or_else(|| Failure::input("`schema` is missing"))?;
    jsonschema::meta::validate(schema)
        .map_err(|e| Failure::input(format!("`schema` is not JSON Schema: {}: {e}", e.instance_path())))?;
    let validator = jsonschema::validator_for(schema).map_err(|e| Failure::input(format!("`schema`: {e}")))?;
    let found =
        validator.iter_errors(data).map(|e| json!({"at": e.instance_path().to_string(), "message": e.to_string()}));
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;

    fn toolkit(inputs: Value) -> Result<Value, Failure> {
        let inputs = inputs.as_object().expect("an object").clone().into_iter().collect();
        run(&Run { inputs, ..Run::default() }).map(|done| done.outputs.into_iter().collect::<Map<_, _>>().into())
    }

    fn check(inputs: Value, expected: Value) {
        assert_eq!(toolkit(inputs.clone()), Ok(expected), "{inputs}");
    }

    fn fault(inputs: Value, message: &str) {
        let failure = toolkit(inputs.clone()).expect_err(message);
        assert_eq!((failure.class, failure.message.as_str()), (Class::InvalidInput, message), "{inputs}");
    }

    #[test]
    fn text_is_guessed_to_be_json_and_then_csv() {
        check(json!({"operation": "convert", "data": " {\"a\": 1}"}), json!({"data": {"a": 1}}));
        check(json!({"operation": "convert", "data": "[1,2]"}), json!({"data": [1, 2], "rows": 2}));
        check(json!({"operation": "convert", "data": "a\n1\n"}), json!({"data": [{"a": "1"}], "rows": 1}));
        check(
            json!({"operation": "convert", "data": "a\n1\n", "from": "csv"}),
            json!({"data": [{"a": "1"}], "rows": 1}),
        );
        fault(
            json!({"operation": "convert", "data": "a\n1\n", "from": "json"}),
            "`data` is not JSON: expected value at line 1 column 1",
        );
    }

    #[test]
    fn a_text_may_be_what_it_is() {
        check(json!({"operation": "query", "data": "[1]\r\n", "from": "text", "query": "length"}), json!({"data": 5}));
        check(json!({"operation": "convert", "data": "\u{feff}{}", "from": "text"}), json!({"data": "\u{feff}{}"}));
    }

    #[test]
    fn a_byte_order_mark_is_no_data() {
        check(json!({"operation": "convert", "data": "\u{feff}a\n1\n"}), json!({"data": [{"a": "1"}], "rows": 1}));
        check(json!({"operation": "convert", "data": "\u{feff}{}"}), json!({"data": {}}));
    }

    #[test]
    fn json_becomes_csv_and_back() {
        let data = json!([{"b": "x,\"y\"\nz", "a": "1"}, {"b": "", "a": "ü"}]);
        let csv = toolkit(json!({"operation": "convert", "data": data, "to": "csv"})).expect("writes");
        assert_eq!(csv, json!({"data": "b,a\n\"x,\"\"y\"\"\nz\",1\n,ü\n", "rows": 2}));
        check(json!({"operation": "convert", "data": csv["data"]}), json!({"data": data, "rows": 2}));
    }

    #[test]
    fn a_form_becomes_any_other() {
        for (form, text) in [
            ("json", json!(r#"[{"name": "Ada"}, {"name": "Alan"}]"#)),
            ("csv", json!("name\nAda\nAlan\n")),
            ("yaml", json!("- name: Ada\n- name: Alan\n")),
        ] {
            check(
                json!({"operation": "convert", "data": text, "from": form, "to": "xml"}),
                json!({
                    "data": "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<data>\n  <item>\n    <name>Ada</name>\n  \
                             </item>\n  <item>\n    <name>Alan</name>\n  </item>\n</data>\n",
                    "rows": 2,
                }),
            );
            check(
                json!({"operation": "sql", "data": text, "from": form, "query": "SELECT name FROM data", "to": "yaml"}),
                json!({"data": "- name: Ada\n- name: Alan\n", "rows": 2}),
            );
        }
        let names = json!({"data": ["Ada", "Alan"], "rows": 2});
        for query in ["$.p.n[*]", ".p.n"] {
            check(json!({"operation": "query", "data": "<p><n>Ada</n><n>Alan</n></p>", "query": query}), names.clone());
        }
        check(
            json!({"operation": "merge", "data": ["a: 1\nb: 1\n", "b: 2\n"], "from": "yaml"}),
            json!({"data": {"a": 1, "b": 2}}),
        );
        let schema = json!({"properties": {"a": {"type": "integer"}}});
        check(
            json!({"operation": "validate", "data": "a: no", "from": "yaml", "schema": schema}),
            json!({"data": {"a": "no"}, "errors": [{"at": "/a", "message": "\"no\" is not of type \"integer\""}]}),
        );
    }

    #[test]
    fn lists_are_joined_and_objects_laid_over_each_other() {
        check(json!({"operation": "merge", "data": [[1], [], [2]]}), json!({"data": [1, 2], "rows": 2}));
        check(json!({"operation": "merge", "data": [{"a": 1, "b": 1}, {"b": 2}]}), json!({"data": {"a": 1, "b": 2}}));
        check(
            json!({"operation": "merge", "data": ["a\n1\n", "[{\"a\": 2}]"]}),
            json!({"data": [{"a": "1"}, {"a": 2}], "rows": 2}),
        );
        check(json!({"operation": "merge", "data": []}), json!({"data": [], "rows": 0}));
        fault(json!({"operation": "merge", "data": [[1], {}]}), "item 1 is object, not a list");
        fault(json!({"operation": "merge", "data": [{}, 3]}), "item 1 is integer, not an object");
        fault(json!({"operation": "merge", "data": [3]}), "item 0 is integer, not a list or an object");
        fault(json!({"operation": "merge", "data": {}}), "`merge` needs a list of lists, or a list of objects");
    }

    #[test]
    fn validate_reports_every_fault_with_its_place() {
        let schema = json!({"items": {"required": ["a"], "properties": {"a": {"type": "integer"}}}});
        let out = toolkit(json!({"operation": "validate", "data": [{"a": 1}, {"a": "x"}, {}], "schema": schema}))
            .expect("validates");
        let at: Vec<_> = out["errors"].as_array().expect("a list").iter().map(|e| e["at"].clone()).collect();
        assert_eq!(at, ["/1/a", "/2"]);
        assert_eq!(out["rows"], 3);
        check(json!({"operation": "validate", "data": {}, "schema": true}), json!({"data": {}, "errors": []}));
    }

    #[test]
    fn a_schema_that_is_none_or_lies_elsewhere_is_refused() {
        fault(json!({"operation": "validate", "data": 1}), "`schema` is missing");
        let wrong =
            toolkit(json!({"operation": "validate", "data": 1, "schema": {"type": "int"}})).expect_err("no such type");
        assert!(wrong.message.starts_with("`schema` is not JSON Schema: /type:"), "{wrong}");
        for elsewhere in ["http://127.0.0.1:1/x.json", "file:///etc/passwd"] {
            let refused = toolkit(json!({"operation": "validate", "data": 1, "schema": {"$ref": elsewhere}}))
                .expect_err(elsewhere);
            assert_eq!(refused.class, Class::InvalidInput);
        }
    }

    #[test]
    fn wrong_inputs_are_named() {
        fault(json!({"operation": "convert"}), "`data` is missing");
        fault(json!({"data": 1}), "`operation` is missing");
        fault(json!({"operation": "query", "data": 1}), "`query` is missing");
        fault(
            json!({"operation": "join", "data": 1}),
            "`operation` can't be \"join\": use convert, query, validate, sql, merge or describe",
        );
        fault(
            json!({"operation": "convert", "data": 1, "to": "text"}),
            "`to` can't be \"text\": use json, csv, yaml or xml",
        );
        fault(
            json!({"operation": "convert", "data": 1, "from": 1}),
            "`from` can't be 1: use json, csv, yaml, xml or text",
        );
    }
}
