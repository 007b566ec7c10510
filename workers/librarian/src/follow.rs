//! Following the log: a delivery only says that there is more; what there is, is read from the
//! rows' own position.

use crate::{
    archive::Archivist,
    judge::judge,
    project::{Item, Unread},
    serve::Desk,
    store::Store,
    tombstone,
};
use nats::{
    jetstream::JetStream,
    log::{Deliveries, Delivery, Log, ReadError},
    service,
};
use std::{sync::Arc, time::Duration};
use streams::record::Record;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

const CONSUMER: &str = "projector";
pub const STREAM: &str = "MISSIONS";
pub const EVERYTHING: &str = "stage7.mission.>";
/// Records in one transaction.
const PAGE: usize = 1_000;
/// What comes within this goes into one transaction: each costs more than what is in it.
const GATHER: Duration = Duration::from_millis(4);
/// If so many came, there is a load: then more is gathered, as long as it comes.
const FEW: usize = 16;
const GATHER_UNDER_LOAD: Duration = Duration::from_millis(40);
/// Acknowledgements are gathered for as long.
const TICK: Duration = Duration::from_millis(10);
/// Between two tries of what did not work.
const PAUSE: Duration = Duration::from_millis(50);
/// Reads of a follower that lags may end early; after so many the next delivery will do.
const STALE_READS: usize = 40;

/// What keeps the rows from being up to date.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error("the rows can't be written: {0}")]
    Rows(#[from] rusqlite::Error),
}

/// A delivery, and what comes soon after.
async fn gathered(deliveries: &mut dyn Deliveries, first: Delivery) -> Vec<Delivery> {
    let begun = Instant::now();
    let mut page = vec![first];
    while page.len() < PAGE {
        let until = if page.len() < FEW { begun + GATHER } else { begun + GATHER_UNDER_LOAD };
        if let Some(more) = deliveries.ready() {
            page.push(more);
            continue;
        }
        let more = tokio::time::timeout_at(until.min(Instant::now() + GATHER), deliveries.next()).await;
        // An error is met again by the next look.
        let Ok(Ok(more)) = more else { break };
        page.extend(more);
    }
    page
}

/// The records of a page that follow on rows which hold all up to `at`, without a gap. Of the log some
/// may be gone, archived; of the deliveries under one pin (`heard`: the last one's number) none may be
/// missing.
fn following(page: Vec<Delivery>, pin: &mut Option<Arc<str>>, heard: &mut u64, mut at: u64) -> Vec<Record> {
    let mut records = Vec::with_capacity(page.len());
    for delivery in page {
        if *pin != delivery.pin {
            pin.clone_from(&delivery.pin);
            *heard = 0;
        }
        let seq = delivery.seq;
        let follows = *heard > 0 && delivery.consumer_seq == *heard + 1;
        if seq > at && !follows && seq != at + 1 {
            break;
        }
        *heard = delivery.consumer_seq;
        if seq > at {
            at = seq;
            records.push(delivery.record());
        }
    }
    records
}

pub struct Follower {
    js: JetStream,
    store: Arc<Store>,
    archivist: Arc<Archivist>,
    /// The pin under which the last delivery came.
    pin: Option<Arc<str>>,
    answering: Option<(CancellationToken, JoinHandle<()>)>,
    /// The consumer sequence of the last delivery under that pin; the rows hold all up to it.
    heard: u64,
    /// How often in a row another instance was seen to hold the pin.
    doubts: u32,
}

/// What the server says of the consumer.
struct Consumer {
    /// Whose turn it is.
    holder: Option<String>,
    /// The log sequence up to which everything is acknowledged: it is not delivered any more.
    floor: u64,
    /// What is still to be delivered.
    pending: u64,
}

impl Follower {
    pub fn new(js: JetStream, store: Arc<Store>, archivist: Archivist) -> Self {
        Self { js, store, archivist: Arc::new(archivist), pin: None, heard: 0, answering: None, doubts: 0 }
    }

