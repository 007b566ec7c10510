//! The goal that a person submits: `io.stage7.goal.submitted.v1`.

use crate::{
    fault::Fault,
    plan::Plan,
    user::BudgetRaised,
    value::{Value, is_safe_path},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;

/// The CloudEvents type of a submitted goal.
pub const TYPE: &str = "io.stage7.goal.submitted.v1";
/// Characters a goal may have, after trimming.
pub const MAX_CHARS: usize = 20_000;
/// Bytes one file may have.
pub const MAX_FILE: u64 = 64 << 20;
/// Bytes the files of a mission may have together.
pub const MAX_FILES: u64 = 256 << 20;

/// What a mission is: a goal to reach, or one verb run by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Mission,
    Manual,
}

/// What matters most in choosing models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Optimize {
    Cost,
    Speed,
    Accuracy,
    Creativity,
    Continuity,
}

/// How much is done without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Autonomy {
    #[default]
    Free,
    AskRisky,
    AskAll,
    Plan,
}

/// What a mission may use at the most; absent: no limit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<f64>,
}

impl Budget {
    /// A limit goes up, or appears; it never goes down.
    pub fn raise(&mut self, to: &BudgetRaised) {
        fn up<T: PartialOrd>(limit: &mut Option<T>, to: Option<T>) {
            if let Some(to) = to.filter(|to| limit.as_ref().is_none_or(|limit| to > limit)) {
                *limit = Some(to);
            }
        }
        up(&mut self.max_cost_usd, to.max_cost_usd);
        up(&mut self.max_tokens, to.max_tokens);
        up(&mut self.max_calls, to.max_calls);
    }
}

/// A limit of what model calls may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    MaxCostUsd,
    MaxTokens,
    MaxCalls,
}

impl fmt::Display for Limit {
    /// As the budget has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MaxCostUsd => "max_cost_usd",
            Self::MaxTokens => "max_tokens",
            Self::MaxCalls => "max_calls",
        })
    }
}

/// A file given with a goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its path in the mission's folder.
    pub name: String,
    /// The bytes, in base64; for files of a few hundred KiB at the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
    /// Bytes put before by `stage7.put`.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
}

/// Bytes that are in `ARTIFACTS` already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Lower-case hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// When a mission is to be started again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    pub cron: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// The data of a goal event.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// Trimmed, 1–20,000 characters, no control characters but tab and newline.
    pub goal: String,
    #[serde(default)]
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimize: Option<Optimize>,
    #[serde(default)]
    pub budget: Budget,
    #[serde(default)]
    pub autonomy: Autonomy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// A model's name, or `offline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

impl File {
    /// The bytes given inline, decoded.
    ///
    /// # Errors
    /// A sentence, when `data_base64` is not base64.
    pub fn inline(&self) -> Option<Result<Vec<u8>, String>> {
        self.data_base64.as_ref().map(|text| STANDARD.decode(text).map_err(|e| e.to_string()))
    }
}

const FIELDS: [&str; 11] =
    ["goal", "kind", "name", "context", "files", "optimize", "budget", "autonomy", "schedule", "model", "plan"];

impl Goal {
    /// Checks every field and gives the goal, trimmed, or all faults at once.
    ///
    /// # Errors
    /// Every fault, each with a JSON pointer and what would be right.
    pub fn parse(data: &Value) -> Result<Self, Vec<Fault>> {
        let Value::Object(object) = data else {
            return Err(vec![Fault::new(
                "",
                format!("a goal is a JSON object {{\"goal\": \"…\"}}, this is {}", name_of(data)),
            )]);
        };
        let mut faults = Vec::new();
        for key in object.keys().filter(|key| !FIELDS.contains(&key.as_str())) {
            faults.push(Fault::new(format!("/{key}"), format!("unknown field; known are {}", FIELDS.join(", "))));
        }
        let mut goal = Self {
            goal: field(object, "goal", "a text of 1 to 20,000 characters", &mut faults).unwrap_or_default(),
            kind: field(object, "kind", "\"mission\" or \"manual\"", &mut faults).unwrap_or_default(),
            name: field(object, "name", "a text", &mut faults),
            context: field(object, "context", "a text", &mut faults),
            files: field(object, "files", "a list of {\"name\", \"data_base64\" or \"ref\"}", &mut faults)
                .unwrap_or_default(),
            optimize: field(object, "optimize", "cost, speed, accuracy, creativity or continuity", &mut faults),
            budget: field(
                object,
                "budget",
                "an object with max_cost_usd, max_tokens, max_calls, max_steps, max_seconds",
                &mut faults,
            )
            .unwrap_or_default(),
            autonomy: field(object, "autonomy", "free, ask_risky, ask_all or plan", &mut faults).unwrap_or_default(),
            schedule: field(object, "schedule", "an object with cron and timezone", &mut faults),
            model: field(object, "model", "a model's name, or \"offline\"", &mut faults),
            plan: field(object, "plan", "a plan: {\"steps\": […]}", &mut faults),
        };
        if !object.contains_key("goal") {
            faults.push(Fault::new("/goal", "missing: say what is to be done, in 1 to 20,000 characters"));
        }
        goal.check(object.get("goal").is_some_and(Value::is_string), &mut faults);
        if faults.is_empty() { Ok(goal) } else { Err(faults) }
    }

