//! Model calls, as far as the budget goes.

use super::{Desk, faulted};
use schemas::{
    Class, Value,
    agent::{BudgetShort, LlmRequested, Message, Purpose, Speaker, Task as Job},
    value::{Blob, Values},
};
use std::collections::BTreeSet;
use streams::{agent::Task, budget::Room, decide::Due};

/// What a model is to be asked.
pub struct Call {
    pub purpose: Purpose,
    pub job: Job,
    pub messages: Vec<Message>,
    pub inputs: Values,
    pub schema: Option<Value>,
    /// Verbs that the model may ask for.
    pub tools: Vec<String>,
    pub blobs: Vec<Blob>,
}

/// The call if there is room for it; it is written only then. Without room nothing, or once a
/// raise the word that says so: until then nothing starts.
///
/// `write` fails with a sentence when the step's inputs make no call: that faults the attempt.
pub fn request(desk: &Desk, task: &Task, write: impl FnOnce() -> Result<Call, String>) -> Option<Due> {
    let budget = desk.state.budget();
    let reserve = match room(desk, task) {
        Room::Free(reserve) => reserve,
        Room::Wait => return None,
        Room::Short(message) => {
            let message = format!("step `{}` needs a model call, but the budget has none left. {message}", task.step);
            return Some(short(desk, task, message));
        }
        Room::TooLittle => {
            let why = task.tight.as_ref().map(|tight| tight.why.as_str()).unwrap_or_default();
            let message = format!("step `{}` needs more for a model call than the budget has left. {why}", task.step);
            return Some(short(desk, task, message));
        }
    };
    let call = match write() {
        Ok(call) => call,
        Err(why) => return Some(faulted(task, Class::InvalidInput, why)),
    };
    let cause = if budget.is_limited() { desk.cause_of_held(task) } else { desk.cause(task) };
    let requested = LlmRequested {
        purpose: call.purpose,
        step: task.step.clone(),
        attempt: task.attempt,
        agent: task.agent.clone(),
        model: desk.mission.model.clone(),
        optimize: desk.mission.optimize,
        task: call.job,
        messages: call.messages,
        inputs: call.inputs,
        schema: call.schema,
        tools: call.tools,
        reserve,
    };
    Some(Due::new(requested, task.entity(), Some(cause)).nth(task.calls).with_blobs(call.blobs))
}

fn room(desk: &Desk, task: &Task) -> Room {
    let budget = desk.state.budget();
    // Nor does any start before the one for which its share was too little: it gets all that is left.
    if desk.state.is_short() || desk.state.is_tight() && task.tight.is_none() {
        return Room::Wait;
    }
    let sharers = || {
        let idle = desk.callers().map(|caller| &caller.agent).filter(|agent| budget.agent(agent).reserved.calls == 0);
        idle.collect::<BTreeSet<_>>().len() as u64
    };
    budget.room(&task.agent, task.tight.as_ref().map(|tight| &tight.had), sharers)
}

fn short(desk: &Desk, task: &Task, message: String) -> Due {
    let short = BudgetShort { step: task.step.clone(), attempt: task.attempt, message };
    Due::new(short, "", Some(desk.cause_of_held(task))).nth(desk.state.shortages())
}

/// A goal, and nothing else yet.
pub fn job(goal: impl Into<String>) -> Job {
    Job {
        goal: goal.into(),
        context: None,
        files: Vec::new(),
        catalogue: None,
        outputs: Vec::new(),
        format: None,
        faults: Vec::new(),
    }
}

/// One message.
pub fn message(role: Speaker, text: impl Into<String>) -> Message {
    Message::new(role, text)
}
