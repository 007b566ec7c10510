//! What a client asked.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Text, a call of a tool, JSON.
    Chat,
    /// Vectors for texts.
    Embedding,
    /// Which models there are, or how the server is: no model is at work.
    Listing,
}

/// A picture that came with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Empty where the dialect doesn't say it.
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// One request, as the dialect says it and by its meaning.
#[derive(Debug, Clone)]
pub struct Call {
    pub purpose: Purpose,
    pub path: String,
    /// After the `?`.
    pub query: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    /// Null where there was none.
    pub body: Value,
    /// The bare key, wherever the dialect has it.
    pub key: Option<String>,
    /// Empty where the dialect doesn't name it.
    pub model: String,
    /// All that was said, whoever said it, a line each.
    pub text: String,
    /// What is to be embedded.
    pub inputs: Vec<String>,
    pub images: Vec<Image>,
    /// Whether the answer is wanted piece by piece.
    pub streams: bool,
    /// The names of the tools on offer.
    pub tools: Vec<String>,
    /// How many results of tools were said.
    pub results: usize,
    /// The JSON Schema that the answer is to follow.
    pub schema: Option<Value>,
}

/// A request before a dialect has read it.
pub(crate) struct Asked {
    pub method: String,
    /// Without the prefix.
    pub path: String,
    pub whole_path: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Asked {
    /// A call that says nothing yet.
    pub fn call(&self, purpose: Purpose) -> Call {
        Call {
            purpose,
            path: self.whole_path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            key: None,
            model: String::new(),
            text: String::new(),
            inputs: Vec::new(),
            images: Vec::new(),
            streams: false,
            tools: Vec::new(),
            results: 0,
            schema: None,
        }
    }

    /// The key of `Authorization: Bearer`.
    pub fn bearer(&self) -> Option<String> {
        Some(self.headers.get("authorization")?.strip_prefix("Bearer ")?.to_owned())
    }

    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }
}

impl Call {
    /// Adds a line to what was said.
    pub(crate) fn say(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }

    /// Adds a picture.
    ///
    /// # Errors
    /// It is no base64.
    pub(crate) fn show(&mut self, media_type: &str, base64: &str) -> Result<(), String> {
        let bytes = BASE64_STANDARD.decode(base64).map_err(|error| format!("image data: {error}"))?;
        self.images.push(Image { media_type: media_type.to_owned(), bytes });
        Ok(())
    }
}

/// A member that must be a string.
pub(crate) fn string<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    value[name].as_str().ok_or_else(|| format!("{name}: a string is required"))
}

/// A member that must be a list with something in it.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], String> {
    match value[name].as_array() {
        Some(items) if !items.is_empty() => Ok(items),
        _ => Err(format!("{name}: a non-empty array is required")),
    }
}

/// A member that is a list or absent.
pub(crate) fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text, or a list of texts.
pub(crate) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(texts) => texts.iter().map(|text| Some(text.as_str()?.to_owned())).collect(),
        _ => None,
    }
}
