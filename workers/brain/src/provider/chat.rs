//! The dialects that genai speaks: OpenAI's, Anthropic's and Gemini's.

mod conversation;
mod dropped;
mod error;

use super::{Answer, Ask, Dialect, Failure, Kind, MOST_BYTES, Reply, estimate, tool};
use crate::config::{Key, ProviderConfig};
use dropped::{Dropped, overheard};
use error::failed;
use futures::StreamExt;
use genai::{
    Client, Headers, ModelIden, ModelSpec, ServiceTarget,
    adapter::AdapterKind,
    chat::{ChatOptions, ChatRequest, ChatResponseFormat, ChatStreamEvent, JsonSpec, StopReason, StreamEnd, Tool},
    embed::EmbedOptions,
    resolver::{AuthData, Endpoint, ProviderConfig as Target},
};
use schemas::{
    Value,
    agent::{Message, ToolCall},
    brain::Usage,
};
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// The tool by which a model gives JSON, where it has no other way.
const ANSWER: &str = "answer";

pub struct Chat {
    client: Client,
    kind: AdapterKind,
    name: &'static str,
    base: String,
    key: Option<Key>,
    headers: Headers,
    /// Until an answer begins, and between two pieces of it.
    waits: (Duration, Duration),
    /// Whether it holds an answer to a schema where it may call tools instead.
    takes_both: bool,
}

