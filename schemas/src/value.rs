//! Values: what steps take and give. Small ones travel in events, large ones by reference.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Any JSON value; an object whose keys hold [`REF_KEY`] is a reference to bytes in `ARTIFACTS`.
pub use serde_json::Value;

/// Named values, in the order of their names.
pub type Values = BTreeMap<String, Value>;

/// The key that makes an object a reference.
pub const REF_KEY: &str = "stage7:ref";

/// A value whose byte form is longer than this (bytes) travels by reference.
pub const INLINE_LIMIT: usize = 16 * 1024;

/// What the bytes of a value are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// UTF-8 as it is; the value is a JSON string.
    Text,
    /// JSON with two spaces and a final newline.
    Json,
    /// Bytes of a file, never interpreted.
    File,
}

/// Bytes in `ARTIFACTS`: a file, or a value too large for an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ref {
    /// SHA-256 of the bytes, lower-case hex.
    #[serde(rename = "stage7:ref")]
    pub sha256: String,
    #[serde(rename = "type")]
    pub form: Form,
    /// Bytes.
    pub size: u64,
    pub media_type: String,
}

/// Bytes on their way into `ARTIFACTS`, with the reference that will name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub reference: Ref,
    pub bytes: Vec<u8>,
}

impl Ref {
    /// The reference that a value is, if it is one.
    pub fn from_value(value: &Value) -> Option<Self> {
        value.get(REF_KEY)?;
        serde_json::from_value(value.clone()).ok()
    }
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a reference is plain data")
    }
}

impl Blob {
    pub fn new(form: Form, media_type: &str, bytes: Vec<u8>) -> Self {
        let reference = Ref { sha256: sha256(&bytes), form, size: bytes.len() as u64, media_type: media_type.into() };
        Self { reference, bytes }
    }
    /// The one byte form of a value: text as it is, everything else as JSON.
    pub fn of_value(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::new(Form::Text, "text/plain; charset=utf-8", text.clone().into_bytes()),
            other => Self::new(Form::Json, "application/json", json_bytes(other)),
        }
    }
}

/// JSON with two spaces and a final newline: the form whose hash names a JSON value.
pub fn json_bytes(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("a JSON value serialises");
    bytes.push(b'\n');
    bytes
}

/// Lower-case hex SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        write!(out, "{byte:02x}").expect("writing to a String does not fail");
        out
    })
}

/// Keeps a small value, turns a large one into its reference and the bytes to store.
///
/// A reference stays what it is.
pub fn outline(value: Value) -> (Value, Option<Blob>) {
    // Compact length first: only a value near the limit pays for its pretty form.
    let small = match &value {
        Value::String(text) => text.len() <= INLINE_LIMIT,
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        other => {
            serde_json::to_vec(other).is_ok_and(|b| b.len() <= INLINE_LIMIT / 4)
                || json_bytes(other).len() <= INLINE_LIMIT
        }
    };
    if small {
        return (value, None);
    }
    let blob = Blob::of_value(&value);
    (blob.reference.to_value(), Some(blob))
}

/// A value from the bytes that its reference named.
///
/// # Errors
/// A sentence, when the bytes are not what the reference's form says.
pub fn restore(form: Form, bytes: Vec<u8>) -> Result<Value, String> {
    match form {
        Form::Text | Form::File => String::from_utf8(bytes)
            .map(Value::String)
            .map_err(|e| format!("the file is not UTF-8 text (byte {})", e.utf8_error().valid_up_to())),
        Form::Json => serde_json::from_slice(&bytes).map_err(|e| format!("the stored value is not JSON: {e}")),
    }
}

/// Replaces `{name}` in `text` where `name` is one of `inputs`; other braces stay.
///
/// Strings are put in as they are, other values as compact JSON. One pass: what was put in is not
/// looked at again.
pub fn fill(text: &str, inputs: &Values) -> String {
    parts(text, inputs).into_iter().map(|part| part.text).collect()
}

/// A piece of a text that was filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub text: String,
    /// It is the value of an input.
    pub is_given: bool,
}

/// The same, in pieces: what was written, and what was put in.
pub fn parts(text: &str, inputs: &Values) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut push = |text: String, is_given| {
        if !text.is_empty() {
            parts.push(Part { text, is_given });
        }
    };
    // Where what is written begins that is not in the parts yet, and where to look for the next brace.
    let (mut from, mut at) = (0, 0);
    while let Some(open) = text[at..].find('{').map(|open| at + open) {
        let name = text[open + 1..].find(['{', '}']).map(|end| open + 1 + end);
        let name = name.filter(|end| text.as_bytes()[*end] == b'}').map(|end| &text[open + 1..end]);
        at = open + 1;
        if let Some((name, value)) = name.and_then(|name| Some((name, inputs.get(name)?))) {
            push(text[from..open].into(), false);
            push(value.as_str().map_or_else(|| value.to_string(), Into::into), true);
            at = open + name.len() + 2;
            from = at;
        }
    }
    push(text[from..].into(), false);
    parts
}

/// The media type that a file name's ending says, `application/octet-stream` when it says nothing.
pub fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase().as_str() {
        "txt" | "log" => "text/plain; charset=utf-8",
        "md" | "markdown" => "text/markdown; charset=utf-8",
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "json" => "application/json",
        "jsonl" => "application/jsonl",
        "yaml" | "yml" => "application/yaml",
        "toml" => "application/toml",
        "xml" => "application/xml",
        "js" => "text/javascript",
        "py" => "text/x-python",
        "rs" => "text/x-rust",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "webp" => "image/webp",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}

/// May a person's or planner's file be called this: relative, `/` between parts, no `.`/`..` part,
/// no control characters or backslashes, at most 255 bytes.
pub fn is_safe_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 255
        && !path.chars().any(|c| c.is_control() || c == '\\' || c == '\u{202e}')
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part.trim() == part)
}

/// A deliverable's name: a safe path of one part.
pub fn is_safe_name(name: &str) -> bool {
    is_safe_path(name) && !name.contains('/') && !name.starts_with('-') && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fill_replaces_declared_names_only() {
        let inputs: Values = [("a".to_string(), json!("x{b}")), ("b".to_string(), json!([1]))].into();
        assert_eq!(fill("{a} {b} {c} {} {{a}} {a", &inputs), "x{b} [1] {c} {} {x{b}} {a");
    }

    #[test]
    fn large_values_become_references_of_their_one_byte_form() {
        let (value, blob) = outline(json!("x".repeat(INLINE_LIMIT + 1)));
        let blob = blob.expect("over the limit");
        assert_eq!(Ref::from_value(&value).as_ref(), Some(&blob.reference));
        assert_eq!(blob.reference.sha256, sha256(&blob.bytes));
        assert!(outline(json!("x".repeat(INLINE_LIMIT))).1.is_none());
        let list = json!((0..9000).collect::<Vec<_>>());
        let (_, blob) = outline(list.clone());
        assert_eq!(restore(Form::Json, blob.expect("over the limit").bytes), Ok(list));
    }

    #[test]
    fn unsafe_names_are_told() {
        for bad in ["", "../x", "a/../b", "/a", "a//b", ".", "a\\b", "a\nb", " a", "-rf", ".env", "a/b"] {
            assert!(!is_safe_name(bad), "{bad:?}");
        }
        for good in ["a.md", "Ärger 1.csv", "a-b_c.tar.gz"] {
            assert!(is_safe_name(good), "{good:?}");
        }
    }
}
