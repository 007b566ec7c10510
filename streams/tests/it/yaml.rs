//! JSON as YAML that people can read. Only what a document of ours has in it.

use serde_json::Value;

/// The text of a document.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

fn block(out: &mut String, value: &Value, depth: usize) {
    let pad = "  ".repeat(depth);
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                out.push_str(&format!("{pad}{}:", scalar(name)));
                nested(out, member, depth + 1);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                out.push_str(&format!("{pad}-"));
                nested(out, element, depth + 1);
            }
        }
        _ => unreachable!("scalars stand in their line"),
    }
}

fn nested(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('\n');
            block(out, value, depth);
        }
        Value::Array(elements) if !elements.is_empty() => {
            out.push('\n');
            block(out, value, depth);
        }
        Value::String(text) => out.push_str(&format!(" {}\n", scalar(text))),
        other => out.push_str(&format!(" {other}\n")),
    }
}

/// A text bare where nothing in it means anything to YAML, else quoted as JSON, which YAML reads.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '_' | '/' | '-' | ',' | ';' | '(' | ')');
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.ends_with(' ') && text.chars().all(plain);
    let meaning = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    match word && !meaning.contains(&text.to_ascii_lowercase().as_str()) {
        true => text.into(),
        false => Value::from(text).to_string(),
    }
}

#[test]
fn what_could_be_taken_for_something_else_is_quoted() {
    for (text, written) in [
        ("a plain text, with (these)", "a plain text, with (these)"),
        ("yes", "\"yes\""),
        ("1.0", "\"1.0\""),
        ("a: b", "\"a: b\""),
        ("- a", "\"- a\""),
        ("#/x", "\"#/x\""),
        ("", "\"\""),
        ("two\nlines", "\"two\\nlines\""),
    ] {
        assert_eq!(scalar(text), written);
    }
}
