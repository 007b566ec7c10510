//! What goes into a step: constants as they are, sources as they came out.

use schemas::{
    Value,
    plan::{Input, Step},
    value::{self, Blob, Ref, Values},
};
use streams::agent::Plans;

/// The inputs of a step, exactly.
///
/// # Errors
/// A sentence: which input, whose output, and what that step gave instead.
pub fn resolve(plans: &Plans, step: &Step) -> Result<Values, String> {
    let mut values = Values::new();
    for (name, input) in &step.inputs {
        let value = match input {
            Input::Value(constant) => constant.value.clone(),
            Input::From(source) => plans.output(&source.from, &source.output).cloned().ok_or_else(|| {
                let given = plans.outputs(&source.from).map(|all| quoted(all.keys())).filter(|all| !all.is_empty());
                format!(
                    "input `{name}` needs output `{}` of step `{}`, which gave {}",
                    source.output,
                    source.from,
                    given.as_deref().unwrap_or("none"),
                )
            })?,
        };
        values.insert(name.clone(), value);
    }
    Ok(values)
}

/// Large values by reference, with the bytes to store.
pub fn outline(values: Values) -> (Values, Vec<Blob>) {
    let mut blobs = Vec::new();
    let small = values.into_iter().map(|(name, value)| {
        let (value, blob) = value::outline(value);
        blobs.extend(blob);
        (name, value)
    });
    (small.collect(), blobs)
}

/// `` `a`, `b` ``
pub fn quoted<'n>(names: impl Iterator<Item = &'n String>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// An input that is a text, before other inputs are filled into it: a constant as the plan has it.
/// What came out of a step is exactly that and no template, so it only names itself.
pub fn template(step: Option<&Step>, inputs: &Values, name: &str) -> Option<String> {
    let value = inputs.get(name)?;
    let constant = matches!(step?.inputs.get(name)?, Input::Value(_)) && Ref::from_value(value).is_none();
    Some(if constant { text(value) } else { format!("{{{name}}}") })
}

/// The constants of a step that name another of its inputs in braces.
pub fn templates(step: Option<&Step>, inputs: &Values) -> Vec<String> {
    let names_another =
        |name: &String, text: &str| inputs.keys().any(|other| other != name && text.contains(&format!("{{{other}}}")));
    let constants = step.iter().flat_map(|step| &step.inputs).filter(|(_, input)| matches!(input, Input::Value(_)));
    constants
        .map(|(name, _)| name)
        .filter(|name| inputs.get(*name).and_then(Value::as_str).is_some_and(|text| names_another(name, text)))
        .cloned()
        .collect()
}

/// A value as a person reads it: text as it is, everything else as JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A text with its inputs filled in; what travels by reference is put as `shown` tells it.
pub fn speak(template: &str, inputs: &Values, shown: impl Fn(&str, &Ref) -> String) -> String {
    let readable = inputs.iter().map(|(name, value)| {
        let value = Ref::from_value(value).map_or_else(|| value.clone(), |large| shown(name, &large).into());
        (name.clone(), value)
    });
    value::fill(template, &readable.collect())
}
