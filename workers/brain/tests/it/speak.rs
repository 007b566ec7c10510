//! A provider of the brain, before a server of the test.

use brain::{
    Key, ProviderConfig,
    provider::{Ask, Failure, Images, Known, Provider, Reply, Tool},
};
use model_servers::{Call, Dialect, Server, Setup};
use schemas::{
    Value,
    agent::{Message, Speaker},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

pub const KEY: &str = "sk-canary-7f3a9c-never-to-be-seen";
pub const MODEL: &str = "test-model-1";

/// All dialects, with the provider that speaks each.
pub const DIALECTS: [(Dialect, &str); 6] = [
    (Dialect::OpenAi, "openai"),
    (Dialect::Anthropic, "anthropic"),
    (Dialect::Gemini, "gemini"),
    (Dialect::HuggingFace, "huggingface"),
    (Dialect::LlamaCpp, "llamacpp"),
    (Dialect::Tgi, "tgi"),
];

/// A dialect has it.
pub const OK: &str = "ok";

/// Checks a capability in every dialect, and prints the row of it: `ok`, or `has none: ` and why.
pub async fn every(capability: &str, check: impl AsyncFn(Dialect, &'static str) -> String) {
    assert_eq!(DIALECTS.map(|(dialect, _)| dialect), Dialect::ALL);
    let mut row = format!("{capability:<24}");
    for (dialect, name) in DIALECTS {
        let cell = check(dialect, name).await;
        assert!(cell == OK || cell.starts_with("has none: "), "{capability}, {name}: {cell}");
        row.push_str(&format!(" | {name} {cell}"));
    }
    println!("{row}");
}

pub fn server(dialect: Dialect, reply: impl Fn(&Call) -> model_servers::Reply + Send + Sync + 'static) -> Server {
    Setup::new(dialect).models(&[MODEL]).start(reply)
}

pub fn provider(name: &str, server: &Server) -> Provider {
    let known = Known::find(name).unwrap();
    let url = if name == "huggingface" { format!("{}/v1", server.url) } else { server.url.clone() };
    Provider::new(&ProviderConfig {
        key: Some(Key::new(KEY)),
        url: Some(url),
        first_word: Duration::from_millis(1_500),
        next_word: Duration::from_millis(1_500),
        ..ProviderConfig::new(known)
    })
    .unwrap()
}

/// What is said to a model.
#[derive(Clone)]
pub struct Talk {
    pub model: &'static str,
    pub messages: Vec<Message>,
    pub images: Images,
    pub tools: Vec<Tool>,
    pub schema: Option<Value>,
}

impl Talk {
    pub fn new(text: &str) -> Self {
        let messages = vec![Message::new(Speaker::System, "You answer briefly."), Message::new(Speaker::User, text)];
        Self { model: MODEL, messages, images: Images::new(), tools: Vec::new(), schema: None }
    }

    /// What a provider answers, and the pieces in which it came.
    pub async fn with(&self, provider: &Provider) -> (Result<Reply, Failure>, Vec<String>) {
        let pieces = Arc::new(Mutex::new(Vec::new()));
        let reply = {
            let kept = Arc::clone(&pieces);
            let live = move |piece: String| {
                kept.lock().unwrap().push(piece);
                Box::pin(async {}) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
            };
            let (Self { messages, images, tools, .. }, stop) = (self, CancellationToken::new());
            let (model, schema) = (self.model, self.schema.as_ref());
            provider.ask(&Ask { model, messages, images, tools, schema, stop: &stop, live: &live }).await
        };
        let pieces = pieces.lock().unwrap().clone();
        (reply, pieces)
    }

    /// The same, where it must go well.
    pub async fn well(&self, name: &str, provider: &Provider) -> Reply {
        self.with(provider).await.0.unwrap_or_else(|failure| panic!("{name}: {failure:?}"))
    }

    /// The model called tools, and these are their results: in this order.
    pub fn told(&mut self, reply: &Reply, results: &[(usize, &str)]) {
        let asked = Message { calls: reply.calls.clone(), ..Message::new(Speaker::Assistant, &reply.text) };
        self.messages.push(asked);
        for (which, result) in results {
            let result_of = Some(reply.calls[*which].id.clone());
            self.messages.push(Message { result_of, ..Message::new(Speaker::Tool, *result) });
        }
    }
}

pub async fn asked(provider: &Provider, text: &str, schema: Option<&Value>) -> (Result<Reply, Failure>, Vec<String>) {
    Talk { schema: schema.cloned(), ..Talk::new(text) }.with(provider).await
}