    pub async fn run(mut self, stop: CancellationToken) -> Result<(), ReadError> {
        let mut deliveries = self.js.follow(CONSUMER).await?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = self.begin() => {}
        }
        let mut acknowledge: Option<String> = None;
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = tick.tick(), if acknowledge.is_some() => {
                    if let Some(ack) = acknowledge.take()
                        && let Err(error) = deliveries.ack_through(&ack).await
                    {
                        tracing::debug!(%error, "an acknowledgement was lost: the deliveries come again, and are known");
                    }
                }
                delivery = deliveries.next() => match delivery {
                    Ok(Some(delivery)) => {
                        let page = gathered(deliveries.as_mut(), delivery).await;
                        let ack = page.last().map(|last| last.ack.clone());
                        tokio::select! {
                            () = stop.cancelled() => break,
                            () = self.rung(page) => {}
                        }
                        acknowledge = ack;
                    }
                    Ok(None) => {
                        if let Err(trouble) = tombstone::catch_up(&self.js, &self.store).await {
                            tracing::warn!(%trouble, "reading about archived missions: trying again");
                        }
                        self.attend().await;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "following the log: trying again");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        }
        self.step_down().await;
        if let Some(ack) = acknowledge {
            let _ = deliveries.ack_through(&ack).await;
        }
        if let Err(error) = deliveries.unpin().await {
            tracing::debug!(%error, "the pin will pass by itself");
        }
        Ok(())
    }

    /// Sees that the rows are about this log and lack nothing that is not delivered any more, and
    /// answers if nobody else does.
    async fn begin(&mut self) {
        loop {
            match self.prepare().await {
                Ok(()) => return self.attend().await,
                Err(trouble) => {
                    tracing::warn!(%trouble, "beginning: trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn prepare(&self) -> Result<(), Trouble> {
        self.identify().await?;
        // Archived missions first: they are the older ones.
        tombstone::catch_up(&self.js, &self.store).await?;
        // Deliveries come several times faster than reads do: what they will bring is not read.
        let floor = self.consumer().await?.floor;
        if self.store.position() < floor {
            self.catch_up(floor).await?;
        }
        Ok(())
    }

    /// There is more in the log, and it is this instance's turn. What follows on the rows without a
    /// gap is taken as it was delivered; all else is read.
    async fn rung(&mut self, page: Vec<Delivery>) {
        let Some(last) = page.last() else { return };
        let (last, heard, pending) = (last.seq, last.consumer_seq, last.pending);
        if self.pin != page[page.len() - 1].pin {
            tracing::info!("it is this instance's turn");
        }
        let records = following(page, &mut self.pin, &mut self.heard, self.store.position());
        let projected = match self.judged(records).await {
            Ok(items) => self.project(items).await,
            Err(error) => Err(error.into()),
        };
        if let Err(trouble) = projected {
            tracing::warn!(%trouble, "projecting: trying again");
        }
        let mut tries = 0;
        while self.store.position() < last {
            if let Err(trouble) = self.catch_up(last).await {
                tracing::warn!(%trouble, "catching up: trying again");
            } else if tries < STALE_READS {
                tries += 1;
            } else {
                break;
            }
            if self.store.position() < last {
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.heard = if self.store.position() < last { 0 } else { heard };
        self.doubts = 0;
        // Who has much to do yet would answer of long ago; whoever asks waits a moment.
        if pending < PAGE as u64 {
            self.answer();
        }
    }

    /// Projects everything from the rows' position to `until`, or to the end of the log; the next page
    /// is read while one is written.
    async fn catch_up(&self, until: u64) -> Result<(), Trouble> {
        let mut next = Some(self.page(self.store.position()).await?);
        while let Some((items, pending)) = next.take() {
            let after = items.last().map(|last| last.seq).filter(|seq| pending > 0 && *seq < until);
            let read = async {
                match after {
                    Some(after) => self.page(after).await.map(Some),
                    None => Ok(None),
                }
            };
            let (written, read) = tokio::join!(self.project(items), read);
            written?;
            next = read?;
        }
        Ok(())
    }

    /// The records after one, judged, and how many the log holds beyond.
    async fn page(&self, after: u64) -> Result<(Vec<Item>, u64), ReadError> {
        let (page, pending) = self.js.page_from(STREAM, EVERYTHING, after, PAGE).await?;
        Ok((self.judged(page).await?, pending))
    }

    async fn judged(&self, records: Vec<Record>) -> Result<Vec<Item>, ReadError> {
        let mut items = Vec::with_capacity(records.len());
        for record in records {
            let item = judge(&self.js, record, None, false).await?;
            if let Some(Unread::Dead { reason, subject, .. }) = &item.unread {
                tracing::warn!(seq = item.seq, subject, reason, "a record can't be processed: see `stage7 dead list`");
            }
            items.push(item);
        }
        Ok(items)
    }

    /// Projects items that follow on the rows.
    async fn project(&self, items: Vec<Item>) -> Result<(), Trouble> {
        let store = Arc::clone(&self.store);
        let projected = tokio::task::spawn_blocking(move || store.project(&items)).await;
        Ok(projected.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?)
    }

    /// Rows of another log, or of more than this one holds, say nothing about it.
    async fn identify(&self) -> Result<(), Trouble> {
        let info = self.js.ask_api(&format!("STREAM.INFO.{STREAM}"), Default::default()).await?;
        let (Some(created), Some(last)) = (info["created"].as_str(), info["state"]["last_seq"].as_u64()) else {
            return Err(ReadError::Unknown(format!("no stream {STREAM}: {}", info["error"])).into());
        };
        Ok(self.store.belong_to(created, last)?)
    }

    /// Only the pin's holder answers, or whoever is there while nobody holds it. Who stands by keeps its
    /// rows up to date, so that it can take over at once.
    async fn attend(&mut self) {
        let consumer = match self.consumer().await {
            Ok(consumer) => consumer,
            // Whom it belongs to isn't known: everything stays as it is.
            Err(error) => return tracing::debug!(%error, "asking who holds the pin"),
        };
        let mine = consumer.holder.is_none() || consumer.holder.as_deref() == self.pin.as_deref();
        if mine && consumer.pending >= PAGE as u64 {
            return;
        }
        if let Err(trouble) = self.catch_up(u64::MAX).await {
            return tracing::warn!(%trouble, "catching up: trying again");
        }
        if mine {
            self.doubts = 0;
            return self.answer();
        }
        // The delivery that brings a new pin may be on its way: one look isn't enough.
        self.doubts += 1;
        if self.doubts > 1 {
            self.step_down().await;
        }
    }

    async fn consumer(&self) -> Result<Consumer, ReadError> {
        let info = self.js.ask_api(&format!("CONSUMER.INFO.{STREAM}.{CONSUMER}"), Default::default()).await?;
        if let Some(error) = info.get("error") {
            return Err(ReadError::Refused(error.to_string()));
        }
        let holder = info["priority_groups"][0]["pinned_client_id"].as_str().filter(|id| !id.is_empty());
        Ok(Consumer {
            holder: holder.map(String::from),
            floor: info["ack_floor"]["stream_seq"].as_u64().unwrap_or(0),
            pending: info["num_pending"].as_u64().unwrap_or(0),
        })
    }

    /// Begins to answer, unless it does.
    fn answer(&mut self) {
        if self.answering.as_ref().is_some_and(|(_, task)| !task.is_finished()) {
            return;
        }
        let archivist = Arc::clone(&self.archivist);
        let desk = Arc::new(Desk::new(self.js.clone(), Arc::clone(&self.store), Arc::clone(&archivist)));
        let (stop, js) = (CancellationToken::new(), self.js.clone());
        let task = {
            let stop = stop.clone();
            let serve = async move {
                let (answered, ()) = tokio::join!(service::serve(&js, desk, stop.clone()), archivist.run(stop.clone()));
                if let Err(error) = answered {
                    tracing::warn!(%error, "answering: trying again");
                }
            };
            tokio::spawn(serve.in_current_span())
        };
        self.answering = Some((stop, task));
    }

    async fn step_down(&mut self) {
        if let Some((stop, task)) = self.answering.take() {
            stop.cancel();
            let _ = task.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nats::log::Headers;

    /// Consumer sequence, stream sequence and pin of each delivery of a page; the rows hold all up to
    /// 10, which was delivery 5 under the pin `a`. Gives what is projected without reading.
    fn taken(page: &[(u64, u64, &str)]) -> Vec<u64> {
        let delivery = |&(consumer_seq, seq, pin): &(u64, u64, &str)| Delivery {
            seq,
            subject: String::new(),
            headers: Headers::Read(Vec::new()),
            payload: Default::default(),
            consumer_seq,
            delivered: 1,
            pending: 0,
            pin: Some(pin.into()),
            ack: String::new(),
        };
        let (mut pin, mut heard) = (Some("a".into()), 5);
        let records = following(page.iter().map(delivery).collect(), &mut pin, &mut heard, 10);
        records.iter().map(|record| record.seq).collect()
    }

    #[test]
    fn only_what_follows_without_a_missing_delivery_is_taken_as_it_came() {
        assert_eq!(taken(&[(6, 11, "a"), (7, 12, "a")]), [11, 12]);
        assert_eq!(taken(&[(6, 14, "a"), (7, 20, "a")]), [14, 20], "records between were archived");
        assert_eq!(taken(&[(7, 14, "a"), (8, 15, "a")]), [0u64; 0], "a delivery is missing");
        assert_eq!(taken(&[(6, 11, "a"), (8, 14, "a")]), [11], "a delivery is missing behind the first");
        assert_eq!(taken(&[(6, 14, "b")]), [0u64; 0], "another pin counts for itself");
        assert_eq!(taken(&[(1, 9, "b"), (2, 10, "b"), (3, 12, "b")]), [12], "known ones lead over");
        assert_eq!(taken(&[(6, 4, "a"), (7, 13, "a")]), [13], "one that comes again is passed over");
    }
}
