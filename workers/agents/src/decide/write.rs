//! THINK and GENERATE: a model's answer is the step's output; before it answers it may use tools.

use super::{
    Desk,
    call::{self, Call},
    complete, faulted, input,
    tool::{self, Tools},
};
use crate::prompt;
use schemas::{
    Class, Value,
    agent::{IMAGES, Message, Purpose, Speaker, Task as Job},
    value::{Ref, Values},
};
use streams::{agent::Task, decide::Due};

const FORMATS: [&str; 4] = ["text", "markdown", "code", "html"];

pub fn start(desk: &Desk, task: &Task) -> Option<Due> {
    if !task.talk.is_empty() {
        let tools = desk.inputs(task).and_then(|mut inputs| Tools::take(desk, &mut inputs));
        if let Some(why) = tools.map_or_else(Some, |tools| tool::ends(task, &tools)) {
            return Some(faulted(task, Class::Permanent, why));
        }
        if let Some(pending) = task.talk.pending() {
            return tool::start(desk, task, pending);
        }
    }
    call::request(desk, task, || write(desk, task))
}

fn write(desk: &Desk, task: &Task) -> Result<Call, String> {
    let mut inputs = desk.inputs(task)?;
    let tools = Tools::take(desk, &mut inputs)?;
    let images = images(desk, inputs.remove("images"))?;
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
    let mut system = prompt::write::system(desk.state.role(&task.agent), format, schema.as_ref());
    if !tools.offered.is_empty() {
        system.push_str(prompt::write::TOOLS);
    }
    let mut messages = vec![
        Message::new(Speaker::System, system),
        Message { images, ..Message::new(Speaker::User, prompt::write::request(&prompt, &inputs)) },
    ];
    tool::conversation(task, &tools, &mut messages, &mut inputs);
    let (inputs, blobs) = input::outline(inputs);
    let purpose = if generates { Purpose::Generate } else { Purpose::Think };
    let catalogue = (!tools.offered.is_empty()).then(|| desk.mission.catalogue_ref().clone());
    let job = Job { format: generates.then(|| format.to_string()), catalogue, ..call::job(prompt) };
    Ok(Call { purpose, job, messages, inputs, schema, tools: tools.offered, blobs })
}

/// The images that a model is to see, out of the mission's folder.
fn images(desk: &Desk, given: Option<Value>) -> Result<Vec<Ref>, String> {
    let paths: Vec<String> = match given.filter(|given| !given.is_null()) {
        None => Vec::new(),
        Some(Value::String(path)) => vec![path],
        Some(list) => serde_json::from_value(list)
            .map_err(|_| "input `images` must be a list of paths in the mission's folder, as [\"plan.png\"]")?,
    };
    let folder = desk.state.folder();
    let image = |path: &String| {
        let file = folder.get(path).ok_or_else(|| {
            let all = input::quoted(folder.iter().map(|(path, _)| path));
            let all = if all.is_empty() { "it is empty".into() } else { format!("there are {all}") };
            format!("input `images` names `{path}`, which is not in the mission's folder: {all}")
        })?;
        if !IMAGES.contains(&file.media_type.as_str()) {
            let kind = &file.media_type;
            return Err(format!("input `images` names `{path}`, which is {kind}: models see {}", IMAGES.join(", ")));
        }
        Ok(file.clone())
    };
    paths.iter().map(image).collect()
}

pub fn answered(desk: &Desk, task: &Task, answer: &Value) -> Due {
    let structured = desk.inputs(task).is_ok_and(|inputs| inputs.get("schema").is_some_and(|schema| !schema.is_null()));
    let name = if structured { "json" } else { "text" };
    let outputs: Values = [(name.to_string(), answer.clone())].into();
    complete::said(desk, task, outputs)
}
