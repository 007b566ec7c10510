//! What is asked in Gemini's way. What the API would not take is not taken here.

use super::{signature, signs};
use crate::{
    Call, Purpose,
    call::{Asked, items, list, string},
};
use serde_json::Value;

/// In place of a signature, for calls that another model made.
const UNCHECKED: &str = "skip_thought_signature_validator";

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
            "generateContent" => content(asked, model, false),
            // Without it, the answer would be one array of responses: nobody asks for that.
            "streamGenerateContent" if parameter("alt").as_deref() == Some("sse") => content(asked, model, true),
            "streamGenerateContent" => Err("alt: only sse is spoken here".to_owned()),
            "embedContent" => embedding(asked, std::slice::from_ref(&asked.body)),
            "batchEmbedContents" => list(&asked.body, "requests").and_then(|requests| embedding(asked, requests)),
            _ => return None,
        };
        read.map(|call| Call { model: model.to_owned(), ..call })
    };
    Some(read.map(|call| Call { key, ..call }))
}

fn content(asked: &Asked, model: &str, streams: bool) -> Result<Call, String> {
    let body = &asked.body;
    turns(list(body, "contents")?, model)?;
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
            let name = string(function, "name")?;
            let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !begins || name.len() > 64 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c)) {
                return Err(format!(
                    "tools[0].function_declarations[0].name: [FIELD_INVALID] Invalid function name {name}. Must start \
                     with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), \
                     colons (:), or dashes (-), with a maximum length of 64."
                ));
            }
            call.tools.push(name.to_owned());
        }
    }
    if body["generationConfig"]["responseMimeType"] == "application/json" && !call.tools.is_empty() && !signs(model) {
        return Err("Function calling with a response mime type: 'application/json' is unsupported".into());
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

/// Each turn with calls is followed by one with as many results of the same names; a model that signs gets its
/// signature back with the first call of each turn.
fn turns(contents: &[Value], model: &str) -> Result<(), String> {
    let named = |content: Option<&Value>, kind: &str| -> Vec<String> {
        let parts = content.map(|content| items(content, "parts")).unwrap_or_default();
        parts.iter().filter_map(|part| Some(part.get(kind)?["name"].as_str()?.to_owned())).collect()
    };
    for (n, content) in contents.iter().enumerate() {
        let (calls, results) = (named(Some(content), "functionCall"), named(Some(content), "functionResponse"));
        if !calls.is_empty() && named(contents.get(n + 1), "functionResponse") != calls {
            return Err("Please ensure that the number of function response parts is equal to the number of function \
                        call parts of the function call turn."
                .into());
        }
        if !results.is_empty() && (n == 0 || named(contents.get(n - 1), "functionCall").is_empty()) {
            return Err(
                "Please ensure that function response turn comes immediately after a function call turn.".into()
            );
        }
        let parts = items(content, "parts").iter();
        if let Some(part) = parts.clone().find(|part| part.get("functionCall").is_some()).filter(|_| signs(model)) {
            let function = string(&part["functionCall"], "name")?;
            match either(part, "thoughtSignature", "thought_signature").and_then(Value::as_str) {
                None => {
                    return Err(format!(
                        "Function call is missing a thought_signature in functionCall parts. This is required for \
                         tools to work correctly, and missing thought_signature may lead to degraded model \
                         performance. Additional data, function call `default_api:{function}`, position {}.",
                        n + 1
                    ));
                }
                Some(said) if said == signature(model, function) || said == UNCHECKED => {}
                Some(_) => return Err("Corrupted thought signature.".into()),
            }
        }
    }
    Ok(())
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
            if !used["response"].is_object() {
                return Err("function_response.response: an object is required".into());
            }
            call.results += 1;
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
    if requests.len() > 100 {
        return Err("* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n".into());
    }
    for request in requests {
        let parts = list(&request["content"], "parts")?;
        let texts: Vec<_> = parts.iter().map(|part| string(part, "text")).collect::<Result<_, _>>()?;
        call.inputs.push(texts.concat());
    }
    Ok(call)
}
