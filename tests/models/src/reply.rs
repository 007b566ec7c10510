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
    /// Calls of tools, with what it says before them.
    Tools(String, Vec<Tool>),
    /// As far as it came before the limit of tokens was reached.
    Cut(String),
    Refused(Filter),
}

/// A call of a tool that the model wants.
#[derive(Debug, Clone)]
pub struct Tool {
    pub name: String,
    pub arguments: Value,
    /// What it writes in place of the arguments, which is no JSON.
    pub garbled: Option<String>,
}

impl Tool {
    pub fn new(name: impl Into<String>, arguments: Value) -> Self {
        Self { name: name.into(), arguments, garbled: None }
    }
    /// One whose arguments can't be read.
    pub fn garbled(name: impl Into<String>, written: impl Into<String>) -> Self {
        Self { garbled: Some(written.into()), ..Self::new(name, Value::Null) }
    }
    /// The arguments as the model writes them.
    pub(crate) fn written(&self) -> String {
        self.garbled.clone().unwrap_or_else(|| self.arguments.to_string())
    }
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
        Self::tools("", vec![Tool::new(name, arguments)])
    }
    pub fn tools(text: impl Into<String>, tools: Vec<Tool>) -> Self {
        Self::Says(Content::Tools(text.into(), tools))
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
            Self::Tools(text, tools) => (text.clone() + &tools.iter().map(Tool::written).collect::<String>(), true),
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
