//! Text Generation Inference's own API: `/generate`, `/generate_stream`, `/info`, `/health`.
//!
//! Shapes: `router/src/lib.rs` and `router/src/server.rs` of huggingface/text-generation-inference 3 and its
//! `docs/openapi.json`; the types and errors of `huggingface_hub` 2.4 (`inference/_generated/types/text_generation.py`,
//! `inference/_common.py`). It knows neither tools nor filters, and has one model.
//! Of errors, status, `error_type` and the first words of the message are from there, the rest of it is not.

use super::Speaker;
use crate::{
    ApiError, Call, Content, Purpose, Usage,
    call::{Asked, string},
    line::{Answer, Script},
    reply::pieces,
};
use bytes::Bytes;
use serde_json::{Value, json};

pub(super) struct Tgi;

impl Speaker for Tgi {
    fn read(&self, asked: &Asked) -> Option<Result<Call, String>> {
        // At `/` the body says whether it streams.
        let streams = match asked.path.as_str() {
            "/generate_stream" => true,
            "/generate" => false,
            "/" => asked.body["stream"] == true,
            "/info" | "/health" if asked.method == "GET" => return Some(Ok(asked.call(Purpose::Listing))),
            _ => return None,
        };
        if asked.method != "POST" {
            return None;
        }
        Some(generate(asked).map(|call| Call { streams, key: asked.bearer(), ..call }))
    }

    /// At `/` it comes in a list.
    fn whole(&self, call: &Call, content: &Content, usage: Usage) -> Value {
        let (text, ended) = content.plain();
        let mut answer = json!({"generated_text": text});
        if call.body["parameters"]["details"] == true {
            answer["details"] = json!({"finish_reason": reason(ended), "generated_tokens": usage.output, "seed": null,
                "prefill": [], "tokens": pieces(&text).iter().enumerate().map(token).collect::<Vec<_>>()});
        }
        if call.path.ends_with("/generate") { answer } else { json!([answer]) }
    }

    /// The last token has the whole text with it.
    fn script(&self, _: &Call, content: &Content, usage: Usage) -> Script {
        let (text, ended) = content.plain();
        let one = |token: Value, index: usize, text: Value, details: Value| {
            self.event(
                "",
                &json!({"index": index, "token": token, "top_tokens": [], "generated_text": text, "details": details}),
            )
        };
        let said = pieces(&text);
        let deltas: Vec<_> = said
            .iter()
            .enumerate()
            .map(|(index, piece)| one(token((index, piece)), index + 1, Value::Null, Value::Null))
            .collect();
        let end = json!({"id": 2, "text": "</s>", "logprob": -0.1, "special": true});
        let details = json!({"finish_reason": reason(ended), "generated_tokens": usage.output, "seed": null,
            "input_length": usage.input});
        let closing = vec![one(end, deltas.len() + 1, text.into(), details)];
        Script { deltas, closing, ..Script::default() }
    }

    /// There are none: that is another server's work.
    fn vectors(&self, _: &Call, _: Usage) -> Value {
        Value::Null
    }

    fn listing(&self, call: &Call, models: &[String]) -> Answer {
        if call.path.ends_with("/health") {
            return Answer::whole(200, "text/plain", String::new());
        }
        Answer::json(
            200,
            &json!({"model_id": models.first(), "model_sha": "0000000", "model_pipeline_tag": "text-generation",
            "max_concurrent_requests": 128, "max_best_of": 2, "max_stop_sequences": 4, "max_input_tokens": 4095,
            "max_total_tokens": 4096, "validation_workers": 2, "max_client_batch_size": 4,
            "router": "text-generation-router", "version": "3.3.6", "sha": null, "docker_label": null}),
        )
    }

    fn error(&self, _: &Call, error: &ApiError) -> Option<(u16, Value)> {
        body(error)
    }

    /// The guard of `--api-key` says nothing more than the status.
    fn fails(&self, call: &Call, error: &ApiError) -> Answer {
        match self.error(call, error) {
            Some((status, body)) => Answer::json(status, &body),
            None if *error == ApiError::Authentication => Answer::whole(401, "text/plain", String::new()),
            None => Answer::gateway(error.usual_status()),
        }
    }

    /// It writes no space behind the colon.
    fn event(&self, _: &str, data: &Value) -> Bytes {
        format!("data:{data}\n\n").into()
    }

    /// How long the prompt was is not in the body.
    fn headers(&self, call: &Call, usage: Usage) -> Vec<(&'static str, String)> {
        if call.purpose != Purpose::Chat || call.streams {
            return vec![("x-compute-type", "cpu".into())];
        }
        vec![
            ("x-compute-type", "cpu".into()),
            ("x-prompt-tokens", usage.input.to_string()),
            ("x-generated-tokens", usage.output.to_string()),
        ]
    }
}

fn generate(asked: &Asked) -> Result<Call, String> {
    let mut call = asked.call(Purpose::Chat);
    call.say(string(&asked.body, "inputs")?);
    // A picture stands in the text, as in Markdown.
    let text = call.text.clone();
    for image in text.split("![](data:").skip(1) {
        let (image, _) = image.split_once(')').ok_or("inputs: an image without an end")?;
        let (media_type, base64) = image.split_once(";base64,").ok_or("inputs: an image that is no base64")?;
        call.show(media_type, base64)?;
    }
    let grammar = &asked.body["parameters"]["grammar"];
    match grammar["type"].as_str() {
        Some("json" | "json_schema") => call.schema = Some(grammar["value"].clone()),
        Some("regex") | None => {}
        Some(other) => {
            return Err(format!(
                "grammar.type: unknown variant `{other}`, expected one of `json`, `regex`, `json_schema`"
            ));
        }
    }
    Ok(call)
}

fn reason(ended: bool) -> &'static str {
    if ended { "eos_token" } else { "length" }
}

fn token((index, piece): (usize, &String)) -> Value {
    json!({"id": 1000 + index, "text": piece, "logprob": -0.1, "special": false})
}

/// The status and the body; `None` if it is a gateway's: what costs nothing has no quotas.
fn body(error: &ApiError) -> Option<(u16, Value)> {
    Some(match error {
        ApiError::Invalid(wrong) => said(422, "validation", &format!("Input validation error: {wrong}")),
        ApiError::ContextLength => said(
            422,
            "validation",
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4200 `inputs` tokens \
             and 100 `max_new_tokens`",
        ),
        ApiError::Schema => {
            said(422, "validation", "Input validation error: Grammar is not valid: schema is not supported")
        }
        ApiError::Overloaded | ApiError::RateLimit(_) => said(429, "overloaded", "Model is overloaded"),
        ApiError::Internal => {
            said(424, "generation", "Request failed during generation: Server error: CUDA out of memory")
        }
        ApiError::Timeout => said(500, "incomplete_generation", "Incomplete generation"),
        _ => return None,
    })
}

fn said(status: u16, kind: &str, message: &str) -> (u16, Value) {
    (status, json!({"error": message, "error_type": kind}))
}
