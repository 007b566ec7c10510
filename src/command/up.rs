//! `stage7 up`: everything in one process, until Ctrl-C.

use super::Signals;
use crate::{
    cli,
    config::Config,
    exit::{Code, Error},
    host::{Host, Worker},
    progress::{out, say},
    rendezvous, trace,
};
use serde_json::json;

pub async fn run(config: &Config, asked: &cli::Up, json: bool) -> Result<Code, Error> {
    trace::begin(config, "up", trace::Screen::stderr())?;
    let mut signals = Signals::new()?;
    let note = super::note(json);
    let starting = Host::start(config, asked.port, rendezvous::Host::Up, &note);
    let mut host = tokio::select! {
        host = starting => host?,
        () = signals.next() => return Ok(Code::Interrupted),
    };
    let workers = Worker::ALL.map(Worker::name);
    if json {
        say(&json!({"kind": "up", "pid": host.up.pid, "nats_pid": host.up.nats_pid, "nats_url": host.up.nats_url,
            "data": config.data, "workers": workers}));
    } else {
        out!("stage7 is up (process {})", host.up.pid);
        out!("  data     {}", config.data.display());
        out!("  nats     {}", host.up.nats_url);
        out!("  workers  {}", workers.join(", "));
        out!("  models   {}", super::doctor::models(config));
        out!("Try: stage7 run \"Create a basic todo list\". Ctrl-C ends it.");
    }
    let ended = tokio::select! {
        () = signals.next() => Ok(Code::Completed),
        error = host.hopeless() => Err(error),
    };
    tracing::info!("ending");
    tokio::select! {
        () = host.stop() => ended,
        // Whoever presses it twice does not want to wait.
        () = signals.next() => Ok(Code::Interrupted),
    }
}
