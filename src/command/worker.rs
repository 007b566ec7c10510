//! `stage7 worker`: some of the workers, beside a server that runs elsewhere.

use super::Signals;
use crate::{
    cli,
    config::Config,
    exit::{Code, Error},
    host::{Worker, Workers, creds},
    trace,
};
use anyhow::Context;
use nats::key::Ring;

pub async fn run(config: &Config, asked: &cli::Worker) -> Result<Code, Error> {
    let Some(url) = &config.nats_url else {
        return Err(Error::usage(
            "a worker by itself needs the server it works beside: give --nats URL and --creds DIR; `stage7 up` runs all of them together",
        ));
    };
    // Named twice, once.
    let names: Vec<_> = Worker::ALL.into_iter().filter(|worker| asked.names.contains(worker)).collect();
    let process = if let [only] = names[..] { only.name() } else { "worker" };
    trace::begin(config, process, trace::Screen::stderr())?;
    let ring = Ring::load(creds(config)?).context("the keys")?;
    let mut signals = Signals::new()?;
    let mut workers = Workers::start(&names, config, url, &ring)?;
    tracing::info!(workers = ?names, version = crate::host::WORKER_VERSION, "working");
    let ended = tokio::select! {
        () = signals.next() => Ok(Code::Completed),
        error = workers.hopeless() => Err(error),
    };
    tokio::select! {
        () = workers.stop() => ended,
        () = signals.next() => Ok(Code::Interrupted),
    }
}
