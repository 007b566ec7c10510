//! What is asked in OpenAI's way. What the API would not take is not taken here.

use crate::{
    Call, Purpose,
    call::{Asked, items, list, string, texts},
};
use serde_json::{Value, json};

pub fn chat(asked: &Asked) -> Result<Call, String> {
    let body = &asked.body;
    let mut call = asked.call(Purpose::Chat);
    call.model = string(body, "model")?.to_owned();
    call.streams = body["stream"] == true;
    if !body["stream_options"].is_null() && !call.streams {
        return Err("The 'stream_options' parameter is only allowed when 'stream' is enabled.".into());
    }
    for message in list(body, "messages")? {
        read_message(&mut call, message)?;
    }
    for tool in items(body, "tools") {
        if tool["type"] == "function" {
            call.tools.push(string(&tool["function"], "name")?.to_owned());
        }
    }
    if !body["tool_choice"].is_null() && call.tools.is_empty() {
        return Err("'tool_choice' is only allowed when 'tools' are specified.".into());
    }
    let format = &body["response_format"];
    match format["type"].as_str() {
        Some("json_schema") => {
            string(&format["json_schema"], "name")?;
            call.schema = Some(format["json_schema"]["schema"].clone());
        }
        // Hugging Face's library puts the schema there.
        Some("json_object") if format["value"].is_object() => call.schema = Some(format["value"].clone()),
        Some("json_object") => call.schema = Some(json!({"type": "object"})),
        Some("text") | None => {}
        Some(other) => return Err(format!("response_format.type: {other} is none of text, json_object, json_schema")),
    }
    Ok(call)
}

fn read_message(call: &mut Call, message: &Value) -> Result<(), String> {
    let role = string(message, "role")?;
    if !["developer", "system", "user", "assistant", "tool"].contains(&role) {
        return Err(format!("messages.role: {role} is unknown"));
    }
    if role == "tool" {
        string(message, "tool_call_id")?;
    }
    for used in items(message, "tool_calls") {
        string(used, "id")?;
        string(&used["function"], "name")?;
        string(&used["function"], "arguments")?;
    }
    match &message["content"] {
        Value::String(text) => call.say(text),
        Value::Array(parts) => parts.iter().try_for_each(|part| read_part(call, part))?,
        Value::Null if role == "assistant" => {}
        _ => return Err("messages.content: a string or an array of parts is required".into()),
    }
    Ok(())
}

fn read_part(call: &mut Call, part: &Value) -> Result<(), String> {
    match part["type"].as_str() {
        Some("text") => call.say(string(part, "text")?),
        Some("image_url") => {
            let url = string(&part["image_url"], "url")?;
            if let Some((media_type, data)) = url.strip_prefix("data:").and_then(|url| url.split_once(";base64,")) {
                call.show(media_type, data)?;
            } else {
                return Err(format!("image_url.url: {url:.40} is no data URL, and nothing is fetched here"));
            }
        }
        other => return Err(format!("messages.content.type: {other:?} is unknown")),
    }
    Ok(())
}

pub fn embedding(asked: &Asked) -> Result<Call, String> {
    let mut call = asked.call(Purpose::Embedding);
    call.model = string(&asked.body, "model")?.to_owned();
    call.inputs = texts(&asked.body["input"]).ok_or("input: a string or an array of strings is required")?;
    Ok(call)
}
