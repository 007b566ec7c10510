//! An answer, brought into the shape that its question wants.

use super::body::fault_of_text;
use schemas::{
    Fault, Value,
    agent::{AnswerType, QuestionAsked},
    catalogue::defaults,
    form,
    value::is_safe_path,
};

/// Longest JSON text of values, in bytes.
const MAX_VALUES: usize = 64 * 1024;

/// The answer as agents will read it: a string, number, boolean, choice, list of choices or object.
///
/// # Errors
/// What does not fit, and what would.
pub fn normalise(question: &QuestionAsked, answer: &Value) -> Result<Value, Vec<Fault>> {
    match (question.answer, &question.schema) {
        (AnswerType::Values, schema) => values(schema.as_ref().unwrap_or(&Value::Null), answer),
        _ => plain(question, answer).map_err(|fault| vec![fault]),
    }
}

/// What was filled in, or the text of its JSON; fields that are absent are their defaults.
fn values(schema: &Value, answer: &Value) -> Result<Value, Vec<Fault>> {
    let misfit = |why: String| vec![Fault::new("/answer", why)];
    let parsed = answer.as_str().map(serde_json::from_str).transpose();
    let parsed = parsed.map_err(|e| misfit(format!("must be an object, or the text of one in JSON: {e}")))?;
    let mut values = parsed.unwrap_or_else(|| answer.clone());
    if let Value::Object(fields) = &mut values {
        for (name, value) in defaults(schema) {
            fields.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    let size = values.to_string().len();
    if size > MAX_VALUES {
        return Err(misfit(format!("has {size} bytes, {MAX_VALUES} are allowed")));
    }
    let faults = form::misfits(schema, &values, "/answer");
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

fn plain(question: &QuestionAsked, answer: &Value) -> Result<Value, Fault> {
    let misfit = |wanted: &str| Fault::new("/answer", format!("must be {wanted}, this is {answer}"));
    match question.answer {
        AnswerType::Text => {
            let text = match answer {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => answer.to_string(),
                _ => return Err(misfit("a text")),
            };
            match fault_of_text(&text) {
                Some(why) => Err(Fault::new("/answer", why)),
                None => Ok(Value::String(text)),
            }
        }
        AnswerType::Number => number(answer).ok_or_else(|| misfit("a number")),
        AnswerType::Boolean => boolean(answer).map(Value::Bool).ok_or_else(|| misfit("yes or no")),
        AnswerType::Choice => {
            let wanted = || misfit(&format!("one of {}", question.choices.join(", ")));
            answer.as_str().and_then(|text| choice(&question.choices, text)).map(Value::from).ok_or_else(wanted)
        }
        AnswerType::Choices => {
            let wanted = || misfit(&format!("a list out of {}", question.choices.join(", ")));
            choices(&question.choices, answer).map(Value::from).ok_or_else(wanted)
        }
        AnswerType::File => {
            let path = answer.as_str().filter(|path| is_safe_path(path));
            path.map(Value::from).ok_or_else(|| misfit("the path of a file that was given"))
        }
        AnswerType::Values => Err(misfit("an object")),
    }
}

fn number(answer: &Value) -> Option<Value> {
    match answer {
        Value::Number(_) => Some(answer.clone()),
        Value::String(text) => {
            let text = text.trim();
            let whole = text.parse::<i64>().ok().map(Value::from);
            whole.or_else(|| text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number))
        }
        _ => None,
    }
}

fn boolean(answer: &Value) -> Option<bool> {
    match answer {
        Value::Bool(yes) => Some(*yes),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "yes" | "y" | "true" => Some(true),
            "no" | "n" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The choice that is meant: as it is written, or the only one that differs in case alone.
fn choice<'a>(choices: &'a [String], text: &str) -> Option<&'a str> {
    if let Some(same) = choices.iter().find(|choice| *choice == text) {
        return Some(same);
    }
    let text = text.trim().to_lowercase();
    let mut like = choices.iter().filter(|choice| choice.trim().to_lowercase() == text);
    like.next().filter(|_| like.next().is_none()).map(String::as_str)
}

/// A list of choices, or one text that is a choice or holds several between commas; in the order
/// in which they were offered, each once.
fn choices(offered: &[String], answer: &Value) -> Option<Vec<String>> {
    let picked: Vec<&str> = match answer {
        Value::Array(items) => items.iter().map(|item| choice(offered, item.as_str()?)).collect::<Option<_>>()?,
        Value::String(text) => match choice(offered, text) {
            Some(one) => vec![one],
            None => text.split(',').map(|part| choice(offered, part)).collect::<Option<_>>()?,
        },
        _ => return None,
    };
    Some(offered.iter().filter(|one| picked.contains(&one.as_str())).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(kind: &str, answer: Value) -> Option<Value> {
        let question =
            json!({"step": "s", "attempt": 1, "text": "?", "type": kind, "choices": ["Red", "green", "red", "a, b"]});
        normalise(&serde_json::from_value(question).expect("a question"), &answer).ok()
    }

    #[test]
    fn answers_take_the_form_of_their_question() {
        for (kind, answer, wanted) in [
            ("text", json!("  tea "), Some(json!("  tea "))),
            ("text", json!(3), Some(json!("3"))),
            ("text", json!(" "), None),
            ("text", json!("a\u{7}"), None),
            ("text", json!("x".repeat(20_001)), None),
            ("text", json!(["tea"]), None),
            ("number", json!(2.5), Some(json!(2.5))),
            ("number", json!(" 42 "), Some(json!(42))),
            ("number", json!("1e3"), Some(json!(1000.0))),
            ("number", json!("inf"), None),
            ("number", json!("many"), None),
            ("number", json!(null), None),
            ("boolean", json!("Yes"), Some(json!(true))),
            ("boolean", json!(false), Some(json!(false))),
            ("boolean", json!("n"), Some(json!(false))),
            ("boolean", json!("maybe"), None),
            ("boolean", json!(1), None),
            ("choice", json!("red"), Some(json!("red"))),
            ("choice", json!("GREEN "), Some(json!("green"))),
            ("choice", json!("RED"), None),
            ("choice", json!("blue"), None),
            ("choice", json!(0), None),
            ("choices", json!(["red", "Red", "red"]), Some(json!(["Red", "red"]))),
            ("choices", json!("red, green"), Some(json!(["green", "red"]))),
            ("choices", json!("a, b"), Some(json!(["a, b"]))),
            ("choices", json!([]), Some(json!([]))),
            ("choices", json!(["red", "blue"]), None),
            ("choices", json!({"red": true}), None),
        ] {
            assert_eq!(given(kind, answer.clone()), wanted, "{kind}: {answer}");
        }
    }
}
