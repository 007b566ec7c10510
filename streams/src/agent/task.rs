//! One attempt of a step, and how far it has come.

use super::Talk;
use schemas::{
    Class, Event, EventId, Fault, Time, Value,
    agent::{AnswerType, Reserve},
    form,
    value::{Ref, Values, is_safe_path},
};
use std::{collections::BTreeMap, sync::Arc};

/// An event that made something due; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// Log sequence; 0 while the event is not in the log.
    pub seq: u64,
    pub id: EventId,
}

impl Cause {
    pub fn of(event: &Event) -> Self {
        Self { seq: event.seq, id: event.id }
    }
}

/// An attempt of a step.
#[derive(Debug, Clone)]
pub struct Task {
    pub step: String,
    /// From 1.
    pub attempt: u32,
    pub agent: String,
    pub verb: String,
    /// Its place in the plan.
    pub order: u32,
    pub stage: Stage,
    /// What brought it to this stage.
    pub cause: Cause,
    /// Requests made for it.
    pub asked: Vec<EventId>,
    /// Model calls among them.
    pub calls: u32,
    /// Plugin runs among them.
    pub runs: u32,
    /// Plans that were proposed and rejected.
    pub rounds: Vec<Round>,
    /// What its model and the tools said to each other.
    pub talk: Talk,
    /// What the plugin said against its inputs, once a repair was asked for.
    pub refused: Option<String>,
    /// What the model made of the inputs.
    pub repaired: Option<Arc<Value>>,
    /// The model could not repair the inputs.
    pub beyond_repair: bool,
    /// Its last call did not fit what was reserved for it.
    pub tight: Option<Tight>,
    /// The question it waits for.
    pub question: Option<Arc<Question>>,
    /// Why it ended without a result.
    pub fault: Option<Fault>,
}

/// How far an attempt has come.
#[derive(Debug, Clone)]
pub enum Stage {
    /// Something is to be started.
    Open,
    /// A call, a run or a question has no answer yet.
    Waiting(EventId),
    /// Something came back: the attempt goes on with it.
    Back(Back),
    /// A plan is proposed; control judges it.
    Proposed(Arc<Value>),
    /// Over: completed, faulted, or taken away by control.
    Closed,
}

/// What came back.
#[derive(Debug, Clone)]
pub enum Back {
    /// A model's answer.
    Answer {
        call: EventId,
        answer: Arc<Value>,
    },
    Outputs(Arc<Outputs>),
    /// A call, a run or a question came to nothing.
    Failure {
        class: Class,
        message: String,
    },
    /// A person's answer.
    Reply(Arc<Value>),
    /// The message is in the log.
    Said,
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    pub run: EventId,
    pub outputs: Arc<Values>,
    pub files: BTreeMap<String, Ref>,
    pub removed: Vec<String>,
}

impl Outputs {
    /// What the run did to the folder: files by path, none in place of those that it removed.
    pub fn changes(&self) -> impl Iterator<Item = (String, Option<Ref>)> {
        let written = self.files.iter().map(|(path, file)| (path.clone(), Some(file.clone())));
        written.chain(self.removed.iter().map(|path| (path.clone(), None)))
    }
}

/// A call that was not made, for want of money or tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Tight {
    /// What did not suffice.
    pub had: Reserve,
    /// In the brain's words.
    pub why: String,
}

/// A plan that control rejected, and why.
#[derive(Debug, Clone)]
pub struct Round {
    pub plan: Arc<Value>,
    pub faults: Vec<Fault>,
}

/// An open question.
#[derive(Debug, Clone)]
pub struct Question {
    pub id: EventId,
    pub answer: AnswerType,
    pub choices: Vec<String>,
    /// What `values` must fit.
    pub schema: Option<Value>,
    pub expires: Option<Time>,
    /// The timer of its expiry, once set.
    pub timer: Option<EventId>,
}

impl Task {
    /// A fresh attempt.
    pub fn new(assigned: &schemas::control::StepAssigned, order: u32, cause: Cause) -> Self {
        Self {
            step: assigned.step.clone(),
            attempt: assigned.attempt,
            agent: assigned.agent.clone(),
            verb: assigned.verb.clone(),
            order,
            stage: Stage::Open,
            cause,
            asked: Vec::new(),
            calls: 0,
            runs: 0,
            rounds: Vec::new(),
            talk: Talk::default(),
            refused: None,
            repaired: None,
            beyond_repair: false,
            tight: None,
            question: None,
            fault: None,
        }
    }

    /// `{step}/{attempt}`: what its words are about.
    pub fn entity(&self) -> String {
        format!("{}/{}", self.step, self.attempt)
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// Something came back: for the attempt, or for the model in it that asked for a tool.
    pub(super) fn bring(&mut self, back: Back) {
        self.stage = if self.talk.settle(&back) { Stage::Open } else { Stage::Back(back) };
    }

    /// Is `request` what it waits for?
    pub fn awaits(&self, request: EventId) -> bool {
        matches!(self.stage, Stage::Waiting(id) if id == request)
    }
}

impl Question {
    /// Does `answer` have the type that was asked for? The door checks too, but a fold trusts nobody.
    pub fn admits(&self, answer: &Value) -> bool {
        let chosen =
            |value: &Value| value.as_str().is_some_and(|text| self.choices.iter().any(|choice| choice == text));
        match self.answer {
            AnswerType::Text => answer.is_string(),
            AnswerType::Number => answer.is_number(),
            AnswerType::Boolean => answer.is_boolean(),
            AnswerType::Choice => chosen(answer),
            AnswerType::Choices => answer
                .as_array()
                .is_some_and(|all| all.iter().enumerate().all(|(i, one)| chosen(one) && !all[..i].contains(one))),
            AnswerType::File => answer.as_str().is_some_and(is_safe_path),
            AnswerType::Values => {
                self.schema.as_ref().is_some_and(|schema| form::misfits(schema, answer, "").is_empty())
            }
        }
    }
}
