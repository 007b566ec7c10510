//! The librarian: rows about all missions, for lists and searches; and the archive, where missions
//! go that ended long ago.
//!
//! Consumes: every event (`projector`, pinned; it is only the bell). \
//! Emits: `mission.archiving` in the log, `mission.archived` in the registry. \
//! Decides: nothing. \
//! Effects: rows in SQLite, answers on `stage7.query.{tenant}`; archived missions become files in
//! `ARTIFACTS` and leave the log. \
//! Repeats: the position in the log is stored in the transaction of the rows it stands for, so an
//! event is projected once, however often it is delivered. \
//! Never: knows anything that is not in the log; its file may be deleted at any time.

mod archive;
mod follow;
mod judge;
mod project;
mod query;
mod serve;
mod store;
mod tombstone;
mod trouble;

use archive::Archivist;
use follow::Follower;
use nats::{jetstream::JetStream, log::ReadError};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use store::Store;
use tokio_util::sync::CancellationToken;

/// What ends the librarian.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the librarian's folder {path} can't be made")]
    Dir { path: PathBuf, source: std::io::Error },
    #[error("the librarian's rows in {path}")]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("the log can't be followed")]
    Log(#[from] ReadError),
}

/// The file of the rows, in the librarian's data directory.
pub const FILE: &str = "librarian.sqlite";

/// Keeps the rows in `data_dir` up to date and answers from them, until `stop`. Missions that ended
/// longer ago than `archive_after` leave the log; with `None` they stay.
///
/// # Errors
/// When the rows can't be opened, or the consumer can't be followed at all; whatever happens later
/// is tried again.
pub async fn run(
    js: JetStream,
    data_dir: &Path,
    archive_after: Option<Duration>,
    worker_version: String,
    stop: CancellationToken,
) -> Result<(), Error> {
    std::fs::create_dir_all(data_dir).map_err(|source| Error::Dir { path: data_dir.into(), source })?;
    let path = data_dir.join(FILE);
    let store = Store::open(&path).map_err(|source| Error::Open { path, source })?;
    tracing::debug!(worker_version, position = store.position(), "the librarian begins");
    let store = Arc::new(store);
    let archivist = Archivist::new(js.clone(), Arc::clone(&store), archive_after, worker_version);
    Follower::new(js, store, archivist).run(stop).await.map_err(Error::Log)
}