    fn check(&mut self, has_goal: bool, faults: &mut Vec<Fault>) {
        self.goal = self.goal.trim().to_string();
        if has_goal {
            text("/goal", &self.goal, MAX_CHARS, faults);
        }
        if let Some(name) = &self.name {
            text("/name", name, 200, faults);
        }
        if let Some(context) = &self.context {
            controls("/context", context, faults);
            if context.chars().count() > 5 * MAX_CHARS {
                faults.push(Fault::new("/context", "longer than 100,000 characters: give it as a file"));
            }
        }
        if let Some(model) = &self.model {
            text("/model", model, 200, faults);
        }
        if self.schedule.is_some() {
            faults.push(Fault::new("/schedule", "recurring missions are not offered by this version; leave it out"));
        }
        if self.autonomy != Autonomy::Free {
            faults.push(Fault::new("/autonomy", "this version offers \"free\" only"));
        }
        for (key, value) in [("max_cost_usd", self.budget.max_cost_usd), ("max_seconds", self.budget.max_seconds)] {
            if value.is_some_and(|v| !v.is_finite() || v < 0.0) {
                faults.push(Fault::new(format!("/budget/{key}"), "must be a number from 0 up"));
            }
        }
        for (i, file) in self.files.iter().enumerate() {
            let at = format!("/files/{i}");
            if !is_safe_path(&file.name) {
                faults.push(Fault::new(
                    format!("{at}/name"),
                    format!("`{}` is not a relative path within the mission's folder", file.name.escape_debug()),
                ));
            }
            if self.files[..i].iter().any(|other| other.name == file.name) {
                faults.push(Fault::new(format!("{at}/name"), format!("`{}` is given twice", file.name)));
            }
            match (&file.stored, file.inline()) {
                (None, Some(Err(why))) => {
                    faults.push(Fault::new(format!("{at}/data_base64"), format!("not base64: {why}")))
                }
                (Some(stored), None) if !is_sha256(&stored.sha256) => {
                    faults.push(Fault::new(format!("{at}/ref/sha256"), "must be 64 lower-case hexadecimal digits"))
                }
                (None, None) | (Some(_), Some(_)) => faults.push(Fault::new(at, "give either data_base64 or ref")),
                _ => {}
            }
        }
    }
}

/// 64 lower-case hexadecimal digits.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn field<T: DeserializeOwned>(
    object: &serde_json::Map<String, Value>,
    key: &str,
    expected: &str,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    let value = object.get(key)?;
    // Serde takes a list for an object, field by field.
    let listed = |value: &Value| matches!(key, "budget" | "schedule" | "plan") && value.is_array();
    if listed(value) || (key == "files" && value.as_array().is_some_and(|files| files.iter().any(Value::is_array))) {
        faults
            .push(Fault::new(format!("/{key}"), format!("must be {expected}; a list stands where an object belongs")));
        return None;
    }
    match T::deserialize(value) {
        Ok(parsed) if !value.is_null() => Some(parsed),
        Ok(_) => {
            faults
                .push(Fault::new(format!("/{key}"), format!("must be {expected}, this is null; leave it out instead")));
            None
        }
        Err(why) => {
            faults.push(Fault::new(format!("/{key}"), format!("must be {expected}: {why}")));
            None
        }
    }
}

