//! The settings that a plugin's manifest asks for.

use crate::{fault::Fault, value::Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Characters of a setting's value.
pub const MOST_CHARACTERS: usize = 4096;

/// Is this a name for a setting: `lower_snake`, as `api_key`?
pub fn is_setting(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('_').all(part)
}

/// What a person chooses for all runs of a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Lower case: `api_key`.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"), length(max = 64))]
    pub name: String,
    #[serde(rename = "type")]
    pub kind: SettingKind,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Of type `choice` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Counts until somebody chooses; a secret has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Without it the plugin does not run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

impl Setting {
    /// Is this a value for it?
    ///
    /// # Errors
    /// What would be one.
    pub fn fits(&self, value: &Value) -> Result<(), String> {
        let right = match self.kind {
            SettingKind::String | SettingKind::Secret => {
                let is_text = value.as_str().is_some_and(|text| text.chars().count() <= MOST_CHARACTERS);
                is_text.then_some(()).ok_or_else(|| format!("a text of at most {MOST_CHARACTERS} characters"))
            }
            SettingKind::Number => value.is_number().then_some(()).ok_or("a number".into()),
            SettingKind::Boolean => value.is_boolean().then_some(()).ok_or("true or false".into()),
            SettingKind::Choice => {
                let is_one = value.as_str().is_some_and(|value| self.choices.iter().any(|choice| choice == value));
                is_one.then_some(()).ok_or_else(|| format!("one of {}", self.choices.join(", ")))
            }
        };
        right.map_err(|right| format!("`{}` must be {right}", self.name))
    }

    pub(super) fn check(&self, at: &str) -> Vec<Fault> {
        let is_choice = self.kind == SettingKind::Choice;
        let wrong = self.default.as_ref().and_then(|default| self.fits(default).err());
        [
            (is_choice && self.choices.is_empty(), "/choices", "a choice needs some".into()),
            (!is_choice && !self.choices.is_empty(), "/choices", "are for type `choice` only".into()),
            (self.kind == SettingKind::Secret && self.default.is_some(), "/default", "a secret has none".into()),
            (wrong.is_some(), "/default", wrong.unwrap_or_default()),
        ]
        .into_iter()
        .filter(|(is_wrong, _, _)| *is_wrong)
        .map(|(_, field, why): (_, _, String)| Fault::new(format!("{at}{field}"), why))
        .collect()
    }
}

/// What a setting's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SettingKind {
    String,
    Number,
    Boolean,
    /// One of `choices`.
    Choice,
    /// A string that is kept sealed and shown to nobody.
    Secret,
}
