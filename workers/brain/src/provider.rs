//! Asking a model over the network, through genai. The provider's dialect is known here and
//! nowhere else.

use crate::config::OpenAi;
use futures::StreamExt;
use genai::{
    Client, ModelIden, ModelSpec, ServiceTarget,
    adapter::AdapterKind,
    chat::{ChatMessage, ChatOptions, ChatRequest, ChatResponseFormat, ChatStreamEvent, StopReason},
    resolver::{AuthData, Endpoint},
};
use schemas::{
    Class,
    agent::{Message, Speaker},
    brain::Usage,
};
use std::{future::Future, time::Duration};
use tokio_util::sync::CancellationToken;

/// OpenAI's own address.
const OPENAI: &str = "https://api.openai.com/v1/";
/// Until the answer begins.
const FIRST_WORD: Duration = Duration::from_secs(120);
/// Between two pieces of it.
const NEXT_WORD: Duration = Duration::from_secs(60);
/// Characters an answer may have: a runaway is cut off, not stored.
const MOST_CHARS: usize = 8 << 20;

/// A provider that is on.
pub struct Provider {
    client: Client,
    endpoint: String,
    /// The address as it may be told: without the name and password that it may hold.
    address: String,
    key: Option<crate::config::Key>,
    model: Option<String>,
}

/// What a model said.
#[derive(Debug)]
pub struct Reply {
    pub text: String,
    pub usage: Usage,
}

/// Why a model said nothing usable.
#[derive(Debug)]
pub struct Failure {
    pub class: Class,
    pub message: String,
    pub usage: Usage,
}

impl Failure {
    fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), usage: Usage::default() }
    }
}

impl Provider {
    /// # Errors
    /// A sentence, when the settings do not make a client.
    pub fn openai(settings: &OpenAi) -> Result<Self, String> {
        let mut endpoint = settings.url.clone().unwrap_or_else(|| OPENAI.into());
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(format!("OPENAI_API_URL is `{endpoint}`: it must begin with http:// or https://"));
        }
        // genai joins paths to it as they are.
        if !endpoint.ends_with('/') {
            endpoint.push('/');
        }
        if !endpoint.ends_with("/v1/") && settings.url.is_some() && endpoint.matches('/').count() == 3 {
            endpoint.push_str("v1/");
        }
        let client = Client::new().map_err(|error| error.to_string())?;
        Ok(Self {
            client,
            address: told(&endpoint),
            endpoint,
            key: settings.key.clone(),
            model: settings.model.clone(),
        })
    }

    pub fn name(&self) -> &'static str {
        "openai"
    }

    fn auth(&self) -> AuthData {
        // Local servers want no key, but the dialect has a place for one.
        AuthData::from_single(self.key.as_ref().map_or("none", |key| key.reveal()))
    }

    /// The model asked for, the configured one, or else the first that the server offers.
    ///
    /// # Errors
    /// When the server does not say what it offers.
    pub async fn model(&self, asked: Option<&str>) -> Result<String, Failure> {
        if let Some(model) = asked.or(self.model.as_deref()) {
            return Ok(model.into());
        }
        if self.endpoint == OPENAI {
            return Err(Failure::new(Class::Permanent, "no model is named: set OPENAI_MODEL, or ask with --model"));
        }
        let config = genai::resolver::ProviderConfig::from_endpoint(Endpoint::from_owned(self.endpoint.clone()))
            .with_auth(self.auth());
        let names = self
            .client
            .all_model_names(AdapterKind::OpenAI, Some(config))
            .await
            .map_err(|error| self.failure(&error))?;
        let none = || Failure::new(Class::Permanent, format!("{} offers no model: set OPENAI_MODEL", self.address));
        names.into_iter().next().ok_or_else(none)
    }

    /// Asks a model; each piece of the answer goes to `live` as it comes.
    ///
    /// # Errors
    /// By what follows from it: transient, permanent, budget.
    pub async fn ask<F: Future<Output = ()>>(
        &self,
        model: &str,
        messages: &[Message],
        json: bool,
        stop: &CancellationToken,
        live: impl Fn(&str) -> F,
    ) -> Result<Reply, Failure> {
        let target = ServiceTarget {
            endpoint: Endpoint::from_owned(self.endpoint.clone()),
            auth: self.auth(),
            model: ModelIden::new(AdapterKind::OpenAI, model),
        };
        let chat = ChatRequest::new(messages.iter().map(message).collect());
        let mut options = ChatOptions::default()
            .with_capture_usage(true)
            .with_stream_header_timeout(FIRST_WORD)
            .with_stream_read_timeout(NEXT_WORD);
        if json {
            // The strict schema dialect knows no maps with free keys, which plans are made of: ask
            // for JSON and check the answer against the schema here.
            options = options.with_response_format(ChatResponseFormat::JsonMode);
        }
        let asking = self.client.exec_chat_stream(ModelSpec::from_target(target), chat, Some(&options));
        let answer = tokio::select! {
            answer = asking => answer.map_err(|error| self.failure(&error))?,
            () = stop.cancelled() => return Err(Failure::new(Class::NotStarted, "called off")),
        };
        let mut stream = answer.stream;
        let (mut text, mut usage, mut ended) = (String::new(), None, None);
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                () = stop.cancelled() => return Err(Failure::new(Class::NotStarted, "called off")),
            };
            match event {
                None => break,
                Some(Err(error)) => return Err(self.failure(&error)),
                Some(Ok(ChatStreamEvent::Chunk(chunk))) => {
                    live(&chunk.content).await;
                    text.push_str(&chunk.content);
                    if text.len() > MOST_CHARS {
                        return Err(Failure::new(
                            Class::Permanent,
                            format!("the answer is longer than {MOST_CHARS} bytes"),
                        ));
                    }
                }
                Some(Ok(ChatStreamEvent::End(end))) => {
                    usage = end.captured_usage;
                    ended = Some(end.captured_stop_reason);
                }
                Some(Ok(_)) => {}
            }
        }
        let usage = usage.map_or_else(|| estimate(messages, &text), |said| of_provider(&said, messages, &text));
        match ended {
            None => Err(Failure { usage, ..Failure::new(Class::Transient, "the answer was cut off") }),
            Some(Some(StopReason::ContentFilter(reason))) => Err(Failure {
                usage,
                ..Failure::new(Class::Permanent, format!("the provider's content filter ended the answer ({reason})"))
            }),
            Some(Some(StopReason::MaxTokens(_))) => Err(Failure {
                usage,
                ..Failure::new(Class::Permanent, "the answer was cut at the model's limit of tokens")
            }),
            Some(_) => Ok(Reply { text, usage }),
        }
    }

    /// What an error means; the key is nowhere in its words.
    fn failure(&self, error: &genai::Error) -> Failure {
        let status = status_of(error);
        let class = match status {
            Some(408 | 409 | 425 | 429 | 500..=599) | None => Class::Transient,
            Some(402) => Class::Budget,
            Some(_) => Class::Permanent,
        };
        let mut words = body_of(error);
        if let Some(key) = &self.key {
            words = words.replace(key.reveal(), "(key)");
        }
        let words: String = words.chars().take(600).collect();
        let message = match status {
            Some(401 | 403) => format!(
                "{} refuses the key ({}): check OPENAI_API_KEY. {words}",
                self.address,
                status.unwrap_or_default()
            ),
            Some(404) => format!("{} does not know the model or the address (404). {words}", self.address),
            Some(429) => format!("{} is asked too often, or the quota is used up (429). {words}", self.address),
            Some(code) => format!("{} answered {code}. {words}", self.address),
            None => format!("{}: {words}", self.address),
        };
        Failure::new(class, message)
    }
}

