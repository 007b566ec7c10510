//! The registry on the wire: verbs announced by whoever brings them, folded by whoever asks.

use crate::{
    jetstream::JetStream,
    log::{AppendError, Guard, Log, ReadError},
};
use schemas::Writer;
use serde::Serialize;
use std::time::Duration;
use streams::{
    registry::{self, LISTED, Listed, Plugin, REGISTERED, Registry},
    subject,
};
use tokio::time::Instant;

/// Between two tries of what the log did not answer.
const PAUSE: Duration = Duration::from_millis(200);

/// Registers all verbs of a writer, then lists them; what is registered just so is not said again.
/// Until both agents and capabilities have done this no mission is created.
///
/// # Errors
/// The log refused. When it does not answer, it is asked again until it does.
pub async fn announce(log: &JetStream, writer: Writer, plugins: &[Plugin]) -> Result<(), AppendError> {
    for plugin in plugins {
        publish(log, writer, REGISTERED, Some(&plugin.verb.name), plugin).await?;
    }
    let verbs = plugins.iter().map(|plugin| plugin.verb.name.clone()).collect();
    publish(log, writer, LISTED, None, &Listed { verbs }).await
}

/// Says one word of the registry, guarded by the last one on its subject, unless that is equal.
///
/// # Errors
/// The log refused.
pub async fn publish(
    log: &JetStream,
    writer: Writer,
    kind: &str,
    key: Option<&str>,
    data: &impl Serialize,
) -> Result<(), AppendError> {
    word(log, writer, kind, key, data, true).await
}

/// The same, though the last one is equal: something else was said in between, on another subject.
///
/// # Errors
/// The log refused.
pub async fn say(
    log: &JetStream,
    writer: Writer,
    kind: &str,
    key: Option<&str>,
    data: &impl Serialize,
) -> Result<(), AppendError> {
    word(log, writer, kind, key, data, false).await
}

async fn word(
    log: &JetStream,
    writer: Writer,
    kind: &str,
    key: Option<&str>,
    data: &impl Serialize,
    unless_equal: bool,
) -> Result<(), AppendError> {
    let data = serde_json::to_vec(data).map_err(|e| AppendError::Refused(e.to_string()))?;
    let filter = subject::registry(writer, kind, key);
    loop {
        let said = async {
            let last = log.last_from("REGISTRY", &filter).await.map_err(|e| AppendError::Unknown(e.to_string()))?;
            if unless_equal && last.as_ref().is_some_and(|record| record.payload == data) {
                return Ok(());
            }
            let last = last.map_or(0, |record| record.seq);
            let record = registry::record(writer, kind, key, data.clone(), log.now(), last);
            log.append(&record, &Guard { filter: filter.clone(), last }).await.map(|_| ())
        };
        match said.await {
            Err(AppendError::Conflict) => {}
            Err(AppendError::Unknown(why)) => {
                tracing::warn!(subject = filter, why, "a word of the registry is not stored: trying again");
                tokio::time::sleep(PAUSE).await;
            }
            said => return said,
        }
    }
}

/// The registry as of the last time asked.
#[derive(Default)]
pub struct Reader {
    registry: Registry,
    after: u64,
    /// When the last read began.
    begun: Option<Instant>,
}

impl Reader {
    /// Folds what has come since, and gives the whole.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub async fn read(&mut self, log: &JetStream) -> Result<&Registry, ReadError> {
        for record in log.load_from("REGISTRY", registry::PLUGINS, self.after).await? {
            self.after = record.seq;
            self.registry.evolve(&record);
        }
        Ok(&self.registry)
    }

    /// The same, unless a read that began after `asked` has brought all that was there then.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub async fn read_since(&mut self, log: &JetStream, asked: Instant) -> Result<&Registry, ReadError> {
        if self.begun.is_none_or(|begun| begun < asked) {
            let begun = Instant::now();
            self.read(log).await?;
            self.begun = Some(begun);
        }
        Ok(&self.registry)
    }

    /// As it was when last read.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How far it was read: the same place, the same registry.
    pub fn at(&self) -> u64 {
        self.after
    }
}
