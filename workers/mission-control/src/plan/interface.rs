//! What a verb takes, against what a step gives it.

use super::{
    fault::{Faults, list, shown, token},
    kind::{is_open, of_schema, properties, property},
    shape::Draft,
};
use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use schemas::{
    Value,
    catalogue::Verb,
    plan::Input,
    value::{Form, REF_KEY, Ref},
};
use serde_json::Map;

/// A verb, its schema compiled once for all steps of a plan.
pub struct Interface<'a> {
    verb: &'a Verb,
    required: Vec<&'a str>,
    is_open: bool,
    /// `None` when the schema is none; manifests are checked when they are registered.
    validator: Option<Validator>,
}

impl<'a> Interface<'a> {
    pub fn new(verb: &'a Verb) -> Self {
        let required = verb.input.get("required").and_then(Value::as_array);
        Self {
            verb,
            required: required.into_iter().flatten().filter_map(Value::as_str).collect(),
            is_open: is_open(&verb.input),
            validator: jsonschema::validator_for(&verb.input).ok(),
        }
    }

    pub fn check(&self, draft: &Draft, at: &str, faults: &mut Faults) {
        let inputs = &draft.step.inputs;
        let verb = &self.verb.name;
        for name in self.required.iter().filter(|name| !draft.no_inputs && !inputs.contains_key(**name)) {
            faults.add(format!("{at}/inputs/{}", token(name)), format!("missing: {verb} needs {}", shown(name)));
        }
        for name in inputs.keys().filter(|name| !self.takes(name) && !self.is_named(name, draft)) {
            let known = list(properties(&self.verb.input));
            let message = format!(
                "{verb} has no such input; it has {known}. One of another name must be named in a text input, as {{{}}}",
                token(name)
            );
            faults.add(format!("{at}/inputs/{}", token(name)), message);
        }
        self.check_constants(draft, at, faults);
    }

    fn takes(&self, name: &str) -> bool {
        self.is_open || property(&self.verb.input, name).is_some()
    }

    /// Is this input put into a text of the step? What was put in is not looked at again, so only
    /// the verb's own inputs count.
    fn is_named(&self, name: &str, draft: &Draft) -> bool {
        let braces = format!("{{{name}}}");
        self.texts(draft).any(|(of, text)| of != name && text.contains(&braces))
    }

    /// Does this text name another input?
    fn is_template(&self, name: &str, draft: &Draft) -> bool {
        let text = self.texts(draft).find(|(of, _)| *of == name).map(|(_, text)| text);
        text.is_some_and(|text| {
            draft.step.inputs.keys().any(|other| other != name && text.contains(&format!("{{{other}}}")))
        })
    }

    /// The verb's own inputs that the plan gives as texts and in which braces are replaced.
    fn texts<'d>(&'d self, draft: &'d Draft) -> impl Iterator<Item = (&'d str, &'d str)> {
        let constants = draft.step.inputs.iter().filter_map(|(name, input)| match input {
            Input::Value(constant) => Some((name.as_str(), constant.value.as_str()?)),
            Input::From(_) => None,
        });
        constants.filter(|(name, _)| self.takes(name) && !self.verb.literal.iter().any(|literal| literal == name))
    }

    fn check_constants(&self, draft: &Draft, at: &str, faults: &mut Faults) {
        let Some(validator) = &self.validator else { return };
        let mut whole = !draft.no_inputs && draft.unread.is_empty();
        let mut constants = Map::new();
        for (name, input) in &draft.step.inputs {
            match input {
                Input::Value(constant) if constant.value.get(REF_KEY).is_some() => {
                    whole = false;
                    self.check_reference(name, &constant.value, at, faults);
                }
                Input::Value(constant) if self.takes(name) && !draft.unread.contains(name) => {
                    constants.insert(name.clone(), constant.value.clone());
                }
                Input::Value(_) | Input::From(_) => whole = false,
            }
        }
        let constants = Value::Object(constants);
        if validator.is_valid(&constants) {
            return;
        }
        for error in validator.iter_errors(&constants) {
            let place = error.instance_path().to_string();
            let Some((name, rest)) = place.strip_prefix('/').map(|path| path.split_once('/').unwrap_or((path, "")))
            else {
                if whole && !is_said_otherwise(&error) {
                    faults.add(format!("{at}/inputs"), error.to_string());
                }
                continue;
            };
            // What is put into the braces decides whether such a text fits; a text it stays.
            let key = name.replace("~1", "/").replace("~0", "~");
            let is_type = matches!(error.kind(), ValidationErrorKind::Type { .. });
            if is_type || !self.is_template(&key, draft) {
                let rest = if rest.is_empty() { String::new() } else { format!("/{rest}") };
                faults.add(format!("{at}/inputs/{name}/value{rest}"), error.to_string());
            }
        }
    }

    fn check_reference(&self, name: &str, value: &Value, at: &str, faults: &mut Faults) {
        let place = || format!("{at}/inputs/{}/value", token(name));
        let Some(reference) = Ref::from_value(value) else {
            return faults.add(
                place(),
                format!("an object with `{REF_KEY}` refers to stored bytes: it also has type, size and media_type"),
            );
        };
        let kinds = property(&self.verb.input, name).map(of_schema).unwrap_or_default();
        if reference.form != Form::Json && !kinds.is_empty() && !kinds.contains(&"string") {
            faults.add(place(), format!("refers to a text, where {} takes {}", self.verb.name, list(kinds)));
        }
    }
}

/// Missing and unknown inputs are told in words of our own.
fn is_said_otherwise(error: &ValidationError) -> bool {
    matches!(error.kind(), ValidationErrorKind::Required { .. } | ValidationErrorKind::AdditionalProperties { .. })
}
