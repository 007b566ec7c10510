//! OpenAI's chat completions, embeddings and list of models.
//!
//! Shapes: the types of the Python library `openai` 3.57 (`types/chat`, `types/create_embedding_response.py`,
//! `_streaming.py`) and the API reference. Errors have a file of their own.

mod error;
mod read;

use super::Speaker;
use crate::{
    ApiError, Call, Content, Filter, Purpose, Tool, Usage,
    call::Asked,
    line::{Answer, Script},
    reply::{REFUSAL, pieces},
    vector,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

pub(super) use read::chat;

pub(super) struct OpenAi;

impl Speaker for OpenAi {
    fn read(&self, asked: &Asked) -> Option<Result<Call, String>> {
        let read = if asked.is("POST", "/chat/completions") {
            chat(asked)
        } else if asked.is("POST", "/embeddings") {
            read::embedding(asked)
        } else if asked.is("GET", "/models") {
            Ok(asked.call(Purpose::Listing))
        } else {
            return None;
        };
        Some(read.map(|call| Call { key: asked.bearer(), ..call }))
    }

    fn whole(&self, call: &Call, content: &Content, usage: Usage) -> Value {
        let (message, end) = match content {
            Content::Text(text) => (json!({"content": text, "refusal": null}), "stop"),
            Content::Cut(text) => (json!({"content": text, "refusal": null}), "length"),
            Content::Tools(text, tools) => {
                let calls: Vec<_> =
                    tools.iter().enumerate().map(|(index, tool)| tool_call(call, index, tool)).collect();
                let text = if text.is_empty() { Value::Null } else { text.as_str().into() };
                (json!({"content": text, "refusal": null, "tool_calls": calls}), "tool_calls")
            }
            Content::Refused(Filter::Model) => (json!({"content": null, "refusal": REFUSAL}), "stop"),
            Content::Refused(_) => (json!({"content": "", "refusal": null}), "content_filter"),
        };
        let mut message = message;
        message["role"] = "assistant".into();
        message["annotations"] = json!([]);
        let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": end});
        json!({"id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": call.model,
            "choices": [choice], "usage": tokens(usage), "service_tier": "default", "system_fingerprint": "fp_1"})
    }

    fn script(&self, call: &Call, content: &Content, usage: Usage) -> Script {
        let counted = call.body["stream_options"]["include_usage"] == true;
        let chunk = |choices: Value, usage: Value| {
            let mut chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED,
                "model": call.model, "service_tier": "default", "system_fingerprint": "fp_1", "choices": choices});
            if counted {
                chunk["usage"] = usage;
            }
            self.event("", &chunk)
        };
        let choice = |delta: Value, end: Value| {
            chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": end}]), Value::Null)
        };
        let delta = |delta: Value| choice(delta, Value::Null);
        let said = |member: &str, text: &str| {
            pieces(text).into_iter().map(|piece| delta(json!({member: piece}))).collect::<Vec<_>>()
        };
        let (deltas, end) = match content {
            Content::Text(text) => (said("content", text), "stop"),
            Content::Cut(text) => (said("content", text), "length"),
            Content::Refused(Filter::Model) => (said("refusal", REFUSAL), "stop"),
            Content::Refused(_) => (Vec::new(), "content_filter"),
            Content::Tools(text, tools) => {
                let calls = tools.iter().enumerate().flat_map(|(index, tool)| tool_deltas(call, index, tool));
                let calls = calls.map(|call| delta(json!({"tool_calls": [call]})));
                (said("content", text).into_iter().chain(calls).collect(), "tool_calls")
            }
        };
        let mut closing = vec![choice(json!({}), end.into())];
        if counted {
            closing.push(chunk(json!([]), tokens(usage)));
        }
        closing.push("data: [DONE]\n\n".into());
        let opening = vec![delta(json!({"role": "assistant", "content": "", "refusal": null}))];
        Script { opening, deltas, closing }
    }

    /// The official library asks for base64 of its own accord, and turns it into numbers.
    fn vectors(&self, call: &Call, usage: Usage) -> Value {
        let base64 = call.body["encoding_format"] == "base64";
        let embedding = |text: &String| {
            let vector = vector::of(text, call.body["dimensions"].as_u64());
            if base64 {
                BASE64_STANDARD.encode(vector.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>()).into()
            } else {
                json!(vector)
            }
        };
        let item = |(index, text)| json!({"object": "embedding", "index": index, "embedding": embedding(text)});
        let data: Vec<_> = call.inputs.iter().enumerate().map(item).collect();
        json!({"object": "list", "data": data, "model": call.model,
            "usage": {"prompt_tokens": usage.input, "total_tokens": usage.input}})
    }

    fn listing(&self, _: &Call, models: &[String]) -> Answer {
        let model = |id| json!({"id": id, "object": "model", "created": CREATED, "owned_by": "tests"});
        Answer::json(200, &json!({"object": "list", "data": models.iter().map(model).collect::<Vec<_>>()}))
    }

    fn error(&self, call: &Call, error: &ApiError) -> Option<(u16, Value)> {
        error::body(call, error)
    }

    fn error_headers(&self, error: &ApiError) -> Vec<(&'static str, String)> {
        error::headers(error)
    }

    fn is_error(&self, filter: Filter) -> bool {
        filter == Filter::Prompt
    }

    fn headers(&self, _: &Call, _: Usage) -> Vec<(&'static str, String)> {
        vec![("x-request-id", "req_1".into()), ("openai-version", "2020-10-01".into())]
    }
}

const CREATED: u64 = 1_767_225_600;

/// No id comes twice in a conversation.
fn tool_call(call: &Call, index: usize, tool: &Tool) -> Value {
    json!({"id": format!("call_{}", call.results + index + 1), "type": "function",
        "function": {"name": tool.name, "arguments": tool.written()}})
}

/// The name first, then the arguments piece by piece.
fn tool_deltas(call: &Call, index: usize, tool: &Tool) -> Vec<Value> {
    let mut first = tool_call(call, index, tool);
    first["index"] = index.into();
    first["function"]["arguments"] = "".into();
    let more = |piece: String| json!({"index": index, "function": {"arguments": piece}});
    std::iter::once(first).chain(pieces(&tool.written()).into_iter().map(more)).collect()
}

fn tokens(usage: Usage) -> Value {
    json!({"prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
}
