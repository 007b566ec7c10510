//! The dialects that genai does not speak: llama.cpp's `/completion` and Text Generation Inference's
//! `/generate_stream`, both a stream of server-sent events.
//!
//! Shapes: `tools/server/README.md` of llama.cpp; `docs/openapi.json` of Text Generation Inference.

mod prompt;

use super::{
    Answer, Ask, Dialect, Failure, Kind, Reply,
    envelope::Envelope,
    estimate, failure,
    http::{Http, pieces},
};
use crate::config::ProviderConfig;
use eventsource_stream::{EventStreamError, Eventsource};
use futures::StreamExt;
use prompt::{Turn, plain, turns};
use schemas::{Value, brain::Usage};
use serde_json::json;

/// Tokens that an answer may have.
const MOST_TOKENS: u64 = 8192;

pub struct Native {
    http: Http,
    dialect: Dialect,
}

/// What a server said at the end, besides the text.
#[derive(Default)]
struct End {
    usage: Option<Usage>,
    cut: bool,
}

impl Native {
    /// # Errors
    /// A sentence: a header is none, or there is no client.
    pub fn new(config: &ProviderConfig, base: &str) -> Result<Self, String> {
        Ok(Self { http: Http::new(config, base)?, dialect: config.known.dialect })
    }

    /// # Errors
    /// The server does not say.
    pub async fn models(&self) -> Result<Vec<String>, Failure> {
        let model = match self.dialect {
            Dialect::LlamaCpp => {
                let props = self.http.get("props").await?;
                let path = props["model_alias"].as_str().or_else(|| props["model_path"].as_str()).unwrap_or_default();
                path.rsplit('/').next().unwrap_or_default().to_string()
            }
            _ => self.http.get("info").await?["model_id"].as_str().unwrap_or_default().to_string(),
        };
        Ok(if model.is_empty() { Vec::new() } else { vec![model] })
    }