/// The tool by which the answer is given.
struct Given {
    name: String,
    /// Whether the answer stands in an object, as its only member.
    wraps: bool,
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
            name: config.known.name,
            base: base.into(),
            key: config.key.clone(),
            headers: headers.collect::<Vec<_>>().into(),
            waits: (config.first_word, config.next_word),
            // Many servers that speak like OpenAI's refuse it, or never call a tool then; so does Gemini: “Function
            // calling with a response mime type: 'application/json' is unsupported”.
            takes_both: kind == AdapterKind::Anthropic || config.known.name == "openai" && config.known.is_own(base),
        })
    }

    fn auth(&self) -> AuthData {
        // Local servers want no key, but the dialects have a place for one.
        AuthData::from_single(self.key.as_ref().map_or("none", Key::reveal))
    }

    fn target(&self, model: &str) -> ModelSpec {
        ModelSpec::from_target(ServiceTarget {
            endpoint: Endpoint::from_owned(self.base.clone()),
            auth: self.auth(),
            model: ModelIden::new(self.kind, model),
        })
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

    /// A vector for each text, in the order of the texts, and the tokens where they are counted.
    ///
    /// # Errors
    /// By what it means.
    pub async fn embed(&self, model: &str, texts: &[String]) -> Result<(Vec<Vec<f32>>, Option<u64>), Failure> {
        let options = EmbedOptions::new().with_headers(self.headers.clone());
        let asking = self.client.embed_batch(self.target(model), texts.to_vec(), Some(&options));
        let said = tokio::time::timeout(self.waits.0, asking).await;
        let said =
            said.map_err(|_| Failure::new(Kind::TimedOut, "no vectors came"))?.map_err(|error| failed(&error))?;
        let tokens = said.usage.prompt_tokens.and_then(|tokens| u64::try_from(tokens).ok());
        let mut embeddings = said.embeddings;
        embeddings.sort_by_key(|embedding| embedding.index);
        Ok((embeddings.into_iter().map(|embedding| embedding.vector).collect(), tokens))
    }

    /// # Errors
    /// By what it means.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let (chat, mut options, answers) = self.request(ask)?;
        let dropped = Arc::new(Mutex::new(Dropped::default()));
        let heard = Arc::clone(&dropped);
        options = options.with_raw_frame_fn(move |_, frame| overheard(&frame, &heard));
        let asking = self.client.exec_chat_stream(self.target(ask.model), chat, Some(&options));
        let mut stream = asking.await.map_err(|error| failed(&error))?.stream;
        let (mut answer, mut ended) = (Answer { text: String::new(), live: Some(ask.live) }, None::<StreamEnd>);
        let refused = || dropped.lock().ok().map(|said| said.refusal.clone()).filter(|said| !said.is_empty());
        while let Some(event) = stream.next().await {
            match event
                .map_err(|error| refused().map_or_else(|| failed(&error), |why| Failure::new(Kind::Filtered, why)))?
            {
                ChatStreamEvent::Chunk(piece) => answer.push(&piece.content).await?,
                ChatStreamEvent::ToolCallChunk(piece)
                    if piece.tool_call.fn_arguments.as_str().is_some_and(|written| written.len() > MOST_BYTES) =>
                {
                    return Err(Failure::new(Kind::CutOff, "the arguments of a call do not end"));
                }
                ChatStreamEvent::End(end) => ended = Some(end),
                _ => {}
            }
        }
        let Some(end) = ended else {
            let usage = estimate(ask.messages, &answer.text);
            return Err(Failure { usage, ..Failure::new(Kind::Garbled, "the answer was cut off") });
        };
        let mut calls = end.captured_content.as_ref().map(|content| self.calls(ask.model, content)).unwrap_or_default();
        if let Some(given) = answers.and_then(|answers| answers.taken(&mut calls)) {
            answer.text.clear();
            answer.push(&given).await?;
        }
        let text = answer.text;
        let counted = || dropped.lock().ok().and_then(|said| said.usage);
        let usage = match end.captured_usage {
            Some(said) => of(&said, ask.messages, &text),
            None => counted().unwrap_or_else(|| estimate(ask.messages, &text)),
        };
        let says_nothing = text.is_empty() && calls.is_empty();
        let failed = |kind: Kind, why: String| Err(Failure { usage, ..Failure::new(kind, why) });
        match end.captured_stop_reason {
            _ if says_nothing && refused().is_some() => failed(Kind::Filtered, refused().unwrap_or_default()),
            // Not a word, and no reason why it is over: it was no answer of a model.
            None if says_nothing => failed(Kind::Garbled, "what came is no answer".into()),
            // Its answers have no other end; genai takes what is there.
            None if self.kind == AdapterKind::Gemini => failed(Kind::Garbled, "the answer was cut off".into()),
            Some(StopReason::ContentFilter(reason)) => {
                failed(Kind::Filtered, format!("the content filter ended the answer ({reason})"))
            }
            Some(StopReason::MaxTokens(_)) => {
                failed(Kind::CutOff, "the answer was cut at the model's limit of tokens".into())
            }
            // As Gemini ends a call that it could not write.
            Some(StopReason::Other(reason)) if says_nothing => {
                failed(Kind::Garbled, format!("the model ended without an answer ({reason})"))
            }
            _ => Ok(Reply { text, calls, usage }),
        }
    }

    /// What is asked, how, and the tool by which the answer is given, if it is one.
    fn request(&self, ask: &Ask<'_>) -> Result<(ChatRequest, ChatOptions, Option<Given>), Failure> {
        let mut options = ChatOptions::default()
            .with_capture_usage(true)
            .with_capture_tool_calls(true)
            // Only there it must be said again, and costs nothing.
            .with_capture_reasoning_content(self.kind == AdapterKind::Anthropic)
            .with_stream_header_timeout(self.waits.0)
            .with_stream_read_timeout(self.waits.1)
            .with_extra_headers(self.headers.clone());
        let tool = |tool: &super::Tool| {
            Tool::new(tool.name.clone()).with_description(&tool.description).with_schema(tool::input(&tool.input))
        };
        let mut tools: Vec<_> = ask.tools.iter().map(tool).collect();
        let mut answers = None;
        let schema = ask.schema.cloned().unwrap_or_default();
        match self.form(ask.schema, !tools.is_empty()) {
            Form::Text => {}
            Form::Mode => options = options.with_response_format(ChatResponseFormat::JsonMode),
            Form::Schema => options = options.with_response_format(JsonSpec::new(ANSWER, schema)),
            Form::Tool => {
                let (given, input) = Given::new(ask.tools, schema);
                // Not forced: models that think refuse that. What they write instead is read as well.
                let words = "Gives the answer; call it last, and alone.";
                tools.push(Tool::new(given.name.clone()).with_description(words).with_schema(input));
                answers = Some(given);
            }
        }
        let chat = ChatRequest::new(self.messages(ask)?);
        let chat = if tools.is_empty() { chat } else { chat.with_tools(tools) };
        Ok((chat, options, answers))
    }

    /// Where a schema has maps with free keys, as plans do, no strict dialect knows it; nor one that is no object's at
    /// its top, which is not what JSON of any shape means either.
    fn form(&self, schema: Option<&Value>, has_tools: bool) -> Form {
        let Some(schema) = schema else { return Form::Text };
        let is_object = schema["type"] == "object";
        match self.kind {
            _ if is_object && is_strict(schema) && (self.takes_both || !has_tools) => Form::Schema,
            // Gemini's takes JSON Schema as it is.
            AdapterKind::Gemini if !has_tools => Form::Schema,
            AdapterKind::OpenAI if !has_tools && is_object => Form::Mode,
            _ => Form::Tool,
        }
    }
}

