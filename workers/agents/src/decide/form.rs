//! GET_USER_INPUT: a form for the mission's owner.

use super::{Desk, complete, faulted, input};
use schemas::{
    Class, Fault, Value,
    agent::{AnswerType, QuestionAsked},
    form,
    value::{self, Ref, Values},
};
use streams::{agent::Task, decide::Due};

pub fn ask(desk: &Desk, task: &Task) -> Due {
    match desk.inputs(task).and_then(|inputs| question(desk, task, &inputs)) {
        Ok(asked) => Due::new(asked, task.entity(), Some(desk.cause(task))),
        Err(why) => faulted(task, Class::InvalidInput, why),
    }
}

fn question(desk: &Desk, task: &Task, inputs: &Values) -> Result<QuestionAsked, String> {
    let schema = inputs.get("schema").ok_or("input `schema` is missing")?;
    if Ref::from_value(schema).is_some() || value::outline(schema.clone()).1.is_some() {
        return Err("input `schema` is longer than the 16 KiB that a form may have".into());
    }
    if let Err(faults) = form::compile(schema) {
        let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
        return Err(format!("input `schema` can't be asked for: {}", faults.join("; ")));
    }
    let title = match inputs.get("title").filter(|title| !title.is_null()) {
        Some(title) => input::template(desk.step(task), inputs, "title").unwrap_or_else(|| input::text(title)),
        None => schema.get("title").and_then(Value::as_str).unwrap_or("Please fill this in").to_owned(),
    };
    Ok(QuestionAsked {
        step: task.step.clone(),
        attempt: task.attempt,
        agent: Some(task.agent.clone()),
        text: input::speak(&title, inputs, |_, large| format!("(a value of {} bytes)", large.size)),
        answer: AnswerType::Values,
        choices: Vec::new(),
        schema: Some(schema.clone()),
        expires: None,
    })
}

pub fn replied(desk: &Desk, task: &Task, reply: &Value) -> Due {
    complete::said(desk, task, [("values".to_string(), reply.clone())].into())
}
