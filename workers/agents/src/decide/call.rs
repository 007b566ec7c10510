//! Model calls, as far as the budget goes.

use super::{Desk, faulted};
use schemas::{
    Class, Value,
    agent::{BudgetShort, LlmRequested, Message, Purpose, Speaker, Task as Job},
    value::{Blob, Values},
};
use streams::{
    agent::{Room, Task},
    decide::Due,
};

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
/// raise the word that says so.
///
/// `write` fails with a sentence when the step's inputs make no call: that faults the attempt.
pub fn request(desk: &Desk, task: &Task, write: impl FnOnce() -> Result<Call, String>) -> Option<Due> {
    let budget = desk.state.budget();
    let reserve = match budget.room() {
        Room::Free(reserve) => reserve,
        Room::Wait => return None,
        Room::Short(_) if budget.told().is_some() => return None,
        Room::Short(message) => {
            let message = format!("step `{}` needs a model call, but the budget has none left. {message}", task.step);
            let short = BudgetShort { step: task.step.clone(), attempt: task.attempt, message };
            return Some(Due::new(short, "", Some(desk.cause_of_held(task))).nth(budget.shortages()));
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
