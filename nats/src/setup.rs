//! Creates streams and consumers from the topology, or brings them up to it. Runs as `setup`.

use async_nats::{
    Client,
    jetstream::{
        self, Context, ErrorCode,
        consumer::{self, AckPolicy, DeliverPolicy, PriorityPolicy},
        context::{ConsumerInfoErrorKind, CreateStreamError, CreateStreamErrorKind, GetStreamErrorKind},
        stream,
    },
};
use std::time::Duration;
use streams::topology::{
    self, ACK_WAIT, CONSUMERS, Consumer, DUPLICATE_WINDOW, Discard, PIN_GROUP, PIN_TIMEOUT, Retention, STREAMS, Share,
    Storage, Stream,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "stream {stream} reserves {max_bytes} bytes, which the server's limits don't allow: raise \
         `max_file` (or `max_mem`) in its jetstream block to {} bytes or more",
        topology::FILE_LIMIT
    )]
    TooLarge { stream: &'static str, max_bytes: u64 },
    #[error("stream {stream} can't be set up")]
    Stream { stream: &'static str, source: async_nats::Error },
    #[error("consumer {consumer} can't be set up")]
    Consumer { consumer: &'static str, source: async_nats::Error },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Created,
    Updated,
}

/// What had to be done, by name of stream or consumer; empty when all was as it should be.
pub type Changes = Vec<(&'static str, Change)>;

/// Makes streams and consumers as the topology has them. May be run again and again.
pub async fn ensure(client: &Client) -> Result<Changes, Error> {
    ensure_all(client, &STREAMS, &CONSUMERS).await
}

/// The same for a topology with other figures.
pub async fn ensure_all(client: &Client, streams: &[Stream], consumers: &[Consumer]) -> Result<Changes, Error> {
    let mut js = jetstream::new(client.clone());
    // Creating a stream syncs several files to disk; a busy disk takes its time.
    js.set_timeout(Duration::from_secs(30));
    let mut changes = Changes::new();
    for stream in streams {
        changes.extend(ensure_stream(&js, stream).await?.map(|change| (stream.name, change)));
    }
    for consumer in consumers {
        let change = ensure_consumer(&js, consumer).await;
        let change = change.map_err(|source| Error::Consumer { consumer: consumer.name, source })?;
        changes.extend(change.map(|change| (consumer.name, change)));
    }
    Ok(changes)
}

/// Makes these consumers anew, so that everything is delivered once more from the beginning.
pub async fn begin_again(client: &Client, consumers: &[Consumer]) -> Result<(), Error> {
    let js = jetstream::new(client.clone());
    for consumer in consumers {
        let other = |source: async_nats::Error| Error::Consumer { consumer: consumer.name, source };
        let stream = js.get_stream_no_info(consumer.stream).await.map_err(|e| other(e.into()))?;
        stream.delete_consumer(consumer.name).await.map_err(|e| other(e.into()))?;
        ensure_consumer(&js, consumer).await.map_err(other)?;
    }
    Ok(())
}

async fn ensure_stream(js: &Context, wanted: &Stream) -> Result<Option<Change>, Error> {
    let other = |source: async_nats::Error| Error::Stream { stream: wanted.name, source };
    let refused = |source: CreateStreamError| match source.kind() {
        CreateStreamErrorKind::JetStream(e) if out_of_room(e.error_code()) => {
            Error::TooLarge { stream: wanted.name, max_bytes: wanted.max_bytes }
        }
        _ => other(source.into()),
    };
    match js.get_stream(wanted.name).await {
        Ok(found) => {
            let found = found.cached_info().config.clone();
            let next = stream_config(wanted, found.clone());
            if next == found {
                return Ok(None);
            }
            js.update_stream(&next).await.map_err(refused)?;
            Ok(Some(Change::Updated))
        }
        Err(e) if matches!(e.kind(), GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND) =>
        {
            js.create_stream(stream_config(wanted, stream::Config::default())).await.map_err(refused)?;
            Ok(Some(Change::Created))
        }
        Err(e) => Err(other(e.into())),
    }
}

fn out_of_room(code: ErrorCode) -> bool {
    [ErrorCode::STORAGE_RESOURCES_EXCEEDED, ErrorCode::MEMORY_RESOURCES_EXCEEDED, ErrorCode::INSUFFICIENT_RESOURCES]
        .contains(&code)
}

/// Lays the table over what is there, so that what the table doesn't speak of (replicas, placement)
/// stays as the operator has it, and so does room that the operator added.
fn stream_config(wanted: &Stream, found: stream::Config) -> stream::Config {
    let limit = |limit: Option<i64>| limit.unwrap_or(-1);
    let max_bytes = i64::try_from(wanted.max_bytes).unwrap_or(i64::MAX);
    stream::Config {
        name: wanted.name.into(),
        description: Some(wanted.about.into()),
        subjects: wanted.subjects.iter().map(ToString::to_string).collect(),
        storage: match wanted.storage {
            Storage::File => stream::StorageType::File,
            Storage::Memory => stream::StorageType::Memory,
        },
        retention: match wanted.retention {
            Retention::Limits => stream::RetentionPolicy::Limits,
            Retention::WorkQueue => stream::RetentionPolicy::WorkQueue,
        },
        discard: match wanted.discard {
            Discard::New => stream::DiscardPolicy::New,
            Discard::Old => stream::DiscardPolicy::Old,
        },
        discard_new_per_subject: wanted.discard == Discard::New && wanted.messages_per_subject.is_some(),
        max_messages_per_subject: limit(wanted.messages_per_subject),
        max_bytes: found.max_bytes.max(max_bytes),
        max_age: wanted.max_age.unwrap_or_default(),
        duplicate_window: DUPLICATE_WINDOW,
        allow_direct: wanted.allow_direct,
        deny_purge: wanted.deny_purge,
        deny_delete: wanted.deny_delete,
        allow_atomic_publish: wanted.atomic,
        allow_rollup: wanted.schedules,
        allow_message_schedules: wanted.schedules,
        allow_message_ttl: wanted.schedules,
        republish: wanted.republish.map(|(source, destination)| stream::Republish {
            source: source.into(),
            destination: destination.into(),
            headers_only: false,
        }),
        num_replicas: found.num_replicas.max(1),
        ..found
    }
}

async fn ensure_consumer(js: &Context, wanted: &Consumer) -> Result<Option<Change>, async_nats::Error> {
    let stream = js.get_stream_no_info(wanted.stream).await?;
    match stream.consumer_info(wanted.name).await {
        Ok(found) => {
            let next = consumer_config(wanted, found.config.clone());
            if next == found.config {
                return Ok(None);
            }
            js.update_consumer_on_stream(pull(next)?, wanted.stream).await?;
            Ok(Some(Change::Updated))
        }
        Err(e) if e.kind() == ConsumerInfoErrorKind::NotFound => {
            js.create_consumer_on_stream(pull(consumer_config(wanted, consumer::Config::default()))?, wanted.stream)
                .await?;
            Ok(Some(Change::Created))
        }
        Err(e) => Err(e.into()),
    }
}

fn pull(config: consumer::Config) -> Result<consumer::pull::Config, async_nats::Error> {
    consumer::FromConsumer::try_from_consumer_config(config)
}

fn consumer_config(wanted: &Consumer, found: consumer::Config) -> consumer::Config {
    let pinned = wanted.is_pinned();
    consumer::Config {
        durable_name: Some(wanted.name.into()),
        name: Some(wanted.name.into()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: if wanted.share == Share::Pinned { AckPolicy::All } else { AckPolicy::Explicit },
        ack_wait: ACK_WAIT,
        // What was delivered often is answered as lost by its worker, never dropped in silence.
        max_deliver: -1,
        filter_subject: wanted.filter.into(),
        max_ack_pending: wanted.max_ack_pending,
        priority_policy: if pinned { PriorityPolicy::PinnedClient } else { PriorityPolicy::None },
        priority_groups: if pinned { vec![PIN_GROUP.into()] } else { vec![] },
        priority_timeout: if pinned { PIN_TIMEOUT } else { Duration::ZERO },
        ..found
    }
}
