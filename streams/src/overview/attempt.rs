//! Attempts of steps: assigned, ended, tried again.

use super::{
    Activity, Deliverable, Overview, Step,
    graph::recovered,
    question,
    step::{Failure, Input, Status},
};
use schemas::{
    Class, Event, Fact, Time,
    agent::StepCompleted,
    control::{PlanAccepted, StepAssigned},
    plan::PLAN_STEP,
};
use std::sync::Arc;

impl Overview {
    pub(super) fn evolve_agent(&mut self, event: &Event) {
        match &event.fact {
            Fact::LlmRequested(said) => self.asked_model(event, said),
            Fact::PluginRequested(said) => {
                if let Some(i) = self.open_step(&said.step, said.attempt) {
                    self.set(i, Status::Running);
                    // Those of a tool are its model's, not the step's.
                    if self.steps[i].verb != said.verb {
                        return;
                    }
                    let given =
                        said.inputs.iter().map(|(name, value)| (name.clone(), Input::Value(Arc::new(value.clone()))));
                    self.steps[i].inputs.extend(given);
                }
            }
            Fact::QuestionAsked(said) => self.asked(event, said),
            Fact::MessageSaid(said) => self.messages.push(super::Message {
                who: said.agent.clone().unwrap_or_else(|| "agent".into()),
                text: said.text.clone(),
                step: said.step.clone(),
                at: event.time,
            }),
            Fact::StepCompleted(said) => self.completed(said, event.time),
            Fact::StepFaulted(said) => self.faulted(&said.step, said.attempt, said.class, &said.message, event.time),
            Fact::TimerSet(said) => self.timer_set(event.id, said),
            _ => {}
        }
    }

    pub(super) fn evolve_run(&mut self, event: &Event) {
        if let (Some(run), Fact::PluginCompleted(given)) = (event.request(), &event.fact) {
            self.index.runs.entry(run).or_insert_with(|| Arc::new(given.clone()));
        }
    }

    /// The place of a step whose attempt is under way.
    pub(super) fn open_step(&self, step: &str, attempt: u32) -> Option<usize> {
        let i = self.graph.find(step)?;
        let step = &self.steps[i];
        (step.attempt == attempt && step.status.is_open()).then_some(i)
    }

    /// Changes the status of a step, and with it what its agent is doing.
    pub(super) fn set(&mut self, i: usize, status: Status) {
        let step = &mut self.steps[i];
        let before = std::mem::replace(&mut step.status, status);
        let agent = step.agent.as_ref().and_then(|agent| self.index.agents.get(agent));
        let Some(agent) = agent.map(|&agent| &mut self.agents[agent]) else { return };
        let (working, waiting) = &mut agent.busy;
        match before {
            Status::Assigned | Status::Running => *working = working.saturating_sub(1),
            Status::Waiting => *waiting = waiting.saturating_sub(1),
            _ => {}
        }
        match status {
            Status::Assigned | Status::Running => *working += 1,
            Status::Waiting => *waiting += 1,
            Status::Completed => agent.done += 1,
            _ => {}
        }
        agent.status = match (*working, *waiting) {
            (0, 0) => Activity::Idle,
            (0, _) => Activity::Waiting,
            _ => Activity::Working,
        };
    }

    /// Ends a step for good, as far as its mission isn't retried.
    pub(super) fn end(&mut self, i: usize, status: Status, at: Time) {
        self.set(i, status);
        self.steps[i].ended = Some(at);
        if status == Status::Completed {
            (self.steps[i].error, self.steps[i].class) = (None, None);
        }
        let id = self.steps[i].id.clone();
        self.close_questions_of(&id, question::Status::Dismissed);
    }

    pub(super) fn assigned(&mut self, said: &StepAssigned, at: Time) {
        let own = said.step == PLAN_STEP || recovered(&said.step).is_some();
        if own && self.graph.find(&said.step).is_none() {
            self.add_step(Step::own(&said.step, recovered(&said.step).map(String::from)));
        }
        let Some(i) = self.graph.find(&said.step) else { return };
        if !matches!(self.steps[i].status, Status::Pending | Status::Ready) || said.attempt < self.steps[i].attempt {
            return;
        }
        let step = &mut self.steps[i];
        step.attempt = said.attempt;
        step.agent = Some(said.agent.clone());
        step.started.get_or_insert(at);
        self.set(i, Status::Assigned);
        self.resolve(i);
    }

    /// Shows the values of inputs that other steps have made.
    fn resolve(&mut self, i: usize) {
        let sources = self.steps[i].inputs.iter().filter_map(|(name, input)| match input {
            Input::From(source) => Some((name, source)),
            Input::Value(_) => None,
        });
        let found = sources.filter_map(|(name, source)| {
            Some((name.clone(), Input::Value(Arc::clone(self.output(&source.from, &source.output)?))))
        });
        let found: Vec<_> = found.collect();
        self.steps[i].inputs.extend(found);
    }

