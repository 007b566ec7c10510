//! A provider of the brain, before a server of the test.

use brain::{
    Key, ProviderConfig,
    provider::{Ask, Failure, Images, Known, Provider, Reply},
};
use model_servers::{Dialect, Server};
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

/// What a provider answers, and the pieces in which it came.
pub async fn asked(provider: &Provider, text: &str, schema: Option<&Value>) -> (Result<Reply, Failure>, Vec<String>) {
    let pieces = Arc::new(Mutex::new(Vec::new()));
    let reply = {
        let kept = Arc::clone(&pieces);
        let live = move |piece: String| {
            kept.lock().unwrap().push(piece);
            Box::pin(async {}) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
        };
        let messages = [Message::new(Speaker::System, "You answer briefly."), Message::new(Speaker::User, text)];
        let stop = CancellationToken::new();
        let images = Images::new();
        let ask =
            Ask { model: MODEL, messages: &messages, images: &images, tools: &[], schema, stop: &stop, live: &live };
        provider.ask(&ask).await
    };
    let pieces = pieces.lock().unwrap().clone();
    (reply, pieces)
}
