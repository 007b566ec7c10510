//! Tools as every provider takes them, and the rounds of a conversation in which they are called.

use super::{Failure, Kind};
use schemas::{
    Value,
    agent::{Message, Speaker, ToolCall},
};
use serde_json::{Map, json};
use std::collections::BTreeSet;

/// How an id of ours begins. Those of providers that give none, or the same twice, are replaced by one.
const OWN: &str = "call-";
/// Characters of an id. OpenAI takes no more.
const LONGEST: usize = 40;
/// What the schema of a tool may not have at its top. OpenAI wants “type 'object' and not 'oneOf'/'anyOf'/'allOf'/
/// 'enum'/'not' at the top level”, Anthropic says that “input_schema does not support oneOf, allOf, or anyOf at the
/// top level”; Gemini ignores what it does not know (its “Structured output”, under “Limitations”).
const NOT_AT_THE_TOP: [&str; 8] = ["oneOf", "anyOf", "allOf", "not", "enum", "if", "then", "else"];

/// The schema of a tool's inputs as providers take it. What is left out is seen where the tool runs.
///
/// A tool's name needs no change: a verb is `[A-Z][A-Z0-9_]{0,63}`, OpenAI and Anthropic take `[a-zA-Z0-9_-]{1,64}`,
/// Gemini the same where it begins with a letter.
pub fn input(schema: &Value) -> Value {
    let mut fields = schema.as_object().cloned().unwrap_or_default();
    fields.retain(|word, _| !NOT_AT_THE_TOP.contains(&word.as_str()));
    fields.insert("type".into(), "object".into());
    fields.entry("properties").or_insert_with(|| Map::new().into());
    fields.into()
}

/// Can it be the schema of a tool's inputs as it is?
pub fn is_input(schema: &Value) -> bool {
    schema["type"] == "object" && NOT_AT_THE_TOP.iter().all(|word| schema.get(word).is_none())
}

/// A schema for another place of a document: `at` is the pointer to where it will stand.
pub fn moved(schema: &Value, at: &str) -> Value {
    match schema {
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| match value.as_str().and_then(|to| to.strip_prefix('#')) {
                Some(to) if name == "$ref" => (name.clone(), format!("#{at}{to}").into()),
                _ => (name.clone(), moved(value, at)),
            };
            Value::Object(fields.iter().map(field).collect())
        }
        Value::Array(items) => items.iter().map(|item| moved(item, at)).collect(),
        other => other.clone(),
    }
}

/// What a model wrote as inputs, as an object: what can't be read is shown as it is.
pub fn shown(input: &Value) -> Value {
    if input.is_object() { input.clone() } else { json!({"unreadable": input}) }
}

/// Is the id one that `name_all` gave?
pub fn is_own(id: &str) -> bool {
    id.strip_prefix(OWN).is_some_and(|n| n.parse::<usize>().is_ok())
}

/// Gives each call an id that no other of the conversation has, and that every provider would take.
pub fn name_all(calls: &mut [ToolCall], messages: &[Message]) {
    let mut taken: BTreeSet<String> =
        messages.iter().flat_map(|message| &message.calls).map(|c| c.id.clone()).collect();
    let mut n = taken.len();
    for call in calls {
        let is_word = call.id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let is_right = (1..=LONGEST).contains(&call.id.len()) && is_word && !taken.contains(&call.id);
        while !is_right && (taken.contains(&call.id) || !is_own(&call.id)) {
            n += 1;
            call.id = format!("{OWN}{n}");
        }
        taken.insert(call.id.clone());
    }
}

/// The call that a message is the result of.
pub fn answered<'m>(before: &'m [Message], result: &Message) -> Option<&'m ToolCall> {
    let last = before.iter().rev().find(|message| message.role != Speaker::Tool)?;
    last.calls.iter().find(|call| Some(&call.id) == result.result_of.as_ref())
}