    /// # Errors
    /// By what it means.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let envelope = Envelope { tools: ask.tools, schema: ask.schema };
        let envelope = (!ask.tools.is_empty()).then_some(envelope);
        let (path, body) = match self.dialect {
            Dialect::LlamaCpp => ("completion", self.completion(ask, envelope.as_ref()).await?),
            _ => ("generate_stream", self.generation(ask, envelope.as_ref()).await?),
        };
        let response = self.http.post(path, &body).await?;
        // Nobody wants to see an envelope come: what it holds is passed on when it is whole.
        let mut answer = Answer { text: String::new(), live: envelope.is_none().then_some(ask.live) };
        let mut end = None;
        let mut events = pieces(response, self.http.waits.1).boxed().eventsource();
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| match error {
                EventStreamError::Transport(failure) => failure,
                EventStreamError::Utf8(_) => Failure::new(Kind::Garbled, "a piece of the answer is no UTF-8"),
                EventStreamError::Parser(error) => Failure::new(Kind::Garbled, error.to_string()),
            })?;
            if event.data.trim() == "[DONE]" {
                break;
            }
            let said: Value = serde_json::from_str(&event.data)
                .map_err(|error| Failure::new(Kind::Garbled, format!("a piece of the answer is no JSON: {error}")))?;
            if let Some(failure) = within(&said, &event.event) {
                return Err(failure);
            }
            let (piece, last) = match self.dialect {
                Dialect::LlamaCpp => completed(&said),
                _ => generated(&said),
            };
            answer.push(piece).await?;
            if last.is_some() {
                end = last;
            }
        }
        let Some(End { usage, cut }) = end else {
            let usage = estimate(ask.messages, &answer.text);
            return Err(Failure { usage, ..Failure::new(Kind::Garbled, "the answer was cut off") });
        };
        let usage = usage.unwrap_or_else(|| estimate(ask.messages, &answer.text));
        let failed = |kind: Kind, why: &str| Failure { usage, ..Failure::new(kind, why) };
        match envelope {
            _ if cut => Err(failed(Kind::CutOff, "the answer was cut at the limit of tokens")),
            None => Ok(Reply { text: answer.text, calls: Vec::new(), usage }),
            Some(envelope) => {
                let (text, calls) = envelope.open(&answer.text).map_err(|why| failed(Kind::Garbled, &why))?;
                let mut whole = Answer { text: String::new(), live: Some(ask.live) };
                whole.push(&text).await?;
                Ok(Reply { text, calls, usage })
            }
        }
    }

    async fn completion(&self, ask: &Ask<'_>, envelope: Option<&Envelope<'_>>) -> Result<Value, Failure> {
        let has_images = ask.messages.iter().any(|message| !message.images.is_empty());
        let marker = if has_images { self.marker().await? } else { String::new() };
        let mut images = Vec::new();
        let turns = turns(ask, envelope, |image| {
            images.push(image.base64);
            format!("{marker}\n")
        })?;
        let prompt = self.prompt(&turns).await?;
        let prompt = match images.is_empty() {
            true => json!(prompt),
            false => json!({"prompt_string": prompt, "multimodal_data": images}),
        };
        let mut body = json!({"prompt": prompt, "stream": true, "n_predict": MOST_TOKENS, "cache_prompt": true});
        if let Some(schema) = wanted(ask, envelope) {
            body["json_schema"] = without_true(&schema);
        }
        Ok(body)
    }

    async fn generation(&self, ask: &Ask<'_>, envelope: Option<&Envelope<'_>>) -> Result<Value, Failure> {
        // Its way to show an image is Markdown's.
        let inputs = plain(&turns(ask, envelope, |image| format!("![]({})", image.url()))?);
        // It refuses to begin what might not fit.
        let whole = self.http.get("info").await?["max_total_tokens"].as_u64();
        let room = whole.map_or(MOST_TOKENS, |whole| whole.saturating_sub(estimate(ask.messages, "").input + 64));
        let mut parameters =
            json!({"max_new_tokens": room.clamp(1, MOST_TOKENS), "details": true, "return_full_text": false});
        if let Some(schema) = wanted(ask, envelope) {
            parameters["grammar"] = json!({"type": "json", "value": schema});
        }
        Ok(json!({"inputs": inputs, "parameters": parameters}))
    }

    /// What stands for an image in a prompt: another at each start of the server.
    async fn marker(&self) -> Result<String, Failure> {
        let props = self.http.get("props").await?;
        if props["modalities"]["vision"] == false {
            let why = "its model sees no images: start the server with one that does, and its `--mmproj`";
            return Err(Failure::new(Kind::Rejected, why));
        }
        // One of before it was another each time does not tell it.
        Ok(props["media_marker"].as_str().unwrap_or("<__media__>").to_string())
    }

    /// The turns as the model was taught to read them; the server knows how.
    async fn prompt(&self, turns: &[Turn]) -> Result<String, Failure> {
        let each = |turn: &Turn| json!({"role": turn.role, "content": turn.text});
        let body = json!({"messages": turns.iter().map(each).collect::<Vec<_>>()});
        match self.http.post("apply-template", &body).await {
            Ok(response) => {
                let said = self.http.read(response).await?;
                let missing = || Failure::new(Kind::Garbled, "no prompt in the answer of /apply-template");
                said["prompt"].as_str().map(String::from).ok_or_else(missing)
            }
            // A server of before it had this.
            Err(failure) if failure.kind == Kind::Unknown => Ok(plain(turns)),
            Err(failure) => Err(failure),
        }
    }

    /// A vector for each text, in the order of the texts.
    ///
    /// # Errors
    /// By what it means.
    pub async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Failure> {
        let response = self.http.post("embedding", &json!({"content": texts})).await?;
        let said = self.http.read(response).await?;
        let mut items: Vec<_> = said.as_array().cloned().unwrap_or_else(|| vec![said]);
        items.sort_by_key(|item| item["index"].as_u64());
        let vector = |item: &Value| {
            // One for each token where they are not pooled; older servers have it without the list around it.
            let said = match &item["embedding"] {
                Value::Array(vectors) if vectors.len() == 1 && vectors[0].is_array() => vectors[0].clone(),
                Value::Array(vectors) if vectors.iter().any(Value::is_array) => {
                    let why = "it gives a vector for each token: start the server with `--pooling mean`";
                    return Err(Failure::new(Kind::Rejected, why));
                }
                said => said.clone(),
            };
            serde_json::from_value(said).map_err(|error| Failure::new(Kind::Garbled, format!("no vector: {error}")))
        };
        items.iter().map(vector).collect()
    }
}

