//! Following the registry's words about archived missions: which rows are of the archive, and rows
//! for missions that the log never brought.

use crate::{follow::Trouble, judge::judge, store::Store};
use nats::{archive, jetstream::JetStream, log::ReadError};
use std::sync::Arc;
use streams::archive::{ALL, Archived};

/// Words read at once.
const PAGE: usize = 500;

/// Brings the rows up to the end of the registry.
///
/// # Errors
/// When the log doesn't answer, or the rows can't be written.
pub async fn catch_up(js: &JetStream, store: &Arc<Store>) -> Result<(), Trouble> {
    loop {
        let (page, pending) = js.page_from("REGISTRY", ALL, store.registry(), PAGE).await?;
        let Some(last) = page.last().map(|record| record.seq) else { return Ok(()) };
        for record in &page {
            match archive::read(record) {
                Some(word) => entomb(js, store, word).await?,
                None => tracing::warn!(seq = record.seq, "no word about an archived mission: skipped"),
            }
        }
        store.read_registry(last)?;
        if pending == 0 {
            return Ok(());
        }
    }
}

async fn entomb(js: &JetStream, store: &Arc<Store>, word: Archived) -> Result<(), Trouble> {
    let items = match store.lacks(&word) {
        false => None,
        true => match archive::records(js, &word).await {
            Ok(records) => {
                let mut items = Vec::with_capacity(records.len());
                for record in records {
                    items.push(judge(js, record, Some(&word.tenant), false).await?);
                }
                Some(items)
            }
            Err(error @ ReadError::Artifact { .. }) => {
                tracing::error!(mission = %word.mission, %error, "an archived mission can't be read");
                None
            }
            Err(error) => return Err(error.into()),
        },
    };
    let store = Arc::clone(store);
    let written = tokio::task::spawn_blocking(move || store.entomb(&word, items.as_deref())).await;
    Ok(written.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?)
}
