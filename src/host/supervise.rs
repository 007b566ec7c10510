//! Keeps workers running: one that ends with an error, or breaks, is started again.

use super::{WORKER_VERSION, Worker};
use crate::{config::Config, exit, rendezvous::Up};
use nats::{
    connect::{self, connect},
    jetstream::JetStream,
    key::Ring,
};
use std::{path::PathBuf, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// What is under way may finish, for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// One that ran so long is started again at once.
const STEADY: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Workers under way.
pub struct Workers {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    hopeless: mpsc::UnboundedReceiver<exit::Error>,
}

impl Workers {
    /// Starts them, each with its own NATS user and connection.
    ///
    /// # Errors
    /// A key is missing.
    pub fn start(workers: &[Worker], config: &Config, url: &str, ring: &Ring) -> Result<Self, exit::Error> {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let (tell, hopeless) = mpsc::unbounded_channel();
        for part in workers.iter().flat_map(|worker| worker.parts()) {
            let seed = ring
                .seed(part.user())
                .map_err(|error| exit::Error::usage(format!("{}: {error}", part.name())))?
                .clone();
            let (config, url, stop, tell) = (config.clone(), url.to_string(), stop.clone(), tell.clone());
            // At the level that no filter leaves out: every line of the worker is to bear its name.
            let span = tracing::error_span!(parent: None, "worker", worker = part.name());
            let kept = async move {
                let run = async || {
                    let client = connect(&url, part.user(), &seed).await?;
                    tracing::info!(version = WORKER_VERSION, "started");
                    let mut log = JetStream::new(client);
                    if config.group_commit {
                        log = log.with_group_commit();
                    }
                    part.run(log, &seed, &config, stop.clone()).await
                };
                let mut pause = Duration::ZERO;
                while !stop.is_cancelled() {
                    let began = Instant::now();
                    // A panic of one worker is the trouble of that one alone.
                    let ended = {
                        use futures::FutureExt;
                        std::panic::AssertUnwindSafe(run()).catch_unwind().await
                    };
                    let why = match ended {
                        _ if stop.is_cancelled() => return tracing::info!("stopped"),
                        Ok(Ok(())) => "it ended by itself".to_string(),
                        Ok(Err(error)) => match error.downcast_ref() {
                            // No time mends a wrong key or an old server.
                            Some(
                                connect::Error::Refused { .. } | connect::Error::TooOld { .. } | connect::Error::Key(_),
                            ) => {
                                let _ = tell.send(exit::Error::refused(format!("{}: {error:#}", part.name())));
                                return;
                            }
                            _ => format!("{error:#}"),
                        },
                        Err(_) => "it panicked".to_string(),
                    };
                    pause = if began.elapsed() > STEADY { SHORTEST } else { (pause * 2).clamp(SHORTEST, LONGEST) };
                    tracing::warn!(why, "starting the worker again in {pause:?}");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            };
            tasks.spawn(kept.instrument(span));
        }
        Ok(Self { stop, tasks, hopeless })
    }

    /// Waits until a worker can never run; does not end otherwise.
    pub async fn hopeless(&mut self) -> exit::Error {
        match self.hopeless.recv().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Writes `up.json` anew whenever the server runs as another process.
    pub fn keep_told(&mut self, mut up: Up, mut pids: watch::Receiver<u32>, data: PathBuf) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = pids.changed() => if changed.is_err() { return },
                }
                up.nats_pid = Some(*pids.borrow_and_update());
                if let Err(error) = up.write(&data) {
                    tracing::warn!(%error, "up.json is not up to date");
                }
            }
        });
    }

    /// Lets them finish what is under way; ends those that take too long.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, drained).await.is_err() {
            tracing::warn!("workers are not done after {PATIENCE:?}: ended; what they left is done at the next start");
            self.tasks.shutdown().await;
        }
    }
}