fn told(endpoint: &str) -> String {
    let Some((scheme, rest)) = endpoint.split_once("://") else { return endpoint.into() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

fn message(message: &Message) -> ChatMessage {
    match message.role {
        Speaker::System => ChatMessage::system(&message.text),
        Speaker::User => ChatMessage::user(&message.text),
        Speaker::Assistant => ChatMessage::assistant(&message.text),
    }
}

fn status_of(error: &genai::Error) -> Option<u16> {
    use genai::Error as E;
    match error {
        E::HttpError { status, .. } => Some(status.as_u16()),
        E::WebModelCall { webc_error, .. } | E::WebAdapterCall { webc_error, .. } => {
            webc_error.status().map(|status| status.as_u16())
        }
        E::WebStream { error, .. } => {
            let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
            while let Some(found) = source {
                if let Some(inner) = found.downcast_ref::<genai::Error>() {
                    return status_of(inner);
                }
                source = found.source();
            }
            None
        }
        // The provider answered, but not in its dialect.
        E::StreamParse { .. } | E::ChatResponse { .. } | E::ChatResponseGeneration { .. } => Some(502),
        _ => None,
    }
}

fn body_of(error: &genai::Error) -> String {
    use genai::Error as E;
    match error {
        E::HttpError { body, .. } => body.clone(),
        E::WebStream { cause, .. } => cause.clone(),
        other => other.to_string(),
    }
}

fn of_provider(said: &genai::chat::Usage, messages: &[Message], text: &str) -> Usage {
    match (said.prompt_tokens, said.completion_tokens) {
        (None, None) => estimate(messages, text),
        (input, output) => Usage {
            input: u64::try_from(input.unwrap_or(0)).unwrap_or(0),
            output: u64::try_from(output.unwrap_or(0)).unwrap_or(0),
            estimated: false,
        },
    }
}

/// Where the provider does not say: four characters are about a token.
fn estimate(messages: &[Message], text: &str) -> Usage {
    let input: usize = messages.iter().map(|message| message.text.chars().count()).sum();
    Usage { input: input.div_ceil(4) as u64, output: text.chars().count().div_ceil(4) as u64, estimated: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_password() {
        assert_eq!(told("http://me:pass@host:8080/v1/"), "http://host:8080/v1/");
        assert_eq!(told("https://host/a@b/v1/"), "https://host/a@b/v1/");
    }
}
