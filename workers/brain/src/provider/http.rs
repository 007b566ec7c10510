//! Plain HTTP, for what genai does not speak.

use super::{Failure, Kind, MOST_BYTES, failure};
use crate::config::{Key, ProviderConfig};
use futures::stream;
use reqwest::{
    Client, RequestBuilder, Response,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use schemas::Value;
use std::time::Duration;

/// Bytes of an error, or of what is no answer.
const MOST_WORDS: usize = 64 * 1024;
/// Until a server is connected to.
const CONNECT: Duration = Duration::from_secs(20);

pub struct Http {
    client: Client,
    base: String,
    key: Option<Key>,
    /// Until an answer begins, and between two pieces of it.
    pub waits: (Duration, Duration),
}

impl Http {
    /// # Errors
    /// A sentence: a header is none, or there is no client.
    pub fn new(config: &ProviderConfig, base: &str) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let wrong = || format!("{}: `{name}` can't be sent as a header", config.known.title);
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            headers.insert(name, HeaderValue::from_str(value.reveal()).map_err(|_| wrong())?);
        }
        // llama.cpp ends a connection that was idle for five seconds, maybe while the next request is on its way.
        let client =
            Client::builder().default_headers(headers).connect_timeout(CONNECT).pool_max_idle_per_host(0).build();
        let client = client.map_err(|error| error.to_string())?;
        Ok(Self { client, base: base.into(), key: config.key.clone(), waits: (config.first_word, config.next_word) })
    }

    /// The response to a request, once it has begun, if it is a good one.
    ///
    /// # Errors
    /// By what it means.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Response, Failure> {
        let request = self.client.post(format!("{}{path}", self.base));
        self.sent(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// # Errors
    /// By what it means.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        let response = self.sent(self.client.get(format!("{}{path}", self.base))).await?;
        self.read(response).await
    }

    #[expect(clippy::disallowed_methods, reason = "the edge: a server may say a date to wait for")]
    async fn sent(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let request = match &self.key {
            Some(key) => request.bearer_auth(key.reveal()),
            None => request,
        };
        let response = tokio::time::timeout(self.waits.0, request.send()).await;
        let response =
            response.map_err(|_| Failure::new(Kind::TimedOut, "no answer began"))?.map_err(|error| lost(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = String::from_utf8_lossy(&self.whole(response, MOST_WORDS).await?).into_owned();
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let after = failure::after(header, &body, jiff::Timestamp::now());
        let kind = failure::meaning(status.as_u16(), &body, after);
        Err(Failure::new(kind, format!("({}) {}", status.as_u16(), body.trim())))
    }

    /// # Errors
    /// It is no JSON, too long, or breaks off.
    pub async fn read(&self, response: Response) -> Result<Value, Failure> {
        let body = self.whole(response, MOST_BYTES).await?;
        serde_json::from_slice(&body)
            .map_err(|error| Failure::new(Kind::Garbled, format!("the answer is no JSON: {error}")))
    }

    /// The first so many bytes.
    async fn whole(&self, mut response: Response, most: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(piece) = next(&mut response, self.waits.1).await? {
            body.extend_from_slice(&piece);
            if body.len() > most {
                body.truncate(most);
                break;
            }
        }
        Ok(body)
    }
}

/// A body piece by piece; events of more bytes than an answer may have are no events.
pub fn pieces(response: Response, wait: Duration) -> impl futures::Stream<Item = Result<Vec<u8>, Failure>> {
    stream::try_unfold((response, 0), move |(mut response, seen)| async move {
        let Some(piece) = next(&mut response, wait).await? else { return Ok(None) };
        // Each token comes with some hundred bytes around it.
        let seen = seen + piece.len();
        if seen > 64 * MOST_BYTES {
            return Err(Failure::new(Kind::CutOff, "the answer does not end"));
        }
        Ok(Some((piece, (response, seen))))
    })
}

async fn next(response: &mut Response, wait: Duration) -> Result<Option<Vec<u8>>, Failure> {
    let piece = tokio::time::timeout(wait, response.chunk()).await;
    let piece = piece.map_err(|_| Failure::new(Kind::TimedOut, "the answer stopped in the middle"))?;
    Ok(piece.map_err(|error| lost(&error))?.map(|bytes| bytes.to_vec()))
}

fn lost(error: &reqwest::Error) -> Failure {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(found) = source {
        words = found.to_string();
        source = found.source();
    }
    Failure::new(if error.is_timeout() { Kind::TimedOut } else { Kind::Unreachable }, words)
}
