//! Servers of models that others made, on this machine: `make test-peers` installs them and says where they are.

mod litellm;
mod llama_cpp;

use crate::{
    canary::KEY,
    process::Process,
    wait::{LONG, within},
};
use brain::{
    Key, ProviderConfig,
    provider::{Ask, Failure, Images, Known, Provider, Reply, Tool},
};
use schemas::{
    Value,
    agent::{Message, Speaker},
};
use std::{
    env,
    net::TcpListener,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// A server of models that runs, and what asks it.
struct Peer {
    /// `http://127.0.0.1:…`
    url: String,
    runtime: Runtime,
    _process: Process,
    _dir: TempDir,
}

/// A program that `make test-peers` names.
fn program(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: `make test-peers` does"))
}

/// A port that is free now.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Peer {
    /// Starts it; it answers when it lists its models as that provider.
    fn start(name: &str, dir: TempDir, port: u16, mut command: Command) -> Self {
        command.current_dir(dir.path()).env_remove("OPENAI_API_KEY");
        let process = Process::start(command, name, &dir.path().join("peer.log"));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let peer = Self { url: format!("http://127.0.0.1:{port}"), runtime, _process: process, _dir: dir };
        let provider = peer.provider(name, KEY);
        let said = || peer._process.said();
        within(2 * LONG, &format!("{name} answers"), said, || peer.runtime.block_on(provider.models()).ok());
        peer
    }

    fn provider(&self, name: &str, key: &str) -> Provider {
        let known = Known::find(name).unwrap();
        let first_word = Duration::from_secs(300);
        let (key, url) = (Some(Key::new(key)), Some(self.url.clone()));
        Provider::new(&ProviderConfig { key, url, first_word, ..ProviderConfig::new(known) }).unwrap()
    }

    /// What it answers, and in how many pieces that came.
    fn ask(
        &self,
        by: &Provider,
        model: &str,
        text: &str,
        tools: &[Tool],
        schema: Option<&Value>,
    ) -> (Result<Reply, Failure>, usize) {
        let pieces = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&pieces);
        let live = move |_| {
            *counted.lock().unwrap() += 1;
            Box::pin(async {}) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
        };
        let messages = [Message::new(Speaker::System, "You answer briefly."), Message::new(Speaker::User, text)];
        let stop = CancellationToken::new();
        let images = Images::new();
        let ask = Ask { model, messages: &messages, images: &images, tools, schema, stop: &stop, live: &live };
        let reply = self.runtime.block_on(by.ask(&ask));
        let pieces = *pieces.lock().unwrap();
        (reply, pieces)
    }
}

/// A file of the peer's own beside it.
fn write(dir: &TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().into()
}

/// Runs a program to its good end.
fn run(program: &str, args: &[&str], home: &Path) {
    let status = Command::new(program).args(args).current_dir(home).status().unwrap();
    assert!(status.success(), "{program} {args:?}: {status}");
}
