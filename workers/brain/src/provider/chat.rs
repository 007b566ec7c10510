//! The dialects that genai speaks: OpenAI's, Anthropic's and Gemini's.

use super::{Answer, Ask, Dialect, Failure, Kind, Reply, estimate, failure};
use crate::config::{Key, ProviderConfig};
use futures::StreamExt;
use genai::{
    Client, Headers, ModelIden, ModelSpec, ServiceTarget,
    adapter::AdapterKind,
    chat::{
        ChatMessage, ChatOptions, ChatRequest, ChatResponseFormat, ChatStreamEvent, JsonSpec, RawFrameRef, StopReason,
        StreamEnd, Tool,
    },
    resolver::{AuthData, Endpoint, ProviderConfig as Target},
};
use schemas::{
    Value,
    agent::{Message, Speaker},
    brain::Usage,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// The tool by which a model gives JSON, where it has no other way.
const ANSWER: &str = "answer";

pub struct Chat {
    client: Client,
    kind: AdapterKind,
    base: String,
    key: Option<Key>,
    headers: Headers,
    /// Until an answer begins, and between two pieces of it.
    waits: (Duration, Duration),
}

/// How JSON is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    /// Any JSON; whether it fits is seen here.
    Mode,
    /// JSON that fits the schema.
    Schema,
    /// The arguments of a tool.
    Tool,
}

impl Chat {
    /// # Errors
    /// A sentence: there is no client.
    pub fn new(config: &ProviderConfig, base: &str) -> Result<Self, String> {
        let kind = match config.known.dialect {
            Dialect::Anthropic => AdapterKind::Anthropic,
            Dialect::Gemini => AdapterKind::Gemini,
            _ => AdapterKind::OpenAI,
        };
        let headers = config.headers.iter().map(|(name, value)| (name.clone(), value.reveal().to_string()));
        Ok(Self {
            client: Client::new().map_err(|error| error.to_string())?,
            kind,
            base: base.into(),
            key: config.key.clone(),
            headers: headers.collect::<Vec<_>>().into(),
            waits: (config.first_word, config.next_word),
        })
    }

    fn auth(&self) -> AuthData {
        // Local servers want no key, but the dialects have a place for one.
        AuthData::from_single(self.key.as_ref().map_or("none", Key::reveal))
    }

    /// # Errors
    /// The server does not say.
    pub async fn models(&self) -> Result<Vec<String>, Failure> {
        let target = Target::from_endpoint(Endpoint::from_owned(self.base.clone())).with_auth(self.auth());
        let names = self.client.all_model_names(self.kind, Some(target));
        let names = tokio::time::timeout(self.waits.0, names).await;
        let names = names.map_err(|_| Failure::new(Kind::TimedOut, "it does not list its models"))?;
        names.map_err(|error| failed(&error))
    }

    /// # Errors
    /// By what it means.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let target = ServiceTarget {
            endpoint: Endpoint::from_owned(self.base.clone()),
            auth: self.auth(),
            model: ModelIden::new(self.kind, ask.model),
        };
        let mut chat = ChatRequest::new(ask.messages.iter().map(message).collect());
        let mut options = ChatOptions::default()
            .with_capture_usage(true)
            .with_capture_tool_calls(true)
            .with_stream_header_timeout(self.waits.0)
            .with_stream_read_timeout(self.waits.1)
            .with_extra_headers(self.headers.clone());
        let form = self.form(ask.schema);
        let schema = ask.schema.cloned().unwrap_or_default();
        match form {
            Form::Text => {}
            Form::Mode => options = options.with_response_format(ChatResponseFormat::JsonMode),
            Form::Schema => options = options.with_response_format(JsonSpec::new(ANSWER, schema)),
            Form::Tool => {
                let tool = Tool::new(ANSWER).with_description("Gives the answer.").with_schema(schema);
                // Not forced: models that think refuse that. What they write instead is read as well.
                chat = chat.with_tools(vec![tool]);
            }
        }
        let dropped = Arc::new(Mutex::new(Dropped::default()));
        let heard = Arc::clone(&dropped);
        options = options.with_raw_frame_fn(move |_, frame| overheard(&frame, &heard));
        let asking = self.client.exec_chat_stream(ModelSpec::from_target(target), chat, Some(&options));
        let mut stream = asking.await.map_err(|error| failed(&error))?.stream;
        let (mut answer, mut ended) = (Answer { text: String::new(), live: ask.live }, None::<StreamEnd>);
        let refused = || dropped.lock().ok().map(|said| said.refusal.clone()).filter(|said| !said.is_empty());
        while let Some(event) = stream.next().await {
            match event
                .map_err(|error| refused().map_or_else(|| failed(&error), |why| Failure::new(Kind::Filtered, why)))?
            {
                ChatStreamEvent::Chunk(piece) => answer.push(&piece.content).await?,
                ChatStreamEvent::End(end) => ended = Some(end),
                _ => {}
            }
        }
        let Some(end) = ended else {
            let usage = estimate(ask.messages, &answer.text);
            return Err(Failure { usage, ..Failure::new(Kind::Garbled, "the answer was cut off") });
        };
        let mut text = answer.text;
        if form == Form::Tool
            && let Some(call) = end.captured_content.as_ref().and_then(|content| content.tool_calls().first().copied())
        {
            text = call.fn_arguments.to_string();
            (ask.live)(text.clone()).await;
        }
        let counted = || dropped.lock().ok().and_then(|said| said.usage);
        let usage = match end.captured_usage {
            Some(said) => of(&said, ask.messages, &text),
            None => counted().unwrap_or_else(|| estimate(ask.messages, &text)),
        };
        match end.captured_stop_reason {
            _ if text.is_empty() && refused().is_some() => {
                Err(Failure { usage, ..Failure::new(Kind::Filtered, refused().unwrap_or_default()) })
            }
            // Not a word, and no reason why it is over: it was no answer of a model.
            None if text.is_empty() => Err(Failure { usage, ..Failure::new(Kind::Garbled, "what came is no answer") }),
            Some(StopReason::ContentFilter(reason)) => {
                let why = format!("the content filter ended the answer ({reason})");
                Err(Failure { usage, ..Failure::new(Kind::Filtered, why) })
            }
            Some(StopReason::MaxTokens(_)) => Err(Failure {
                usage,
                ..Failure::new(Kind::CutOff, "the answer was cut at the model's limit of tokens")
            }),
            _ => Ok(Reply { text, usage }),
        }
    }

    /// Where a schema has maps with free keys, as plans do, no strict dialect knows it.
    fn form(&self, schema: Option<&Value>) -> Form {
        match (schema, self.kind) {
            (None, _) => Form::Text,
            (Some(schema), _) if is_strict(schema) => Form::Schema,
            // Gemini's takes JSON Schema as it is.
            (Some(_), AdapterKind::Gemini) => Form::Schema,
            (Some(_), AdapterKind::Anthropic) => Form::Tool,
            (Some(_), _) => Form::Mode,
        }
    }
}

