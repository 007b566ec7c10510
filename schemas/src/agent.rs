//! What agents say: how an assigned step is done.

use crate::{
    fault::{Class, Fault},
    goal::Optimize,
    id::EventId,
    time::Time,
    value::{Ref, Value, Values},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a planner came up with, as it said it; control judges it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanProposed {
    pub step: String,
    pub attempt: u32,
    pub call: EventId,
    /// Plan JSON (`schemas/json/plan.json`), not yet checked.
    pub plan: Value,
}

/// What a model is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A plan for a goal or sub-goal.
    Plan,
    /// A plan around a failed step.
    Recover,
    /// THINK.
    Think,
    /// GENERATE.
    Generate,
    /// Inputs that a plugin would take.
    Repair,
}

/// A model call; its id is this event's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LlmRequested {
    pub purpose: Purpose,
    pub step: String,
    pub attempt: u32,
    pub agent: String,
    /// The model that the person asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What matters most in choosing one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimize: Option<Optimize>,
    /// What `offline` reads.
    pub task: Task,
    /// What models read. `{name}` of an input is replaced where the call is made.
    pub messages: Vec<Message>,
    /// Inputs that messages name; large ones are references.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: Values,
    /// JSON Schema that the answer must match; text is wanted when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Verbs of the task's catalogue that the model may ask for instead of answering.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    pub reserve: Reserve,
}

/// What is to be done, in fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    pub goal: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The mission's folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileInfo>,
    /// The verbs that a plan, or the model itself, may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalogue: Option<Ref>,
    /// Outputs that a sub-plan must make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// text, markdown, code, html: what GENERATE is to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// What was wrong with the last try.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// A file as a planner needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileInfo {
    pub path: String,
    /// Bytes.
    pub size: u64,
    pub media_type: String,
}

/// The media types of images that models which see take.
pub const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// One message of a conversation with a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    pub role: Speaker,
    pub text: String,
    /// Images that come with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Ref>,
    /// What the assistant asked for, besides the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// The id of the call that the text is the result of; a tool says nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_of: Option<String>,
}

impl Message {
    /// Words alone.
    pub fn new(role: Speaker, text: impl Into<String>) -> Self {
        Self { role, text: text.into(), images: Vec::new(), calls: Vec::new(), result_of: None }
    }
}

/// A model asks for a tool: a verb, with inputs that nobody has checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCall {
    /// Which one of the conversation.
    pub id: String,
    pub name: String,
    pub input: Value,
    /// What its provider wants to hear again with it; means nothing to anybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// Who speaks in a conversation with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    System,
    User,
    Assistant,
    /// What a tool gave.
    Tool,
}

/// What a call may use at the most; absent means: as far as the mission's budget is concerned, any.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Reserve {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
}

/// A plugin run; its id is this event's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PluginRequested {
    pub step: String,
    pub attempt: u32,
    pub agent: String,
    pub verb: String,
    pub version: String,
    /// As planned, sources resolved; large ones are references.
    pub inputs: Values,
    /// Inputs that the plan wrote as text (constants, never a source's value) and that name another
    /// declared input in braces. `{name}` in these is replaced where the plugin runs, unless the
    /// verb marks the input literal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<String>,
    /// Files of the mission's folder that the run may read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Ref>,
}

/// What kind of answer a question wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerType {
    #[default]
    Text,
    Number,
    Boolean,
    /// One of `choices`.
    Choice,
    /// Several of `choices`.
    Choices,
    /// An object that fits `schema`.
    Values,
    /// The path of a file that people gave the mission.
    File,
}

/// A question to the mission's owner; its id is this event's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionAsked {
    pub step: String,
    pub attempt: u32,
    /// The agent that asks; mission-control when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    pub text: String,
    #[serde(rename = "type", default)]
    pub answer: AnswerType,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// JSON Schema of the object that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
}

/// A file for the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deliverable {
    pub name: String,
    pub file: Ref,
}

/// A step is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepCompleted {
    pub step: String,
    pub attempt: u32,
    pub agent: String,
    /// The run whose outputs are the step's; they are not repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<EventId>,
    /// The runs of tools that its model asked for; what they did to the folder counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<EventId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: Values,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliverables: Vec<Deliverable>,
}

/// An attempt failed; control decides what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepFaulted {
    pub step: String,
    pub attempt: u32,
    pub class: Class,
    pub message: String,
}

/// A call does not fit what is left of the budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetShort {
    pub step: String,
    pub attempt: u32,
    /// In words: which limit, what is needed, what is left.
    pub message: String,
}

/// Nothing starts from here on: the confirmation that control waits for before `mission.paused`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Halted {}
