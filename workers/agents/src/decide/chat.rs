//! CHAT: a line for the mission's owner.

use super::{Desk, complete, faulted, input};
use schemas::{
    Class,
    agent::Deliverable,
    user::MessageSaid,
    value::{Form, Ref},
};
use streams::{agent::Task, decide::Due};

pub fn say(desk: &Desk, task: &Task) -> Due {
    let text = desk.inputs(task).and_then(|inputs| {
        let message = input::template(desk.step(task), &inputs, "message").ok_or("input `message` is missing")?;
        Ok(input::speak(&message, &inputs, |name, large| format!("(in the file {})", attached(task, name, large))))
    });
    match text {
        Err(why) => faulted(task, Class::InvalidInput, why),
        Ok(text) => {
            let said = MessageSaid { text, step: Some(task.step.clone()), agent: Some(task.agent.clone()) };
            Due::new(said, task.entity(), Some(desk.cause(task)))
        }
    }
}

/// What is too large for a message is handed over as a file.
pub fn said(desk: &Desk, task: &Task) -> Due {
    let inputs = desk.inputs(task).unwrap_or_default();
    let message = input::template(desk.step(task), &inputs, "message").unwrap_or_default();
    let named = inputs.iter().filter(|(name, _)| message.contains(&format!("{{{name}}}")));
    let files = named.filter_map(|(name, value)| {
        let file = Ref::from_value(value)?;
        Some(Deliverable { name: attached(task, name, &file), file })
    });
    let outputs = [("delivered".to_string(), true.into())].into();
    complete::with_files(desk, task, outputs, files.collect())
}

/// The step's id makes the name its own.
fn attached(task: &Task, name: &str, file: &Ref) -> String {
    let ending = match file.form {
        Form::Text => ".txt",
        Form::Json => ".json",
        Form::File => "",
    };
    format!("{}-{name}{ending}", task.step.trim_start_matches('-'))
}