/// What genai drops.
#[derive(Default)]
struct Dropped {
    /// Why Gemini blocked a prompt, or in what words an OpenAI model refused.
    refusal: String,
    /// What LiteLLM's proxy counted, in a piece whose choice is there but empty.
    usage: Option<Usage>,
}

fn overheard(frame: &RawFrameRef<'_>, heard: &Mutex<Dropped>) {
    if !["blockReason", "\"refusal\"", "\"prompt_tokens\""].iter().any(|part| frame.data.contains(part)) {
        return;
    }
    let (Some(said), Ok(mut heard)) = (frame.json(), heard.lock()) else { return };
    let blocked = said["promptFeedback"]["blockReason"].as_str().map(|why| format!("the prompt was blocked ({why})"));
    let refused = said["choices"][0]["delta"]["refusal"].as_str();
    heard.refusal.push_str(blocked.as_deref().or(refused).unwrap_or_default());
    let count = |of: &str| said["usage"][of].as_u64();
    if let Some((input, output)) = count("prompt_tokens").zip(count("completion_tokens")) {
        heard.usage = Some(Usage { input, output, estimated: false });
    }
}

/// Is every object in it closed, so that any provider can hold an answer to it?
fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            let is_object = fields.get("type").is_some_and(|kind| kind == "object");
            let is_closed = fields.contains_key("properties")
                && fields.get("additionalProperties").is_some_and(|more| *more == Value::Bool(false));
            (!is_object || is_closed) && !fields.contains_key("patternProperties") && fields.values().all(is_strict)
        }
        Value::Array(items) => items.iter().all(is_strict),
        _ => true,
    }
}

fn message(message: &Message) -> ChatMessage {
    match message.role {
        Speaker::System => ChatMessage::system(&message.text),
        Speaker::User => ChatMessage::user(&message.text),
        Speaker::Assistant => ChatMessage::assistant(&message.text),
    }
}

/// Tokens as the provider counts them.
fn of(said: &genai::chat::Usage, messages: &[Message], text: &str) -> Usage {
    let number = |tokens: Option<i32>| u64::try_from(tokens.unwrap_or(0)).unwrap_or(0);
    match (said.prompt_tokens, said.completion_tokens) {
        (None, None) => estimate(messages, text),
        (input, output) => Usage { input: number(input), output: number(output), estimated: false },
    }
}

/// What an error of genai means.
fn failed(error: &genai::Error) -> Failure {
    let (status, body, after) = told_by(error);
    let kind = match status {
        Some(status) => failure::meaning(status, &body, after),
        None if is_timeout(error) => Kind::TimedOut,
        None if is_words(error) => Kind::Garbled,
        None => Kind::Unreachable,
    };
    let status = status.map(|status| format!("({status}) ")).unwrap_or_default();
    Failure::new(kind, format!("{status}{}", body.trim()))
}

type Told = (Option<u16>, String, Option<Duration>);

