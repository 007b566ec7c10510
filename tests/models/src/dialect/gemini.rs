//! Gemini's content, embeddings and list of models, version `v1beta`.
//!
//! Shapes: `google-genai` 3.6 (`types.py`, and in `models.py` what is sent to and read from the Gemini API), and
//! the API reference; its “Thought signatures” for those. Errors have a file of their own.

mod error;
mod read;

use super::Speaker;
use crate::{
    ApiError, Call, Content, Filter, Tool, Usage,
    call::Asked,
    line::{Answer, Script},
    reply::pieces,
    vector,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

pub(super) struct Gemini;

impl Speaker for Gemini {
    fn read(&self, asked: &Asked) -> Option<Result<Call, String>> {
        read::read(asked)
    }

    fn whole(&self, call: &Call, content: &Content, usage: Usage) -> Value {
        let parts = match content {
            Content::Text(text) | Content::Cut(text) => vec![json!({"text": text})],
            Content::Tools(text, tools) => called(call, text, tools),
            Content::Refused(_) => Vec::new(),
        };
        response(call, parts, Some(content), usage)
    }

    /// Each event is a response of its own; there is no last word but the reason for the end.
    fn script(&self, call: &Call, content: &Content, usage: Usage) -> Script {
        let parts: Vec<_> = match content {
            Content::Text(text) | Content::Cut(text) => {
                pieces(text).into_iter().map(|piece| json!({"text": piece})).collect()
            }
            Content::Tools(text, tools) => called(call, text, tools),
            Content::Refused(_) => Vec::new(),
        };
        let deltas = parts.into_iter().map(|part| self.event("", &response(call, vec![part], None, usage))).collect();
        let end = match content {
            Content::Text(_) | Content::Cut(_) => vec![json!({"text": ""})],
            Content::Tools(..) | Content::Refused(_) => Vec::new(),
        };
        let closing = vec![self.event("", &response(call, end, Some(content), usage))];
        Script { deltas, closing, ..Script::default() }
    }

    fn vectors(&self, call: &Call, _: Usage) -> Value {
        let first = if call.path.ends_with(":batchEmbedContents") { &call.body["requests"][0] } else { &call.body };
        let size = [&first["outputDimensionality"], &first["embedContentConfig"]["outputDimensionality"]];
        let size = size.into_iter().find_map(Value::as_u64);
        let embedding = |text: &String| json!({"values": vector::of(text, size)});
        let mut embeddings: Vec<_> = call.inputs.iter().map(embedding).collect();
        if call.path.ends_with(":embedContent") {
            json!({"embedding": embeddings.pop()})
        } else {
            json!({"embeddings": embeddings})
        }
    }

    fn listing(&self, _: &Call, models: &[String]) -> Answer {
        let model = |id: &String| {
            json!({"name": format!("models/{id}"), "version": "001", "displayName": id, "description": "A model.",
                "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
                "temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2})
        };
        Answer::json(200, &json!({"models": models.iter().map(model).collect::<Vec<_>>()}))
    }

    fn error(&self, call: &Call, error: &ApiError) -> Option<(u16, Value)> {
        error::body(call, error)
    }

    fn error_headers(&self, error: &ApiError) -> Vec<(&'static str, String)> {
        error::headers(error)
    }
}

/// What is said, then the calls: without ids, those of a model that signs with a signature on the first of them. One
/// whose arguments can't be read is left out, and is why the answer ends.
fn called(call: &Call, text: &str, tools: &[Tool]) -> Vec<Value> {
    let said = pieces(text).into_iter().map(|piece| json!({"text": piece}));
    let readable = tools.iter().filter(|tool| tool.garbled.is_none()).enumerate();
    let calls = readable.map(|(n, tool)| {
        let mut part = json!({"functionCall": {"name": tool.name, "args": tool.arguments}});
        if n == 0 && signs(&call.model) {
            part["thoughtSignature"] = signature(&call.model, &tool.name).into();
        }
        part
    });
    said.chain(calls).collect()
}

/// Does this model want its signatures back? Those since the third generation do.
fn signs(model: &str) -> bool {
    ["gemini-3", "gemini-4"].iter().any(|since| model.starts_with(since))
}

fn signature(model: &str, function: &str) -> String {
    BASE64_STANDARD.encode(format!("{model} thought of {function}"))
}

/// One response; with the content that has now come to its end, if it has.
fn response(call: &Call, parts: Vec<Value>, ended: Option<&Content>, usage: Usage) -> Value {
    let prompt = |count: u64| json!([{"modality": "TEXT", "tokenCount": count}]);
    let mut tokens = json!({"promptTokenCount": usage.input, "totalTokenCount": usage.input,
        "promptTokensDetails": prompt(usage.input)});
    if usage.cached > 0 {
        tokens["cachedContentTokenCount"] = usage.cached.into();
        tokens["cacheTokensDetails"] = prompt(usage.cached);
    }
    let mut response = json!({"modelVersion": call.model, "responseId": "response-1"});
    if let Some(Content::Refused(Filter::Prompt)) = ended {
        response["promptFeedback"] = json!({"blockReason": "SAFETY", "safetyRatings": [rating("HIGH")]});
    } else {
        let mut candidate = json!({"index": 0});
        if !parts.is_empty() {
            candidate["content"] = json!({"role": "model", "parts": parts});
        }
        match ended {
            None => {}
            Some(Content::Tools(_, tools)) if tools.iter().any(|tool| tool.garbled.is_some()) => {
                candidate["finishReason"] = "MALFORMED_FUNCTION_CALL".into();
            }
            Some(Content::Text(_) | Content::Tools(..)) => candidate["finishReason"] = "STOP".into(),
            Some(Content::Cut(_)) => candidate["finishReason"] = "MAX_TOKENS".into(),
            Some(Content::Refused(filter)) => {
                let reason = if *filter == Filter::Model { "PROHIBITED_CONTENT" } else { "SAFETY" };
                candidate["finishReason"] = reason.into();
                candidate["safetyRatings"] = json!([rating("HIGH")]);
            }
        }
        response["candidates"] = json!([candidate]);
        if ended.is_some() {
            tokens["candidatesTokenCount"] = usage.output.into();
            tokens["totalTokenCount"] = usage.total().into();
        }
    }
    response["usageMetadata"] = tokens;
    response
}

fn rating(probability: &str) -> Value {
    json!({"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": probability, "blocked": true})
}
