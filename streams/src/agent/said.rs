//! What the agents themselves have said: each word makes itself undue.

use super::{
    Cause, Question, Stage, State, Task,
    request::{Kind, Request},
    task::{Back, Outputs},
};
use schemas::{
    Event, EventId, Fact, Fault,
    agent::{self, BudgetShort, QuestionAsked, StepCompleted},
    control::{Purpose, TimerSet},
};
use std::sync::Arc;

impl State {
    pub(super) fn evolve_said(&mut self, event: &Event) {
        let cause = Cause::of(event);
        match &event.fact {
            Fact::AgentHalted(_) if self.halt_due().is_some() => {
                self.pause.halted = true;
                self.pause.halts += 1;
            }
            Fact::LlmRequested(said) => {
                // It is answered even when its attempt was taken away before.
                self.budget.reserve(event.id, &said.agent, &said.reserve);
                let repair = said.purpose == agent::Purpose::Repair;
                self.request(event.id, &said.step, said.attempt, Kind::Call { repair }, &said.tools);
            }
            Fact::PluginRequested(said) => {
                let verb = self.mission().and_then(|mission| mission.catalogue()).and_then(|all| all.verb(&said.verb));
                let writes = verb.is_some_and(|verb| may_write(verb, &said.inputs));
                if self.request(event.id, &said.step, said.attempt, Kind::Run, &[]) && writes {
                    self.writing.insert_mut(event.id);
                }
            }
            Fact::QuestionAsked(said) => self.asked(event.id, said, cause),
            Fact::PlanProposed(said) => {
                if let Some(mut task) = self.open(&said.step, said.attempt) {
                    task.stage = Stage::Proposed(Arc::new(said.plan.clone()));
                    self.put(task);
                }
            }
            Fact::MessageSaid(said) => {
                let speaking = said.step.as_ref().and_then(|step| self.task(step));
                if let Some(task) = speaking.filter(|task| matches!(task.stage, Stage::Open)) {
                    self.bring(task.clone(), Back::Said, cause);
                }
            }
            Fact::StepCompleted(said) => self.completed(said, cause),
            Fact::StepFaulted(said) => {
                if let Some(task) = self.open(&said.step, said.attempt) {
                    let fault = Fault::new(format!("/steps/{}", said.step), &said.message);
                    self.put(Task { fault: Some(fault), ..task });
                    self.close(&said.step, Some(said.attempt), cause);
                }
            }
            Fact::BudgetShort(said) => self.short(event, said),
            Fact::TimerSet(said) => self.timer_set(event.id, said, cause),
            Fact::TimerCleared(said) => {
                self.needless.remove_mut(&said.timer);
                self.requests.remove_mut(&said.timer);
            }
            _ => {}
        }
    }

    /// A call or run is asked for; `false` when that was known.
    fn request(&mut self, id: EventId, step: &str, attempt: u32, kind: Kind, tools: &[String]) -> bool {
        let Some(mut task) = self.open(step, attempt).filter(|task| !task.asked.contains(&id)) else { return false };
        task.asked.push(id);
        match kind {
            Kind::Call { repair } => {
                task.calls += 1;
                task.talk.offered = tools.to_vec();
                if let (true, Stage::Back(Back::Failure { message, .. })) = (repair, &task.stage) {
                    task.refused = Some(message.clone());
                }
            }
            _ => task.runs += 1,
        }
        task.stage = Stage::Waiting(id);
        self.put(task);
        self.requests.insert_mut(id, Request { step: step.into(), attempt, kind });
        true
    }

    fn short(&mut self, event: &Event, said: &BudgetShort) {
        if self.shortage.told.is_some() || self.open(&said.step, said.attempt).is_none() {
            return;
        }
        self.shortage.times += 1;
        if event.basis.is_none_or(|basis| basis >= self.shortage.raised) {
            self.shortage.told = Some((said.step.clone(), said.attempt));
        }
    }

    fn asked(&mut self, id: EventId, said: &QuestionAsked, cause: Cause) {
        let Some(mut task) = self.open(&said.step, said.attempt).filter(|task| !task.asked.contains(&id)) else {
            return;
        };
        task.asked.push(id);
        task.stage = Stage::Waiting(id);
        task.question = Some(Arc::new(Question {
            id,
            answer: said.answer,
            choices: said.choices.clone(),
            schema: said.schema.clone(),
            expires: said.expires,
            timer: None,
        }));
        self.put(task);
        self.requests.insert_mut(id, Request { step: said.step.clone(), attempt: said.attempt, kind: Kind::Question });
        if let Some(at) = said.expires {
            self.expiries.insert_mut(id, (at, cause));
        }
    }

    fn timer_set(&mut self, timer: EventId, said: &TimerSet, cause: Cause) {
        let Purpose::Expiry { question } = said.purpose else { return };
        self.expiries.remove_mut(&question);
        let asking = self.requests.get(&question).and_then(|request| self.open(&request.step, request.attempt));
        // Answered in between: the timer is cleared as soon as it is set.
        let Some((mut task, asked)) = asking.and_then(|task| task.question.clone().map(|asked| (task, asked))) else {
            self.needless.insert_mut(timer, cause);
            return;
        };
        if asked.id != question || asked.timer.is_some() {
            return;
        }
        let request = Request { step: task.step.clone(), attempt: task.attempt, kind: Kind::Timer { question } };
        task.question = Some(Arc::new(Question { timer: Some(timer), ..(*asked).clone() }));
        self.put(task);
        self.requests.insert_mut(timer, request);
    }

    /// The attempt's effects count from here on: its outputs, and what its run did to the folder.
    fn completed(&mut self, said: &StepCompleted, cause: Cause) {
        let Some(task) = self.open(&said.step, said.attempt) else { return };
        let run = match &task.stage {
            Stage::Back(Back::Outputs(run)) if said.run == Some(run.run) => Some(run.clone()),
            _ => None,
        };
        self.plans.complete(&said.step, outputs(said, run.as_deref()));
        let mut files = task.talk.files();
        files.extend(run.iter().flat_map(|run| run.changes()));
        self.folder.change(&files);
        self.folder.delivered(&said.deliverables, &files);
        self.close(&said.step, Some(said.attempt), cause);
    }
}

fn outputs(said: &StepCompleted, run: Option<&Outputs>) -> Arc<schemas::value::Values> {
    match run {
        Some(run) if said.outputs.is_empty() => run.outputs.clone(),
        Some(run) => {
            let mut all = (*run.outputs).clone();
            all.extend(said.outputs.clone());
            Arc::new(all)
        }
        None => Arc::new(said.outputs.clone()),
    }
}

/// May a run with these inputs change the mission's folder?
pub fn may_write(verb: &schemas::catalogue::Verb, inputs: &schemas::value::Values) -> bool {
    let looks = verb.name == FILE_OPS && inputs.get("operation").is_some_and(|op| op == "read" || op == "list");
    verb.files.as_ref().is_some_and(|files| files.write) && !looks
}

/// The verb whose operations differ in what they do with the folder.
pub const FILE_OPS: &str = "FILE_OPS";
