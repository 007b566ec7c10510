//! Where a mission's records are: in the log, or in its archive.

use crate::{Refusal, mission::Mission, unread};
use nats::archive;
use std::sync::Arc;
use streams::{archive::Archived, record::Record, subject};
use tokio::sync::Mutex;

/// Records read at once from the log.
const PAGE: usize = 1_000;

/// The archive that was read last is kept: it is asked for page by page.
#[derive(Default)]
pub struct Shelf(Mutex<Option<(Archived, Arc<Vec<Record>>)>>);

impl Shelf {
    /// At most `most` records above `after`, and how many there are beyond.
    ///
    /// # Errors
    /// There is no such mission, or it can't be read.
    pub async fn page(&self, mission: &Mission<'_>, after: u64, most: usize) -> Result<(Vec<Record>, u64), Refusal> {
        let filter = subject::mission(mission.tenant, mission.id);
        let page = mission.log.page_from("MISSIONS", &filter, after, most).await.map_err(unread)?;
        // Looked for last: the beginning is the first to leave the log, so what was read while it was
        // there has no holes.
        if mission.begins().await? {
            return Ok(page);
        }
        let records = self.archived(mission).await?;
        let from = records.partition_point(|record| record.seq <= after);
        let to = records.len().min(from.saturating_add(most));
        Ok((records[from..to].to_vec(), (records.len() - to) as u64))
    }

    /// All of them.
    ///
    /// # Errors
    /// There is no such mission, or it can't be read.
    pub async fn all(&self, mission: &Mission<'_>) -> Result<Vec<Record>, Refusal> {
        let mut all: Vec<Record> = Vec::new();
        loop {
            let after = all.last().map_or(0, |record| record.seq);
            let (page, pending) = self.page(mission, after, PAGE).await?;
            all.extend(page);
            if pending == 0 {
                return Ok(all);
            }
        }
    }

    async fn archived(&self, mission: &Mission<'_>) -> Result<Arc<Vec<Record>>, Refusal> {
        let Some(word) = archive::find(mission.log, mission.tenant, mission.id).await.map_err(unread)? else {
            return Err(mission.missing().await);
        };
        let mut kept = self.0.lock().await;
        if let Some((of, records)) = kept.as_ref()
            && *of == word
        {
            return Ok(Arc::clone(records));
        }
        let records = Arc::new(archive::records(mission.log, &word).await.map_err(unread)?);
        *kept = Some((word, Arc::clone(&records)));
        Ok(records)
    }
}
