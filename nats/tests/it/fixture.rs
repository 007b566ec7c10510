//! A server of its own for each test, and the few raw words to talk to it.

use async_nats::{Client, HeaderMap, Message};
use futures::StreamExt;
use nats::{
    server::{Managed, Options, Places, find},
    setup,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

/// A set-up server in a folder that goes with it.
pub struct Server {
    pub managed: Managed,
    binary: PathBuf,
    dir: TempDir,
}

impl Server {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::new(dir.path(), &binary().await);
        let binary = options.binary.clone();
        let managed = Managed::start(options).await.unwrap();
        let admin = managed.connect("setup").await.unwrap();
        setup::ensure(&admin).await.unwrap();
        Self { managed, binary, dir }
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The server's program.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    pub async fn user(&self, name: &str) -> User {
        User::connect(&self.managed, name).await
    }
}

/// A connection that remembers what the server refused it.
pub struct User {
    pub client: Client,
    refused: Arc<std::sync::Mutex<Vec<String>>>,
}

impl User {
    async fn connect(managed: &Managed, name: &str) -> Self {
        let seed = managed.ring().seed(name).unwrap();
        let refused = Arc::new(std::sync::Mutex::new(vec![]));
        let heard = refused.clone();
        let client = nats::connect::options(name, seed)
            .event_callback(move |event| {
                let heard = heard.clone();
                async move {
                    if let async_nats::Event::ServerError(e) = event {
                        heard.lock().unwrap().push(e.to_string());
                    }
                }
            })
            .connect(managed.url())
            .await
            .unwrap();
        Self { client, refused }
    }

    /// What the server refused since the last time asked.
    pub async fn refusals(&self) -> Vec<String> {
        // The server answers in order: after a flush and a moment, its complaint has arrived.
        self.client.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        std::mem::take(&mut self.refused.lock().unwrap())
    }

    pub async fn ask(&self, subject: &str, payload: &str) -> Option<Message> {
        self.ask_with(subject, payload, HeaderMap::new()).await
    }

    pub async fn ask_with(&self, subject: &str, payload: &str, headers: HeaderMap) -> Option<Message> {
        let asked = self.client.request_with_headers(subject.to_string(), headers, payload.to_string().into());
        tokio::time::timeout(Duration::from_millis(600), asked).await.ok()?.ok()
    }

    /// Publishes and asks JetStream where it was stored; `None` when it wasn't.
    pub async fn append(&self, subject: &str, payload: &str) -> Option<u64> {
        self.append_with(subject, payload, HeaderMap::new()).await
    }

    pub async fn append_with(&self, subject: &str, payload: &str, headers: HeaderMap) -> Option<u64> {
        let answer = self.ask_with(subject, payload, headers).await?;
        serde_json::from_slice::<serde_json::Value>(&answer.payload).ok()?["seq"].as_u64().filter(|seq| *seq > 0)
    }

    /// Takes one message from a consumer of a group and acknowledges it.
    pub async fn pull(&self, stream: &str, consumer: &str) -> Option<Message> {
        let inbox = self.client.new_inbox();
        let mut answers = self.client.subscribe(inbox.clone()).await.unwrap();
        let request = r#"{"batch":1,"expires":1500000000}"#;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        self.client.publish_with_reply(subject, inbox, request.into()).await.unwrap();
        let message = tokio::time::timeout(Duration::from_secs(3), answers.next()).await.ok()??;
        // A status has no reply subject.
        self.client.publish(message.reply.clone()?, "+ACK".into()).await.unwrap();
        self.client.flush().await.unwrap();
        Some(message)
    }
}

/// The next message of a subscription, within a few seconds.
pub async fn next(subscriber: &mut async_nats::Subscriber) -> Message {
    tokio::time::timeout(Duration::from_secs(5), subscriber.next()).await.expect("it comes in time").unwrap()
}

pub async fn binary() -> nats::server::Binary {
    let places = Places::from_vars(|name| std::env::var_os(name));
    find(&places, &|line| eprintln!("{line}")).await.unwrap()
}
