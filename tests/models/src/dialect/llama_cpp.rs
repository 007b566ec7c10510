//! llama.cpp's own server: `/completion`, `/embedding`, `/props`, `/health`.
//!
//! Shapes: `tools/server/README.md` of ggml-org/llama.cpp (commit 00dc805), and of `tools/server` there
//! `server-task.cpp` (`to_json_non_oaicompat` of partial and final results) and `server-common.cpp`
//! (`format_error_response`). It knows neither tools nor filters, and has one model.
//! The error for a context that is too small was read in public reports; of the others only status and type are sure.

use super::Speaker;
use crate::{
    ApiError, Call, Content, Purpose, Usage,
    call::{Asked, items, string, texts},
    line::{Answer, Script},
    reply::pieces,
    vector,
};
use serde_json::{Value, json};

pub(super) struct LlamaCpp;

/// What stands for a picture in a prompt. It is another at each start of the real one: `/props` tells it.
const MARKER: &str = "<__media_YoNhud46VdDqbuFmKYEO9PY7A4ARzRfg__>";

impl Speaker for LlamaCpp {
    fn read(&self, asked: &Asked) -> Option<Result<Call, String>> {
        let read = if asked.is("POST", "/completion") || asked.is("POST", "/completions") {
            completion(asked)
        } else if asked.is("POST", "/embedding") || asked.is("POST", "/embeddings") {
            embedding(asked)
        } else if ["/props", "/health", "/v1/models"].iter().any(|path| asked.is("GET", path)) {
            Ok(asked.call(Purpose::Listing))
        } else {
            return None;
        };
        Some(read.map(|call| Call { key: asked.bearer(), ..call }))
    }

    fn whole(&self, call: &Call, content: &Content, usage: Usage) -> Value {
        let (text, ended) = content.plain();
        last(call, &text, ended, usage)
    }

    fn script(&self, call: &Call, content: &Content, usage: Usage) -> Script {
        let (text, ended) = content.plain();
        let piece = |(index, piece): (usize, String)| {
            self.event(
                "",
                &json!({"index": 0, "content": piece, "tokens": [1000 + index], "stop": false, "id_slot": 0,
                "tokens_predicted": index + 1, "tokens_evaluated": usage.input}),
            )
        };
        let deltas = pieces(&text).into_iter().enumerate().map(piece).collect();
        Script { deltas, closing: vec![self.event("", &last(call, "", ended, usage))], ..Script::default() }
    }

    /// One vector for each prompt, in a list of one: that of the pooled tokens.
    fn vectors(&self, call: &Call, _: Usage) -> Value {
        let item = |(index, text): (usize, &String)| json!({"index": index, "embedding": [vector::of(text, None)]});
        call.inputs.iter().enumerate().map(item).collect()
    }

    fn listing(&self, call: &Call, models: &[String]) -> Answer {
        let model = models.first().map_or("model.gguf", String::as_str);
        let body = match call.path.as_str() {
            "/health" => json!({"status": "ok"}),
            "/props" => json!({"default_generation_settings": {"id": 0, "id_task": -1, "n_ctx": 8192,
                    "speculative": false, "is_processing": false, "params": settings(call)},
                "total_slots": 1, "model_alias": model, "model_path": format!("models/{model}"),
                "chat_template": "", "chat_template_caps": {}, "modalities": {"vision": !model.starts_with("blind"), "audio": false},
                "media_marker": MARKER, "build_info": "b1-0000000", "is_sleeping": false}),
            _ => json!({"object": "list", "data": [{"id": model, "object": "model", "created": 1_767_225_600,
                "owned_by": "llamacpp", "meta": {"n_ctx_train": 131_072}}]}),
        };
        Answer::json(200, &body)
    }

    fn error(&self, call: &Call, error: &ApiError) -> Option<(u16, Value)> {
        body(call, error)
    }
}

