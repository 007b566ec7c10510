//! What mission-control knows about a mission: its life, its steps and who does them.
//!
//! Everything that is due stands in small ordered sets beside the steps, each with the event that
//! made it due, so a decision costs the same in a mission of 10,000 steps.

mod evolve;
mod graph;
mod life;
pub mod step;

pub use step::{Step, StepStatus};

use crate::{budget::Budget, decide::About};
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use schemas::{
    Class, EventId, Fault, Time, Value, Writer,
    control::{MissionCreated, Purpose},
    fact::Tail,
};
use std::sync::Arc;

/// Where a mission is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Before `mission.created`.
    #[default]
    Unknown,
    Planning,
    Running,
    Pausing,
    Paused,
    Waiting,
    Completed,
    Failed,
    Aborted,
}

impl Status {
    /// Nothing more is done, unless a person retries a failed mission.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Aborted)
    }
}

/// A plan that waits for judgement.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub plan: Arc<Value>,
    pub attempt: u32,
    pub cause: EventId,
}

/// Why a step is to be given up, retried or called off.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub class: Class,
    pub message: String,
    pub cause: EventId,
}

/// An agent and how much it has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    pub role: String,
    pub running: u32,
}

/// One mission.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub(crate) about: Option<About>,
    pub(crate) last_seq: u64,
    /// All events of the mission, folded or not.
    pub events: u64,
    pub mission: Option<Arc<MissionCreated>>,
    /// The event that the mission began with.
    pub created: Option<EventId>,
    pub status: Status,
    /// What the mission was before it was paused.
    pub(crate) before_pause: Status,
    pub steps: RedBlackTreeMapSync<String, Arc<Step>>,
    pub(crate) next_index: u32,
    /// Role → ready steps, in plan order.
    pub ready: RedBlackTreeMapSync<String, RedBlackTreeSetSync<(u32, String)>>,
    pub agents: RedBlackTreeMapSync<String, Agent>,
    /// Steps that hold a slot.
    pub running: u32,
    /// Steps that have not ended.
    pub open: u32,
    /// Steps that were given up.
    pub failed: RedBlackTreeMapSync<String, Trouble>,
    pub budget: Budget,
    /// The last answer of a model, or raise of the budget.
    pub spent: Option<EventId>,
    /// What the planner answered in place of steps.
    pub answer: Option<Value>,

    pub proposals: RedBlackTreeMapSync<String, Proposal>,
    /// The faults of the last plan that was turned down for good.
    pub plan_faults: Arc<Vec<Fault>>,
    /// Steps to be given up.
    pub failing: RedBlackTreeMapSync<String, Trouble>,
    /// Steps that a way around is looked for, with why they failed.
    pub recovering: RedBlackTreeMapSync<String, Trouble>,
    /// Steps whose next attempt wants a timer.
    pub retrying: RedBlackTreeMapSync<String, Trouble>,
    /// Steps whose next attempt is to open: its timer fired.
    pub reopening: RedBlackTreeMapSync<String, EventId>,
    /// Attempts that took too long: their timer fired.
    pub overdue: RedBlackTreeMapSync<String, EventId>,
    /// Assigned steps whose time limit wants a timer.
    pub timing: RedBlackTreeMapSync<String, EventId>,
    /// Timers that were set and have not fired.
    pub timers: RedBlackTreeMapSync<EventId, Purpose>,
    /// Timers that nobody needs any more.
    pub needless: RedBlackTreeMapSync<EventId, EventId>,

    pub pause_requested: Option<EventId>,
    pub resume_requested: Option<EventId>,
    pub abort_requested: Option<(EventId, Option<String>)>,
    pub retry_requested: Option<(EventId, Option<String>)>,
    pub halted: Option<EventId>,
    /// How often each was said: the second pause is another event than the first.
    pub pauses: u32,
    pub resumes: u32,
    pub waits: u32,
    pub retries: u32,
    pub shorts: u32,

    /// Open questions, and the steps that wait for them.
    pub questions: RedBlackTreeMapSync<EventId, String>,
    /// Made the mission go on, last.
    pub freed: Option<EventId>,
    /// Why a mission may have to wait, last.
    pub asked: Option<EventId>,

    /// A call did not fit the budget: the step, the words, the event.
    pub short: Option<(String, String, EventId)>,
    /// Where the last raise is in the log: what was short without knowing it is tried again.
    pub(crate) raised: u64,
    /// `budget.reached` is said, its question not yet.
    pub reached: Option<(String, String, EventId)>,
    /// The question about the budget.
    pub budget_question: Option<EventId>,
    /// A person would not raise the budget.
    pub budget_refused: Option<EventId>,
    pub deadline_set: bool,
    pub deadline: Option<EventId>,
}

impl State {
    pub fn about(&self) -> Option<&About> {
        self.about.as_ref()
    }

    /// The largest event time folded.
    pub fn time(&self) -> Time {
        self.about.as_ref().map_or_else(Time::default, |about| about.time)
    }

    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.get(id).map(Arc::as_ref)
    }

    /// Does nothing more begin for the time being?
    pub fn stands_still(&self) -> bool {
        matches!(self.status, Status::Pausing | Status::Paused)
    }

    /// Has anything that goes on by itself?
    pub fn is_moving(&self) -> bool {
        self.running > 0
            || !self.ready.is_empty()
            || !self.retrying.is_empty()
            || !self.reopening.is_empty()
            || self.timers.values().any(|purpose| matches!(purpose, Purpose::Retry { .. }))
    }

    pub(crate) fn edit(&mut self, id: &str, change: impl FnOnce(&mut Step)) {
        if let Some(step) = self.steps.get_mut(id) {
            change(Arc::make_mut(step));
        }
    }
}

/// Which words are folded; all others are only counted.
pub fn folds(writer: Writer, kind: &str, tail: &Tail) -> bool {
    match writer {
        Writer::User | Writer::Control | Writer::Traffic => true,
        Writer::Agent => {
            matches!(
                kind,
                "plan.proposed"
                    | "step.completed"
                    | "step.faulted"
                    | "question.asked"
                    | "budget.short"
                    | "agent.halted"
            )
        }
        // Every answer of the brain, whoever asked: for what it cost.
        Writer::Brain => matches!(tail, Tail::Answer { .. }),
        Writer::Timer => tail.is_for(Writer::Control),
        _ => false,
    }
}
