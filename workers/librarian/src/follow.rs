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
use futures::FutureExt;
use nats::{
    jetstream::JetStream,
    log::{Delivery, Log, ReadError},
    service,
};
use std::{sync::Arc, time::Duration};
use streams::record::Record;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

const CONSUMER: &str = "projector";
pub const STREAM: &str = "MISSIONS";
pub const EVERYTHING: &str = "stage7.mission.>";
/// Records in one transaction.
const PAGE: usize = 1_000;
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

pub struct Follower {
    js: JetStream,
    store: Arc<Store>,
    archivist: Arc<Archivist>,
    /// The pin under which the last delivery came.
    pin: Option<String>,
    answering: Option<(CancellationToken, JoinHandle<()>)>,
    /// How often in a row another instance was seen to hold the pin.
    doubts: u32,
}

impl Follower {
    pub fn new(js: JetStream, store: Arc<Store>, archivist: Archivist) -> Self {
        Self { js, store, archivist: Arc::new(archivist), pin: None, answering: None, doubts: 0 }
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
                        // Everything that is there already goes into one transaction.
                        let mut page = vec![delivery];
                        while page.len() < PAGE && let Some(Ok(Some(more))) = deliveries.next().now_or_never() {
                            page.push(more);
                        }
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

    /// Sees that the rows are about this log and up to date, and answers if nobody else does.
    async fn begin(&mut self) {
        loop {
            let up_to_date = match self.identify().await {
                Ok(()) => self.whole().await,
                Err(trouble) => Err(trouble),
            };
            match up_to_date {
                Ok(()) => return self.attend().await,
                Err(trouble) => {
                    tracing::warn!(%trouble, "beginning: trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Archived missions first: they are the older ones.
    async fn whole(&self) -> Result<(), Trouble> {
        tombstone::catch_up(&self.js, &self.store).await?;
        self.catch_up().await
    }

    /// There is more in the log, and it is this instance's turn. What follows on the rows without a
    /// gap is taken as it was delivered; all else is read.
    async fn rung(&mut self, page: Vec<Delivery>) {
        let Some(Delivery { record: Record { seq: last, .. }, pin, .. }) = page.last() else { return };
        let last = *last;
        if self.pin != *pin {
            tracing::info!("it is this instance's turn");
            self.pin.clone_from(pin);
        }
        let known = self.store.position();
        let mut at = known;
        let follows = |delivery: &Delivery| {
            let next = delivery.record.seq == at + 1;
            at += u64::from(next);
            next
        };
        let records = page.into_iter().skip_while(|delivery| delivery.record.seq <= known).take_while(follows);
        let records: Vec<Record> = records.map(|delivery| delivery.record).collect();
        let projected = match self.judged(records).await {
            Ok(items) => self.project(items).await,
            Err(error) => Err(error.into()),
        };
        if let Err(trouble) = projected {
            tracing::warn!(%trouble, "projecting: trying again");
        }
        let mut tries = 0;
        while self.store.position() < last {
            if let Err(trouble) = self.catch_up().await {
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
        self.doubts = 0;
        self.answer();
    }

    /// Projects everything from the rows' position to the end of the log; the next page is read while
    /// one is written.
    async fn catch_up(&self) -> Result<(), Trouble> {
        let mut next = Some(self.page(self.store.position()).await?);
        while let Some((items, pending)) = next.take() {
            let after = items.last().filter(|_| pending > 0).map(|last| last.seq);
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

    /// Only the pin's holder answers, or whoever is there while nobody holds it: then nothing new
    /// has come since.
    async fn attend(&mut self) {
        let holder = match self.holder().await {
            Ok(holder) => holder,
            // Whom it belongs to isn't known: everything stays as it is.
            Err(error) => return tracing::debug!(%error, "asking who holds the pin"),
        };
        if holder.is_none() || holder == self.pin {
            self.doubts = 0;
            return self.answer();
        }
        // The delivery that brings a new pin may be on its way: one look isn't enough.
        self.doubts += 1;
        if self.doubts > 1 {
            self.step_down().await;
        }
    }

    async fn holder(&self) -> Result<Option<String>, ReadError> {
        let info = self.js.ask_api(&format!("CONSUMER.INFO.{STREAM}.{CONSUMER}"), Default::default()).await?;
        match info.get("error") {
            Some(error) => Err(ReadError::Refused(error.to_string())),
            None => Ok(info["priority_groups"][0]["pinned_client_id"]
                .as_str()
                .filter(|id| !id.is_empty())
                .map(String::from)),
        }
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
