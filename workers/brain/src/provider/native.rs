//! The dialects that genai does not speak: llama.cpp's `/completion` and Text Generation Inference's
//! `/generate_stream`, both a stream of server-sent events.
//!
//! Shapes: `tools/server/README.md` of llama.cpp; `docs/openapi.json` of Text Generation Inference.

use super::{Answer, Ask, Dialect, Failure, Kind, MOST_BYTES, Reply, estimate, failure};
use crate::config::{Key, ProviderConfig};
use eventsource_stream::{EventStreamError, Eventsource};
use futures::{StreamExt, stream};
use reqwest::{
    Client, RequestBuilder, Response,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use schemas::{
    Value,
    agent::{Message, Speaker},
    brain::Usage,
};
use serde_json::json;
use std::time::Duration;

/// Tokens that an answer may have.
const MOST_TOKENS: u64 = 8192;
/// Bytes of an error.
const MOST_WORDS: usize = 64 * 1024;
/// Until a server is connected to.
const CONNECT: Duration = Duration::from_secs(20);

pub struct Native {
    client: Client,
    dialect: Dialect,
    base: String,
    key: Option<Key>,
    /// Until an answer begins, and between two pieces of it.
    waits: (Duration, Duration),
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
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let wrong = || format!("{}: `{name}` can't be sent as a header", config.known.title);
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            headers.insert(name, HeaderValue::from_str(value.reveal()).map_err(|_| wrong())?);
        }
        // llama.cpp ends a connection that was idle for five seconds, maybe while the next request is on its way.
        let client =
            Client::builder().default_headers(headers).connect_timeout(CONNECT).pool_max_idle_per_host(0).build();
        let client = client.map_err(|error| error.to_string())?;
        let waits = (config.first_word, config.next_word);
        Ok(Self { client, dialect: config.known.dialect, base: base.into(), key: config.key.clone(), waits })
    }

    /// # Errors
    /// The server does not say.
    pub async fn models(&self) -> Result<Vec<String>, Failure> {
        let model = match self.dialect {
            Dialect::LlamaCpp => {
                let props = self.get("props").await?;
                let path = props["model_alias"].as_str().or_else(|| props["model_path"].as_str()).unwrap_or_default();
                path.rsplit('/').next().unwrap_or_default().to_string()
            }
            _ => self.get("info").await?["model_id"].as_str().unwrap_or_default().to_string(),
        };
        Ok(if model.is_empty() { Vec::new() } else { vec![model] })
    }

    /// # Errors
    /// By what it means.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let (path, body) = match self.dialect {
            Dialect::LlamaCpp => ("completion", self.completion(ask).await?),
            _ => ("generate_stream", self.generation(ask).await?),
        };
        let response = self.sent(self.post(path, &body)).await?;
        let mut answer = Answer { text: String::new(), live: ask.live };
        let mut end = None;
        let mut events = pieces(response, self.waits.1).boxed().eventsource();
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
        match cut {
            true => Err(Failure { usage, ..Failure::new(Kind::CutOff, "the answer was cut at the limit of tokens") }),
            false => Ok(Reply { text: answer.text, usage }),
        }
    }

    async fn completion(&self, ask: &Ask<'_>) -> Result<Value, Failure> {
        let mut body = json!({
            "prompt": self.prompt(ask.messages).await?, "stream": true, "n_predict": MOST_TOKENS, "cache_prompt": true,
        });
        if let Some(schema) = ask.schema {
            body["json_schema"] = without_true(schema);
        }
        Ok(body)
    }

    async fn generation(&self, ask: &Ask<'_>) -> Result<Value, Failure> {
        let inputs = plain(ask.messages);
        // It refuses to begin what might not fit.
        let whole = self.get("info").await?["max_total_tokens"].as_u64();
        let room = whole.map_or(MOST_TOKENS, |whole| whole.saturating_sub(estimate(ask.messages, "").input + 64));
        let mut parameters =
            json!({"max_new_tokens": room.clamp(1, MOST_TOKENS), "details": true, "return_full_text": false});
        if let Some(schema) = ask.schema {
            parameters["grammar"] = json!({"type": "json", "value": schema});
        }
        Ok(json!({"inputs": inputs, "parameters": parameters}))
    }

    /// The messages as the model was taught to read them; the server knows how.
    async fn prompt(&self, messages: &[Message]) -> Result<String, Failure> {
        let each = |message: &Message| json!({"role": role(message), "content": message.text});
        let body = json!({"messages": messages.iter().map(each).collect::<Vec<_>>()});
        match self.sent(self.post("apply-template", &body)).await {
            Ok(response) => {
                let said = self.read(response).await?;
                let missing = || Failure::new(Kind::Garbled, "no prompt in the answer of /apply-template");
                said["prompt"].as_str().map(String::from).ok_or_else(missing)
            }
            // A server of before it had this.
            Err(failure) if failure.kind == Kind::Unknown => Ok(plain(messages)),
            Err(failure) => Err(failure),
        }
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.base));
        self.signed(request).header("content-type", "application/json").body(body.to_string())
    }

    async fn get(&self, path: &str) -> Result<Value, Failure> {
        let response = self.sent(self.signed(self.client.get(format!("{}{path}", self.base)))).await?;
        self.read(response).await
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key.reveal()),
            None => request,
        }
    }

    /// The response once it has begun, if it is a good one.
    #[expect(clippy::disallowed_methods, reason = "the edge: a server may say a date to wait for")]
    async fn sent(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = tokio::time::timeout(self.waits.0, request.send()).await;
        let response =
            response.map_err(|_| Failure::new(Kind::TimedOut, "no answer began"))?.map_err(|error| lost(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = String::from_utf8_lossy(&self.whole(response, MOST_WORDS).await?).into_owned();
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let after = failure::after(header, &body, jiff::Timestamp::now());
        let kind = failure::meaning(status.as_u16(), &body, after);
        Err(Failure::new(kind, format!("({}) {}", status.as_u16(), body.trim())))
    }

    async fn read(&self, response: Response) -> Result<Value, Failure> {
        // A prompt comes back as long as it is.
        let body = self.whole(response, MOST_BYTES).await?;
        serde_json::from_slice(&body)
            .map_err(|error| Failure::new(Kind::Garbled, format!("the answer is no JSON: {error}")))
    }

    /// A body, or so many bytes of it.
    async fn whole(&self, mut response: Response, most: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(piece) = next(&mut response, self.waits.1).await? {
            body.extend_from_slice(&piece);
            if body.len() > most {
                body.truncate(most);
                break;
            }
        }
        Ok(body)
    }
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

fn role(message: &Message) -> &'static str {
    match message.role {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
    }
}

/// The messages for a model of whose template nothing is known.
fn plain(messages: &[Message]) -> String {
    let mut prompt = String::new();
    for message in messages {
        let name = match message.role {
            Speaker::System => "System",
            Speaker::User => "User",
            Speaker::Assistant => "Assistant",
        };
        prompt.push_str(&format!("{name}: {}\n\n", message.text));
    }
    prompt + "Assistant: "
}

/// A body piece by piece; events of more bytes than an answer may have are no events.
fn pieces(response: Response, wait: Duration) -> impl futures::Stream<Item = Result<Vec<u8>, Failure>> {
    stream::try_unfold((response, 0), move |(mut response, seen)| async move {
        let Some(piece) = next(&mut response, wait).await? else { return Ok(None) };
        // Each token comes with some hundred bytes around it.
        let seen = seen + piece.len();
        if seen > 64 * MOST_BYTES {
            return Err(Failure::new(Kind::CutOff, "the answer does not end"));
        }
        Ok(Some((piece, (response, seen))))
    })
}

async fn next(response: &mut Response, wait: Duration) -> Result<Option<Vec<u8>>, Failure> {
    let piece = tokio::time::timeout(wait, response.chunk()).await;
    let piece = piece.map_err(|_| Failure::new(Kind::TimedOut, "the answer stopped in the middle"))?;
    Ok(piece.map_err(|error| lost(&error))?.map(|bytes| bytes.to_vec()))
}

fn lost(error: &reqwest::Error) -> Failure {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(found) = source {
        words = found.to_string();
        source = found.source();
    }
    Failure::new(if error.is_timeout() { Kind::TimedOut } else { Kind::Unreachable }, words)
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
