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
    rounds(list(body, "messages")?)?;
    for (n, tool) in items(body, "tools").iter().enumerate() {
        if tool["type"] == "function" {
            call.tools.push(function(n, &tool["function"])?.to_owned());
        }
    }
    if !body["tool_choice"].is_null() && call.tools.is_empty() {
        return Err("'tool_choice' is only allowed when 'tools' are specified.".into());
    }
    let format = &body["response_format"];
    match format["type"].as_str() {
        Some("json_schema") => {
            let (name, kind) = (string(&format["json_schema"], "name")?, &format["json_schema"]["schema"]["type"]);
            if kind != "object" {
                return Err(format!(
                    "Invalid schema for response_format '{name}': schema must be a JSON Schema of 'type: \"object\"', \
                     got 'type: {kind}'."
                ));
            }
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

/// The name of a function, if it may be offered.
fn function(n: usize, function: &Value) -> Result<&str, String> {
    let name = string(function, "name")?;
    if name.len() > 64 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
        return Err(format!(
            "Invalid 'tools[{n}].function.name': string does not match pattern. Expected a string that matches the \
             pattern '^[a-zA-Z0-9_-]+$'."
        ));
    }
    let schema = &function["parameters"];
    let refused = ["oneOf", "anyOf", "allOf", "enum", "not"].iter().any(|word| schema.get(word).is_some());
    if !schema.is_null() && (schema["type"] != "object" || refused) {
        return Err(format!(
            "Invalid schema for function '{name}': schema must have type 'object' and not have \
             'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level."
        ));
    }
    Ok(name)
}

/// Each call has its result right behind it, and each result its call right before it.
fn rounds(messages: &[Value]) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        if message["role"] == "tool" {
            let id = string(message, "tool_call_id")?;
            let Some(at) = open.iter().position(|open| *open == id) else {
                return Err(format!(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with \
                     'tool_calls'. (messages[{n}])"
                ));
            };
            open.remove(at);
            continue;
        }
        unanswered(&open)?;
        open = items(message, "tool_calls").iter().filter_map(|call| call["id"].as_str()).collect();
    }
    unanswered(&open)
}

fn unanswered(open: &[&str]) -> Result<(), String> {
    if open.is_empty() {
        return Ok(());
    }
    Err(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. \
         The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    ))
}

fn read_message(call: &mut Call, message: &Value) -> Result<(), String> {
    let role = string(message, "role")?;
    if !["developer", "system", "user", "assistant", "tool"].contains(&role) {
        return Err(format!("messages.role: {role} is unknown"));
    }
    if role == "tool" {
        string(message, "tool_call_id")?;
        call.results += 1;
    }
    for used in items(message, "tool_calls") {
        if string(used, "id")?.len() > 40 {
            return Err("tool_calls[0].id: string too long. Expected a string with maximum length 40.".into());
        }
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
    if call.inputs.len() > 2048 || call.inputs.iter().any(String::is_empty) {
        return Err("'$.input' is invalid. Please check the API reference.".into());
    }
    Ok(call)
}
