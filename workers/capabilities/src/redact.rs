//! Takes out of what a run gives the secrets that it was given.
//!
//! This is against accidents: a plugin that means to can say a secret in a form that nobody knows.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use plugins::Done;
use schemas::value::Value;

/// What stands where a secret was.
pub const MASK: &str = "[secret]";
/// Bytes of the shortest that can be told from other text.
const SHORTEST: usize = 6;

/// What `encodeURIComponent` of JavaScript escapes.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The secrets of one run, in every form that they are looked for.
pub struct Redactor(Option<AhoCorasick>);

impl Redactor {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<Vec<u8>> = secrets.into_iter().flat_map(forms).filter(|f| f.len() >= SHORTEST).collect();
        forms.sort_unstable();
        forms.dedup();
        // Most runs have no secret, and what looks for nothing takes as long to make as a short run.
        if forms.is_empty() {
            return Self(None);
        }
        let found = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms);
        Self(found.ok())
    }

    pub fn text(&self, text: &str) -> String {
        self.0.as_ref().map_or_else(|| text.into(), |found| replaced(found, text))
    }

    /// Outputs, files and their names.
    pub fn done(&self, done: &mut Done) {
        let Some(found) = &self.0 else { return };
        done.outputs =
            std::mem::take(&mut done.outputs).into_iter().map(|(name, value)| (name, redacted(found, value))).collect();
        for bytes in done.written.values_mut().filter(|bytes| found.is_match(bytes.as_slice())) {
            *bytes = found.replace_all_bytes(bytes, &vec![MASK; found.patterns_len()]);
        }
        let path = |path: String| if found.is_match(&path) { replaced(found, &path) } else { path };
        done.written = std::mem::take(&mut done.written).into_iter().map(|(name, bytes)| (path(name), bytes)).collect();
    }
}

fn replaced(found: &AhoCorasick, text: &str) -> String {
    found.replace_all(text, &vec![MASK; found.patterns_len()])
}

fn redacted(found: &AhoCorasick, value: Value) -> Value {
    match value {
        Value::String(text) if found.is_match(&text) => Value::String(replaced(found, &text)),
        Value::Array(items) => items.into_iter().map(|item| redacted(found, item)).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| (replaced(found, &name), redacted(found, value));
            Value::Object(fields.into_iter().map(field).collect())
        }
        // A number may be a secret, too.
        Value::Number(number) if found.is_match(&number.to_string()) => MASK.into(),
        other => other,
    }
}

/// A secret as it is, each line of it, and as programs usually write it elsewhere.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let lines = secret.lines().map(str::trim).filter(|line| line.len() >= 8 && *line != secret);
    let mut all: Vec<Vec<u8>> = std::iter::once(secret).chain(lines).map(|text| text.as_bytes().to_vec()).collect();
    let quoted = Value::from(secret).to_string();
    all.push(quoted[1..quoted.len() - 1].into());
    all.push(utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string().into());
    all.push(utf8_percent_encode(secret, COMPONENT).to_string().into());
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
        all.push(engine.encode(secret).into());
    }
    for before in 0..3 {
        let inner = inside_base64(secret, before);
        all.push(inner.replace('+', "-").replace('/', "_").into());
        all.push(inner.into());
    }
    for hex in [|b: &u8| format!("{b:02x}"), |b: &u8| format!("{b:02X}")] {
        all.push(secret.as_bytes().iter().map(hex).collect::<String>().into());
    }
    all
}

/// What of a secret can be told from its neighbours in base64, where so many bytes come before it, as
/// the name of a user does.
fn inside_base64(secret: &str, before: usize) -> String {
    let bytes = [&[0].repeat(before), secret.as_bytes()].concat();
    let encoded = STANDARD_NO_PAD.encode(&bytes);
    encoded.get((before * 8).div_ceil(6)..bytes.len() * 8 / 6).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CANARY: &str = "s3cr3t/with \"quotes\" & ünicode";

    #[test]
    fn every_usual_form_is_taken_out() {
        let redactor = Redactor::new([CANARY]);
        for form in forms(CANARY) {
            let text = format!("before {} after", String::from_utf8(form).expect("text"));
            assert_eq!(redactor.text(&text), "before [secret] after", "{text}");
        }
        assert_eq!(redactor.text("s3cr3t"), "s3cr3t", "a part is not the whole");
        assert_eq!(Redactor::new([]).text("x"), "x");
        assert_eq!(Redactor::new(["", "a"]).text("banana"), "banana", "what is so short is in every text");
    }

    #[test]
    fn a_password_behind_a_user_in_base64_is_taken_out() {
        for user in ["", "a", "ab", "abc", "somebody"] {
            for after in ["", "x", "xy", "xyz"] {
                let header = STANDARD.encode(format!("{user}:{CANARY}{after}"));
                let told = Redactor::new([CANARY]).text(&header);
                assert!(told.contains(MASK) && told.len() < MASK.len() + 20, "{user} {after}: {told}");
            }
        }
    }

    #[test]
    fn the_lines_of_a_long_secret_are_secrets_too() {
        let key = "-----BEGIN KEY-----\nAAAABBBBCCCC\nDDDDEEEEFFFF\n-----END KEY-----\n";
        assert_eq!(Redactor::new([key]).text("at DDDDEEEEFFFF"), "at [secret]");
        assert_eq!(Redactor::new([key]).text(key), "[secret]");
    }

    #[test]
    fn the_longer_of_two_counts() {
        assert_eq!(Redactor::new(["hunter2", "hunter2hunter2"]).text("hunter2hunter2!"), "[secret]!");
    }

    #[test]
    fn it_is_found_at_any_depth_of_what_a_run_gives() {
        let redactor = Redactor::new(["hunter2", "12345678"]);
        let mut done = Done {
            outputs: [
                ("plain".to_string(), json!("hunter")),
                ("deep".to_string(), json!([{"x hunter2": ["hunter2hunter2", 12345678, 1234]}])),
            ]
            .into(),
            written: [
                ("hunter2.txt".to_string(), b"\xff\xfehunter2\xff".to_vec()),
                ("b".to_string(), b"nothing".to_vec()),
            ]
            .into(),
            ..Done::default()
        };
        redactor.done(&mut done);
        assert_eq!(done.outputs["plain"], json!("hunter"));
        assert_eq!(done.outputs["deep"], json!([{"x [secret]": ["[secret][secret]", "[secret]", 1234]}]));
        assert_eq!(done.written["[secret].txt"], b"\xff\xfe[secret]\xff");
        assert_eq!(done.written["b"], b"nothing");
    }
}
