//! Every word that can be in a mission's log, in one table.

use crate::{
    agent, brain, capability, control, decider,
    id::{EventId, Writer},
    librarian, timer, user,
    value::Value,
};
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};

/// What the subject of a word ends in, after noun and verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing.
    Bare,
    /// The step it is about, so that an effect can ask for just that.
    Step,
    /// Requester and request: it is the last word on a request.
    Answer,
}

/// One row of the table of words.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// `noun.verb`.
    pub kind: &'static str,
    /// Who may say it.
    pub writers: &'static [Writer],
    pub ending: Ending,
    /// JSON Schema of its data.
    pub schema: fn() -> Schema,
}

impl Word {
    /// The CloudEvents type: `io.stage7.{noun}.{verb}.v1`.
    pub fn ce_type(&self) -> String {
        ce_type(self.kind)
    }
}

/// The CloudEvents type of a `noun.verb`.
pub fn ce_type(kind: &str) -> String {
    format!("io.stage7.{kind}.v1")
}

/// The `noun.verb` of a CloudEvents type of version 1.
pub fn kind_of_type(ce_type: &str) -> Option<&str> {
    ce_type.strip_prefix("io.stage7.")?.strip_suffix(".v1")
}

fn schema_of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

macro_rules! words {
    ($($kind:literal $name:ident($data:ty) by $($writer:ident)|+, $ending:ident;)+) => {
        /// A word with its data.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Fact {
            $(#[doc = concat!("`", $kind, "`")] $name($data),)+
        }

        /// All words.
        pub const WORDS: &[Word] = &[
            $(Word { kind: $kind, writers: &[$(Writer::$writer),+], ending: Ending::$ending, schema: schema_of::<$data> },)+
        ];

        impl Fact {
            /// `noun.verb`.
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => $kind,)+ }
            }

            /// The data as compact JSON bytes.
            pub fn to_bytes(&self) -> Vec<u8> {
                match self { $(Self::$name(data) => serde_json::to_vec(data),)+ }
                    .expect("event data has string keys and finite numbers")
            }

            /// Reads the data of a word.
            ///
            /// `None`: no such word (a newer one, perhaps).
            ///
            /// # Errors
            /// The data does not fit the word's type.
            pub fn from_bytes(kind: &str, data: &[u8]) -> Option<serde_json::Result<Self>> {
                Some(match kind {
                    $($kind => serde_json::from_slice(data).map(Self::$name),)+
                    _ => return None,
                })
            }
        }

        $(impl From<$data> for Fact {
            fn from(data: $data) -> Self {
                Self::$name(data)
            }
        })+
    };
}