impl Given {
    /// With the schema of its inputs. They are an object, so what is none stands in one.
    fn new(others: &[super::Tool], schema: Value) -> (Self, Value) {
        let mut name = ANSWER.to_string();
        while others.iter().any(|tool| tool.name == name) {
            name.push('_');
        }
        let wraps = !tool::is_input(&schema);
        let wrapped = || {
            let answer = tool::moved(&schema, &format!("/properties/{ANSWER}"));
            json!({"type": "object", "properties": {ANSWER: answer}, "required": [ANSWER]})
        };
        let input = if wraps { wrapped() } else { schema };
        (Self { name, wraps }, input)
    }

    /// The answer out of the calls; where other tools are asked for as well it comes too early, and is dropped.
    fn taken(&self, calls: &mut Vec<ToolCall>) -> Option<String> {
        let (answers, others): (Vec<_>, Vec<_>) = calls.drain(..).partition(|call| call.name == self.name);
        *calls = others;
        let ToolCall { input, .. } = answers.into_iter().next().filter(|_| calls.is_empty())?;
        Some(match input {
            // No JSON: the model is told so, and asked again.
            Value::String(written) => written,
            Value::Object(mut fields) if self.wraps && fields.contains_key(ANSWER) => fields[ANSWER].take().to_string(),
            given => given.to_string(),
        })
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

/// Tokens as the provider counts them.
fn of(said: &genai::chat::Usage, messages: &[Message], text: &str) -> Usage {
    let number = |tokens: Option<i32>| u64::try_from(tokens.unwrap_or(0)).unwrap_or(0);
    match (said.prompt_tokens, said.completion_tokens) {
        (None, None) => estimate(messages, text),
        (input, output) => Usage { input: number(input), output: number(output), estimated: false },
    }
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
    fn an_answer_is_given_by_a_tool_of_its_own_and_alone() {
        let other = super::super::Tool { name: "answer".into(), description: String::new(), input: json!({}) };
        let call = |name: &str, input: Value| ToolCall { id: "1".into(), name: name.into(), input, signature: None };
        let object = json!({"type": "object", "additionalProperties": true});
        let (given, input) = Given::new(&[other], object.clone());
        assert_eq!((given.name.as_str(), input), ("answer_", object));
        let mut calls = vec![call("answer", json!({"a": 1})), call("answer_", json!({"b": 1}))];
        assert_eq!(given.taken(&mut calls), None, "another is asked for first");
        assert_eq!(calls, [call("answer", json!({"a": 1}))]);
        assert_eq!(given.taken(&mut vec![call("answer_", json!({"b": 1}))]).as_deref(), Some(r#"{"b":1}"#));
        let list = json!({"type": "array", "items": {"$ref": "#/$defs/N"}, "$defs": {"N": {"type": "integer"}}});
        let (given, input) = Given::new(&[], list);
        assert_eq!(input["properties"]["answer"]["items"]["$ref"], "#/properties/answer/$defs/N");
        assert_eq!(given.taken(&mut vec![call("answer", json!({"answer": [1]}))]).as_deref(), Some("[1]"));
        assert_eq!(given.taken(&mut vec![call("answer", json!("[1"))]).as_deref(), Some("[1"));
    }

    #[test]
    fn a_schema_is_held_beside_tools_only_where_that_works() {
        let closed = json!({"type": "object", "additionalProperties": false, "properties": {}});
        let form = |name: &str, url: Option<&str>, has_tools: bool| {
            let known = crate::Known::find(name).expect("known");
            let base = known.base(url.or(known.url).expect("an address"));
            Chat::new(&ProviderConfig::new(known), &base).expect("a client").form(Some(&closed), has_tools)
        };
        for (name, url, with, without) in [
            ("openai", None, Form::Schema, Form::Schema),
            ("openai", Some("http://host:8000"), Form::Tool, Form::Schema),
            ("huggingface", None, Form::Tool, Form::Schema),
            ("anthropic", None, Form::Schema, Form::Schema),
            ("gemini", None, Form::Tool, Form::Schema),
        ] {
            assert_eq!((form(name, url, true), form(name, url, false)), (with, without), "{name} {url:?}");
        }
    }
}
