//! From JSON to steps: what can be read is read, so that all faults are told at once.

use super::fault::{Faults, list, shown, token};
use schemas::{
    Value, id,
    plan::{Constant, Input, Output, Source, Step},
};
use serde_json::Map;
use std::collections::BTreeSet;

/// Seconds that one attempt may take at the most: a day.
const LONGEST: f64 = 86_400.0;
const MOST_RETRIES: u64 = 20;
const FIELDS: [&str; 9] = ["id", "verb", "description", "inputs", "outputs", "role", "after", "timeout", "retries"];
const KINDS: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "any"];

/// What a plan is made of.
pub enum Shape {
    Steps(Vec<Draft>),
    Answer(Value),
}

/// A step as far as it could be read.
pub struct Draft {
    pub step: Step,
    /// Inputs that are there, though nobody can tell what they are.
    pub unread: BTreeSet<String>,
    /// What `inputs` or `outputs` hold can't be told: nothing is said to be missing there.
    pub no_inputs: bool,
    pub no_outputs: bool,
}

pub fn read(raw: &Value, max_steps: usize, faults: &mut Faults) -> Option<Shape> {
    let Value::Object(plan) = raw else {
        faults.add("", "a plan is a JSON object: {\"steps\": […]}, or {\"answer\": …} when nothing needs to be done");
        return None;
    };
    only(plan, &["steps", "answer"], "", faults);
    let steps = match present(plan, "steps") {
        None => &[],
        Some(Value::Array(steps)) => steps.as_slice(),
        Some(_) => {
            faults.add("/steps", "must be a list of steps");
            return None;
        }
    };
    match present(plan, "answer") {
        Some(_) if !steps.is_empty() => faults.add("/answer", "give either steps or an answer"),
        Some(Value::String(text)) if text.trim().is_empty() => faults.add("/answer", "is blank"),
        Some(answer) => return Some(Shape::Answer(answer.clone())),
        None if steps.is_empty() => {
            faults.add("/steps", "a plan has at least one step, or an answer in place of steps")
        }
        None => {}
    }
    if steps.len() > max_steps {
        faults.add("/steps", format!("these are {} steps, this mission may have {max_steps} more", steps.len()));
        return None;
    }
    Some(Shape::Steps(steps.iter().enumerate().map(|(i, raw)| draft(raw, &format!("/steps/{i}"), faults)).collect()))
}

fn draft(raw: &Value, at: &str, faults: &mut Faults) -> Draft {
    let mut draft = Draft::unreadable();
    let Value::Object(step) = raw else {
        faults.add(at, "a step is a JSON object with id, verb, inputs and outputs");
        // Its place stays taken: the pointers of those that follow count it.
        return draft;
    };
    only(step, &FIELDS, at, faults);
    draft.step.id = name(step, "id", at, faults).filter(|id| is_free(id, at, faults)).unwrap_or_default();
    draft.step.verb = name(step, "verb", at, faults).unwrap_or_default();
    draft.step.description = text(step, "description", at, faults).unwrap_or_default();
    draft.step.role = text(step, "role", at, faults);
    draft.no_inputs = !each(step, "inputs", at, faults, |key, raw, at, faults| {
        let input = input(raw, at, faults).unwrap_or_else(|| {
            draft.unread.insert(key.to_string());
            Input::value(Value::Null)
        });
        draft.step.inputs.insert(key.into(), input);
    });
    draft.no_outputs = !each(step, "outputs", at, faults, |key, raw, at, faults| {
        draft.step.outputs.insert(key.into(), output(raw, at, faults));
    });
    match present(step, "after") {
        None => {}
        Some(Value::Array(steps)) if steps.iter().all(Value::is_string) => {
            draft.step.after = steps.iter().filter_map(Value::as_str).map(str::to_string).collect();
        }
        Some(_) => faults.add(format!("{at}/after"), "must be a list of step ids"),
    }
    if let Some(raw) = present(step, "timeout") {
        draft.step.timeout = raw.as_f64().filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST);
        if draft.step.timeout.is_none() {
            faults.add(
                format!("{at}/timeout"),
                format!("must be a number of seconds, more than 0 and {LONGEST} at the most"),
            );
        }
    }
    if let Some(raw) = present(step, "retries") {
        draft.step.retries = raw.as_u64().filter(|n| *n <= MOST_RETRIES).and_then(|n| u32::try_from(n).ok());
        if draft.step.retries.is_none() {
            faults.add(format!("{at}/retries"), format!("must be a whole number from 0 to {MOST_RETRIES}"));
        }
    }
    draft
}