words! {
    "pause.requested" PauseRequested(user::PauseRequested) by User, Bare;
    "resume.requested" ResumeRequested(user::ResumeRequested) by User, Bare;
    "abort.requested" AbortRequested(user::AbortRequested) by User, Bare;
    "retry.requested" RetryRequested(user::RetryRequested) by User, Bare;
    "question.answered" QuestionAnswered(user::QuestionAnswered) by User, Bare;
    "question.dismissed" QuestionDismissed(user::QuestionDismissed) by User, Bare;
    "message.said" MessageSaid(user::MessageSaid) by User | Agent, Bare;
    "budget.raised" BudgetRaised(user::BudgetRaised) by User, Bare;
    "file.added" FileAdded(user::FileAdded) by User, Bare;
    "file.removed" FileRemoved(user::FileRemoved) by User, Bare;
    "decider.retried" DeciderRetried(decider::Retried) by User, Bare;

    "mission.created" MissionCreated(control::MissionCreated) by Control, Bare;
    "plan.accepted" PlanAccepted(control::PlanAccepted) by Control, Bare;
    "plan.rejected" PlanRejected(control::PlanRejected) by Control, Bare;
    "agent.spawned" AgentSpawned(control::AgentSpawned) by Control, Bare;
    "step.assigned" StepAssigned(control::StepAssigned) by Control, Bare;
    "step.retried" StepRetried(control::StepRetried) by Control, Bare;
    "step.cancelled" StepCancelled(control::StepCancelled) by Control, Step;
    "step.failed" StepFailed(control::StepFailed) by Control, Bare;
    "mission.retried" MissionRetried(control::MissionRetried) by Control, Bare;
    "mission.pausing" MissionPausing(control::MissionPausing) by Control, Bare;
    "mission.paused" MissionPaused(control::MissionPaused) by Control, Bare;
    "mission.resumed" MissionResumed(control::MissionResumed) by Control, Bare;
    "mission.waiting" MissionWaiting(control::MissionWaiting) by Control, Bare;
    "mission.completed" MissionCompleted(control::MissionCompleted) by Control, Bare;
    "mission.failed" MissionFailed(control::MissionFailed) by Control, Bare;
    "mission.aborted" MissionAborted(control::MissionAborted) by Control, Bare;
    "budget.warned" BudgetWarned(control::BudgetWarned) by Control, Bare;
    "budget.reached" BudgetReached(control::BudgetReached) by Control, Bare;
    "timer.set" TimerSet(control::TimerSet) by Control | Agent, Bare;
    "timer.cleared" TimerCleared(control::TimerCleared) by Control | Agent, Bare;

    "plan.proposed" PlanProposed(agent::PlanProposed) by Agent, Bare;
    "llm.requested" LlmRequested(agent::LlmRequested) by Agent, Bare;
    "plugin.requested" PluginRequested(agent::PluginRequested) by Agent, Bare;
    "question.asked" QuestionAsked(agent::QuestionAsked) by Agent | Control, Bare;
    "step.completed" StepCompleted(agent::StepCompleted) by Agent, Bare;
    "step.faulted" StepFaulted(agent::StepFaulted) by Agent, Bare;
    "budget.short" BudgetShort(agent::BudgetShort) by Agent, Bare;
    "agent.halted" AgentHalted(agent::Halted) by Agent, Bare;

    "llm.tried" LlmTried(brain::LlmTried) by Brain, Bare;
    "llm.completed" LlmCompleted(brain::LlmCompleted) by Brain, Answer;
    "llm.failed" LlmFailed(brain::LlmFailed) by Brain, Answer;

    "plugin.started" PluginStarted(capability::PluginStarted) by Capability, Bare;
    "plugin.completed" PluginCompleted(capability::PluginCompleted) by Capability, Answer;
    "plugin.failed" PluginFailed(capability::PluginFailed) by Capability, Answer;

    "mission.archiving" MissionArchiving(librarian::MissionArchiving) by Librarian, Bare;

    "timer.fired" TimerFired(timer::TimerFired) by Timer, Answer;

    "decider.stuck" DeciderStuck(decider::Stuck) by Control | Agent | Engineer | Reflector, Bare;
}

/// The row of a `noun.verb`.
pub fn word(kind: &str) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.kind == kind)
}

impl Fact {
    pub fn word(&self) -> &'static Word {
        word(self.kind()).expect("every fact has its row: one macro writes both")
    }

    /// The data as JSON.
    pub fn to_value(&self) -> Value {
        serde_json::from_slice(&self.to_bytes()).expect("what serialised parses")
    }
}

/// What follows noun and verb in the subject of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum Tail {
    #[default]
    Bare,
    Step(String),
    Answer {
        requester: Writer,
        request: EventId,
    },
}

impl Tail {
    /// The request that this answers.
    pub fn request(&self) -> Option<EventId> {
        match self {
            Self::Answer { request, .. } => Some(*request),
            _ => None,
        }
    }
    /// Is this an answer for `writer`?
    pub fn is_for(&self, writer: Writer) -> bool {
        matches!(self, Self::Answer { requester, .. } if *requester == writer)
    }
}
