//! What is asked in Anthropic's way. What the API would not take is not taken here.

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
            Value::String(text) => call.say(text),
            Value::Array(blocks) => blocks.iter().try_for_each(|block| read_block(&mut call, block))?,
            _ => return Err("messages.content: a string or an array of blocks is required".into()),
        }
    }
    for tool in items(body, "tools") {
        if tool["input_schema"]["type"] != "object" {
            return Err("tools.input_schema.type: Field required".into());
        }
        call.tools.push(string(tool, "name")?.to_owned());
    }
    let format = &body["output_config"]["format"];
    if format["type"] == "json_schema" {
        call.schema = Some(format["schema"].clone());
    }
    Ok(call)
}

fn read_block(call: &mut Call, block: &Value) -> Result<(), String> {
    match block["type"].as_str() {
        Some("text") => call.say(string(block, "text")?),
        Some("image") => {
            let source = &block["source"];
            call.show(string(source, "media_type")?, string(source, "data")?)?;
        }
        Some("tool_use") => {
            string(block, "id")?;
            string(block, "name")?;
        }
        Some("tool_result") => {
            string(block, "tool_use_id")?;
            match &block["content"] {
                Value::String(text) => call.say(text),
                Value::Array(blocks) => blocks.iter().try_for_each(|block| read_block(call, block))?,
                _ => {}
            }
        }
        Some("thinking" | "redacted_thinking" | "document") => {}
        other => return Err(format!("messages.content.type: {other:?} is unknown")),
    }
    Ok(())
}