    fn completed(&mut self, said: &StepCompleted, at: Time) {
        let Some(i) = self.open_step(&said.step, said.attempt) else { return };
        for id in said.runs.iter().chain(&said.run) {
            let Some(run) = self.index.runs.remove(id) else { continue };
            if said.run == Some(*id) {
                let outputs = run.outputs.iter().map(|(name, value)| (name.clone(), Arc::new(value.clone())));
                self.steps[i].outputs.extend(outputs);
            }
            self.files.extend(run.files.iter().map(|(path, file)| (path.clone(), file.clone())));
            for path in &run.removed {
                self.files.remove(path);
            }
        }
        self.steps[i].outputs.extend(said.outputs.iter().map(|(name, value)| (name.clone(), Arc::new(value.clone()))));
        for given in &said.deliverables {
            self.deliver(Deliverable {
                name: given.name.clone(),
                size: given.file.size,
                sha256: given.file.sha256.clone(),
                media_type: given.file.media_type.clone(),
                step: said.step.clone(),
            });
        }
        self.end(i, Status::Completed, at);
        self.done(i);
    }

    /// A later version of a file takes the place of the earlier.
    fn deliver(&mut self, deliverable: Deliverable) {
        match self.index.deliverables.get(&deliverable.name) {
            Some(&i) => self.deliverables[i] = deliverable,
            None => {
                self.index.deliverables.insert(deliverable.name.clone(), self.deliverables.len());
                self.deliverables.push(deliverable);
            }
        }
    }

    /// An attempt failed, or was called off; whether there will be another is control's to say.
    pub(super) fn faulted(&mut self, step: &str, attempt: u32, class: Class, message: &str, at: Time) {
        let Some(i) = self.open_step(step, attempt) else { return };
        self.fail(i, class, message, at);
        self.set(i, Status::Pending);
        self.close_questions_of(step, question::Status::Dismissed);
    }

    fn fail(&mut self, i: usize, class: Class, message: &str, at: Time) {
        let step = &mut self.steps[i];
        (step.error, step.class) = (Some(message.into()), Some(class));
        // Control's last word repeats the agent's about the same attempt.
        if step.failures.last().is_none_or(|last| last.attempt != step.attempt) {
            step.failures.push(Failure { attempt: step.attempt, class, message: message.into(), at });
        }
    }

    pub(super) fn failed(&mut self, said: &schemas::control::StepFailed, at: Time) {
        let Some(i) = self.graph.find(&said.step) else { return };
        // It may fail before anybody was at it.
        if self.steps[i].status.has_ended() || said.attempt < self.steps[i].attempt {
            return;
        }
        self.steps[i].attempt = said.attempt;
        self.fail(i, said.class, &said.message, at);
        self.end(i, Status::Failed, at);
        self.block(i, i);
    }

    pub(super) fn retried(&mut self, said: &schemas::control::StepRetried) {
        let Some(i) = self.graph.find(&said.step) else { return };
        if !self.steps[i].status.has_ended() && self.steps[i].attempt < said.attempt {
            self.steps[i].attempt = said.attempt;
            self.set(i, Status::Ready);
        }
    }

    pub(super) fn accepted(&mut self, said: &PlanAccepted, at: Time) {
        let planning = self.graph.find(&said.step);
        let replaced = recovered(&said.step).or(Some(said.step.as_str()).filter(|step| *step != PLAN_STEP));
        let replaced = replaced.and_then(|step| self.graph.find(step));
        let over = |status: Status| status.has_ended() && status != Status::Failed;
        if replaced.or(planning).is_some_and(|i| over(self.steps[i].status)) {
            return;
        }
        match (replaced, &said.plan.answer) {
            (Some(i), Some(answer)) if said.plan.steps.is_empty() => {
                let answer = Arc::new(answer.clone());
                let step = &mut self.steps[i];
                if let [only] = step.promised.as_slice() {
                    step.outputs.insert(only.clone(), Arc::clone(&answer));
                }
                step.outputs.insert("answer".into(), answer);
                self.end(i, Status::Completed, at);
                self.done(i);
            }
            _ => {
                self.add_plan(replaced, &said.plan);
                if let Some(i) = replaced {
                    self.end(i, Status::Replaced, at);
                }
            }
        }
        if let Some(i) = planning.filter(|&i| Some(i) != replaced) {
            self.end(i, Status::Completed, at);
            self.done(i);
        }
    }
}
