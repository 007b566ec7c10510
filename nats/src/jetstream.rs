//! The log on a real server.

pub(crate) mod artifact;
mod follow;
pub(crate) mod group;
pub(crate) mod message;
mod pull;
mod work;

use crate::log::{AppendError, Deliveries, Guard, Log, ReadError, Work};
use async_nats::{
    Client, HeaderMap, HeaderName,
    jetstream::{
        self, Context,
        context::{ContextBuilder, PublishErrorKind},
        message::PublishMessage,
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use schemas::{Tenant, Time, Value};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use streams::{
    record::Record,
    topology::{CONSUMERS, PIN_GROUP},
};

/// An append or a read that takes longer is unknown: look, then decide again.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Messages in one batched direct get; the server ends a batch earlier when it grows large.
const READ_BATCH: usize = 1_000;

const EXPECTED: HeaderName = HeaderName::from_static("Nats-Expected-Last-Subject-Sequence");
const EXPECTED_UNDER: HeaderName = HeaderName::from_static("Nats-Expected-Last-Subject-Sequence-Subject");

/// The server's code for a message that is not there.
const NO_MESSAGE: u64 = 10_043;
/// How the server says that there is no room; one code stands for this and for other refusals.
const FULL: [&str; 3] = ["maximum bytes exceeded", "insufficient resources", "resource limits exceeded"];

/// One user's connection to the log.
#[derive(Clone)]
pub struct JetStream {
    client: Client,
    context: Context,
    group: Option<Arc<group::Group>>,
}

impl JetStream {
    pub fn new(client: Client) -> Self {
        // Appends wait for their own acknowledgement; the bound only stops a runaway.
        let mut context = ContextBuilder::new().max_ack_inflight(20_000).ack_timeout(TIMEOUT).build(client.clone());
        context.set_timeout(TIMEOUT);
        Self { client, context, group: None }
    }

    /// Under load, appends are stored many at a time: for a server that syncs each of them to disk.
    pub fn with_group_commit(self) -> Self {
        Self { group: Some(Arc::default()), ..self }
    }

    /// The connection, for services that answer requests.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The records of `filter` in `stream` above `after`, in order.
    pub async fn load_from(&self, stream: &str, filter: &str, after: u64) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::new();
        let mut after = after;
        loop {
            let (page, pending) = self.page_from(stream, filter, after, READ_BATCH).await?;
            after = page.last().map_or(after, |record| record.seq);
            records.extend(page);
            if pending == 0 {
                return Ok(records);
            }
        }
    }

    /// At most `most` of them, and how many the stream holds beyond.
    pub async fn page_from(
        &self,
        stream: &str,
        filter: &str,
        after: u64,
        most: usize,
    ) -> Result<(Vec<Record>, u64), ReadError> {
        let query = json!({"batch": most, "seq": after + 1, "next_by_subj": filter}).to_string();
        let mut records = Vec::new();
        let pending = self.batch(stream, query, &mut records).await?;
        Ok((records, pending))
    }

    /// One batched direct get; gives how many messages the server still has.
    async fn batch(&self, stream: &str, query: String, records: &mut Vec<Record>) -> Result<u64, ReadError> {
        let unknown = |e: String| ReadError::Unknown(e);
        let inbox = self.client.new_inbox();
        let mut answers = self.client.subscribe(inbox.clone()).await.map_err(|e| unknown(e.to_string()))?;
        self.client
            .publish_with_reply(format!("$JS.API.DIRECT.GET.{stream}"), inbox, query.into())
            .await
            .map_err(|e| unknown(e.to_string()))?;
        let mut chain = message::Chain::default();
        loop {
            let answer = tokio::time::timeout(TIMEOUT, answers.next()).await;
            let answer = answer.map_err(|_| unknown(format!("reading {stream} took longer than {TIMEOUT:?}")))?;
            let answer = answer.ok_or_else(|| unknown("the connection was closed".into()))?;
            match message::of_batch(answer) {
                message::Direct::Record { record, before } => {
                    chain.link(before, Some(record.seq)).map_err(unknown)?;
                    records.push(record);
                }
                message::Direct::End { pending, before } => {
                    chain.link(before, None).map_err(unknown)?;
                    return Ok(pending);
                }
                message::Direct::None => return Ok(0),
                message::Direct::Error(why) => return Err(ReadError::Unknown(why)),
            }
        }
    }

    /// The last record of `filter` in `stream`.
    pub async fn last_from(&self, stream: &str, filter: &str) -> Result<Option<Record>, ReadError> {
        let request = self.client.request(format!("$JS.API.DIRECT.GET.{stream}.{filter}"), Bytes::new());
        let answer = tokio::time::timeout(TIMEOUT, request).await;
        let answer =
            answer.map_err(|_| ReadError::Unknown(format!("reading {stream} took longer than {TIMEOUT:?}")))?;
        match message::of_direct_get(answer.map_err(|e| ReadError::Unknown(e.to_string()))?) {
            message::Direct::Record { record, .. } => Ok(Some(record)),
            message::Direct::None | message::Direct::End { .. } => Ok(None),
            message::Direct::Error(why) => Err(ReadError::Unknown(why)),
        }
    }

    /// Removes one message; one that is gone already is fine. Its bytes are not overwritten: that
    /// would take as long as writing them.
    ///
    /// # Errors
    /// When the server does not answer, or this user may not.
    pub async fn delete(&self, stream: &str, seq: u64) -> Result<(), ReadError> {
        let answer = self
            .ask_api(&format!("STREAM.MSG.DELETE.{stream}"), json!({"seq": seq, "no_erase": true}).to_string().into())
            .await?;
        match answer["error"]["err_code"].as_u64() {
            None | Some(NO_MESSAGE) => Ok(()),
            Some(_) => Err(ReadError::Refused(answer["error"].to_string())),
        }
    }

    /// Asks the server's API, which answers in JSON, errors included.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask_api(&self, what: &str, body: Bytes) -> Result<Value, ReadError> {
        let request = self.client.request(format!("$JS.API.{what}"), body);
        let answer = tokio::time::timeout(TIMEOUT, request).await;
        let answer = answer.map_err(|_| ReadError::Unknown(format!("{what} took longer than {TIMEOUT:?}")))?;
        let answer = answer.map_err(|error| ReadError::Unknown(error.to_string()))?;
        serde_json::from_slice(&answer.payload).map_err(|error| ReadError::Unknown(error.to_string()))
    }

    /// Publishes and waits until it is stored; gives the sequence.
    pub async fn publish(&self, subject: String, headers: HeaderMap, payload: Bytes) -> Result<u64, AppendError> {
        let message = PublishMessage::build().payload(payload).headers(headers);
        let sent = self.context.send_publish(subject, message).await.map_err(|e| refusal(&e))?;
        sent.await.map(|ack| ack.sequence).map_err(|e| refusal(&e))
    }
}

