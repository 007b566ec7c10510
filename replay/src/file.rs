//! Histories from files: structured CloudEvents, one a line, as `mission export` writes them.

use crate::{Entry, History};
use schemas::Fact;
use std::sync::Arc;
use streams::archive::{Export, Malformed};

impl History {
    /// Reads an export. Bytes that events refer to may stand anywhere in it; without the catalogue
    /// the history can be shown, but not decided again.
    ///
    /// # Errors
    /// The first line that is no CloudEvent, of another mission, out of order, or other bytes than
    /// its hash says.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let Export { lines, artifacts } = Export::parse(text)?;
        let mut entries = Vec::with_capacity(lines.len());
        for line in lines {
            let Some(mut event) = line.event else {
                entries.push(Entry::Passed(line.seq));
                continue;
            };
            if let Fact::MissionCreated(created) = &mut event.fact
                && let Some(bytes) = artifacts.get(&created.catalogue.reference.sha256)
            {
                let malformed = |why| Malformed { line: line.line, why };
                let catalogue = serde_json::from_slice(bytes);
                let catalogue = catalogue.map_err(|error| malformed(format!("its catalogue: {error}")))?;
                created.catalogue.content = Some(Arc::new(catalogue));
            }
            entries.push(Entry::Event(event));
        }
        Ok(Self { entries })
    }
}
