//! What a test has a server answer.

use crate::Fault;
use serde_json::Value;

/// What is answered to a call. Where vectors or a list of models are asked for, only a fault counts.
#[derive(Debug, Clone)]
pub enum Reply {
    Says(Content),
    Fails(Fault),
}

/// What a model says.
#[derive(Debug, Clone)]
pub enum Content {
    Text(String),
    Tools(Vec<Tool>),
    /// As far as it came before the limit of tokens was reached.
    Cut(String),
    Refused(Filter),
}

/// A call of a tool that the model wants.
#[derive(Debug, Clone)]
pub struct Tool {
    pub name: String,
    pub arguments: Value,
}

/// Who would not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// A filter, because of what was asked.
    Prompt,
    /// A filter, because of what was being answered.
    Answer,
    /// The model itself.
    Model,
}

/// The tokens that an answer is said to have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// All of the prompt, those from the cache too.
    pub input: u64,
    pub output: u64,
    /// Those of the prompt that were cached.
    pub cached: u64,
}

impl Usage {
    /// What a server says until it is told otherwise.
    pub const DEFAULT: Self = Self { input: 100, output: 10, cached: 0 };

    pub(crate) fn total(self) -> u64 {
        self.input + self.output
    }
}

impl Reply {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Says(Content::Text(text.into()))
    }
    pub fn tool(name: impl Into<String>, arguments: Value) -> Self {
        Self::Says(Content::Tools(vec![Tool { name: name.into(), arguments }]))
    }
    pub fn cut(text: impl Into<String>) -> Self {
        Self::Says(Content::Cut(text.into()))
    }
    pub fn refused(filter: Filter) -> Self {
        Self::Says(Content::Refused(filter))
    }
}

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Self {
        Self::Fails(fault)
    }
}

impl Content {
    /// Its text, and whether it ended by itself, where the dialect knows neither tools nor filters.
    pub(crate) fn plain(&self) -> (String, bool) {
        match self {
            Self::Text(text) => (text.clone(), true),
            Self::Cut(text) => (text.clone(), false),
            Self::Refused(_) => (REFUSAL.to_owned(), true),
            Self::Tools(tools) => (tools.iter().map(|tool| tool.arguments.to_string()).collect(), true),
        }
    }
}

/// What a model says that will not do it.
pub(crate) const REFUSAL: &str = "I can't help with that.";

/// A text in pieces of a few characters, at least two where there are two characters.
pub(crate) fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let few = characters.len().div_ceil(2).clamp(1, 5);
    characters.chunks(few).map(|piece| piece.iter().collect()).collect()
}
