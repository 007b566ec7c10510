//! A nats-server as somebody else would run it.

use nats::server::{Managed, Options, Places, find};
use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};
use tokio::runtime::{Builder, Runtime};

/// A nats-server that is not `up`'s.
pub struct Server {
    pub url: String,
    /// The folder with all keys.
    pub keys: PathBuf,
    running: Mutex<Option<(Managed, Runtime)>>,
}

impl Server {
    pub fn start(dir: &Path) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(async {
            let places = Places::from_vars(|name| std::env::var_os(name));
            let binary = find(&places, &|line| eprintln!("{line}")).await.unwrap();
            Managed::start(Options::new(dir.join("server"), &binary)).await.unwrap()
        });
        Self {
            url: server.url().into(),
            keys: server.ring().dir().into(),
            running: Mutex::new(Some((server, runtime))),
        }
    }

    /// Its process now.
    pub fn pid(&self) -> Option<u32> {
        self.running.lock().unwrap().as_ref().map(|(managed, _)| managed.pid())
    }

    pub fn stop(&self) {
        let running = self.running.lock().ok().and_then(|mut running| running.take());
        if let Some((managed, runtime)) = running {
            runtime.block_on(managed.stop());
        }
    }
}
