//! The forms that a text may have.

use super::{table, xml, yaml};
use crate::{Failure, Run};
use serde_json::Value;

/// Levels of nesting that a text may have, whatever its form: JSON's own reader takes 128, and an answer
/// holds what was read a few levels down.
pub const DEPTH: usize = 100;

#[derive(Clone, Copy)]
pub enum Format {
    Json,
    Csv,
    Yaml,
    Xml,
    /// Nothing to be parsed: the text itself is the value.
    Text,
}

impl Format {
    /// What the input `from` or `to` names.
    pub fn of(run: &Run, input: &str) -> Result<Option<Self>, Failure> {
        let from = input == "from";
        let named = match run.inputs.get(input) {
            None | Some(Value::Null) => return Ok(None),
            Some(named) => named,
        };
        match named.as_str() {
            Some("json") => Ok(Some(Self::Json)),
            Some("csv") => Ok(Some(Self::Csv)),
            Some("yaml") => Ok(Some(Self::Yaml)),
            Some("xml") => Ok(Some(Self::Xml)),
            Some("text") if from => Ok(Some(Self::Text)),
            _ => {
                let known = if from { "json, csv, yaml, xml or text" } else { "json, csv, yaml or xml" };
                Err(Failure::input(format!("`{input}` can't be {named}: use {known}")))
            }
        }
    }

    /// The data in this form; JSON is the value as it is.
    pub fn written(self, data: Value) -> Result<Value, Failure> {
        match self {
            Self::Json | Self::Text => Ok(data),
            Self::Csv => table::write(&data).map(Value::from),
            Self::Yaml => yaml::write(&data).map(Value::from),
            Self::Xml => xml::write(&data).map(Value::from),
        }
    }
}

/// A text is parsed, any other value is what it is.
pub fn parsed(data: &Value, format: Option<Format>) -> Result<Value, Failure> {
    let Value::String(text) = data else { return Ok(data.clone()) };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let json = || serde_json::from_str::<Value>(text);
    match format {
        Some(Format::Json) => json().map_err(|e| Failure::input(format!("`data` is not JSON: {e}"))),
        Some(Format::Csv) => table::read(text),
        Some(Format::Yaml) => yaml::read(text),
        Some(Format::Xml) => xml::read(text),
        Some(Format::Text) => Ok(data.clone()),
        None if text.trim_start().starts_with('<') => xml::read(text),
        None => json().or_else(|_| table::read(text)),
    }
}
