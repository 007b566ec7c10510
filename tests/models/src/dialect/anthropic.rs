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
            Content::Tools(text, tools) => {
                let thought = thinks(&call.model).then(|| thought(THOUGHT, SIGNATURE));
                let text = (!text.is_empty()).then(|| json!({"type": "text", "text": text}));
                let block = |(index, tool): (usize, &Tool)| tool_use(call, index, tool, &tool.arguments);
                thought.into_iter().chain(text).chain(tools.iter().enumerate().map(block)).collect()
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
            Content::Tools(text, tools) => {
                opening.push(ping);
                deltas.extend(called(call, text, tools));
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
        Content::Tools(..) => "tool_use",
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

/// Block after block: a thought, what is said, each call with its arguments in pieces.
fn called(call: &Call, text: &str, tools: &[Tool]) -> Vec<Bytes> {
    let mut blocks = Vec::new();
    if thinks(&call.model) {
        let thoughts = pieces(THOUGHT).into_iter().map(|piece| json!({"type": "thinking_delta", "thinking": piece}));
        let signature = json!({"type": "signature_delta", "signature": SIGNATURE});
        blocks.push((thought("", ""), thoughts.chain([signature]).collect::<Vec<_>>()));
    }
    if !text.is_empty() {
        let said = pieces(text).into_iter().map(|piece| json!({"type": "text_delta", "text": piece}));
        blocks.push((json!({"type": "text", "text": ""}), said.collect()));
    }
    for (n, tool) in tools.iter().enumerate() {
        // The first piece is empty.
        let written = std::iter::once(String::new()).chain(pieces(&tool.written()));
        let written = written.map(|json| json!({"type": "input_json_delta", "partial_json": json}));
        blocks.push((tool_use(call, n, tool, &json!({})), written.collect()));
    }
    let block = |(index, (block, all)): (usize, (Value, Vec<Value>))| {
        let all = all.iter().map(|delta| continues(index, delta)).collect::<Vec<_>>();
        std::iter::once(begins(index, &block)).chain(all).chain([ends(index)]).collect::<Vec<_>>()
    };
    blocks.into_iter().enumerate().flat_map(block).collect()
}

/// Does this model think before it calls, and want its thoughts back?
fn thinks(model: &str) -> bool {
    model.ends_with("-thinks")
}

const THOUGHT: &str = "A tool knows better.";
/// Opaque to everybody else.
const SIGNATURE: &str = "c2lnbmVkIGJ5IHRoZSBtb2RlbA==";

fn thought(text: &str, signature: &str) -> Value {
    json!({"type": "thinking", "thinking": text, "signature": signature})
}

fn say(text: &str, ping: Bytes, opening: &mut Vec<Bytes>, deltas: &mut Vec<Bytes>, closing: &mut Vec<Bytes>) {
    opening.extend([begins(0, &json!({"type": "text", "text": ""})), ping]);
    deltas.extend(pieces(text).into_iter().map(|piece| continues(0, &json!({"type": "text_delta", "text": piece}))));
    closing.push(ends(0));
}

/// No id comes twice in a conversation.
fn tool_use(call: &Call, index: usize, tool: &Tool, input: &Value) -> Value {
    let id = format!("toolu_{}", call.results + index + 1);
    json!({"type": "tool_use", "id": id, "name": tool.name, "input": input})
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