/// The schema that what it writes must fit.
fn wanted(ask: &Ask<'_>, envelope: Option<&Envelope<'_>>) -> Option<Value> {
    envelope.map(Envelope::schema).or_else(|| ask.schema.cloned())
}

/// The schema with `{}` for each `true`, which is the same and which llama.cpp's grammar does not know.
fn without_true(schema: &Value) -> Value {
    let each = |fields: &Value| match fields {
        Value::Object(all) => all.iter().map(|(name, one)| (name.clone(), without_true(one))).collect(),
        other => other.clone(),
    };
    match schema {
        Value::Bool(true) => json!({}),
        Value::Array(all) => all.iter().map(without_true).collect(),
        Value::Object(fields) => {
            let of = |(name, value): (&String, &Value)| {
                let value = match name.as_str() {
                    "properties" | "$defs" | "definitions" => each(value),
                    "items" | "prefixItems" | "anyOf" | "oneOf" | "allOf" => without_true(value),
                    // A map's values; that it is open or closed is known.
                    "additionalProperties" if value.is_object() => without_true(value),
                    _ => value.clone(),
                };
                (name.clone(), value)
            };
            fields.iter().map(of).collect()
        }
        other => other.clone(),
    }
}

/// What llama.cpp said: a piece, and the end where it is one.
fn completed(said: &Value) -> (&str, Option<End>) {
    let number = |field: &str| said[field].as_u64();
    let usage = number("tokens_evaluated").zip(number("tokens_predicted"));
    let end = || End {
        usage: usage.map(|(input, output)| Usage { input, output, estimated: false }),
        cut: said["stop_type"] == "limit" || said["stopped_limit"] == true,
    };
    (said["content"].as_str().unwrap_or_default(), (said["stop"] == true).then(end))
}

/// The same of Text Generation Inference.
fn generated(said: &Value) -> (&str, Option<End>) {
    let details = &said["details"];
    let usage = details["input_length"].as_u64().zip(details["generated_tokens"].as_u64());
    let end = || End {
        usage: usage.map(|(input, output)| Usage { input, output, estimated: false }),
        cut: details["finish_reason"] == "length",
    };
    let token = if said["token"]["special"] == true { None } else { said["token"]["text"].as_str() };
    (token.unwrap_or_default(), said["generated_text"].is_string().then(end))
}

/// An error in place of the rest of an answer.
fn within(said: &Value, event: &str) -> Option<Failure> {
    let error = said.get("error").or_else(|| (event == "error").then_some(said))?;
    let code = error["code"].as_u64().and_then(|code| u16::try_from(code).ok());
    let named = match said["error_type"].as_str() {
        Some("overloaded") => Some(429),
        Some("validation") => Some(422),
        _ => None,
    };
    let body = said.to_string();
    Some(Failure::new(failure::meaning(code.or(named).unwrap_or(500), &body, None), body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_anything_is_said_as_llama_cpp_knows_it() {
        let schema = json!({"type": "object", "additionalProperties": true, "required": ["value"],
            "properties": {"value": true, "items": {"items": true, "default": true}, "const": {"const": true}},
            "$defs": {"Any": true, "Map": {"additionalProperties": {"anyOf": [true, {"type": "null"}]}}}});
        let wanted = json!({"type": "object", "additionalProperties": true, "required": ["value"],
            "properties": {"value": {}, "items": {"items": {}, "default": true}, "const": {"const": true}},
            "$defs": {"Any": {}, "Map": {"additionalProperties": {"anyOf": [{}, {"type": "null"}]}}}});
        assert_eq!(without_true(&schema), wanted);
    }
}
