//! Verbs of the capabilities worker: a plugin run, and one repair of its inputs.

use super::{
    Desk,
    call::{self, Call},
    faulted, input,
};
use crate::prompt;
use schemas::{
    Class, Value,
    agent::{PluginRequested, Purpose, Speaker},
    catalogue::Verb,
    value::{self, Ref, Values},
};
use std::collections::BTreeMap;
use streams::{
    agent::{Back, FILE_OPS, Stage, Task, may_write},
    decide::Due,
};

pub fn request(desk: &Desk, task: &Task) -> Option<Due> {
    let verb = desk.catalogue.verb(&task.verb)?;
    let inputs = match desk.inputs(task) {
        Ok(planned) => repaired(task, planned),
        Err(why) => return Some(faulted(task, Class::InvalidInput, why)),
    };
    let mut templates = input::templates(desk.step(task), &inputs);
    templates.retain(|name| !verb.literal.contains(name));
    ready(desk, task, verb, inputs, templates)
}

/// A run that a model asked for.
pub fn for_model(desk: &Desk, task: &Task, verb: &Verb, inputs: Values) -> Option<Due> {
    ready(desk, task, verb, inputs, Vec::new())
}

fn ready(desk: &Desk, task: &Task, verb: &Verb, inputs: Values, templates: Vec<String>) -> Option<Due> {
    let writes = may_write(verb, &inputs);
    // Runs that write never overlap: the second must see what the first has written.
    if writes && !desk.state.may_write(task) {
        return None;
    }
    let files = files(desk, task, verb, &inputs, &templates);
    let (inputs, blobs) = input::outline(inputs);
    let requested = PluginRequested {
        step: task.step.clone(),
        attempt: task.attempt,
        agent: task.agent.clone(),
        verb: verb.name.clone(),
        version: verb.version.clone(),
        inputs,
        templates,
        files,
    };
    let cause = if writes { desk.cause_of_held(task) } else { desk.cause(task) };
    Some(Due::new(requested, task.entity(), Some(cause)).nth(task.runs).with_blobs(blobs))
}

/// The files that the run may read.
fn files(desk: &Desk, task: &Task, verb: &Verb, inputs: &Values, templates: &[String]) -> BTreeMap<String, Ref> {
    let mut folder = desk.state.folder().clone();
    folder.change(&task.talk.files());
    let Some(access) = &verb.files else { return BTreeMap::new() };
    let lists = verb.name == FILE_OPS && inputs.get("operation").is_some_and(|operation| operation == "list");
    if access.read_all || lists {
        return folder.iter().map(|(path, file)| (path.clone(), file.clone())).collect();
    }
    let named = access.read.iter().filter_map(|name| {
        let path = inputs.get(name).or_else(|| verb.default(name))?.as_str()?;
        let path = if templates.contains(name) { value::fill(path, inputs) } else { path.to_string() };
        folder.get(&path).map(|file| (path, file.clone()))
    });
    named.collect()
}

/// Is there a model that could repair the inputs of this attempt, and was it not asked yet?
pub fn is_repairable(desk: &Desk, task: &Task) -> bool {
    task.runs > 0
        && task.talk.is_empty()
        && task.repaired.is_none()
        && !task.beyond_repair
        && !desk.mission.is_offline()
}

/// Asks a model for inputs that the plugin would take.
pub fn repair(desk: &Desk, task: &Task) -> Option<Due> {
    let Stage::Back(Back::Failure { message, .. }) = &task.stage else { return None };
    let verb = desk.catalogue.verb(&task.verb)?;
    call::request(desk, task, || {
        let inputs = desk.inputs(task)?;
        let (large, small): (Values, Values) = inputs.into_iter().partition(|(_, value)| is_large(value));
        let messages = vec![
            call::message(Speaker::System, prompt::repair::system(verb)),
            call::message(Speaker::User, prompt::repair::request(&small, large.keys(), message)),
        ];
        let job = call::job(format!("Repair the inputs of {}: {message}", verb.name));
        let schema = Some(without(&verb.input, &large));
        Ok(Call {
            purpose: Purpose::Repair,
            job,
            messages,
            inputs: Values::new(),
            schema,
            tools: Vec::new(),
            blobs: Vec::new(),
        })
    })
}

/// The inputs as the model repaired them. Large ones it has not seen stay what they are.
fn repaired(task: &Task, planned: Values) -> Values {
    let Some(Value::Object(answer)) = task.repaired.as_deref() else { return planned };
    if answer.contains_key(value::REF_KEY) {
        return planned;
    }
    let large = planned.into_iter().filter(|(_, value)| is_large(value));
    // A model knows no references: what looks like one is made up.
    let known = answer.iter().filter(|(_, value)| Ref::from_value(value).is_none());
    known.map(|(name, value)| (name.clone(), value.clone())).chain(large).collect()
}

/// Does it travel by reference?
fn is_large(value: &Value) -> bool {
    Ref::from_value(value).is_some() || value::outline(value.clone()).1.is_some()
}

/// An object schema without the inputs that are not asked for.
fn without(schema: &Value, names: &Values) -> Value {
    let mut schema = schema.clone();
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| !name.as_str().is_some_and(|name| names.contains_key(name)));
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for name in names.keys() {
            properties.remove(name);
        }
    }
    schema
}