/// The stream of a consumer.
fn stream_of(consumer: &str) -> Result<&'static str, ReadError> {
    let found = CONSUMERS.iter().find(|c| c.name == consumer);
    found.map(|c| c.stream).ok_or_else(|| ReadError::Refused(format!("the topology has no consumer `{consumer}`")))
}

/// What a failed publish means for whoever asked.
fn refusal(error: &jetstream::context::PublishError) -> AppendError {
    match error.kind() {
        PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId => AppendError::Conflict,
        // A server whose disk was full stores nothing more, and says nothing either.
        PublishErrorKind::TimedOut => AppendError::Unknown(format!(
            "nothing was stored within {TIMEOUT:?}; if it stays so, look whether the server's disk is full \
             (its own log says so), make room and start it again"
        )),
        PublishErrorKind::BrokenPipe | PublishErrorKind::MaxAckPending => AppendError::Unknown(error.to_string()),
        // Nobody answers while the server restarts: the message is lost, or it is not.
        PublishErrorKind::StreamNotFound => AppendError::Unknown(error.to_string()),
        PublishErrorKind::MaxPayloadExceeded => AppendError::Refused(error.to_string()),
        PublishErrorKind::Other => {
            let text = std::error::Error::source(error).map_or_else(|| error.to_string(), |source| source.to_string());
            match FULL.iter().any(|words| text.contains(words)) {
                true => AppendError::Full(text),
                false => AppendError::Refused(text),
            }
        }
    }
}

#[async_trait]
impl Log for JetStream {
    #[expect(clippy::disallowed_methods, reason = "the edge: this is where events get their time")]
    fn now(&self) -> Time {
        jiff::Timestamp::now().into()
    }

    async fn append(&self, record: &Record, guard: &Guard) -> Result<u64, AppendError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &record.headers {
            headers.insert(message::name(name), value.as_str());
        }
        headers.insert(EXPECTED, guard.last.to_string());
        // Without the second header the guard is on the record's own subject.
        if guard.filter != record.subject {
            headers.insert(EXPECTED_UNDER, guard.filter.as_str());
        }
        let (subject, payload) = (record.subject.clone(), record.payload.clone());
        match &self.group {
            None => self.publish(subject, headers, payload).await,
            Some(group) => group.append(self, group::Outgoing { subject, headers, payload }).await,
        }
    }

    async fn load(&self, filter: &str, after: u64) -> Result<Vec<Record>, ReadError> {
        self.load_from("MISSIONS", filter, after).await
    }

    async fn last(&self, filter: &str) -> Result<Option<Record>, ReadError> {
        self.last_from("MISSIONS", filter).await
    }

    async fn follow(&self, consumer: &str) -> Result<Box<dyn Deliveries>, ReadError> {
        Ok(Box::new(follow::Follow::start(self.clone(), stream_of(consumer)?, consumer, PIN_GROUP).await?))
    }

    async fn work(&self, consumer: &str) -> Result<Box<dyn Work>, ReadError> {
        Ok(Box::new(work::Group(pull::Puller::start(self.clone(), stream_of(consumer)?, consumer, None).await?)))
    }

    async fn ack(&self, ack: &str) -> Result<(), ReadError> {
        self.client.publish(ack.to_string(), Bytes::new()).await.map_err(|e| ReadError::Unknown(e.to_string()))
    }

    async fn progress(&self, ack: &str) -> Result<(), ReadError> {
        self.client
            .publish(ack.to_string(), Bytes::from_static(b"+WPI"))
            .await
            .map_err(|e| ReadError::Unknown(e.to_string()))
    }

    async fn overhear(&self, filter: &str) -> Result<BoxStream<'static, String>, ReadError> {
        let heard = self.client.subscribe(filter.to_string()).await.map_err(|e| ReadError::Unknown(e.to_string()))?;
        Ok(heard.map(|message| message.subject.to_string()).boxed())
    }

    async fn live(&self, subject: String, payload: Bytes) {
        if let Err(error) = self.client.publish(subject, payload).await {
            tracing::debug!(%error, "a live line was lost");
        }
    }

    async fn put(&self, tenant: &Tenant, sha256: &str, bytes: &[u8]) -> Result<(), AppendError> {
        artifact::put(self, tenant, sha256, bytes).await
    }

    async fn get(&self, tenant: &Tenant, sha256: &str, size: u64) -> Result<Bytes, ReadError> {
        artifact::get(self, tenant, sha256, size).await
    }
}
