//! Folding: one arm a word; what grows has its own place.

use super::{Proposal, State, Status, StepStatus, Trouble};
use crate::decide::About;
use schemas::{
    Class, Event, Fact, Writer,
    control::{PlanAccepted, Purpose},
    plan::PLAN_STEP,
};
use std::sync::Arc;

impl State {
    /// Counts an event that is not folded.
    pub fn pass(&mut self) {
        self.events += 1;
    }

    /// Folds one event. Total and idempotent; the first word wins.
    pub fn evolve(&mut self, event: &Event) {
        // Own words are folded before they have a place in the log.
        if event.seq != 0 {
            if event.seq <= self.last_seq {
                return;
            }
            self.last_seq = event.seq;
        }
        self.events += 1;
        match &mut self.about {
            Some(about) => about.time = about.time.max(event.time),
            None => self.about = Some(About { tenant: event.tenant.clone(), mission: event.mission, time: event.time }),
        }
        if self.status == Status::Unknown && !matches!(event.fact, Fact::MissionCreated(_)) {
            return;
        }
        match &event.fact {
            Fact::MissionCreated(created) => self.begin(created, event.id),
            Fact::PlanProposed(said) => self.proposed(said, event.id),
            Fact::PlanAccepted(said) => self.accepted(said, event.id),
            Fact::PlanRejected(said) => self.rejected(said, event.id),
            Fact::AgentSpawned(said) => {
                if !self.agents.contains_key(&said.agent) {
                    self.agents.insert_mut(said.agent.clone(), super::Agent { role: said.role.clone(), running: 0 });
                }
            }
            Fact::StepAssigned(said) => self.assigned(&said.step, said.attempt, &said.agent, event.id),
            Fact::StepCompleted(said) => {
                if self.step(&said.step).is_some_and(|step| step.is_at(said.attempt)) {
                    self.finish(&said.step, StepStatus::Completed, event.id);
                    self.done(&said.step, event.id);
                }
            }
            Fact::StepFaulted(said) => self.faulted(
                &said.step,
                said.attempt,
                Trouble { class: said.class, message: said.message.clone(), cause: event.id },
            ),
            Fact::StepCancelled(said) => self.faulted(
                &said.step,
                said.attempt,
                Trouble { class: said.class, message: said.reason.clone(), cause: event.id },
            ),
            Fact::StepFailed(said) => self
                .step_failed(&said.step, Trouble { class: said.class, message: said.message.clone(), cause: event.id }),
            Fact::StepRetried(said) => self.retried(&said.step, said.attempt, event.id),
            Fact::TimerSet(said) if event.writer == Writer::Control => self.timer_set(&said.purpose, event.id),
            Fact::TimerCleared(said) if event.writer == Writer::Control => {
                self.timers.remove_mut(&said.timer);
                self.needless.remove_mut(&said.timer);
            }
            Fact::TimerFired(_) => self.timer_fired(event),
            Fact::QuestionAsked(said) => self.question_asked(said, event),
            Fact::QuestionAnswered(said) => self.question_closed(said.question, Some(&said.answer), event.id),
            Fact::QuestionDismissed(said) => self.question_closed(said.question, None, event.id),
            Fact::BudgetShort(said) => self.budget_short(said, event),
            Fact::BudgetWarned(said) => self.budget.warned(said),
            Fact::BudgetReached(_) => self.reached = self.short.take().or(self.reached.take()),
            Fact::BudgetRaised(said) => self.budget_raised(said, event),
            Fact::LlmCompleted(_) | Fact::LlmFailed(_) => self.spend(event),
            _ => self.live(event),
        }
    }

    fn spend(&mut self, event: &Event) {
        let Some(call) = event.request() else { return };
        match &event.fact {
            Fact::LlmCompleted(said) => self.budget.completed(call, said),
            Fact::LlmFailed(said) => self.budget.failed(call, said),
            _ => None,
        };
        self.spent = Some(event.id);
    }

    fn proposed(&mut self, said: &schemas::agent::PlanProposed, id: schemas::EventId) {
        let Some(step) = self.step(&said.step) else { return };
        if step.is_at(said.attempt) && !self.proposals.contains_key(&said.step) {
            let proposal = Proposal { plan: Arc::new(said.plan.clone()), attempt: said.attempt, cause: id };
            self.proposals.insert_mut(said.step.clone(), proposal);
        }
    }

    fn accepted(&mut self, said: &PlanAccepted, id: schemas::EventId) {
        self.proposals.remove_mut(&said.step);
        let planned = self.step(&said.step).cloned();
        if planned.as_ref().is_some_and(super::Step::has_ended) {
            return;
        }
        // What the plan takes the place of: the whole mission, the failed step, or the step itself.
        let parent = match said.step.strip_prefix("_recover-") {
            Some(failed) => Some(failed.to_string()),
            None if said.step == PLAN_STEP => None,
            None => Some(said.step.clone()),
        };
        let own = parent.as_ref() == Some(&said.step);
        if planned.is_some() {
            if own && said.plan.answer.is_none() {
                self.release(&said.step, id);
            } else {
                self.finish(&said.step, StepStatus::Completed, id);
                self.done(&said.step, id);
            }
        }
        for status in [&mut self.status, &mut self.before_pause] {
            if *status == Status::Planning {
                *status = Status::Running;
            }
        }
        match parent {
            None => {
                self.answer.clone_from(&said.plan.answer);
                self.add_plan(&said.plan.steps, None, false, id);
            }
            Some(parent) if !said.plan.steps.is_empty() => {
                let no_recovery = !own || self.step(&parent).is_some_and(|step| step.no_recovery);
                self.recovering.remove_mut(&parent);
                let children = said.plan.steps.len() as u32;
                self.edit(&parent, |step| {
                    step.status = StepStatus::Replaced;
                    step.children = children;
                    step.cause = id;
                });
                self.add_plan(&said.plan.steps, Some(&parent), no_recovery, id);
            }
            // An answer is what the failed step was to give.
            Some(failed) if !own && self.step(&failed).is_some_and(|step| step.status == StepStatus::Recovering) => {
                self.recovering.remove_mut(&failed);
                self.finish(&failed, StepStatus::Completed, id);
                self.done(&failed, id);
            }
            Some(_) => {}
        }
    }

