//! The life of a mission: created, paused, waiting, ended; questions and budget.

use super::{State, Status, StepStatus};
use crate::budget::Budget;
use schemas::{
    Event, EventId, Fact, Value, Writer,
    agent::{BudgetShort, QuestionAsked},
    control::{MissionCreated, Standstill},
    plan::PLAN_STEP,
    user::BudgetRaised,
};
use std::sync::Arc;

impl State {
    pub(super) fn begin(&mut self, created: &MissionCreated, id: EventId) {
        if self.status != Status::Unknown {
            return;
        }
        self.status = Status::Planning;
        self.created = Some(id);
        self.budget = Budget::new(&created.budget);
        self.mission = Some(Arc::new(created.clone()));
        if created.plan.is_none() {
            self.add_planning(PLAN_STEP, id);
        }
    }

    /// What people ask of the mission, and what control says of it.
    pub(super) fn live(&mut self, event: &Event) {
        match &event.fact {
            Fact::PauseRequested(_) if !self.status.is_final() && !self.stands_still() => {
                self.pause_requested.get_or_insert(event.id);
            }
            Fact::ResumeRequested(_) if self.stands_still() || self.pause_requested.is_some() => {
                self.resume_requested.get_or_insert(event.id);
            }
            Fact::AbortRequested(said) if !self.status.is_final() => {
                self.abort_requested.get_or_insert((event.id, said.reason.clone()));
            }
            Fact::RetryRequested(said) if self.status == Status::Failed => {
                self.retry_requested.get_or_insert((event.id, said.step.clone()));
            }
            Fact::AgentHalted(_) if self.status == Status::Pausing => self.halted = Some(event.id),
            Fact::MissionPausing(_) if !self.status.is_final() && !self.stands_still() => {
                self.before_pause = self.status;
                self.status = Status::Pausing;
                self.pauses += 1;
                (self.pause_requested, self.halted) = (None, None);
            }
            Fact::MissionPaused(_) if self.status == Status::Pausing => {
                self.status = Status::Paused;
                self.halted = None;
            }
            Fact::MissionResumed(said) => self.resumed(said.from, event.id),
            Fact::MissionWaiting(_) if matches!(self.status, Status::Running | Status::Planning) => {
                self.before_pause = self.status;
                self.status = Status::Waiting;
                self.waits += 1;
            }
            Fact::MissionRetried(said) => self.mission_retried(&said.steps, event.id),
            Fact::MissionCompleted(_) => self.end(Status::Completed),
            Fact::MissionFailed(_) => self.end(Status::Failed),
            Fact::MissionAborted(_) => self.end(Status::Aborted),
            _ => {}
        }
    }

    fn resumed(&mut self, from: Standstill, id: EventId) {
        let stands = match from {
            Standstill::Paused => self.status == Status::Paused,
            Standstill::Waiting => self.status == Status::Waiting,
        };
        if !stands {
            return;
        }
        // A mission that waited before it was paused finds out by itself that it still does.
        self.status = if self.before_pause == Status::Planning { Status::Planning } else { Status::Running };
        self.resumes += 1;
        self.freed = Some(id);
        if from == Standstill::Paused {
            self.resume_requested = None;
        }
    }

    fn end(&mut self, status: Status) {
        if self.status.is_final() {
            return;
        }
        self.status = status;
        (self.pause_requested, self.resume_requested, self.abort_requested, self.retry_requested) =
            (None, None, None, None);
    }

    fn mission_retried(&mut self, steps: &[String], id: EventId) {
        if self.status != Status::Failed {
            return;
        }
        self.retry_requested = None;
        self.retries += 1;
        (self.deadline, self.budget_refused) = (None, None);
        self.status = Status::Running;
        if self.step(PLAN_STEP).is_some_and(|step| step.status != StepStatus::Completed) {
            self.status = Status::Planning;
        }
        for step in steps {
            self.reopen(step, id);
        }
    }

    pub(super) fn question_asked(&mut self, said: &QuestionAsked, event: &Event) {
        if event.writer == Writer::Control {
            self.reached = None;
            // Raised while it was being asked.
            if event.basis.is_some_and(|basis| basis < self.raised) {
                return;
            }
            self.budget_question = Some(event.id);
            self.questions.insert_mut(event.id, said.step.clone());
            self.asked = Some(event.id);
            return;
        }
        if self.step(&said.step).is_some_and(|step| step.is_at(said.attempt)) {
            self.wait(&said.step);
            self.questions.insert_mut(event.id, said.step.clone());
            self.asked = Some(event.id);
        }
    }

    /// The step waits, and holds no slot while it does.
    fn wait(&mut self, id: &str) {
        let Some(step) = self.step(id).filter(|step| step.status == StepStatus::Assigned) else { return };
        let agent = step.agent.clone();
        self.running = self.running.saturating_sub(1);
        if let Some(agent) = agent.and_then(|agent| self.agents.get_mut(&agent)) {
            agent.running = agent.running.saturating_sub(1);
        }
        self.edit(id, |step| step.status = StepStatus::Waiting);
    }

    /// The step's agent goes on with it, at once: a slot it gave up is not waited for.
    fn go_on(&mut self, id: &str) {
        let Some(step) = self.step(id).filter(|step| step.status == StepStatus::Waiting) else { return };
        // The question about the budget is everybody's, whichever step ran short first.
        let own = |(question, waits): (&EventId, &String)| waits == id && self.budget_question != Some(*question);
        if self.questions.iter().any(own) {
            return;
        }
        let agent = step.agent.clone();
        self.running += 1;
        if let Some(agent) = agent.and_then(|agent| self.agents.get_mut(&agent)) {
            agent.running += 1;
        }
        self.edit(id, |step| step.status = StepStatus::Assigned);
    }

    pub(super) fn question_closed(&mut self, question: EventId, answer: Option<&Value>, id: EventId) {
        if self.budget_question == Some(question) {
            // To raise it takes figures: `budget.raised` closes the question then.
            if answer.is_none_or(|answer| answer.as_str() == Some("stop")) {
                self.budget_question = None;
                self.questions.remove_mut(&question);
                self.budget_refused = Some(id);
            }
            return;
        }
        let Some(step) = self.questions.get(&question).cloned() else { return };
        self.questions.remove_mut(&question);
        self.go_on(&step);
        self.freed = Some(id);
    }

    pub(super) fn budget_short(&mut self, said: &BudgetShort, event: &Event) {
        let is_late = event.basis.is_some_and(|basis| basis < self.raised);
        if is_late || !self.step(&said.step).is_some_and(|step| step.is_at(said.attempt)) {
            return;
        }
        self.wait(&said.step);
        if self.budget_question.is_none() && self.short.is_none() && self.reached.is_none() {
            self.shorts += 1;
            self.short = Some((said.step.clone(), said.message.clone(), event.id));
        }
    }

    pub(super) fn budget_raised(&mut self, said: &BudgetRaised, event: &Event) {
        self.budget.raise(said);
        (self.spent, self.raised) = (Some(event.id), event.seq);
        (self.short, self.reached) = (None, None);
        if let Some(question) = self.budget_question.take() {
            self.questions.remove_mut(&question);
        }
        let waiting: Vec<String> = self
            .steps
            .iter()
            .filter(|(_, step)| step.status == StepStatus::Waiting)
            .map(|(id, _)| id.clone())
            .collect();
        for step in waiting {
            self.go_on(&step);
        }
        self.freed = Some(event.id);
    }
}
