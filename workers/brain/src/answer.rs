//! Is the answer what was asked for? JSON is taken out of its wrapping, repaired where that changes
//! nothing, and checked against its schema; what is still wrong goes back to the model.

use schemas::Value;

/// What kind of answer is wanted.
pub struct Wish {
    validator: Option<jsonschema::Validator>,
}

impl Wish {
    /// # Errors
    /// A sentence, when the schema is none.
    pub fn new(schema: Option<&Value>) -> Result<Self, String> {
        let validator = schema.map(jsonschema::validator_for).transpose();
        Ok(Self { validator: validator.map_err(|error| format!("the wanted schema is no JSON Schema: {error}"))? })
    }

    /// The answer, as a value that matches the wish.
    ///
    /// # Errors
    /// Every fault, in words for the model.
    pub fn check(&self, text: &str) -> Result<Value, Vec<String>> {
        let Some(validator) = &self.validator else {
            return if text.trim().is_empty() {
                Err(vec!["the answer is empty".into()])
            } else {
                Ok(Value::String(text.to_string()))
            };
        };
        let value = parse(text).map_err(|why| vec![why])?;
        let faults: Vec<String> = validator
            .iter_errors(&value)
            .take(10)
            .map(|error| match error.instance_path().as_str() {
                "" => error.to_string(),
                path => format!("{path}: {error}"),
            })
            .collect();
        if faults.is_empty() { Ok(value) } else { Err(faults) }
    }
}

/// What to say to a model whose answer had faults.
pub fn ask_again(faults: &[String], is_json: bool) -> String {
    let list: Vec<String> = faults.iter().map(|fault| format!("- {fault}")).collect();
    let again =
        if is_json { "with the whole corrected JSON and nothing else" } else { "with the text that is asked for" };
    format!("That answer cannot be used:\n{}\nAnswer again {again}.", list.join("\n"))
}

/// JSON in an answer: all of it, what a code fence holds, or what stands between the first opening
/// and the last closing bracket; trailing commas are dropped.
fn parse(text: &str) -> Result<Value, String> {
    let text = text.trim().trim_start_matches('\u{feff}');
    let first = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let fenced = text.split("```").nth(1).map(|inner| inner.strip_prefix("json").unwrap_or(inner));
    let bracketed = text
        .find(['{', '['])
        .zip(text.rfind(['}', ']']))
        .filter(|(from, to)| from < to)
        .map(|(from, to)| &text[from..=to]);
    for part in fenced.into_iter().chain(bracketed) {
        for candidate in [part.trim().to_string(), without_trailing_commas(part.trim())] {
            if let Ok(value) = serde_json::from_str(&candidate) {
                return Ok(value);
            }
        }
    }
    Err(format!("the answer is not JSON: {first}"))
}

/// Drops commas that stand before a closing bracket, outside strings.
fn without_trailing_commas(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if !in_string && matches!(c, '}' | ']') {
            let kept = out.trim_end().len();
            if out[..kept].ends_with(',') {
                out.truncate(kept - 1);
            }
        }
        out.push(c);
        (in_string, escaped) = match (in_string, escaped, c) {
            (true, false, '\\') => (true, true),
            (true, false, '"') => (false, false),
            (false, _, '"') => (true, false),
            (inside, _, _) => (inside, false),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_taken_out_of_its_wrapping() {
        let wish = Wish::new(Some(&json!({"type": "object", "required": ["a"]}))).expect("a schema");
        for text in [
            r#"{"a": 1}"#,
            "```json\n{\"a\": 1}\n```",
            "Here you are:\n```\n{\"a\": 1,}\n```\nGood luck!",
            "Sure! {\"a\": 1} is the answer.",
            "\u{feff}{\"a\": 1}",
        ] {
            assert_eq!(wish.check(text), Ok(json!({"a": 1})), "{text}");
        }
        let text = r#"{"a": "x,}",}"#;
        assert_eq!(wish.check(text), Ok(json!({"a": "x,}"})));
    }

    #[test]
    fn what_does_not_match_is_told_with_its_place() {
        let wish = Wish::new(Some(&json!({"properties": {"a": {"type": "array", "items": {"type": "number"}}}})))
            .expect("a schema");
        let faults = wish.check(r#"{"a": [1, "x"]}"#).expect_err("not a number");
        assert!(faults[0].starts_with("/a/1: "), "{faults:?}");
        assert!(wish.check("I can't do that").is_err());
        assert!(Wish::new(None).expect("no schema").check(" \n").is_err());
    }
}
