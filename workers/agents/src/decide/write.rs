//! THINK and GENERATE: one model call, whose answer is the step's output.

use super::{
    Desk,
    call::{self, Call},
    complete, input,
};
use crate::prompt;
use schemas::{
    Value,
    agent::{Purpose, Speaker, Task as Job},
    value::{Ref, Values},
};
use streams::{agent::Task, decide::Due};

const FORMATS: [&str; 4] = ["text", "markdown", "code", "html"];

pub fn request(desk: &Desk, task: &Task) -> Option<Due> {
    call::request(desk, task, || write(desk, task))
}

fn write(desk: &Desk, task: &Task) -> Result<Call, String> {
    let mut inputs = desk.inputs(task)?;
    // A prompt that came out of a step is put in whole where the call is made.
    let prompt = input::template(desk.step(task), &inputs, "prompt").ok_or("input `prompt` is missing")?;
    if inputs.get("prompt").and_then(Value::as_str).is_some_and(|text| text.trim().is_empty()) {
        return Err("input `prompt` is blank".into());
    }
    let schema = inputs.remove("schema").filter(|schema| !schema.is_null());
    if schema.as_ref().is_some_and(|schema| !schema.is_object() || Ref::from_value(schema).is_some()) {
        return Err("input `schema` must be a JSON Schema, as an object of less than 16 KiB".into());
    }
    let generates = task.verb == "GENERATE";
    let format = inputs.remove("format").filter(|format| generates && !format.is_null());
    let format = match format.as_ref().map(|format| format.as_str().filter(|name| FORMATS.contains(name))) {
        Some(None) => return Err(format!("input `format` must be one of {}", FORMATS.join(", "))),
        Some(Some(name)) => name,
        None => "text",
    };
    if prompt != "{prompt}" {
        inputs.remove("prompt");
    }
    let messages = vec![
        call::message(Speaker::System, prompt::write::system(desk.state.role(&task.agent), format, schema.as_ref())),
        call::message(Speaker::User, prompt::write::request(&prompt, &inputs)),
    ];
    let (inputs, blobs) = input::outline(inputs);
    let purpose = if generates { Purpose::Generate } else { Purpose::Think };
    let job = Job { format: generates.then(|| format.to_string()), ..call::job(prompt) };
    Ok(Call { purpose, job, messages, inputs, schema, tools: Vec::new(), blobs })
}

pub fn answered(desk: &Desk, task: &Task, answer: &Value) -> Due {
    let structured = desk.inputs(task).is_ok_and(|inputs| inputs.get("schema").is_some_and(|schema| !schema.is_null()));
    let name = if structured { "json" } else { "text" };
    let outputs: Values = [(name.to_string(), answer.clone())].into();
    complete::said(desk, task, outputs)
}
