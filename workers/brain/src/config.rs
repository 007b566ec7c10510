//! Which providers are on. Read once by the binary; a key is never shown.

use std::fmt;

/// The brain's settings.
#[derive(Debug, Clone)]
pub struct Config {
    pub openai: Option<OpenAi>,
    /// Calls at once.
    pub parallel: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { openai: None, parallel: 16 }
    }
}

/// OpenAI, or any server that speaks its dialect.
#[derive(Debug, Clone, Default)]
pub struct OpenAi {
    pub key: Option<Key>,
    /// Base URL up to and including `/v1`.
    pub url: Option<String>,
    pub model: Option<String>,
}

/// A provider's key: shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }
    /// The key itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a key)")
    }
}
