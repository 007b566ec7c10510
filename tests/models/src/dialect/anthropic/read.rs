//! What is asked in Anthropic's way. What the API would not take is not taken here.

use super::{SIGNATURE, THOUGHT, thinks};
use crate::{
    Call, Purpose,
    call::{Asked, items, list, string},
};
use serde_json::Value;

/// The version of the API that the library sends; the one before it is `2023-06-01`.
pub const LATEST: &str = "2026-10-21";

pub fn messages(asked: &Asked) -> Result<Call, String> {
    let body = &asked.body;
    let mut call = asked.call(Purpose::Chat);
    call.model = string(body, "model")?.to_owned();
    call.streams = body["stream"] == true;
    if body["max_tokens"].as_u64().is_none_or(|limit| limit == 0) {
        return Err("max_tokens: Field required".into());
    }
    if asked.headers.get("anthropic-version").is_some_and(|version| version == LATEST) {
        let removed = ["temperature", "top_p", "top_k"].into_iter().find(|name| !body[*name].is_null());
        if let Some(name) = removed {
            return Err(format!("{name}: Extra inputs are not permitted"));
        }
    }
    match &body["system"] {
        Value::Null => {}
        Value::String(text) => call.say(text),
        Value::Array(blocks) => blocks.iter().try_for_each(|block| read_block(&mut call, block))?,
        _ => return Err("system: a string or an array of blocks is required".into()),
    }
    for message in list(body, "messages")? {
        let role = string(message, "role")?;
        if !["user", "assistant"].contains(&role) {
            return Err(format!("messages: Unexpected role \"{role}\""));
        }
        match &message["content"] {
            Value::String(text) if text.trim().is_empty() => {
                return Err("messages: text content blocks must be non-empty".into());
            }
            Value::String(text) => call.say(text),
            Value::Array(blocks) if blocks.is_empty() => {
                let wrong = "all messages must have non-empty content except for the optional final assistant message";
                return Err(format!("messages: {wrong}"));
            }
            Value::Array(blocks) => blocks.iter().try_for_each(|block| read_block(&mut call, block))?,
            _ => return Err("messages.content: a string or an array of blocks is required".into()),
        }
    }
    rounds(list(body, "messages")?)?;
    let unthought = |message: &Value| {
        let blocks = items(message, "content");
        blocks.iter().any(|block| block["type"] == "tool_use") && blocks[0]["type"] != "thinking"
    };
    if thinks(&call.model) && list(body, "messages")?.iter().any(unthought) {
        return Err(
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When \
                    `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding \
                    the lastmost set of `tool_use` and `tool_result` blocks)."
                .into(),
        );
    }
    for (n, tool) in items(body, "tools").iter().enumerate() {
        let (name, schema) = (string(tool, "name")?, &tool["input_schema"]);
        if schema["type"] != "object" {
            return Err(format!("tools.{n}.custom.input_schema.type: Field required"));
        }
        if ["oneOf", "anyOf", "allOf"].iter().any(|word| schema.get(word).is_some()) {
            return Err(format!(
                "tools.{n}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
            ));
        }
        if name.len() > 64 || !is_word(name) {
            return Err(format!("tools.{n}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"));
        }
        call.tools.push(name.to_owned());
    }
    let format = &body["output_config"]["format"];
    if format["type"] == "json_schema" {
        call.schema = Some(format["schema"].clone());
    }
    Ok(call)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

/// The message after one with calls has the results of all of them, and no result is without its call.
fn rounds(messages: &[Value]) -> Result<(), String> {
    let ids = |message: Option<&Value>, kind: &str, name: &str| -> Vec<String> {
        let blocks = message.map(|message| items(message, "content")).unwrap_or_default().iter();
        blocks.filter(|block| block["type"] == kind).filter_map(|block| Some(block[name].as_str()?.into())).collect()
    };
    for (n, message) in messages.iter().enumerate() {
        let used = ids(Some(message), "tool_use", "id");
        let given = ids(messages.get(n + 1), "tool_result", "tool_use_id");
        if used.iter().enumerate().any(|(at, id)| used[..at].contains(id)) {
            return Err(format!("messages.{n}: `tool_use` ids must be unique"));
        }
        let missing: Vec<_> = used.iter().filter(|id| !given.contains(id)).map(String::as_str).collect();
        if !missing.is_empty() {
            return Err(format!(
                "messages.{n}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
                 `tool_use` block must have a corresponding `tool_result` block in the next message.",
                missing.join(", ")
            ));
        }
        let before = if n == 0 { Vec::new() } else { ids(messages.get(n - 1), "tool_use", "id") };
        if let Some(id) = ids(Some(message), "tool_result", "tool_use_id").iter().find(|id| !before.contains(id)) {
            return Err(format!(
                "messages.{n}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each \
                 `tool_result` block must have a corresponding `tool_use` block in the previous message."
            ));
        }
    }
    Ok(())
}

fn read_block(call: &mut Call, block: &Value) -> Result<(), String> {
    match block["type"].as_str() {
        Some("text") if string(block, "text")?.trim().is_empty() => {
            return Err("messages: text content blocks must be non-empty".into());
        }
        Some("text") => call.say(string(block, "text")?),
        Some("image") => {
            let source = &block["source"];
            call.show(string(source, "media_type")?, string(source, "data")?)?;
        }
        Some("tool_use") => {
            if !is_word(string(block, "id")?) {
                return Err("tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'".into());
            }
            string(block, "name")?;
            if !block["input"].is_object() {
                return Err("tool_use.input: Input should be a valid dictionary".into());
            }
        }
        Some("tool_result") => {
            string(block, "tool_use_id")?;
            call.results += 1;
            match &block["content"] {
                Value::String(text) => call.say(text),
                Value::Array(blocks) => blocks.iter().try_for_each(|block| read_block(call, block))?,
                _ => {}
            }
        }
        Some("thinking") if string(block, "signature")? != SIGNATURE || block["thinking"] != THOUGHT => {
            return Err("messages.content: Invalid `signature` in `thinking` block".into());
        }
        Some("thinking" | "redacted_thinking" | "document") => {}
        other => return Err(format!("messages.content.type: {other:?} is unknown")),
    }
    Ok(())
}