fn completion(asked: &Asked) -> Result<Call, String> {
    let mut call = asked.call(Purpose::Chat);
    let prompt = &asked.body["prompt"];
    if let Some(text) = prompt.as_str() {
        call.say(text);
    } else {
        let text = string(prompt, "prompt_string")
            .map_err(|_| "\"prompt\" must be a string, or an object with prompt_string".to_owned())?;
        call.say(text);
        let data = items(prompt, "multimodal_data");
        if text.matches(MARKER).count() != data.len() {
            return Err("number of media markers in the text does not match the number of media files".into());
        }
        for image in data {
            let base64 = image.as_str().ok_or("multimodal_data: strings are required")?;
            call.show("", base64)?;
        }
    }
    call.streams = asked.body["stream"] == true;
    if asked.body["json_schema"].is_object() {
        call.schema = Some(asked.body["json_schema"].clone());
    }
    Ok(call)
}

fn embedding(asked: &Asked) -> Result<Call, String> {
    let content = [&asked.body["content"], &asked.body["input"]].into_iter().find(|content| !content.is_null());
    let inputs = content.and_then(texts).ok_or("\"input\" or \"content\" must be provided")?;
    Ok(Call { inputs, ..asked.call(Purpose::Embedding) })
}

/// The final result. In a stream its text has come already.
fn last(call: &Call, content: &str, ended: bool, usage: Usage) -> Value {
    let milliseconds = |count: u64| 10 * count;
    json!({"index": 0, "content": content, "tokens": [], "id_slot": 0, "stop": true, "model": "model.gguf",
        "tokens_predicted": usage.output, "tokens_evaluated": usage.input, "generation_settings": settings(call),
        "prompt": call.text, "has_new_line": false, "truncated": false,
        "stop_type": if ended { "eos" } else { "limit" }, "stopping_word": "",
        "tokens_cached": usage.total().saturating_sub(1),
        "timings": {"cache_n": usage.cached, "prompt_n": usage.input - usage.cached.min(usage.input),
            "prompt_ms": milliseconds(usage.input), "prompt_per_token_ms": 10.0, "prompt_per_second": 100.0,
            "predicted_n": usage.output, "predicted_ms": milliseconds(usage.output),
            "predicted_per_token_ms": 10.0, "predicted_per_second": 100.0}})
}

/// The few of the many settings that a client may look at.
fn settings(call: &Call) -> Value {
    let limit = call.body["n_predict"].as_i64().unwrap_or(-1);
    json!({"seed": 4_294_967_295_u32, "temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "stop": [],
        "max_tokens": limit, "n_predict": limit, "n_keep": 0, "ignore_eos": false, "stream": call.streams,
        "n_probs": 0, "grammar": call.body["grammar"].as_str().unwrap_or_default(), "timings_per_token": false})
}

/// The status and the body; `None` if it is a gateway's: what costs nothing has neither quotas nor limits.
fn body(call: &Call, error: &ApiError) -> Option<(u16, Value)> {
    Some(match error {
        ApiError::Invalid(wrong) => said(400, "invalid_request_error", wrong),
        ApiError::Authentication => said(401, "authentication_error", "Invalid API Key"),
        ApiError::Permission => said(403, "permission_error", "This endpoint is not allowed"),
        ApiError::UnknownModel => said(404, "not_found_error", "File Not Found"),
        ApiError::ContextLength => {
            let mut error = said(
                400,
                "exceed_context_size_error",
                "request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it",
            );
            error.1["error"]["n_prompt_tokens"] = 9412.into();
            error.1["error"]["n_ctx"] = 8192.into();
            error
        }
        ApiError::Schema => said(
            400,
            "invalid_request_error",
            &format!(
                "\"json_schema\": JSON schema conversion failed:\nUnrecognized schema: {}",
                call.body["json_schema"]
            ),
        ),
        ApiError::Internal => said(500, "server_error", "Compute error."),
        ApiError::Overloaded => said(503, "unavailable_error", "Loading model"),
        _ => return None,
    })
}

fn said(code: u16, kind: &str, message: &str) -> (u16, Value) {
    (code, json!({"error": {"code": code, "message": message, "type": kind}}))
}
