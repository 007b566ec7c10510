//! Asking a model over the network. What providers call things is known here and nowhere else.

mod chat;
mod embed;
mod envelope;
mod failure;
mod http;
mod image;
mod known;
mod native;
mod tool;

pub use failure::{Failure, Kind};
pub use known::{Dialect, KNOWN, Known};

use crate::{
    config::{Key, ProviderConfig},
    gate::{Gate, Place},
    shared::Redis,
};
use chat::Chat;
use embed::Embedder;
use native::Native;
use schemas::{
    Value,
    agent::{Message, ToolCall},
    brain::Usage,
};
use serde::Serialize;
use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Bytes an answer may have: a runaway is cut off, not stored.
const MOST_BYTES: usize = 8 << 20;
/// Characters of a provider's words in ours.
const MOST_WORDS: usize = 600;

/// A provider that is on.
pub struct Provider {
    config: ProviderConfig,
    /// Where it is asked.
    base: String,
    /// The same, as it may be told: without the name and password that it may hold.
    address: String,
    speaker: Speaker,
    embedder: Embedder,
    /// What each call passes first.
    gate: Gate,
}

/// What speaks its dialect.
enum Speaker {
    Chat(Chat),
    Native(Native),
}

/// One question to a model.
pub struct Ask<'a> {
    pub model: &'a str,
    pub messages: &'a [Message],
    /// Those that the messages refer to.
    pub images: &'a Images,
    /// What the model may ask for instead of answering.
    pub tools: &'a [Tool],
    /// JSON that fits this is wanted; else text.
    pub schema: Option<&'a Value>,
    pub stop: &'a CancellationToken,
    /// Takes each piece of the answer as it comes.
    pub live: &'a Live<'a>,
}

/// The bytes of images, by their SHA-256.
pub type Images = BTreeMap<String, Vec<u8>>;

/// A tool that a model may ask for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tool {
    pub name: String,
    pub description: String,
    /// JSON Schema (an object schema) of its inputs.
    pub input: Value,
}

/// Takes a piece of an answer.
pub type Live<'a> = dyn Fn(String) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> + Send + Sync + 'a;

/// What a model said.
#[derive(Debug, PartialEq)]
pub struct Reply {
    pub text: String,
    /// The tools that it asks for.
    pub calls: Vec<ToolCall>,
    pub usage: Usage,
}

