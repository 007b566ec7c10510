//! YAML 1.2, one document, as far as JSON can hold it.

use super::format::DEPTH;
use crate::Failure;
use serde_json::Value;
use serde_saphyr::{UserMessageFormatter, budget, options};

/// Parts that a document may have, and that its aliases may bring: as many as some 50 MiB have.
const PARTS: usize = 5_000_000;

/// Only what YAML 1.2 calls a boolean is one, and digits that a number would lose stay a text.
pub fn read(text: &str) -> Result<Value, Failure> {
    let options = options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
        budget: budget! {
            max_depth: DEPTH,
            max_nodes: PARTS,
            max_events: 2 * PARTS,
            max_total_scalar_bytes: text.len() + PARTS,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|e| {
        let said = e.render_with_formatter(&UserMessageFormatter);
        Failure::input(format!("`data` is not YAML that can be taken: {said}"))
    })
}

/// Texts that any reader of YAML could take for something else are quoted.
pub fn write(data: &Value) -> Result<String, Failure> {
    serde_saphyr::to_string(data).map_err(|e| Failure::input(format!("the result can't be written as YAML: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(text: &str, expected: Value) {
        assert_eq!(read(text).map_err(|e| e.message), Ok(expected), "{text}");
    }

    fn fault(text: &str) -> String {
        let message = read(text).expect_err(text).message;
        message.strip_prefix("`data` is not YAML that can be taken: ").expect("a YAML fault").to_owned()
    }

    #[test]
    fn plain_texts_are_what_yaml_1_2_says() {
        for (text, expected) in [
            (
                "a: no\nb: yes\nc: on\nd: true\ne: ~\nf:",
                json!({"a": "no", "b": "yes", "c": "on", "d": true, "e": null, "f": null}),
            ),
            ("%YAML 1.1\n---\na: yes\n...\n", json!({"a": "yes"})),
            ("[0x1F, 0o17, 1e3, +1, 007, 1_000, 0.10]", json!([31, 15, 1000.0, 1, "007", "1_000", 0.1])),
            ("a: 2001-01-01\nb: 1:30", json!({"a": "2001-01-01", "b": "1:30"})),
            ("a: !!str 1\nb: !unknown 1\nc: !!binary aGk=", json!({"a": "1", "b": 1, "c": "hi"})),
            ("a: |\n  x\n  y\nb: >\n  x\n  y\n", json!({"a": "x\ny\n", "b": "x y\n"})),
            ("- &x {d: 1}\n- *x\n- <<: *x\n  e: 2\n", json!([{"d": 1}, {"d": 1}, {"e": 2, "d": 1}])),
            ("1: a\ntrue: b\n1.5: c", json!({"1": "a", "true": "b", "1.5": "c"})),
            ("# nothing", json!(null)),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn what_json_cannot_hold_is_refused_with_its_place() {
        for (text, expected) in [
            ("a: [", "unclosed bracket '[' at line 1, column 4"),
            ("a: 1\na: 2", "duplicate mapping key `a` is not allowed here at line 2, column 1"),
            ("--- a\n--- b\n", "only single YAML document expected but multiple found at line 2, column 5"),
            ("? [a]\n: b", "expected string scalar at line 1, column 3"),
            ("~: a", "null is not allowed here at line 1, column 1"),
            ("a: .inf", "value `.inf` is not a finite number at line 1, column 4"),
            ("a: *nope", "reference to unknown value at line 1, column 4"),
            ("a: &a [*a]", "Recursive reference not allowed here at line 1, column 8"),
            ("a:\n\tb: 1", "tabs disallowed within this context (block indentation) at line 2, column 2"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }

    #[test]
    fn aliases_that_multiply_are_refused() {
        let level = |n: usize| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
        let bomb: String = std::iter::once("a0: &a0 [x, x, x, x, x]\n".to_owned()).chain((1..10).map(level)).collect();
        assert!(fault(&bomb).starts_with("YAML document too large or too complex: "), "{}", fault(&bomb));
    }

    #[test]
    fn nesting_has_a_limit() {
        let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
        // As in the plugin's own process, there is more stack than a test has.
        let thread = std::thread::Builder::new().stack_size(64 << 20);
        let tried = thread.spawn(move || {
            assert!(read(&deep(DEPTH)).is_ok());
            assert!(fault(&deep(DEPTH + 1)).contains("Depth { depth: 101 }"));
        });
        tried.expect("a thread").join().expect("both are as they should");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for data in [
            json!({"a": "no", "b": "1", "c": "null", "d": "", "e": null, "f": [], "g": {}, "true": true, "1": "007"}),
            json!({"k y": 1e300, "l": "2001-01-01", "m": "0x1", "n": "\u{0}\u{85}\t", "o": "x".repeat(100) + " y z"}),
            json!({"p": " lead", "q": "trail \n\n", "r": "1_000", "s": u64::MAX, "t": "~", "<<": 1, "w": "a: b", "x": "\r\n"}),
            json!([[1, [2, {"x": 1.0}]], {}, "- a: #", "x\ny"]),
            json!("x"),
        ] {
            check(&write(&data).expect("writes"), data);
        }
    }
}