fn told_by(error: &genai::Error) -> Told {
    use genai::Error as E;
    match error {
        E::HttpError { status, body, headers, .. } => (Some(status.as_u16()), body.clone(), wait(headers, body)),
        E::WebModelCall { webc_error, .. } | E::WebAdapterCall { webc_error, .. } => {
            let body = match webc_error {
                genai::webc::Error::ResponseFailedStatus { body, .. } => body.clone(),
                other => chain(other),
            };
            let after = webc_error.headers().and_then(|headers| wait(headers, &body));
            (webc_error.status().map(|status| status.as_u16()), body, after)
        }
        E::WebStream { cause, error, .. } => {
            let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
            while let Some(found) = source {
                if let Some(inner) = found.downcast_ref::<genai::Error>() {
                    return told_by(inner);
                }
                source = found.source();
            }
            (None, cause.clone(), None)
        }
        // An error in place of the rest of the answer: its words say what it means.
        E::ChatResponse { body, .. } => {
            let said = body.to_string();
            (Some(status_in(body)), said, None)
        }
        other => (None, other.to_string(), None),
    }
}

/// The status that an error in the middle of a stream would have had in place of the answer.
fn status_in(body: &Value) -> u16 {
    let error = body.get("error").unwrap_or(body);
    let code = error["code"].as_u64().or_else(|| error["status"].as_u64()).and_then(|code| u16::try_from(code).ok());
    let named = ["type", "code", "status"].iter().filter_map(|field| error[*field].as_str());
    let named = named.map(|name| match name.to_lowercase().as_str() {
        "rate_limit_error" | "rate_limit_exceeded" | "resource_exhausted" | "insufficient_quota" => 429,
        "authentication_error" | "invalid_api_key" | "unauthenticated" => 401,
        "permission_error" | "permission_denied" => 403,
        "not_found_error" | "model_not_found" | "not_found" => 404,
        "invalid_request_error" | "invalid_argument" | "context_length_exceeded" | "content_filter" => 400,
        _ => 0,
    });
    code.filter(|code| (400..600).contains(code)).or_else(|| named.max().filter(|code| *code > 0)).unwrap_or(500)
}

#[expect(clippy::disallowed_methods, reason = "the edge: a provider may say a date to wait for")]
fn wait(headers: &reqwest::header::HeaderMap, body: &str) -> Option<Duration> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    failure::after(header, body, jiff::Timestamp::now())
}

/// Did nothing come for too long?
fn is_timeout(error: &genai::Error) -> bool {
    let words = error.to_string().to_lowercase();
    words.contains("timeout") || words.contains("timed out")
}

/// Was there an answer, but none that can be read?
fn is_words(error: &genai::Error) -> bool {
    use genai::Error as E;
    let unreadable = |error: &genai::webc::Error| {
        use genai::webc::Error as W;
        matches!(error, W::ResponseFailedNotJson { .. } | W::ResponseFailedInvalidJson { .. } | W::JsonValueExt(_))
    };
    match error {
        E::StreamParse { .. } | E::ChatResponseGeneration { .. } | E::InvalidJsonResponseElement { .. } => true,
        E::SerdeJson(_) | E::JsonValueExt(_) | E::NoChatResponse { .. } => true,
        E::WebModelCall { webc_error, .. } | E::WebAdapterCall { webc_error, .. } => unreadable(webc_error),
        _ => false,
    }
}

/// An error with what led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(found) = source {
        words.push_str(&format!(": {found}"));
        source = found.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_is_strict_when_every_object_of_it_is_closed() {
        let closed = json!({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string"}}});
        assert!(is_strict(&closed) && is_strict(&json!({"type": "array", "items": closed})));
        let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
        assert!(!is_strict(&map) && !is_strict(&json!({"type": "array", "items": map})));
        assert!(!is_strict(&json!({"type": "object", "properties": {}})));
    }

    #[test]
    fn what_was_counted_is_heard_where_a_choice_is_there_but_empty() {
        let heard = Mutex::default();
        for data in [
            r#"{"choices": [{"index": 0, "delta": {"content": "The"}}], "usage": null}"#,
            r#"{"choices": [{"index": 0, "delta": {}}], "usage": {"completion_tokens": 4, "prompt_tokens": 8}}"#,
            "[DONE]",
        ] {
            overheard(&RawFrameRef { index: 0, event: None, data, elapsed_us: 0 }, &heard);
        }
        let usage = heard.into_inner().expect("nobody panicked").usage;
        assert_eq!(usage, Some(Usage { input: 8, output: 4, estimated: false }));
    }

    #[test]
    fn an_error_within_a_stream_has_the_status_that_it_would_have_had() {
        for (body, status) in [
            (json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), 500),
            (json!({"error": {"type": "rate_limit_error"}}), 429),
            (json!({"error": {"code": 503, "status": "UNAVAILABLE"}}), 503),
            (json!({"error": {"code": "context_length_exceeded", "type": "invalid_request_error"}}), 400),
            (json!({"message": "?"}), 500),
        ] {
            assert_eq!(status_in(&body), status, "{body}");
        }
    }
}
