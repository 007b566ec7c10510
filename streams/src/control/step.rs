//! One step as mission-control sees it.

use schemas::{EventId, plan};
use std::sync::Arc;

/// Where a step is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepStatus {
    /// Needs what is not there yet.
    Pending,
    /// Can be assigned.
    Ready,
    /// An agent is at it.
    Assigned,
    /// It waits for a person, or for a budget; it holds no slot.
    Waiting,
    /// The attempt failed; what follows is being decided, or its timer runs.
    Faulted,
    /// A plan around its failure is looked for.
    Recovering,
    Completed,
    /// A sub-plan does it.
    Replaced,
    Failed,
    /// Something it needs failed.
    Cancelled,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its place in the mission, in plan order.
    pub index: u32,
    pub definition: Arc<plan::Step>,
    pub role: String,
    /// The step whose sub-plan it is part of.
    pub parent: Option<String>,
    /// It is planning, or part of a way around a failure: no recovery of its own.
    pub no_recovery: bool,
    pub status: StepStatus,
    /// From 1.
    pub attempt: u32,
    /// The attempt that a person asked for last; the first, if none did. Retries count from here.
    pub first: u32,
    pub agent: Option<String>,
    /// Steps it still waits for.
    pub missing: u32,
    pub dependants: Arc<Vec<String>>,
    /// Steps of its sub-plan that have not completed.
    pub children: u32,
    /// The event that brought it where it is.
    pub cause: EventId,
    /// How often plans for it were turned down in this attempt.
    pub rejections: u32,
    /// The timer of its time limit.
    pub timer: Option<EventId>,
    /// Its recovery was tried.
    pub recovered: bool,
}

impl Step {
    /// Nothing more happens to it, unless the mission is retried.
    pub fn has_ended(&self) -> bool {
        match self.status {
            StepStatus::Completed | StepStatus::Failed | StepStatus::Cancelled => true,
            StepStatus::Replaced => self.children == 0,
            _ => false,
        }
    }

    /// What others need of it is there.
    pub fn is_done(&self) -> bool {
        self.status == StepStatus::Completed || (self.status == StepStatus::Replaced && self.children == 0)
    }

    /// Attempts since it was opened: by the plan, or again by a person.
    pub fn tries(&self) -> u32 {
        (self.attempt + 1).saturating_sub(self.first)
    }

    /// An agent is at this attempt.
    pub fn is_at(&self, attempt: u32) -> bool {
        self.attempt == attempt && matches!(self.status, StepStatus::Assigned | StepStatus::Waiting)
    }
}
