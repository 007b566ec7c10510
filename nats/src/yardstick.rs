//! What the log gives by itself: the yardstick of `stage7 bench`. Nothing is decoded, folded or
//! decided; a message comes, the next one of its chain is appended under its guard, and it is
//! acknowledged, as the loops do it.

use crate::log::{Guard, ReadError};
use async_nats::{Client, HeaderMap, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::json;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use streams::{
    record::Record,
    topology::{Consumer, PIN_GROUP},
};
use tokio::time::{Instant, sleep, timeout};

/// Deliveries that one acknowledgement covers, as in the loop of the deciders.
const FLUSH: usize = 256;
/// Messages asked for at once, and how many such questions stand.
const BATCH: usize = 500;
const QUESTIONS: usize = 2;
/// Before asking again after the pin was lost.
const LOST: Duration = Duration::from_millis(10);
/// Nothing takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A chain of words, each led to by the one before; all alike but for their place.
pub struct Chain {
    pub word: Record,
    /// The filter under which the last word must be the one that was delivered.
    pub filter: String,
}

/// Has every chain grow by turns until `hops` words are in the log; gives how long that took.
///
/// # Errors
/// When the log does not answer, or refuses a word.
pub async fn hops(client: &Client, consumer: &Consumer, chains: &[Chain], hops: usize) -> Result<Duration, ReadError> {
    let mut raw = Raw::start(client, consumer).await?;
    let words: HashMap<&str, (usize, HeaderMap)> = chains
        .iter()
        .enumerate()
        .map(|(n, chain)| {
            let mut headers = HeaderMap::new();
            chain.word.headers.iter().for_each(|(name, value)| headers.insert(name.as_str(), value.as_str()));
            headers.insert("Nats-Expected-Last-Subject-Sequence-Subject", chain.filter.as_str());
            (chain.word.subject.as_str(), (n, headers))
        })
        .collect();
    for chain in chains {
        let headers = words[chain.word.subject.as_str()].1.clone();
        raw.append(&chain.word, headers, &Guard { filter: chain.filter.clone(), last: 0 }).await?;
    }
    let mut sown = 0;
    while sown < chains.len() {
        if let Came::Stored = raw.next().await? {
            sown += 1;
        }
    }
    let mut raw = Raw::start(client, consumer).await?;
    let (mut begun, mut asked, mut stored) = (None, 0, 0);
    let mut open = VecDeque::new();
    let mut answered = vec![0; chains.len()];
    let mut floor = None;
    let mut unflushed = 0;
    while stored < hops {
        raw.want().await?;
        match raw.next().await? {
            Came::Status => {}
            Came::Delivery { message, seq } => {
                begun.get_or_insert_with(Instant::now);
                // What an earlier measurement left.
                let Some((n, headers)) = words.get(message.subject.as_str()) else { continue };
                // On a slow disk it comes again before its turn to be acknowledged does.
                if asked < hops && seq > answered[*n] {
                    answered[*n] = seq;
                    let chain = &chains[*n];
                    raw.append(&chain.word, headers.clone(), &Guard { filter: chain.filter.clone(), last: seq })
                        .await?;
                    asked += 1;
                    open.push_back(message.reply);
                }
            }
            Came::Stored => {
                stored += 1;
                floor = open.pop_front().flatten();
                unflushed += 1;
                if unflushed >= FLUSH
                    && let Some(ack) = floor.take()
                {
                    unflushed = 0;
                    raw.publish(ack.to_string()).await?;
                }
            }
        }
    }
    if let Some(ack) = floor {
        raw.publish(ack.to_string()).await?;
    }
    let took = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
    raw.end().await?;
    Ok(took)
}

/// Takes everything that a consumer has waiting; gives how many messages and how long that took.
///
/// # Errors
/// When the log does not answer.
pub async fn drain(client: &Client, consumer: &Consumer) -> Result<(u64, Duration), ReadError> {
    let mut raw = Raw::start(client, consumer).await?;
    let (begun, mut taken, mut unflushed) = (Instant::now(), 0, 0);
    loop {
        raw.want().await?;
        let Came::Delivery { message, .. } = raw.next().await? else { continue };
        taken += 1;
        unflushed += 1;
        let ack = message.reply.map(|ack| ack.to_string()).unwrap_or_default();
        let last = ack.ends_with(".0");
        if unflushed >= FLUSH || last {
            unflushed = 0;
            raw.publish(ack).await?;
        }
        if last {
            let took = begun.elapsed();
            raw.end().await?;
            return Ok((taken, took));
        }
    }
}

enum Came {
    Delivery { message: Message, seq: u64 },
    Stored,
    Status,
}

struct Raw {
    client: Client,
    inbox: String,
    answers: Subscriber,
    /// Where messages are asked for.
    next: String,
    pinned: bool,
    pin: Option<String>,
    /// Asked for and not yet come.
    asked: usize,
}

impl Raw {
    async fn start(client: &Client, consumer: &Consumer) -> Result<Self, ReadError> {
        let inbox = client.new_inbox();
        let answers = client.subscribe(format!("{inbox}.*")).await.map_err(unknown)?;
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", consumer.stream, consumer.name);
        let pinned = consumer.is_pinned();
        Ok(Self { client: client.clone(), inbox, answers, next, pinned, pin: None, asked: 0 })
    }

    async fn want(&mut self) -> Result<(), ReadError> {
        while self.asked <= BATCH * (QUESTIONS - 1) {
            let mut body = json!({"batch": BATCH, "expires": PATIENCE.as_nanos() as u64});
            if self.pinned {
                body["group"] = PIN_GROUP.into();
            }
            if let Some(pin) = &self.pin {
                body["id"] = pin.as_str().into();
            }
            let sent = self.client.publish_with_reply(
                self.next.clone(),
                format!("{}.pull", self.inbox),
                body.to_string().into(),
            );
            sent.await.map_err(unknown)?;
            self.asked += BATCH;
            if self.pinned && self.pin.is_none() {
                // The first delivery brings the pin.
                break;
            }
        }
        Ok(())
    }

    async fn append(&self, word: &Record, mut headers: HeaderMap, guard: &Guard) -> Result<(), ReadError> {
        headers.insert("Nats-Expected-Last-Subject-Sequence", guard.last.to_string());
        let reply = format!("{}.stored", self.inbox);
        let sent =
            self.client.publish_with_reply_and_headers(word.subject.clone(), reply, headers, word.payload.clone());
        sent.await.map_err(unknown)
    }

    async fn publish(&self, ack: String) -> Result<(), ReadError> {
        self.client.publish(ack, Bytes::new()).await.map_err(unknown)
    }

    /// Whoever comes next need not wait until the pin passes by itself.
    async fn end(self) -> Result<(), ReadError> {
        if self.pinned {
            let body = json!({"group": PIN_GROUP}).to_string().into();
            self.client.request(self.next.replace(".MSG.NEXT.", ".UNPIN."), body).await.map_err(unknown)?;
        }
        self.client.flush().await.map_err(unknown)
    }

    async fn next(&mut self) -> Result<Came, ReadError> {
        let message = timeout(PATIENCE, self.answers.next()).await.map_err(unknown)?;
        let message = message.ok_or_else(|| unknown("the connection was closed"))?;
        let Some(reply) = &message.reply else {
            if let Some(status) = message.status {
                self.asked = self.asked.saturating_sub(BATCH);
                if status == StatusCode::PIN_ID_MISMATCH {
                    // A machine so busy that the pin passed by: there is another one to be had.
                    self.pin = None;
                    sleep(LOST).await;
                }
                return Ok(Came::Status);
            }
            return match message.payload.windows(8).any(|part| part == b"\"error\":") {
                true => Err(ReadError::Refused(String::from_utf8_lossy(&message.payload).into_owned())),
                false => Ok(Came::Stored),
            };
        };
        // $JS.ACK.{stream}.{consumer}.{delivered}.{stream sequence}.…
        let seq = reply.split('.').nth(5).and_then(|seq| seq.parse().ok());
        let seq = seq.ok_or_else(|| unknown("an acknowledgement without a sequence"))?;
        self.asked = self.asked.saturating_sub(1);
        if self.pinned && self.pin.is_none() {
            let pin = message.headers.as_ref().and_then(|headers| headers.get_last("Nats-Pin-Id"));
            self.pin = pin.map(|pin| pin.as_str().to_string());
        }
        Ok(Came::Delivery { message, seq })
    }
}

fn unknown(error: impl ToString) -> ReadError {
    ReadError::Unknown(error.to_string())
}
