//! What is due, in the order in which it is said: standing still first, then what came back, then
//! what may start.

mod accomplish;
mod ask;
mod call;
mod chat;
mod complete;
mod form;
mod input;
mod run;
mod tool;
mod write;

use schemas::{
    Class, EventId, Value,
    agent::{Halted, PlanProposed, StepFaulted},
    catalogue::{Catalogue, Runner},
    control::{Purpose, TimerCleared, TimerSet},
    plan::{PLAN_STEP, Step},
    value::Values,
};
use streams::{
    agent::{Back, Cause, Mission, Stage, State, Task, plan::recovered},
    decide::Due,
};

/// Everything a decision looks at.
#[derive(Clone, Copy)]
struct Desk<'a> {
    state: &'a State,
    mission: &'a Mission,
    catalogue: &'a Catalogue,
}

/// Who does a step, and how.
enum Manner {
    Accomplish,
    Write,
    Chat,
    Ask,
    Form,
    Run,
    /// Nobody can; says why.
    None(String),
}

pub fn next(state: &State) -> Option<Due> {
    let mission = state.mission()?;
    let desk = Desk { state, mission, catalogue: mission.catalogue()? };
    if state.ended() {
        return None;
    }
    if let Some((cause, nth)) = state.halt_due() {
        return Some(Due::new(Halted {}, "", Some(cause.id)).nth(nth));
    }
    if let Some((timer, cause)) = state.needless_timer() {
        return Some(Due::new(TimerCleared { timer }, timer.to_string(), Some(cause.id)));
    }
    if let Some((question, at, cause)) = state.expiry_due() {
        let set = TimerSet { at, purpose: Purpose::Expiry { question } };
        return Some(Due::new(set, question.to_string(), Some(cause.id)));
    }
    // Ends come before beginnings: what ended may be what others were held back for.
    state
        .finishing()
        .find_map(|task| desk.finish(task))
        .or_else(|| state.starting().filter(|_| state.paused().is_none()).find_map(|task| desk.start(task)))
}

impl Desk<'_> {
    fn start(&self, task: &Task) -> Option<Due> {
        match self.manner(task) {
            Manner::Accomplish => accomplish::request(self, task),
            Manner::Write => write::start(self, task),
            Manner::Chat => Some(chat::say(self, task)),
            Manner::Ask => Some(ask::ask(self, task)),
            Manner::Form => Some(form::ask(self, task)),
            Manner::Run => run::request(self, task),
            Manner::None(why) => Some(faulted(task, Class::InvalidInput, why)),
        }
    }

    fn finish(&self, task: &Task) -> Option<Due> {
        let Stage::Back(back) = &task.stage else { return None };
        match back {
            Back::Failure { .. } if self.is_repairable(task) => {
                if self.state.paused().is_some() {
                    None
                } else {
                    run::repair(self, task)
                }
            }
            Back::Failure { class, message } => Some(faulted(task, *class, message)),
            Back::Outputs(run) => Some(complete::ran(self, task, run)),
            Back::Said => Some(chat::said(self, task)),
            Back::Reply(reply) => Some(match self.manner(task) {
                Manner::Form => form::replied(self, task, reply),
                _ => ask::replied(self, task, reply),
            }),
            Back::Answer { call, answer } => Some(match self.manner(task) {
                Manner::Accomplish => propose(task, *call, answer),
                _ => write::answered(self, task, answer),
            }),
        }
    }

    fn manner(&self, task: &Task) -> Manner {
        if task.step == PLAN_STEP || recovered(&task.step).is_some() {
            return Manner::Accomplish;
        }
        let runner = self.catalogue.verb(&task.verb).map(|verb| verb.runner);
        match (runner, task.verb.as_str()) {
            (Some(Runner::Capability), _) => Manner::Run,
            (Some(Runner::Agent), "ACCOMPLISH") => Manner::Accomplish,
            (Some(Runner::Agent), "THINK" | "GENERATE") => Manner::Write,
            (Some(Runner::Agent), "CHAT") => Manner::Chat,
            (Some(Runner::Agent), "ASK_USER_QUESTION") => Manner::Ask,
            (Some(Runner::Agent), "GET_USER_INPUT") => Manner::Form,
            (Some(Runner::Agent), verb) => Manner::None(format!("`{verb}` is not done by the agents of this version")),
            (None, verb) => Manner::None(format!("no installed verb is called `{verb}`")),
        }
    }

    /// Attempts that are to ask a model now, those included that the budget holds back.
    fn callers(&self) -> impl Iterator<Item = &Task> {
        let starts = |task: &&Task| matches!(self.manner(task), Manner::Accomplish | Manner::Write);
        let repairs = |task: &&Task| self.is_repairable(task);
        self.state.finishing().filter(repairs).chain(self.state.starting().filter(starts))
    }

    fn is_repairable(&self, task: &Task) -> bool {
        let refused = matches!(&task.stage, Stage::Back(Back::Failure { class: Class::InvalidInput, .. }));
        refused && run::is_repairable(self, task)
    }

    /// The step as planned; planning and recovery are in no plan.
    fn step(&self, task: &Task) -> Option<&Step> {
        self.state.plans().step(&task.step)
    }

    /// The inputs of a step as they are, whatever their size.
    fn inputs(&self, task: &Task) -> Result<Values, String> {
        self.step(task).map_or_else(|| Ok(Values::new()), |step| input::resolve(self.state.plans(), step))
    }

    /// The event that let an attempt start: its own, or the end of the pause that held it back.
    fn cause(&self, task: &Task) -> EventId {
        Some(task.cause).max(self.state.resumed()).map_or(task.cause.id, |cause: Cause| cause.id)
    }

    /// The same for what may also wait for room in the budget or for another run.
    fn cause_of_held(&self, task: &Task) -> EventId {
        Some(task.cause).max(self.state.resumed()).max(self.state.freed()).map_or(task.cause.id, |cause| cause.id)
    }
}

fn propose(task: &Task, call: EventId, plan: &Value) -> Due {
    let proposed = PlanProposed { step: task.step.clone(), attempt: task.attempt, call, plan: plan.clone() };
    Due::new(proposed, task.entity(), Some(task.cause.id)).nth(task.rounds.len() as u32)
}

fn faulted(task: &Task, class: Class, message: impl Into<String>) -> Due {
    let faulted = StepFaulted { step: task.step.clone(), attempt: task.attempt, class, message: message.into() };
    Due::new(faulted, task.entity(), Some(task.cause.id))
}