/// The messages with results in the order of their calls: Gemini tells those without ids apart by nothing else.
///
/// # Errors
/// A result answers no call of the turn before, or a call has none: no provider takes that.
pub fn rounds(messages: &[Message]) -> Result<Vec<Message>, Failure> {
    check(messages)?;
    let mut ordered = messages.to_vec();
    for n in 0..ordered.len() {
        let (before, after) = ordered.split_at_mut(n);
        let Some(last) = before.last().filter(|last| last.role != Speaker::Tool) else { continue };
        let results = after.iter().take_while(|message| message.role == Speaker::Tool).count();
        let place = |result: &Message| last.calls.iter().position(|call| Some(&call.id) == result.result_of.as_ref());
        after[..results].sort_by_key(place);
    }
    Ok(ordered)
}

fn check(messages: &[Message]) -> Result<(), Failure> {
    let wrong = |n: usize, why: String| Failure::new(Kind::Rejected, format!("message {}: {why}", n + 1));
    let mut open: Vec<&str> = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        if message.role == Speaker::Tool {
            let id = message.result_of.as_deref().unwrap_or_default();
            let Some(at) = open.iter().position(|open| *open == id) else {
                return Err(wrong(n, format!("the result of `{id}`, which the turn before did not call")));
            };
            open.remove(at);
        } else if let [id, ..] = open[..] {
            return Err(wrong(n, format!("the result of `{id}` is missing before it")));
        } else {
            open = message.calls.iter().map(|call| call.id.as_str()).collect();
        }
    }
    match open[..] {
        [] => Ok(()),
        [id, ..] => Err(wrong(messages.len() - 1, format!("the result of `{id}` is missing behind it"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str) -> ToolCall {
        ToolCall { id: id.into(), name: "SEARCH".into(), input: json!({}), signature: None }
    }

    fn asks(ids: &[&str]) -> Message {
        Message { calls: ids.iter().map(|id| call(id)).collect(), ..Message::new(Speaker::Assistant, "") }
    }

    fn result(of: &str) -> Message {
        Message { result_of: Some(of.into()), ..Message::new(Speaker::Tool, "found") }
    }

    #[test]
    fn a_call_has_an_id_that_no_other_has() {
        let before = [asks(&["a", "call-2"]), result("a"), result("call-2")];
        let long = "x".repeat(41);
        let mut calls = ["b", "a", "b", "", "call#SEARCH#0", &long, "call-3"].map(call);
        name_all(&mut calls, &before);
        let ids = calls.map(|call| call.id);
        assert_eq!(ids, ["b", "call-3", "call-4", "call-5", "call-6", "call-7", "call-8"]);
        assert!(is_own("call-8") && !is_own("call-x") && !is_own("call_8"));
    }

    #[test]
    fn a_result_without_its_call_is_refused_and_a_call_without_its_result() {
        let user = Message::new(Speaker::User, "Look");
        let ordered = rounds(&[user.clone(), asks(&["a", "b"]), result("b"), result("a"), user.clone()]);
        let ordered = ordered.expect("it is right");
        assert_eq!((&ordered[2], &ordered[3], ordered.len()), (&result("a"), &result("b"), 5));
        for (messages, said) in [
            (vec![user.clone(), result("a")], "message 2: the result of `a`, which the turn before did not call"),
            (vec![asks(&["a"]), result("a"), result("a")], "message 3: the result of `a`"),
            (vec![asks(&["a"]), user], "message 2: the result of `a` is missing before it"),
            (vec![asks(&["a", "b"]), result("a")], "message 2: the result of `b` is missing behind it"),
        ] {
            let failure = rounds(&messages).expect_err(said);
            assert!(failure.kind == Kind::Rejected && failure.message.starts_with(said), "{failure:?}");
        }
    }

    #[test]
    fn a_schema_is_an_object_at_its_top_and_keeps_its_references_where_it_is_moved() {
        let schema =
            json!({"type": "object", "oneOf": [{"required": ["a"]}], "properties": {"oneOf": {"type": "string"}}});
        assert_eq!(input(&schema), json!({"type": "object", "properties": {"oneOf": {"type": "string"}}}));
        assert_eq!(input(&json!(true)), json!({"type": "object", "properties": {}}));
        let schema = json!({"items": {"$ref": "#/$defs/N"}, "$defs": {"N": {"type": "integer"}}, "x": {"$ref": "#"}});
        let moved = moved(&schema, "/properties/answer");
        assert_eq!(
            (&moved["items"]["$ref"], &moved["x"]["$ref"]),
            (&json!("#/properties/answer/$defs/N"), &json!("#/properties/answer"))
        );
    }
}