impl Provider {
    /// # Errors
    /// A sentence, when the settings do not make one.
    pub fn new(config: &ProviderConfig) -> Result<Self, String> {
        let known = config.known;
        let Some(url) = config.url.as_deref().or(known.url) else {
            return Err(format!("{}: its address is missing", known.title));
        };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(format!("{}: its address must begin with http:// or https://", known.title));
        }
        let base = known.base(url);
        let speaker = match known.dialect {
            Dialect::LlamaCpp | Dialect::Tgi => Speaker::Native(Native::new(config, &base)?),
            Dialect::OpenAi | Dialect::Anthropic | Dialect::Gemini => Speaker::Chat(Chat::new(config, &base)?),
        };
        let embedder = Embedder::new(config, &base)?;
        let gate = Gate::new(known.name, config.parallel, config.per_minute);
        Ok(Self { config: config.clone(), address: told(&base), base, speaker, embedder, gate })
    }

    /// Its limits hold for all brains together that share a Redis.
    pub(crate) fn sharing(self, redis: Option<Arc<Redis>>) -> Self {
        Self { gate: self.gate.sharing(redis), ..self }
    }

    pub fn name(&self) -> &'static str {
        self.config.known.name
    }

    /// Where it is asked, without the name and password that the address may hold.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The model that it is set to.
    pub fn set_to(&self) -> Option<&str> {
        self.config.model.as_deref()
    }

    /// Is it asked where its makers are?
    pub fn is_own_address(&self) -> bool {
        self.config.known.is_own(&self.base)
    }

    /// The model asked for, the one that it is set to, or else the first that the server offers.
    ///
    /// # Errors
    /// When the server does not say what it offers.
    pub async fn model(&self, asked: Option<&str>) -> Result<String, Failure> {
        if let Some(model) = asked.or(self.config.model.as_deref()) {
            return Ok(model.into());
        }
        let name = self.name();
        if self.is_own_address() {
            let why = format!("no model is named: set {}_MODEL, or ask with --model", name.to_uppercase());
            return Err(Failure::new(Kind::Unknown, why));
        }
        let none = || {
            Failure::new(Kind::Unknown, format!("{} offers no model: set {}_MODEL", self.address, name.to_uppercase()))
        };
        self.models().await?.into_iter().next().ok_or_else(none)
    }

    /// The models that the server offers.
    ///
    /// # Errors
    /// It does not say.
    pub async fn models(&self) -> Result<Vec<String>, Failure> {
        let models = match &self.speaker {
            Speaker::Chat(chat) => chat.models().await,
            Speaker::Native(native) => native.models().await,
        };
        models.map_err(|failure| self.worded(failure))
    }

    /// A place for one call, which is free again when it is dropped.
    ///
    /// # Errors
    /// There is none within that time: as many calls are made as may be.
    pub async fn enter(&self, stop: &CancellationToken, patience: Duration) -> Result<Place, Failure> {
        match stop.run_until_cancelled(self.gate.enter(patience)).await {
            None => Err(Failure::new(Kind::Cancelled, "called off")),
            Some(place) => place.map_err(|why| self.worded(Failure::new(Kind::Capped, why))),
        }
    }

    /// Asks a model; whoever does has a place.
    ///
    /// # Errors
    /// By what it means; no key is in its words.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let asking = async {
            let mut reply = match &self.speaker {
                Speaker::Chat(chat) => chat.ask(ask).await?,
                Speaker::Native(native) => native.ask(ask).await?,
            };
            tool::name_all(&mut reply.calls, ask.messages);
            Ok(reply)
        };
        let reply = ask.stop.run_until_cancelled(asking).await;
        let reply = reply.unwrap_or_else(|| Err(Failure::new(Kind::Cancelled, "called off")));
        reply.map_err(|failure| self.worded(failure))
    }

    /// A failure in words that say what a person can do, and hold nothing that is only for the provider.
    fn worded(&self, failure: Failure) -> Failure {
        let Failure { kind, mut message, usage } = failure;
        let secrets = self.config.key.iter().chain(self.config.headers.iter().map(|(_, value)| value));
        for secret in secrets.map(Key::reveal).filter(|secret| !secret.is_empty()) {
            message = message.replace(secret, "(key)");
        }
        // Some show the ends of a key that they don't know.
        let shown = |word: &str| word.contains("***");
        let message: Vec<_> = message.split(' ').map(|word| if shown(word) { "(key)" } else { word }).collect();
        let message: String = message.join(" ").chars().take(MOST_WORDS).collect();
        let (at, variable) = (&self.address, self.config.known.variable());
        let model = format!("{}_MODEL", self.name().to_uppercase());
        let message = match kind {
            Kind::Unauthorized => format!("{at} refuses the key: check {variable}. {message}"),
            Kind::Unknown => format!("{at} does not know the model or the address: check {model}. {message}"),
            Kind::RateLimited(_) => format!("{at} is asked too often. {message}"),
            Kind::NoQuota => {
                format!("{at} says that the quota is used up: pay there, or use another provider. {message}")
            }
            Kind::Cancelled => message,
            kind => format!("{at}: {}: {message}", kind.as_str()),
        };
        Failure { kind, message, usage }
    }
}

/// An address without the name and password that it may hold.
pub(crate) fn told(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// Where the provider does not say: four characters are about a token.
pub fn estimate(messages: &[Message], text: &str) -> Usage {
    let input: usize = messages.iter().map(|message| message.text.chars().count()).sum();
    Usage { input: input.div_ceil(4) as u64, output: text.chars().count().div_ceil(4) as u64, estimated: true }
}

/// Takes the pieces of an answer together, and passes each on.
struct Answer<'a> {
    text: String,
    /// Where they go.
    live: Option<&'a Live<'a>>,
}

impl Answer<'_> {
    /// # Errors
    /// The answer is longer than one may be.
    async fn push(&mut self, piece: &str) -> Result<(), Failure> {
        if self.text.len() + piece.len() > MOST_BYTES {
            let why = format!("the answer is longer than {} MiB", MOST_BYTES >> 20);
            return Err(Failure::new(Kind::CutOff, why));
        }
        self.text.push_str(piece);
        if let Some(live) = self.live.filter(|_| !piece.is_empty()) {
            live(piece.to_string()).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_password() {
        assert_eq!(told("http://me:pass@host:8080/v1/"), "http://host:8080/v1/");
        assert_eq!(told("https://host/a@b/v1/"), "https://host/a@b/v1/");
    }

    #[test]
    fn words_say_what_to_do_and_hold_no_key() {
        let mut config = ProviderConfig::new(Known::find("anthropic").expect("known"));
        config.key = Some(Key::new("sk-hunter2"));
        config.headers = vec![("X-Other".into(), Key::new("hunter3"))];
        let provider = Provider::new(&config).expect("a provider");
        for (kind, wanted) in [
            (Kind::Unauthorized, "check ANTHROPIC_API_KEY"),
            (Kind::Unknown, "check ANTHROPIC_MODEL"),
            (Kind::NoQuota, "quota is used up"),
            (Kind::TooLong, "context too long"),
        ] {
            let message = provider.worded(Failure::new(kind, "bad sk-hunter2 and hunter3, sk-hunt***er2.")).message;
            assert!(message.contains(wanted) && !message.contains("hunt"), "{message}");
        }
    }
}