impl Draft {
    fn unreadable() -> Self {
        let step = Step {
            id: String::new(),
            verb: String::new(),
            description: String::new(),
            inputs: Default::default(),
            outputs: Default::default(),
            role: None,
            after: Vec::new(),
            timeout: None,
            retries: None,
        };
        Self { step, unread: BTreeSet::new(), no_inputs: true, no_outputs: true }
    }
}

fn is_free(id: &str, at: &str, faults: &mut Faults) -> bool {
    if !id::is_token(id) {
        faults.add(format!("{at}/id"), format!("{} is no step id: 1 to 64 of A–Z, a–z, 0–9, `_` and `-`", shown(id)));
    } else if !id::is_step_id(id) {
        faults.add(format!("{at}/id"), format!("{}: ids that begin with `_` are stage7's own", shown(id)));
    }
    id::is_step_id(id)
}

fn input(raw: &Value, at: &str, faults: &mut Faults) -> Option<Input> {
    let fields =
        raw.as_object().map(|object| (object.len(), object.get("value"), object.get("from"), object.get("output")));
    match fields {
        Some((1, Some(value), None, None)) => return Some(Input::Value(Constant { value: value.clone() })),
        Some((2, None, Some(Value::String(from)), Some(Value::String(output)))) => {
            return Some(Input::From(Source { from: from.clone(), output: output.clone() }));
        }
        _ => faults.add(at, "must be {\"value\": …}, or {\"from\": STEP, \"output\": NAME}"),
    }
    None
}

fn output(raw: &Value, at: &str, faults: &mut Faults) -> Output {
    let Value::Object(output) = raw else {
        faults.add(at, "must be an object: {\"type\", \"description\"}, and \"deliverable\" for a file");
        return Output::default();
    };
    only(output, &["type", "description", "deliverable"], at, faults);
    let mut kind = text(output, "type", at, faults).unwrap_or_default();
    if !kind.is_empty() && !KINDS.contains(&kind.as_str()) {
        faults.add(format!("{at}/type"), format!("{} is no type; there are {}", shown(&kind), list(KINDS)));
        kind.clear();
    }
    Output {
        kind,
        description: text(output, "description", at, faults).unwrap_or_default(),
        deliverable: text(output, "deliverable", at, faults),
    }
}

/// Visits each entry of an object; `false` when it is something else.
fn each(
    step: &Map<String, Value>,
    key: &str,
    at: &str,
    faults: &mut Faults,
    mut visit: impl FnMut(&str, &Value, &str, &mut Faults),
) -> bool {
    match present(step, key) {
        None => true,
        Some(Value::Object(entries)) => {
            for (name, raw) in entries {
                let at = format!("{at}/{key}/{}", token(name));
                if name.is_empty() || name.len() > 128 || name.contains(|c: char| c.is_control() || "{}".contains(c)) {
                    faults.add(
                        at.clone(),
                        "such a name cannot be used: 1 to 128 bytes, no braces, no control characters",
                    );
                }
                visit(name, raw, &at, faults);
            }
            true
        }
        Some(_) => {
            faults.add(format!("{at}/{key}"), format!("must be an object: {key} by their names"));
            false
        }
    }
}

/// A text that must be there.
fn name(object: &Map<String, Value>, key: &str, at: &str, faults: &mut Faults) -> Option<String> {
    if present(object, key).is_none() {
        faults.add(format!("{at}/{key}"), "missing");
    }
    text(object, key, at, faults).filter(|text| {
        if text.is_empty() {
            faults.add(format!("{at}/{key}"), "is empty");
        }
        !text.is_empty()
    })
}

fn text(object: &Map<String, Value>, key: &str, at: &str, faults: &mut Faults) -> Option<String> {
    let value = present(object, key)?;
    if !value.is_string() {
        faults.add(format!("{at}/{key}"), "must be a text");
    }
    value.as_str().map(str::to_string)
}

/// A field that is not left out; models write `null` for what they leave out.
fn present<'v>(object: &'v Map<String, Value>, key: &str) -> Option<&'v Value> {
    object.get(key).filter(|value| !value.is_null())
}

fn only(object: &Map<String, Value>, fields: &[&str], at: &str, faults: &mut Faults) {
    for key in object.keys().filter(|key| !fields.contains(&key.as_str())) {
        faults.add(format!("{at}/{}", token(key)), format!("unknown field; known are {}", list(fields)));
    }
}
