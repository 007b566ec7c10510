//! A mission as a person sees it: its log, folded.

use super::shelf::Shelf;
use crate::{mission::Mission, unread};
use nats::{decider::attach, log::ReadError};
use schemas::Value;
use streams::{archive::is_fence, overview::Overview, record::Decoded, submission::Refusal};

/// The overview now, or as it was at a sequence.
pub async fn state(mission: &Mission<'_>, shelf: &Shelf, at: Option<u64>) -> Result<Value, Refusal> {
    let records = shelf.all(mission).await?.into_iter().filter(|record| !is_fence(record));
    let mut overview = Overview::default();
    for mut record in records.take_while(|record| at.is_none_or(|at| record.seq <= at)) {
        match attach(mission.log, &mut record, mission.tenant).await {
            Ok(()) => {}
            // The fold shows what can be known without it.
            Err(ReadError::Artifact { .. }) => continue,
            Err(error) => return Err(unread(error)),
        }
        if let Ok(Decoded::Event(event)) = record.decode() {
            overview.evolve(&event);
        }
    }
    serde_json::to_value(overview).map_err(|e| Refusal::new("internal", e.to_string()))
}