fn text(at: &str, value: &str, max: usize, faults: &mut Vec<Fault>) {
    if value.trim().is_empty() {
        faults.push(Fault::new(at, format!("is blank: must be a text of 1 to {max} characters")));
    }
    let chars = value.chars().count();
    if chars > max {
        faults.push(Fault::new(at, format!("has {chars} characters, {max} are allowed")));
    }
    controls(at, value, faults);
}

fn controls(at: &str, value: &str, faults: &mut Vec<Fault>) {
    if let Some((i, c)) = value.chars().enumerate().find(|(_, c)| c.is_control() && !matches!(c, '\t' | '\n')) {
        faults.push(Fault::new(
            at,
            format!(
                "character {} is the control character U+{:04X}; only tab and newline are allowed",
                i + 1,
                c as u32
            ),
        ));
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(data: Value) -> Vec<String> {
        Goal::parse(&data).expect_err("has faults").iter().map(|f| f.at.clone()).collect()
    }

    #[test]
    fn a_goal_is_trimmed() {
        assert_eq!(Goal::parse(&json!({"goal": "  count\tit \n"})).expect("valid").goal, "count\tit");
    }

    #[test]
    fn every_field_is_checked_and_every_fault_told() {
        for (data, at) in [
            (json!("x"), vec![""]),
            (json!({}), vec!["/goal"]),
            (json!({"goal": ""}), vec!["/goal"]),
            (json!({"goal": " \n\t"}), vec!["/goal"]),
            (json!({"goal": null}), vec!["/goal"]),
            (json!({"goal": 3}), vec!["/goal"]),
            (json!({"goal": "a\u{0}b"}), vec!["/goal"]),
            (json!({"goal": "a\u{1b}[31mb"}), vec!["/goal"]),
            (json!({"goal": "x".repeat(20_001)}), vec!["/goal"]),
            (json!({"goal": "x", "colour": 1, "kind": "war"}), vec!["/colour", "/kind"]),
            (json!({"goal": "x", "name": 1}), vec!["/name"]),
            (json!({"goal": "x", "context": []}), vec!["/context"]),
            (json!({"goal": "x", "files": {}}), vec!["/files"]),
            (json!({"goal": "x", "files": [{"name": "../x", "data_base64": "eA=="}]}), vec!["/files/0/name"]),
            (json!({"goal": "x", "files": [{"name": "x", "data_base64": "?"}]}), vec!["/files/0/data_base64"]),
            (json!({"goal": "x", "files": [{"name": "x"}]}), vec!["/files/0"]),
            (
                json!({"goal": "x", "files": [{"name": "x", "ref": {"sha256": "AB", "size": 1}}]}),
                vec!["/files/0/ref/sha256"],
            ),
            (json!({"goal": "x", "optimize": "fun"}), vec!["/optimize"]),
            (json!({"goal": "x", "budget": {"max_cost_usd": -1}}), vec!["/budget/max_cost_usd"]),
            (json!({"goal": "x", "budget": {"max_coins": 1}}), vec!["/budget"]),
            (json!({"goal": "x", "budget": {"max_tokens": 1.5}}), vec!["/budget"]),
            (json!({"goal": "x", "autonomy": "none"}), vec!["/autonomy"]),
            (json!({"goal": "x", "schedule": "daily"}), vec!["/schedule"]),
            (json!({"goal": "x", "model": {}}), vec!["/model"]),
            (json!({"goal": "x", "plan": {"steps": 1}}), vec!["/plan"]),
            (json!({"goal": "x", "plan": []}), vec!["/plan"]),
            (json!({"goal": "x", "budget": [1, 2, 3, 4, 5]}), vec!["/budget"]),
            (json!({"goal": "x", "files": [["a", "eA==", null]]}), vec!["/files"]),
        ] {
            assert_eq!(faults(data.clone()), at, "{data}");
        }
    }

    #[test]
    fn twenty_thousand_characters_are_allowed() {
        assert!(Goal::parse(&json!({"goal": "ä".repeat(20_000)})).is_ok());
    }
}
