//! The mission as a person sees it: one more fold, over everything.
//!
//! Its JSON is what `mission show --json`, the door and the dashboard give; fields are never left
//! out, so that whoever reads it needs no defaults.

mod attempt;
mod call;
mod graph;
mod list;
mod mission;
pub mod question;
pub mod step;
#[cfg(test)]
mod tests;

pub use call::{Call, Cost, Tokens};
pub use list::List;
pub use question::Question;
pub use step::{Failure, Input, Step};

use graph::Graph;
use schemas::{
    Class, Event, EventId, Fact, Fault, MissionId, Time, Value, Writer,
    capability::PluginCompleted,
    goal::{Budget, Kind},
    value::Ref,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// One mission.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// `None` before the first event.
    pub id: Option<MissionId>,
    pub name: Option<String>,
    pub goal: String,
    pub kind: Kind,
    pub status: Status,
    /// Why it failed or was aborted.
    pub error: Option<String>,
    pub class: Option<Class>,
    /// What the planner answered in place of steps.
    pub answer: Option<Value>,
    pub created: Option<Time>,
    /// The time of the last event.
    pub updated: Option<Time>,
    /// The model asked for by name.
    pub model: Option<String>,
    pub budget: Budget,
    /// What was said of the budget while it was nearly used up.
    pub warnings: List<Warning>,
    pub cost: Cost,
    /// Calls of models, in the order in which they were asked for.
    pub calls: List<Call>,
    /// In the order of the plans; a sub-plan's steps come after those known before.
    pub steps: List<Step>,
    pub agents: Vec<Agent>,
    pub questions: Vec<Question>,
    /// The conversation.
    pub messages: List<Message>,
    pub deliverables: List<Deliverable>,
    /// The mission's folder, by path.
    pub files: BTreeMap<String, Ref>,
    /// Plans that were rejected.
    pub faults: List<Rejection>,
    /// Workers that cannot go on with this mission, and what they say.
    pub stuck: BTreeMap<Writer, String>,
    /// Events in the log.
    pub events: u64,
    pub last_seq: u64,
    #[serde(skip)]
    graph: Graph,
    #[serde(skip)]
    index: Index,
}

/// Where things are in the lists, and what is not shown yet.
#[derive(Debug, Clone, Default, PartialEq)]
struct Index {
    calls: HashMap<EventId, usize>,
    questions: HashMap<EventId, usize>,
    agents: HashMap<String, usize>,
    deliverables: HashMap<String, usize>,
    /// What runs gave whose step is not completed.
    runs: HashMap<EventId, Arc<PluginCompleted>>,
    /// Where the last raise of the budget is in the log.
    raised: u64,
    /// Timer → the question that ends with it.
    expiries: HashMap<EventId, EventId>,
}

/// Where a mission is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    #[default]
    Created,
    Planning,
    Running,
    Pausing,
    Paused,
    Waiting,
    Reflecting,
    Completed,
    Failed,
    Aborted,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Planning => "planning",
            Self::Running => "running",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Waiting => "waiting",
            Self::Reflecting => "reflecting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }

    /// Nothing happens any more, unless a failed mission is retried.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Aborted)
    }
}

/// Who does steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    pub id: String,
    pub role: String,
    pub status: Activity,
    /// Steps completed.
    pub done: u32,
    /// Steps assigned or running, and steps waiting for a person.
    #[serde(skip)]
    busy: (u32, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    Idle,
    Working,
    /// For a person.
    Waiting,
}

/// A line of the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `user`, or the agent.
    pub who: String,
    pub text: String,
    pub step: Option<String>,
    pub at: Time,
}

/// Something that the person is to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub text: String,
    pub at: Time,
}

/// A file for the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliverable {
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Of the bytes, lower-case hex.
    pub sha256: String,
    pub media_type: String,
    /// The step that made it.
    pub step: String,
}

/// A plan that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    pub step: String,
    /// From 1.
    pub round: u32,
    pub faults: Vec<Fault>,
}

impl Overview {
    /// Folds one event. Total; an event that is in it already changes nothing.
    pub fn evolve(&mut self, event: &Event) {
        if !self.count(event.seq) {
            return;
        }
        self.id.get_or_insert(event.mission);
        self.updated = self.updated.max(Some(event.time));
        if event.fact.kind() != "decider.stuck" {
            self.stuck.remove(&event.writer);
        }
        match event.writer {
            Writer::User => self.evolve_user(event),
            Writer::Control => self.evolve_control(event),
            Writer::Agent => self.evolve_agent(event),
            Writer::Brain => self.evolve_brain(event),
            Writer::Capability => self.evolve_run(event),
            Writer::Timer => self.evolve_timer(event),
            _ => {}
        }
        if let Fact::DeciderStuck(stuck) = &event.fact {
            self.stuck.insert(event.writer, stuck.message.clone());
        }
    }

    /// Counts a record that this version does not understand.
    pub fn pass(&mut self, seq: u64) {
        self.count(seq);
    }

    fn count(&mut self, seq: u64) -> bool {
        let new = seq > self.last_seq;
        if new {
            self.last_seq = seq;
            self.events += 1;
        }
        new
    }

    /// Steps done, and all. Neither stage7's own steps nor those that a plan took the place of
    /// count: their parts do.
    pub fn progress(&self) -> (u64, u64) {
        let counted = |step: &&Step| !step.id.starts_with('_') && step.status != step::Status::Replaced;
        self.steps
            .iter()
            .filter(counted)
            .fold((0, 0), |(done, all), step| (done + u64::from(step.status == step::Status::Completed), all + 1))
    }

    /// The step of that id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.graph.find(id).map(|i| &self.steps[i])
    }

    fn evolve_user(&mut self, event: &Event) {
        match &event.fact {
            Fact::MessageSaid(said) => self.messages.push(Message {
                who: "user".into(),
                text: said.text.clone(),
                step: said.step.clone(),
                at: event.time,
            }),
            Fact::QuestionAnswered(said) => self.answered(said, event.time),
            Fact::QuestionDismissed(said) => self.close_question(said.question, question::Status::Dismissed),
            Fact::BudgetRaised(raised) => self.raised(raised, event),
            Fact::FileAdded(added) => {
                self.files.insert(added.path.clone(), added.file.clone());
            }
            Fact::FileRemoved(removed) => {
                self.files.remove(&removed.path);
            }
            Fact::DeciderRetried(retried) => {
                self.stuck.remove(&retried.decider);
            }
            _ => {}
        }
    }
}
