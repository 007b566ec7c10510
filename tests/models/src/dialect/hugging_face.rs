//! Hugging Face's router: chat in OpenAI's way, and feature extraction as its models on `hf-inference` have it.
//!
//! Shapes: `huggingface_hub` 2.4, `inference/_providers/hf_inference.py` for addresses and requests,
//! `inference/_generated/types` for answers, `utils/_http.py` and `errors.py` for what an error is taken for.
//! Errors are without a record: they have the form that the library reads, their words may be others.

use super::{Speaker, openai, openai::OpenAi};
use crate::{
    ApiError, Call, Content, Filter, Purpose, Usage,
    call::{Asked, texts},
    line::{Answer, Script},
    vector,
};
use bytes::Bytes;
use serde_json::{Value, json};

pub(super) struct HuggingFace;

impl Speaker for HuggingFace {
    fn read(&self, asked: &Asked) -> Option<Result<Call, String>> {
        let read = if asked.is("POST", "/v1/chat/completions") {
            openai::chat(asked)
        } else if asked.is("GET", "/v1/models") {
            Ok(asked.call(Purpose::Listing))
        } else {
            let model = asked.path.strip_prefix("/hf-inference/models/")?;
            let model = model.strip_suffix("/pipeline/feature-extraction")?;
            texts(&asked.body["inputs"])
                .ok_or_else(|| "inputs: a string or a list of strings is required".into())
                .and_then(|inputs| match inputs.len() {
                    0..=32 => Ok(inputs),
                    many => Err(format!("batch size {many} > maximum allowed batch size 32")),
                })
                .map(|inputs| Call { model: model.to_owned(), inputs, ..asked.call(Purpose::Embedding) })
        };
        Some(read.map(|call| Call { key: asked.bearer(), ..call }))
    }

    fn whole(&self, call: &Call, content: &Content, usage: Usage) -> Value {
        OpenAi.whole(call, content, usage)
    }

    fn script(&self, call: &Call, content: &Content, usage: Usage) -> Script {
        OpenAi.script(call, content, usage)
    }

    /// A vector for a text, a list of them for a list.
    fn vectors(&self, call: &Call, _: Usage) -> Value {
        let vectors: Vec<_> = call.inputs.iter().map(|text| json!(vector::of(text, None))).collect();
        if call.body["inputs"].is_string() { vectors.into_iter().next().unwrap_or_default() } else { vectors.into() }
    }

    fn listing(&self, call: &Call, models: &[String]) -> Answer {
        OpenAi.listing(call, models)
    }

    fn error(&self, call: &Call, error: &ApiError) -> Option<(u16, Value)> {
        Some(match error {
            ApiError::Authentication => said(401, "Invalid username or password."),
            ApiError::Payment | ApiError::Quota => said(
                402,
                "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get \
                 20x more monthly included credits.",
            ),
            ApiError::UnknownModel if call.purpose == Purpose::Embedding => {
                said(404, &format!("Model {} does not exist", call.model))
            }
            ApiError::UnknownModel => {
                let message = format!("The requested model '{}' does not exist", call.model);
                let error = json!({"message": message, "type": "invalid_request_error", "param": "model",
                    "code": "model_not_found"});
                (400, json!({"error": error}))
            }
            ApiError::Overloaded => said(503, "Model too busy, unable to get response in less than 60 second(s)"),
            other => return OpenAi.error(call, other),
        })
    }

    fn error_headers(&self, error: &ApiError) -> Vec<(&'static str, String)> {
        OpenAi.error_headers(error)
    }

    fn late(&self, call: &Call, error: &ApiError) -> Bytes {
        match error {
            // A server behind the router says it in the way of Text Generation Inference.
            ApiError::Overloaded => {
                self.event("", &json!({"error": "Model is overloaded", "error_type": "overloaded"}))
            }
            other => OpenAi.late(call, other),
        }
    }

    fn is_error(&self, filter: Filter) -> bool {
        OpenAi.is_error(filter)
    }

    fn headers(&self, _: &Call, _: Usage) -> Vec<(&'static str, String)> {
        vec![("x-request-id", "Root=1-1".into())]
    }
}

fn said(status: u16, message: &str) -> (u16, Value) {
    (status, json!({"error": message}))
}
