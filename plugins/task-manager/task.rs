//! One task, and what may be said about it.

use crate::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Characters.
const LONGEST_TITLE: usize = 500;
const LONGEST_NOTE: usize = 10_000;

/// Where a task stands in the tree: 2.1 is the first one below 2. In order, parents come before their
/// children.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(Vec<u32>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    #[default]
    Todo,
    Doing,
    Done,
}

/// A task as the file and the output have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    pub title: String,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What is to be different; absent ones stay as they are.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    id: Option<Value>,
    pub title: Option<String>,
    pub status: Option<Status>,
    pub note: Option<String>,
}

impl Id {
    pub fn parse(text: &str) -> Option<Self> {
        let part = |part: &str| part.parse().ok().filter(|n: &u32| *n > 0 && n.to_string() == part);
        text.split('.').map(part).collect::<Option<_>>().map(Self)
    }

    /// A text, or a whole number; 2.10 as a number would be 2.1.
    pub fn of(value: &Value) -> Result<Self, String> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(n) if n.is_u64() => n.to_string(),
            _ => return Err(format!("is {value}: an id is a text such as \"2.1\"")),
        };
        Self::parse(&text).ok_or_else(|| format!("is {text:?}: an id is a text such as \"2.1\""))
    }

    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        (!above.is_empty()).then(|| Self(above.to_vec()))
    }

    /// The nth below another, or at the top.
    pub fn below(parent: Option<&Self>, nth: u32) -> Self {
        let above = parent.map(|parent| parent.0.as_slice()).unwrap_or_default();
        Self([above, &[nth]].concat())
    }

    pub fn last(&self) -> u32 {
        self.0.last().copied().unwrap_or_default()
    }

    pub fn depth(&self) -> usize {
        self.0.len()
    }

    pub fn is_below(&self, above: &Self) -> bool {
        self.0.len() > above.0.len() && self.0.starts_with(&above.0)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

impl Change {
    /// A new task: its title, or an object with one.
    pub fn new(task: &Value) -> Result<Self, Failure> {
        let change = match task {
            Value::String(title) => Self { title: Some(title.clone()), ..Self::default() },
            other => Self::read(other, "for `add` it is a title, or an object with title, status, note")?,
        };
        if change.id.is_some() {
            return Err(Failure::input("`task` has an id: `add` gives the next one; change a task with `update`"));
        }
        if change.title.is_none() {
            return Err(Failure::input("`task` has no title"));
        }
        Ok(change)
    }

    /// An object with the id of a task, and what changes.
    pub fn of(task: &Value) -> Result<(Id, Self), Failure> {
        let change = Self::read(task, "for `update` it is an object with id and what changes: title, status, note")?;
        if change.title.is_none() && change.status.is_none() && change.note.is_none() {
            return Err(Failure::input("`task` changes nothing: give title, status or note beside its id"));
        }
        change.with_id()
    }

    /// The id of a task, or an object with it.
    pub fn done(task: &Value) -> Result<(Id, Self), Failure> {
        let change = match task {
            Value::Object(_) => Self::read(task, "for `done` it is an id, or an object with id and note")?,
            id => Self { id: Some(id.clone()), ..Self::default() },
        };
        Self { status: Some(Status::Done), ..change }.with_id()
    }

    fn read(task: &Value, wanted: &str) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::input(format!("`task` {why}; {wanted}"));
        if !task.is_object() {
            return Err(wrong(format!("can't be {task}")));
        }
        serde_json::from_value(task.clone()).map_err(|e| wrong(format!("is wrong: {e}")))
    }

    fn with_id(self) -> Result<(Id, Self), Failure> {
        let id = self.id.as_ref().ok_or_else(|| Failure::input("`task` has no id"))?;
        let id = Id::of(id).map_err(|why| Failure::input(format!("the id of `task` {why}")))?;
        Ok((id, self))
    }
}

impl Task {
    /// What is wrong with its texts.
    pub fn fault(&self) -> Option<String> {
        let long = |text: &str, most: usize| text.chars().count() > most;
        if self.title.trim().is_empty() {
            return Some("has no title".into());
        }
        if long(&self.title, LONGEST_TITLE) {
            return Some(format!("has a title of more than {LONGEST_TITLE} characters: put the rest into its note"));
        }
        let note = self.note.as_ref().filter(|note| long(note, LONGEST_NOTE));
        note.map(|_| format!("has a note of more than {LONGEST_NOTE} characters"))
    }
}
