//! Anthropic's messages and list of models.
//!
//! Shapes: the types of the Python library `anthropic` 2.14 (`types/message.py`, `types/raw_*_event.py`,
//! `types/model_info.py`), the documentation's “Streaming messages” for the order of events and its “Versions”
//! for what the versions of the API differ in.

mod error;
mod read;

use super::Speaker;
use crate::{
    ApiError, Call, Content, Filter, Purpose, Tool, Usage,
    call::Asked,
    line::{Answer, Script},
    reply::{REFUSAL, pieces},
};
use bytes::Bytes;
use serde_json::{Value, json};

pub(super) struct Anthropic;

impl Speaker for Anthropic {
    fn read(&self, asked: &Asked) -> Option<Result<Call, String>> {
        let read = if asked.is("POST", "/messages") {
            read::messages(asked)
        } else if asked.is("GET", "/models") {
            Ok(asked.call(Purpose::Listing))
        } else {
            return None;
        };
        // Since the later of these versions the library sends the key as others do.
        let key = asked.headers.get("x-api-key").cloned().or_else(|| asked.bearer());
        let wrong = match asked.headers.get("anthropic-version").map(String::as_str) {
            Some("2023-06-01" | read::LATEST) => None,
            Some(other) => Some(format!("anthropic-version: \"{other}\" is not a valid version.")),
            None => Some("anthropic-version: header is required".into()),
        };
        Some(wrong.map_or(read, Err).map(|call| Call { key, ..call }))
    }

    fn whole(&self, call: &Call, content: &Content, usage: Usage) -> Value {
        let blocks = match content {
            Content::Text(text) | Content::Cut(text) => vec![json!({"type": "text", "text": text})],
            Content::Refused(Filter::Model) => vec![json!({"type": "text", "text": REFUSAL})],
            Content::Refused(_) => Vec::new(),
            Content::Tools(tools) => {
                let block = |(index, tool): (usize, &Tool)| tool_use(index, tool, &tool.arguments);
                tools.iter().enumerate().map(block).collect()
            }
        };
        let mut message = message(call, usage);
        message["content"] = blocks.into();
        merge(&mut message, end(content));
        message["usage"]["output_tokens"] = usage.output.into();
        message
    }

    fn script(&self, call: &Call, content: &Content, usage: Usage) -> Script {
        let start = json!({"type": "message_start", "message": message(call, usage)});
        let mut opening = vec![named("message_start", &start)];
        let mut deltas = Vec::new();
        let mut closing = Vec::new();
        let ping = named("ping", &json!({"type": "ping"}));
        match content {
            Content::Text(text) | Content::Cut(text) => say(text, ping, &mut opening, &mut deltas, &mut closing),
            Content::Refused(Filter::Model) => say(REFUSAL, ping, &mut opening, &mut deltas, &mut closing),
            Content::Refused(_) => opening.push(ping),
            Content::Tools(tools) => {
                opening.push(ping);
                for (index, tool) in tools.iter().enumerate() {
                    deltas.push(begins(index, &tool_use(index, tool, &json!({}))));
                    let piece = |json: String| json!({"type": "input_json_delta", "partial_json": json});
                    // The first piece is empty.
                    let all = std::iter::once(String::new()).chain(pieces(&tool.arguments.to_string()));
                    deltas.extend(all.map(|json| continues(index, &piece(json))));
                    deltas.push(ends(index));
                }
            }
        }
        let delta = json!({"type": "message_delta", "delta": end(content), "usage": {"output_tokens": usage.output}});
        closing.push(named("message_delta", &delta));
        closing.push(named("message_stop", &json!({"type": "message_stop"})));
        Script { opening, deltas, closing }
    }

    /// There are none: the API has no embeddings.
    fn vectors(&self, _: &Call, _: Usage) -> Value {
        Value::Null
    }

    fn listing(&self, _: &Call, models: &[String]) -> Answer {
        let model = |id: &String| {
            json!({"type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z",
                "lifecycle": "active", "max_input_tokens": 200_000, "max_tokens": 64_000})
        };
        let data: Vec<_> = models.iter().map(model).collect();
        let list = json!({"data": data, "has_more": false, "first_id": models.first(), "last_id": models.last()});
        Answer::json(200, &list)
    }

    fn error(&self, call: &Call, error: &ApiError) -> Option<(u16, Value)> {
        error::body(call, error)
    }

    fn error_headers(&self, error: &ApiError) -> Vec<(&'static str, String)> {
        error::headers(error)
    }

    fn event(&self, name: &str, data: &Value) -> Bytes {
        named(name, data)
    }

    fn is_error(&self, filter: Filter) -> bool {
        filter == Filter::Answer
    }

    fn headers(&self, _: &Call, _: Usage) -> Vec<(&'static str, String)> {
        vec![("request-id", error::REQUEST.into())]
    }
}

/// Here events have names.
fn named(name: &str, data: &Value) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// A message that has said nothing yet. What came from the cache is not in `input_tokens`.
fn message(call: &Call, usage: Usage) -> Value {
    let tokens = json!({"input_tokens": usage.input.saturating_sub(usage.cached), "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached, "output_tokens": 1, "service_tier": "standard"});
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": call.model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": tokens})
}

/// How a message ended.
fn end(content: &Content) -> Value {
    let reason = match content {
        Content::Text(_) => "end_turn",
        Content::Cut(_) => "max_tokens",
        Content::Tools(_) => "tool_use",
        Content::Refused(_) => {
            let details = json!({"type": "refusal", "category": "cyber", "explanation": "This was declined."});
            return json!({"stop_reason": "refusal", "stop_sequence": null, "stop_details": details});
        }
    };
    json!({"stop_reason": reason, "stop_sequence": null})
}

fn merge(into: &mut Value, from: Value) {
    if let Value::Object(members) = from {
        for (name, value) in members {
            into[name] = value;
        }
    }
}

fn say(text: &str, ping: Bytes, opening: &mut Vec<Bytes>, deltas: &mut Vec<Bytes>, closing: &mut Vec<Bytes>) {
    opening.extend([begins(0, &json!({"type": "text", "text": ""})), ping]);
    deltas.extend(pieces(text).into_iter().map(|piece| continues(0, &json!({"type": "text_delta", "text": piece}))));
    closing.push(ends(0));
}

fn tool_use(index: usize, tool: &Tool, input: &Value) -> Value {
    json!({"type": "tool_use", "id": format!("toolu_{}", index + 1), "name": tool.name, "input": input})
}

fn begins(index: usize, block: &Value) -> Bytes {
    named("content_block_start", &json!({"type": "content_block_start", "index": index, "content_block": block}))
}

fn continues(index: usize, delta: &Value) -> Bytes {
    named("content_block_delta", &json!({"type": "content_block_delta", "index": index, "delta": delta}))
}

fn ends(index: usize) -> Bytes {
    named("content_block_stop", &json!({"type": "content_block_stop", "index": index}))
}
