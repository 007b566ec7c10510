//! What control and the person say about the mission.

use super::{Cause, Stage, State, Task, task};
use crate::budget::Budget;
use schemas::{
    Event, Fact,
    catalogue::Catalogue,
    control::{Attached, MissionCreated, Standstill},
    goal::Optimize,
    value::Ref,
};
use std::sync::Arc;

/// What agents need to know of `mission.created`.
#[derive(Debug)]
pub struct Mission {
    pub goal: String,
    pub context: Option<String>,
    /// The model asked for by name.
    pub model: Option<String>,
    /// What matters most in choosing one.
    pub optimize: Option<Optimize>,
    catalogue: Attached,
}

impl Mission {
    /// `None` only in a damaged log.
    pub fn catalogue(&self) -> Option<&Catalogue> {
        self.catalogue.content.as_deref()
    }
    pub fn catalogue_ref(&self) -> &Ref {
        &self.catalogue.reference
    }
    /// Is every call answered without a model?
    pub fn is_offline(&self) -> bool {
        self.model.as_deref() == Some("offline")
    }
}

impl State {
    pub(super) fn evolve_control(&mut self, event: &Event) {
        let cause = Cause::of(event);
        match &event.fact {
            Fact::MissionCreated(created) => self.created(created),
            Fact::AgentSpawned(spawned) if !self.agents.contains_key(&spawned.agent) => {
                self.agents.insert_mut(spawned.agent.clone(), spawned.role.clone());
            }
            Fact::PlanAccepted(accepted) => {
                self.plans.accept(&accepted.step, &accepted.plan);
                self.close(&accepted.step, None, cause);
            }
            Fact::PlanRejected(rejected) => self.rejected(rejected, cause),
            Fact::StepAssigned(assigned) => self.assigned(assigned, cause),
            Fact::StepRetried(retried) => self.close(&retried.step, retried.attempt.checked_sub(1), cause),
            Fact::StepCancelled(said) => self.take_away(&said.step, said.attempt, &said.reason, cause),
            Fact::StepFailed(said) => self.take_away(&said.step, said.attempt, &said.message, cause),
            Fact::MissionPausing(_) | Fact::MissionPaused(_) if self.pause.since.is_none() => {
                self.pause.since = Some(cause);
                self.pause.halted = false;
            }
            Fact::MissionResumed(resumed) if resumed.from == Standstill::Paused => self.resume(cause),
            Fact::MissionRetried(retried) => {
                self.ended = false;
                self.shortage.told = None;
                self.resume(cause);
                for step in &retried.steps {
                    self.close(step, None, cause);
                }
            }
            Fact::MissionCompleted(_) | Fact::MissionFailed(_) | Fact::MissionAborted(_) => self.ended = true,
            _ => {}
        }
    }

    pub(super) fn evolve_user(&mut self, event: &Event) {
        let cause = Cause::of(event);
        match &event.fact {
            Fact::QuestionAnswered(said) => self.replied(said.question, Some(&said.answer), cause),
            Fact::QuestionDismissed(said) => self.replied(said.question, None, cause),
            Fact::MessageSaid(said) => self.messages.push_back_mut(said.text.clone()),
            Fact::BudgetRaised(raised) => {
                self.budget.raise(raised);
                (self.shortage.told, self.shortage.raised) = (None, event.seq);
                self.freed = Some(cause);
            }
            Fact::FileAdded(added) => self.folder.put(&added.path, &added.file),
            Fact::FileRemoved(removed) => self.folder.remove(&removed.path),
            _ => {}
        }
    }

    fn created(&mut self, created: &MissionCreated) {
        if self.mission.is_some() {
            return;
        }
        for (path, file) in &created.files {
            self.folder.put(path, file);
        }
        self.budget = Budget::new(&created.budget);
        self.mission = Some(Arc::new(Mission {
            goal: created.goal.clone(),
            context: created.context.clone(),
            model: created.model.clone(),
            optimize: created.optimize,
            catalogue: created.catalogue.clone(),
        }));
    }

    fn resume(&mut self, cause: Cause) {
        if self.pause.since.take().is_some() {
            self.pause.resumed = Some(cause);
        }
    }

    fn assigned(&mut self, assigned: &schemas::control::StepAssigned, cause: Cause) {
        let Some(order) = self.plans.order(&assigned.step) else { return };
        if self.task(&assigned.step).is_some_and(|task| task.attempt >= assigned.attempt) {
            return;
        }
        self.close(&assigned.step, None, cause);
        self.put(Task::new(assigned, order, cause));
    }

    fn rejected(&mut self, rejected: &schemas::control::PlanRejected, cause: Cause) {
        let Some(mut task) = self.task(&rejected.step).cloned() else { return };
        let Stage::Proposed(plan) = task.stage else { return };
        task.rounds.push(task::Round { plan, faults: rejected.faults.clone() });
        task.stage = if rejected.last { Stage::Closed } else { Stage::Open };
        task.cause = cause;
        self.put(task);
    }

    /// Control ended the attempt, whatever comes of it.
    fn take_away(&mut self, step: &str, attempt: u32, why: &str, cause: Cause) {
        if let Some(task) = self.task(step).filter(|task| task.attempt == attempt && task.fault.is_none()) {
            let fault = schemas::Fault::new(format!("/steps/{step}"), why);
            let task = Task { fault: Some(fault), ..task.clone() };
            self.put(task);
        }
        self.close(step, Some(attempt), cause);
    }
}
