//! Answering requests, shown as a NATS micro-service (`$SRV.PING`, `INFO`, `STATS`).

use crate::{
    jetstream::JetStream,
    log::{AppendError, ReadError},
};
use async_nats::{
    HeaderMap, Subject,
    client::RequestErrorKind,
    service::{self, ServiceExt},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use streams::record::Record;
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

pub use crate::jetstream::artifact::{get_chunk, put_chunk};

/// Requests answered at once by one instance.
const AT_ONCE: usize = 256;
/// Between two tries of asking whom nobody is there for.
const PAUSE: Duration = Duration::from_millis(100);

/// The service cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("{service} cannot listen for requests")]
pub struct Error {
    service: &'static str,
    source: async_nats::Error,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub subject: String,
    pub headers: Vec<(String, String)>,
    pub payload: Bytes,
    /// Where the answer goes; no two requests have the same.
    pub reply: String,
}

/// What is sent back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    pub headers: Vec<(&'static str, String)>,
    pub payload: Bytes,
}

/// Something that answers requests.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// Its name as a micro-service.
    const NAME: &'static str;
    /// Do all instances that listen share the requests? Where one works and the others stand by, each
    /// hears every request: one that is frozen, and for the server still there, keeps none from the
    /// one that has taken over.
    const SHARED: bool = true;
    /// Name and subject (wildcards allowed) of everything it listens to.
    const ENDPOINTS: &'static [(&'static str, &'static str)];

    /// The answer, whatever was asked.
    async fn answer(&self, endpoint: &'static str, request: Request) -> Answer;
    /// The answer when answering panicked.
    fn broken(&self) -> Answer;
}

/// Answers until `stop`, then finishes what it has begun.
///
/// # Errors
/// When it cannot listen.
pub async fn serve<S: Service>(log: &JetStream, served: Arc<S>, stop: CancellationToken) -> Result<(), Error> {
    let failed = |source: async_nats::Error| Error { service: S::NAME, source };
    let micro = log.client().service_builder().start(S::NAME, env!("CARGO_PKG_VERSION")).await.map_err(failed)?;
    let group = if S::SHARED { S::NAME.to_string() } else { micro.info().await.id };
    let mut requests = stream::SelectAll::new();
    for &(name, subject) in S::ENDPOINTS {
        let endpoint = micro.endpoint_builder().name(name).queue_group(&group).add(subject).await.map_err(failed)?;
        requests.push(endpoint.map(move |request| (name, request)));
    }
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned().await.expect("the semaphore is never closed");
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            next = requests.next() => match next {
                Some((endpoint, asked)) => {
                    let served = Arc::clone(&served);
                    let answer = async move {
                        respond(served.as_ref(), endpoint, asked).await;
                        drop(permit);
                    };
                    running.spawn(answer.in_current_span());
                }
                // The connection was closed for good.
                None => break,
            },
        }
        while running.try_join_next().is_some() {}
    }
    micro.stop().await.map_err(failed)?;
    running.join_all().await;
    // The connection may be closed as soon as this returns: the last answers are on their way first.
    if let Err(error) = log.client().flush().await {
        tracing::debug!(service = S::NAME, %error, "the last answers may be lost");
    }
    Ok(())
}

async fn respond<S: Service>(served: &S, endpoint: &'static str, asked: service::Request) {
    let message = &asked.message;
    // The server does not check who may publish to a reply subject: an answer sent anywhere else
    // could land among somebody's words.
    let Some(reply) = message.reply.as_ref().map(Subject::as_str).filter(|reply| is_inbox(reply)) else {
        tracing::debug!(endpoint, reply = ?message.reply, "a request without an inbox: not answered");
        return;
    };
    let request = Request {
        subject: message.subject.to_string(),
        headers: message.headers.as_ref().map(pairs).unwrap_or_default(),
        payload: message.payload.clone(),
        reply: reply.to_string(),
    };
    let answer = AssertUnwindSafe(served.answer(endpoint, request)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(endpoint, "answering a request panicked");
        served.broken()
    });
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        headers.insert(*name, value.as_str());
    }
    if let Err(error) = asked.respond_with_headers(Ok(answer.payload), headers).await {
        tracing::warn!(endpoint, %error, "an answer was not sent");
    }
}

fn is_inbox(reply: &str) -> bool {
    reply.starts_with("_INBOX.") || reply.starts_with("_R_.")
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let all = headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    all.map(|(name, value)| (name.to_string(), value.as_str().to_string())).collect()
}

/// A worker that answers no requests of its own, shown to whoever asks `$SRV.PING`, `INFO` or `STATS`.
pub struct Presence(service::Service);

/// Shows a worker as a micro-service until [`Presence::leave`].
///
/// # Errors
/// When it cannot listen.
pub async fn present(log: &JetStream, name: &'static str, worker_version: &str) -> Result<Presence, Error> {
    let metadata = [("workerversion".to_string(), worker_version.to_string())].into();
    let builder = log.client().service_builder().metadata(metadata);
    let shown = builder.start(name, env!("CARGO_PKG_VERSION")).await;
    shown.map(Presence).map_err(|source| Error { service: name, source })
}

impl Presence {
    /// Not shown any more. Dropping it would leave it shown for as long as the connection lives.
    pub async fn leave(self) {
        if let Err(error) = self.0.stop().await {
            tracing::debug!(%error, "a worker is shown a little longer than it is there");
        }
    }
}

/// Asks another service; while nobody is there for it, again, for as long as `patience`.
///
/// # Errors
/// When nobody answers in time.
pub async fn ask(log: &JetStream, subject: &str, payload: Bytes, patience: Duration) -> Result<Bytes, ReadError> {
    let asking = async {
        loop {
            // As long as the patience, not the client's ten seconds.
            let request = async_nats::Request::new().payload(payload.clone()).timeout(Some(patience));
            match log.client().send_request(subject.to_string(), request).await {
                Ok(message) => return Ok(message.payload),
                Err(error) if error.kind() == RequestErrorKind::NoResponders => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(ReadError::Unknown(error.to_string())),
            }
        }
    };
    let answer = tokio::time::timeout(patience, asking).await;
    answer.unwrap_or_else(|_| Err(ReadError::Unknown(format!("nobody answered on {subject} within {patience:?}"))))
}

/// Stores a record outside of any mission (goals, refusals), without a guard; gives its sequence.
///
/// # Errors
/// As the log says.
pub async fn store(log: &JetStream, record: &Record) -> Result<u64, AppendError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &record.headers {
        headers.insert(name.as_str(), value.as_str());
    }
    log.publish(record.subject.clone(), headers, record.payload.clone()).await
}
