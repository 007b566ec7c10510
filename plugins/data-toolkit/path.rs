//! JSONPath (RFC 9535).

use crate::Failure;
use jsonpath_rust::{
    parser::{
        errors::JsonPathError,
        model::{Segment, Selector},
        parse_json_path,
    },
    query::js_path_process,
};
use serde_json::Value;

/// Is this query JSONPath? No jq program begins so: there `$` is followed by a name.
pub fn is_path(query: &str) -> bool {
    query.trim().strip_prefix('$').is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// What a path leads to. One that can lead to one place only gives what is there, null when nothing is;
/// any other gives a list, whatever its length.
pub fn run(query: &str, data: &Value) -> Result<Value, Failure> {
    let path = parse_json_path(query.trim()).map_err(|e| wrong(&e))?;
    let found = js_path_process(&path, data).map_err(|e| wrong(&e))?;
    let single = |segment: &Segment| matches!(segment, Segment::Selector(Selector::Name(_) | Selector::Index(_)));
    let mut found = found.into_iter().map(|found| found.val.clone());
    Ok(match path.segments.iter().all(single) {
        true => found.next().unwrap_or_default(),
        false => found.collect(),
    })
}

fn wrong(error: &JsonPathError) -> Failure {
    let said = match error {
        JsonPathError::PestError(error) => {
            let shown = error.to_string();
            let place = shown.lines().next().unwrap_or_default().trim_start_matches([' ', '-', '>']);
            format!("at {place} {}", error.variant.message())
        }
        other => other.to_string(),
    };
    Failure::input(format!("`query` begins with `$`, but is not JSONPath: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_cannot_be_jq_is_a_path() {
        for (query, expected) in
            [("$", true), (" $.a", true), ("$[0]", true), ("$..a", true), (".a", false), ("$x", false), ("$ENV", false)]
        {
            assert_eq!(is_path(query), expected, "{query}");
        }
    }

    #[test]
    fn one_place_gives_a_value_and_others_a_list() {
        let data = json!({"a": [{"b": 1, "c": "x"}, {"b": 2}], "o-k": true});
        for (query, expected) in [
            ("$", data.clone()),
            ("$.a[0].b", json!(1)),
            ("$.a[-1]['b']", json!(2)),
            ("$['o-k']", json!(true)),
            ("$.a[9]", json!(null)),
            ("$.a[*].b", json!([1, 2])),
            ("$..c", json!(["x"])),
            ("$.a[0:1].b", json!([1])),
            ("$.a[0,1].b", json!([1, 2])),
            ("$.a[?@.b > 1 && !@.c]", json!([{"b": 2}])),
            ("$.a[?length(@.c) == 1].b", json!([1])),
            ("$.a[?match(@.c, '[xy]')].b", json!([1])),
            ("$.a[?@.c == $.a[0].c].b", json!([1])),
            ("$.nobody[*]", json!([])),
        ] {
            assert_eq!(run(query, &data), Ok(expected), "{query}");
        }
    }

    #[test]
    fn wrong_paths_say_where() {
        for (query, place) in
            [("$.a[", "at 1:5 "), ("$.a[?nosuch(@.b)]", "at 1:6 "), ("$.", "at 1:3 "), ("$[\n0", "at 2:1 ")]
        {
            let message = run(query, &json!({})).expect_err(query).message;
            assert!(message.starts_with("`query` begins with `$`, but is not JSONPath: "), "{message}");
            assert!(message.contains(place), "{query}: {message}");
        }
    }
}
