//! What goes into a plugin run and what comes out of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// One file of the mission's folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// Lower-case hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    pub media_type: String,
    /// Absent when the run may know of the file but not read it.
    pub bytes: Option<Vec<u8>>,
}

/// What a run gets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    pub inputs: BTreeMap<String, Value>,
    /// By path.
    pub files: BTreeMap<String, File>,
    /// The plugin's settings, by name: what a person chose, else the default. Those of type `secret` too.
    pub settings: BTreeMap<String, Value>,
    /// What this verb was granted and its manifest names.
    pub secrets: Vec<Secret>,
}

/// A secret that a run may use.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    pub name: String,
    /// The only host that it may be sent to, where it was granted for one: `host` or `host:port`.
    pub host: Option<String>,
    pub value: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).field("host", &self.host).finish_non_exhaustive()
    }
}

/// What a run gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Done {
    pub outputs: BTreeMap<String, Value>,
    /// New content of files, by path.
    pub written: BTreeMap<String, Vec<u8>>,
    /// Paths of files that are no more.
    pub removed: Vec<String>,
}

/// Why a run gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub class: Class,
    pub message: String,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Another input would do.
    InvalidInput,
    /// Doing it again gives the same.
    Permanent,
    /// Doing it again may work.
    Transient,
}

impl Run {
    /// An input that must be a string.
    ///
    /// # Errors
    /// It is missing, or something else.
    pub(crate) fn text(&self, name: &str) -> Result<&str, Failure> {
        match self.inputs.get(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Failure::input(format!("`{name}` must be a string"))),
            None => Err(Failure::input(format!("`{name}` is missing"))),
        }
    }

    /// A setting that is a text: what was chosen, else its default; none when it is empty.
    pub(crate) fn setting<'a>(&'a self, name: &str, defaults: &[(&str, &'a str)]) -> Option<&'a str> {
        let default = || defaults.iter().find(|(of, _)| *of == name).map(|(_, default)| *default);
        let text = self.settings.get(name).and_then(Value::as_str).or_else(default)?;
        (!text.trim().is_empty()).then_some(text.trim())
    }
}

impl Failure {
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self { class: Class::InvalidInput, message: message.into() }
    }
    pub(crate) fn permanent(message: impl Into<String>) -> Self {
        Self { class: Class::Permanent, message: message.into() }
    }
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self { class: Class::Transient, message: message.into() }
    }
}

impl Done {
    pub(crate) fn with<const N: usize>(outputs: [(&str, Value); N]) -> Self {
        let outputs = outputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { outputs, ..Self::default() }
    }
}
