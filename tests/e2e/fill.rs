//! Records straight into the log, as many as it takes.

use futures::{StreamExt, TryStreamExt, stream};
use nats::{jetstream::JetStream, service::store};
use streams::record::Record;

/// On their way at once.
const PIPELINE: usize = 200;

/// Stores them in their order; gives the last sequence.
pub async fn records(log: &JetStream, records: &[Record]) -> u64 {
    let stored = stream::iter(records).map(|record| store(log, record)).buffered(PIPELINE);
    let checked = stored.try_fold(0, |before, seq| async move {
        assert!(before == 0 || seq == before + 1, "{seq} comes after {before}");
        Ok(seq)
    });
    // In turns with other tasks they would overtake each other.
    tokio::task::unconstrained(checked).await.unwrap()
}
