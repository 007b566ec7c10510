//! jq, by jaq.

use crate::Failure;
use jaq_core::{
    Compiler, Ctx, Vars,
    data::JustLut,
    load::{Arena, Error, File, Loader},
    unwrap_valr,
};
use jaq_json::{Num, Val};
use serde::Deserialize;
use serde_json::{Map, Number, Value};

/// The same query over the same data gives the same: nothing that looks at the clock, at the
/// environment or at other inputs, and nothing that ends the process or prints.
const LEFT_OUT: [&str; 12] = [
    "now",
    "localtime",
    "strflocaltime",
    "env",
    "halt",
    "halt_error",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
    "input",
    "inputs",
];

/// Runs a program: its one output, otherwise a list of all.
pub fn run(program: &str, data: Value) -> Result<Value, Failure> {
    let defs =
        jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).filter(|def| !LEFT_OUT.contains(&def.name));
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs()).filter(|fun| !LEFT_OUT.contains(&fun.0));
    let arena = Arena::default();
    let modules = Loader::new(defs)
        .load(&arena, File { code: program, path: () })
        .map_err(|errors| syntax(program, errors.into_iter().map(|(_, error)| error)))?;
    let filter = Compiler::default()
        .with_funs(funs)
        .compile(modules)
        .map_err(|errors| undefined(program, errors.into_iter().flat_map(|(_, errors)| errors)))?;

    let data = Val::deserialize(data).map_err(|e| Failure::input(format!("the data can't be queried: {e}")))?;
    let context = Ctx::<JustLut<Val>>::new(&filter.lut, Vars::new([]));
    let mut outputs = Vec::new();
    for output in filter.id.run((context, data)).map(unwrap_valr) {
        let output = output.map_err(|e| failed(outputs.len() + 1, &e.to_string()))?;
        outputs.push(value(&output)?);
    }
    Ok(if outputs.len() == 1 { outputs.remove(0) } else { outputs.into() })
}

fn syntax<'p>(program: &'p str, errors: impl Iterator<Item = Error<&'p str>>) -> Failure {
    let mut said = Vec::new();
    for error in errors {
        match error {
            Error::Lex(errors) => said.extend(
                errors
                    .iter()
                    .map(|(expected, rest)| format!("{} expected {}", place(program, rest), expected.as_str())),
            ),
            Error::Parse(errors) => said.extend(
                errors
                    .iter()
                    .map(|(expected, found)| format!("{} expected {}", place(program, found), expected.as_str())),
            ),
            Error::Io(paths) => said.extend(
                paths.iter().map(|(path, _)| format!("{} other files can't be included", place(program, path))),
            ),
        }
    }
    Failure::input(format!("`query` is not jq: {}", said.join("; ")))
}

fn undefined<'p>(program: &'p str, errors: impl Iterator<Item = jaq_core::compile::Error<&'p str>>) -> Failure {
    let said: Vec<String> = errors
        .map(|(name, kind)| {
            let left_out = if LEFT_OUT.contains(&name) { " here" } else { "" };
            format!("{} there is no {} `{name}`{left_out}", place(program, name), kind.as_str())
        })
        .collect();
    Failure::input(format!("`query` can't run: {}", said.join("; ")))
}

/// jaq puts the value at fault into its message, and that may be the whole of the data.
fn failed(output: usize, error: &str) -> Failure {
    let mut said: String = error.chars().take(500).collect();
    if said.len() < error.len() {
        said.push('…');
    }
    Failure::input(format!("the query failed at output {output}: {said}"))
}

/// Where a part of the program is; a part that is none of it stands for its end.
fn place(program: &str, part: &str) -> String {
    let start = program.as_ptr() as usize;
    let at = (part.as_ptr() as usize).checked_sub(start).filter(|at| *at <= program.len() && !part.is_empty());
    let before = program.get(..at.unwrap_or(program.len())).unwrap_or(program);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}:")
}

