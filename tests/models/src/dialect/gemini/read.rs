//! What is asked in Gemini's way. What the API would not take is not taken here.

use crate::{
    Call, Purpose,
    call::{Asked, items, list, string},
};
use serde_json::Value;

pub fn read(asked: &Asked) -> Option<Result<Call, String>> {
    let parameter = |name: &str| {
        let pairs = asked.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    };
    let key = asked.headers.get("x-goog-api-key").cloned().or_else(|| parameter("key"));
    let read = if asked.is("GET", "/models") {
        Ok(asked.call(Purpose::Listing))
    } else {
        let (model, method) = asked.path.strip_prefix("/models/")?.rsplit_once(':')?;
        let read = match method {
            "generateContent" => content(asked, false),
            // Without it, the answer would be one array of responses: nobody asks for that.
            "streamGenerateContent" if parameter("alt").as_deref() == Some("sse") => content(asked, true),
            "streamGenerateContent" => Err("alt: only sse is spoken here".to_owned()),
            "embedContent" => embedding(asked, std::slice::from_ref(&asked.body)),
            "batchEmbedContents" => list(&asked.body, "requests").and_then(|requests| embedding(asked, requests)),
            _ => return None,
        };
        read.map(|call| Call { model: model.to_owned(), ..call })
    };
    Some(read.map(|call| Call { key, ..call }))
}

fn content(asked: &Asked, streams: bool) -> Result<Call, String> {
    let body = &asked.body;
    let mut call = Call { streams, ..asked.call(Purpose::Chat) };
    read_parts(&mut call, &body["systemInstruction"])?;
    for content in list(body, "contents")? {
        match content["role"].as_str() {
            None | Some("user" | "model") => read_parts(&mut call, content)?,
            Some(role) => return Err(format!("Please use a valid role: user, model. {role} is none.")),
        }
    }
    for tool in items(body, "tools") {
        for function in items(tool, "functionDeclarations") {
            call.tools.push(string(function, "name")?.to_owned());
        }
    }
    let config = &body["generationConfig"];
    let schema = [&config["responseJsonSchema"], &config["responseSchema"]].into_iter().find(|s| !s.is_null());
    if let Some(schema) = schema {
        if config["responseMimeType"] != "application/json" {
            return Err("a response schema needs responseMimeType application/json".into());
        }
        call.schema = Some(schema.clone());
    } else if config["responseMimeType"] == "application/json" {
        call.schema = Some(Value::Bool(true));
    }
    Ok(call)
}

fn read_parts(call: &mut Call, content: &Value) -> Result<(), String> {
    for part in items(content, "parts") {
        if let Some(text) = part["text"].as_str() {
            call.say(text);
        } else if let Some(data) = either(part, "inlineData", "inline_data") {
            let media_type = either(data, "mimeType", "mime_type").and_then(Value::as_str);
            call.show(media_type.ok_or("mimeType: a string is required")?, string(data, "data")?)?;
        } else if let Some(used) = part.get("functionCall") {
            string(used, "name")?;
        } else if let Some(used) = part.get("functionResponse") {
            string(used, "name")?;
            call.say(&used["response"].to_string());
        } else {
            return Err("contents.parts: required oneof field 'data' must have one initialized field".into());
        }
    }
    Ok(())
}

/// In JSON made of Protocol Buffers both ways of writing a name are right, and clients have both.
fn either<'a>(value: &'a Value, name: &str, other: &str) -> Option<&'a Value> {
    value.get(name).or_else(|| value.get(other))
}

fn embedding(asked: &Asked, requests: &[Value]) -> Result<Call, String> {
    let mut call = asked.call(Purpose::Embedding);
    for request in requests {
        let parts = list(&request["content"], "parts")?;
        let texts: Vec<_> = parts.iter().map(|part| string(part, "text")).collect::<Result<_, _>>()?;
        call.inputs.push(texts.concat());
    }
    Ok(call)
}