    fn rejected(&mut self, said: &schemas::control::PlanRejected, id: schemas::EventId) {
        if self.proposals.get(&said.step).is_none() && self.step(&said.step).is_some() {
            return;
        }
        self.proposals.remove_mut(&said.step);
        if said.last || said.step == PLAN_STEP {
            self.plan_faults = Arc::new(said.faults.clone());
        }
        if said.last {
            let list: Vec<String> = said.faults.iter().take(5).map(ToString::to_string).collect();
            let more = said.faults.len().saturating_sub(5);
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            let trouble = Trouble {
                class: Class::InvalidInput,
                message: format!("the plan has faults: {}{more}", list.join("; ")),
                cause: id,
            };
            if self.step(&said.step).is_some() {
                self.release(&said.step, id);
                self.edit(&said.step, |step| step.status = StepStatus::Faulted);
                self.failing.insert_mut(said.step.clone(), trouble);
            } else {
                // A ready plan: there was no planning step.
                self.failed.insert_mut(said.step.clone(), trouble);
            }
        } else {
            self.edit(&said.step, |step| step.rejections = said.round);
        }
    }

    fn assigned(&mut self, id: &str, attempt: u32, agent: &str, cause: schemas::EventId) {
        let Some(step) = self.step(id) else { return };
        if step.status != StepStatus::Ready || step.attempt != attempt {
            return;
        }
        let limited = step.definition.timeout.is_some();
        self.leave_ready(id);
        self.running += 1;
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.running += 1;
        }
        if limited {
            self.timing.insert_mut(id.into(), cause);
        }
        self.edit(id, |step| {
            step.status = StepStatus::Assigned;
            step.agent = Some(agent.into());
            step.cause = cause;
        });
    }

    fn finish(&mut self, id: &str, status: StepStatus, cause: schemas::EventId) {
        self.release(id, cause);
        self.proposals.remove_mut(id);
        self.edit(id, |step| {
            step.status = status;
            step.cause = cause;
        });
    }

    fn faulted(&mut self, id: &str, attempt: u32, trouble: Trouble) {
        if self.step(id).is_some_and(|step| step.is_at(attempt)) {
            self.proposals.remove_mut(id);
            self.fault(id, trouble);
        }
    }

    fn step_failed(&mut self, id: &str, trouble: Trouble) {
        if self.step(id).is_none_or(super::Step::has_ended) {
            return;
        }
        self.failing.remove_mut(id);
        self.retrying.remove_mut(id);
        self.recovering.remove_mut(id);
        self.give_up(id, &trouble);
        // No way around was found: what it was for fails with its own words.
        if let Some((failed, own)) =
            id.strip_prefix("_recover-").and_then(|failed| Some((failed, self.recovering.get(failed)?.clone())))
        {
            let message = format!("{}. No way around it: {}", own.message, trouble.message);
            self.failing.insert_mut(failed.into(), Trouble { class: own.class, message, cause: trouble.cause });
        } else {
            self.failed.insert_mut(id.into(), trouble);
        }
    }

    fn retried(&mut self, id: &str, attempt: u32, cause: schemas::EventId) {
        self.reopening.remove_mut(id);
        if self.step(id).is_some_and(|step| step.status == StepStatus::Faulted && step.attempt + 1 == attempt) {
            self.retrying.remove_mut(id);
            self.edit(id, |step| {
                step.attempt = attempt;
                step.rejections = 0;
            });
            self.make_ready(id, cause);
        }
    }

    fn timer_set(&mut self, purpose: &Purpose, id: schemas::EventId) {
        self.timers.insert_mut(id, purpose.clone());
        match purpose {
            Purpose::Retry { step, .. } => {
                self.retrying.remove_mut(step);
            }
            Purpose::Timeout { step, .. } => {
                self.timing.remove_mut(step);
                self.edit(step, |step| step.timer = Some(id));
            }
            Purpose::Deadline => self.deadline_set = true,
            Purpose::Expiry { .. } => {}
        }
    }

    fn timer_fired(&mut self, event: &Event) {
        let Some(timer) = event.request() else { return };
        self.needless.remove_mut(&timer);
        let Some(purpose) = self.timers.get(&timer).cloned() else { return };
        self.timers.remove_mut(&timer);
        match purpose {
            Purpose::Retry { step, attempt } => {
                if self
                    .step(&step)
                    .is_some_and(|step| step.status == StepStatus::Faulted && step.attempt + 1 == attempt)
                {
                    self.reopening.insert_mut(step, event.id);
                }
            }
            Purpose::Timeout { step, attempt } => {
                if self.step(&step).is_some_and(|step| step.is_at(attempt)) {
                    self.overdue.insert_mut(step, event.id);
                }
            }
            Purpose::Deadline => self.deadline = Some(event.id),
            Purpose::Expiry { .. } => {}
        }
    }
}
