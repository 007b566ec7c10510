//! Asking for inputs that a plugin would take.

use super::{fields, glance};
use schemas::{catalogue::Verb, value::Values};

/// What the verb does and takes.
pub fn system(verb: &Verb) -> String {
    format!(
        "A run of the verb {} refused its inputs. Correct them with as few changes as possible, and keep what they mean. Answer with one JSON object of all inputs, and nothing else.\n\n{}\nInputs (* must be given):\n{}",
        verb.name,
        verb.description,
        fields(&verb.input),
    )
}

/// The inputs as they were, and what was said against them.
pub fn request<'n>(inputs: &Values, large: impl Iterator<Item = &'n String>, fault: &str) -> String {
    let given = serde_json::to_string_pretty(inputs).unwrap_or_default();
    let large: Vec<&str> = large.map(String::as_str).collect();
    let kept = match large.as_slice() {
        [] => String::new(),
        names => format!("\n\nToo large to be shown, and kept as they are; leave them out: {}", names.join(", ")),
    };
    format!("The inputs:\n{given}{kept}\n\nWhat is wrong with them:\n{}", glance(fault))
}