/// JSON out of jaq's superset of it; not-a-number and infinity become null, as in jq.
fn value(from: &Val) -> Result<Value, Failure> {
    Ok(match from {
        Val::Null => Value::Null,
        Val::Bool(b) => (*b).into(),
        Val::Num(n) => number(n),
        Val::TStr(text) => String::from_utf8_lossy(text).into(),
        Val::BStr(_) => return Err(Failure::input("the query gives raw bytes; JSON has text only")),
        Val::Arr(items) => items.iter().map(value).collect::<Result<_, _>>()?,
        Val::Obj(entries) => {
            let entry = |(key, item): (&Val, &Val)| match key {
                Val::TStr(key) => Ok((String::from_utf8_lossy(key).into_owned(), value(item)?)),
                other => Err(Failure::input(format!(
                    "the query gives an object with the key {other}; JSON keys are strings"
                ))),
            };
            Value::Object(entries.iter().map(entry).collect::<Result<Map<_, _>, _>>()?)
        }
    })
}

fn number(from: &Num) -> Value {
    let parsed = |text: &str| text.parse::<Number>().ok();
    let number = match from {
        Num::Int(i) => Some(Number::from(*i)),
        Num::Float(f) => Number::from_f64(*f),
        Num::BigInt(i) => parsed(&i.to_string()),
        Num::Dec(text) => parsed(text),
    };
    number.map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(program: &str, data: Value, expected: Value) {
        assert_eq!(run(program, data), Ok(expected), "{program}");
    }

    fn fault(program: &str) -> String {
        run(program, json!({"a": 1})).expect_err(program).message
    }

    #[test]
    fn one_output_is_itself_and_others_are_a_list() {
        check(".a", json!({"a": [1]}), json!([1]));
        check(".[]", json!([1, 2]), json!([1, 2]));
        check(".[]", json!([[1]]), json!([1]));
        check("empty", json!(1), json!([]));
    }

    #[test]
    fn tables_are_filtered_sorted_grouped_and_counted() {
        let rows = json!([{"n": "b", "x": "10"}, {"n": "a", "x": "9"}, {"n": "b", "x": "1"}]);
        check("map(select(.x | tonumber > 5)) | sort_by(.n) | map(.n)", rows.clone(), json!(["a", "b"]));
        check(
            "group_by(.n) | map({n: .[0].n, sum: (map(.x | tonumber) | add)})",
            rows.clone(),
            json!([{"n": "a", "sum": 9}, {"n": "b", "sum": 11}]),
        );
        check("length", rows.clone(), json!(3));
        check("[.[].x | tonumber] | max", rows, json!(10));
    }

    #[test]
    fn keys_keep_their_order_and_numbers_their_kind() {
        let data = json!({"z": 1, "a": 1.0, "big": 18_446_744_073_709_551_615_u64, "text": "ü\n"});
        let same = run(".", data.clone()).expect("identity");
        assert_eq!(same.to_string(), data.to_string());
        check("nan, infinite, \"1.5\" | tonumber? // .", json!(null), json!([null, null, 1.5]));
    }

    #[test]
    fn syntax_errors_say_where() {
        assert_eq!(fault(".a |"), "`query` is not jq: line 1, column 5: expected term");
        assert_eq!(fault(".a\n| [.b"), "`query` is not jq: line 2, column 6: expected closing bracket");
        assert_eq!(fault("if . then 1 els"), "`query` is not jq: line 1, column 13: expected else or end");
        assert!(fault("include \"x\"; .").contains("other files can't be included"));
    }

    #[test]
    fn unknown_names_and_failures_say_what() {
        assert_eq!(fault(".a |\n nosuch(.)"), "`query` can't run: line 2, column 2: there is no filter `nosuch`");
        assert_eq!(fault("$x"), "`query` can't run: line 1, column 1: there is no variable `$x`");
        assert_eq!(fault("1, .a.b"), "the query failed at output 2: cannot index 1 with \"b\"");
        assert_eq!(fault("error(\"no\")"), "the query failed at output 1: \"no\"");
        assert_eq!(fault("{(.a): 1}"), "the query gives an object with the key 1; JSON keys are strings");
        assert!(fault("error(\"x\" * 5000)").chars().count() < 600);
    }

    #[test]
    fn nothing_outside_of_the_data_can_be_seen() {
        for name in ["now", "env", "$ENV", "input", "halt", "debug", "stderr", "localtime"] {
            assert!(fault(name).contains("there is no"), "{name}");
        }
    }
}
