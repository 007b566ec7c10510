//! The mission's life, as control tells it.

use super::{Activity, Agent, Overview, Rejection, Status, Step, Warning, question, step};
use schemas::{
    Event, Fact, Time,
    control::{MissionCreated, MissionFailed, Standstill, StepFailed},
    plan::PLAN_STEP,
};

impl Overview {
    pub(super) fn evolve_control(&mut self, event: &Event) {
        let at = event.time;
        match &event.fact {
            Fact::MissionCreated(created) => self.created(created, at),
            Fact::AgentSpawned(said) => self.spawned(&said.agent, &said.role),
            Fact::PlanAccepted(said) => {
                self.accepted(said, at);
                if matches!(self.status, Status::Created | Status::Planning) {
                    self.status = Status::Running;
                }
            }
            Fact::PlanRejected(said) => {
                self.faults.push(Rejection { step: said.step.clone(), round: said.round, faults: said.faults.clone() });
            }
            Fact::StepAssigned(said) => {
                self.assigned(said, at);
                if self.status == Status::Created {
                    self.status = self.moving();
                }
            }
            Fact::StepRetried(said) => self.retried(said),
            Fact::StepCancelled(said) => self.faulted(&said.step, said.attempt, said.class, &said.reason, at),
            Fact::StepFailed(said) => self.failed(said, at),
            Fact::QuestionAsked(said) => self.asked(event, said),
            Fact::BudgetWarned(said) => self.warnings.push(Warning { text: said.message.clone(), at }),
            Fact::TimerSet(said) => self.timer_set(event.id, said),
            Fact::MissionRetried(said) if self.status == Status::Failed => self.reopened(&said.steps),
            _ if self.status.has_ended() => {}
            Fact::MissionPausing(_) => self.status = Status::Pausing,
            Fact::MissionPaused(_) => self.status = Status::Paused,
            Fact::MissionWaiting(_) => self.status = Status::Waiting,
            Fact::MissionResumed(said) => self.resumed(said.from),
            Fact::MissionCompleted(said) => {
                self.answer.clone_from(&said.answer);
                self.ended(Status::Completed);
            }
            Fact::MissionFailed(said) => {
                (self.error, self.class) = (Some(said.message.clone()), Some(said.class));
                self.failed_with(said, at);
                self.ended(Status::Failed);
            }
            Fact::MissionAborted(said) => self.aborted(said.reason.as_deref(), at),
            _ => {}
        }
    }

    fn created(&mut self, created: &MissionCreated, at: Time) {
        if self.created.is_some() {
            return;
        }
        self.created = Some(at);
        self.goal.clone_from(&created.goal);
        self.name.clone_from(&created.name);
        self.kind = created.kind;
        self.model.clone_from(&created.model);
        self.budget = created.budget.clone();
        self.files.clone_from(&created.files);
        if created.plan.is_none() {
            self.add_step(Step { description: "Plan the mission".into(), ..Step::own(PLAN_STEP, None) });
        }
    }

    fn spawned(&mut self, id: &str, role: &str) {
        if self.index.agents.contains_key(id) {
            return;
        }
        self.index.agents.insert(id.into(), self.agents.len());
        self.agents.push(Agent { id: id.into(), role: role.into(), status: Activity::Idle, done: 0, busy: (0, 0) });
    }

    /// The status of a mission that goes on.
    fn moving(&self) -> Status {
        match self.step(PLAN_STEP).map(|step| (step.status, step.attempt)) {
            None | Some((step::Status::Completed, _)) => Status::Running,
            Some((_, 0)) => Status::Created,
            Some(_) => Status::Planning,
        }
    }

    fn resumed(&mut self, from: Standstill) {
        let stands = match from {
            Standstill::Paused => matches!(self.status, Status::Pausing | Status::Paused),
            Standstill::Waiting => self.status == Status::Waiting,
        };
        if stands {
            self.status = self.moving();
        }
    }

    /// A failed mission goes on.
    fn reopened(&mut self, steps: &[String]) {
        (self.error, self.class) = (None, None);
        for step in steps {
            if let Some(i) = self.graph.find(step).filter(|&i| self.steps[i].status == step::Status::Failed) {
                self.steps[i].attempt += 1;
                self.steps[i].ended = None;
                self.set(i, step::Status::Ready);
            }
        }
        self.unblock();
        self.status = self.moving();
    }

    /// Steps that failed with the mission itself, such as a plan that was rejected for good.
    fn failed_with(&mut self, said: &MissionFailed, at: Time) {
        for step in said.steps.iter().map(String::as_str).chain([PLAN_STEP]) {
            if let Some(attempt) = self.step(step).map(|step| step.attempt) {
                let said = StepFailed { step: step.into(), attempt, class: said.class, message: said.message.clone() };
                self.failed(&said, at);
            }
        }
    }

    fn ended(&mut self, status: Status) {
        self.status = status;
        self.close_all_questions(question::Status::Dismissed);
    }

    /// Every open step is cancelled by this.
    fn aborted(&mut self, reason: Option<&str>, at: Time) {
        self.error = Some(reason.map_or_else(|| "aborted".into(), |reason| format!("aborted: {reason}")));
        for i in 0..self.steps.len() {
            if !self.steps[i].status.has_ended() {
                self.set(i, step::Status::Cancelled);
                self.steps[i].error = Some("because the mission was aborted".into());
                self.steps[i].ended = Some(at);
            }
        }
        self.ended(Status::Aborted);
    }
}
