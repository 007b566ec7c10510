//! Histories from files: structured CloudEvents, one a line, as `mission export` writes them.

use crate::{Entry, History};
use base64::{Engine, engine::general_purpose::STANDARD};
use schemas::{
    Fact, MissionId, Tenant, Value,
    cloudevent::{Unreadable, from_structured},
    value,
};
use std::{collections::HashMap, sync::Arc};
use streams::record::Dataref;

/// The CloudEvents type of a line that holds bytes: its `id` is their SHA-256.
pub const ARTIFACT: &str = "io.stage7.artifact.v1";

/// A line that does not belong into an export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Malformed {
    /// From 1.
    pub line: usize,
    pub why: String,
}

/// Bytes by their hash.
type Artifacts = HashMap<String, Vec<u8>>;

impl History {
    /// Reads an export. Bytes that events refer to may stand anywhere in it; without the catalogue
    /// the history can be shown, but not decided again.
    ///
    /// # Errors
    /// The first line that is no CloudEvent, of another mission, out of order, or other bytes than
    /// its hash says.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (mut events, mut artifacts) = (Vec::new(), Artifacts::new());
        // Some editors put a mark before everything.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let whole = text.ends_with('\n');
        let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()).peekable();
        while let Some((text, line)) = lines.next() {
            let last = lines.peek().is_none() && !whole;
            let value: Value = serde_json::from_str(text).map_err(|error| Malformed {
                line,
                why: match last && error.is_eof() {
                    true => "it ends in the middle: the file was cut off; export the mission again".into(),
                    false => format!("not JSON ({error}): an export has one CloudEvent a line"),
                },
            })?;
            if !value.is_object() {
                return Err(Malformed { line, why: "no JSON object: an export has one CloudEvent a line".into() });
            }
            if value["type"] == ARTIFACT {
                let (sha256, bytes) = artifact(&value).map_err(|why| Malformed { line, why })?;
                artifacts.insert(sha256, bytes);
            } else {
                events.push((line, value));
            }
        }
        let mut history = Self::default();
        let mut of = None;
        for (line, mut value) in events {
            let entry = attach(&mut value, &artifacts).and_then(|()| entry(&value, &artifacts));
            let entry = entry.and_then(|entry| history.follows(&entry, &mut of).map(|()| entry));
            history.entries.push(entry.map_err(|why| Malformed { line, why })?);
        }
        Ok(history)
    }

    /// Does the entry come next, and is it of the same mission?
    fn follows(&self, entry: &Entry, of: &mut Option<(Tenant, MissionId)>) -> Result<(), String> {
        let before = self.entries.last().map_or(0, Entry::seq);
        if entry.seq() <= before {
            return Err(format!(
                "the event {} comes after the event {before}: lines must be in the order of the log",
                entry.seq()
            ));
        }
        let Entry::Event(event) = entry else { return Ok(()) };
        let (tenant, mission) = of.get_or_insert_with(|| (event.tenant.clone(), event.mission));
        if event.mission != *mission {
            return Err(format!("an event of mission {}, in an export of {mission}", event.mission));
        }
        if event.tenant != *tenant {
            return Err(format!("an event of tenant {}, in an export of tenant {tenant}", event.tenant));
        }
        Ok(())
    }
}

fn artifact(line: &Value) -> Result<(String, Vec<u8>), String> {
    let text = |name: &str| line[name].as_str().ok_or_else(|| format!("an artifact without `{name}`"));
    let (sha256, base64) = (text("id")?, text("data_base64")?);
    let bytes = STANDARD.decode(base64).map_err(|error| format!("`data_base64`: {error}"))?;
    match value::sha256(&bytes) {
        hash if hash == sha256 => Ok((hash, bytes)),
        hash => Err(format!("the artifact {sha256} holds other bytes: their hash is {hash}")),
    }
}

/// Puts data that lies elsewhere into its event.
fn attach(event: &mut Value, artifacts: &Artifacts) -> Result<(), String> {
    let Some(urn) = event["dataref"].as_str().filter(|_| event["data"].is_null()) else { return Ok(()) };
    let dataref = Dataref::from_urn(urn).ok_or_else(|| format!("`dataref` is `{urn}`, which names no artifact"))?;
    let bytes = artifacts
        .get(&dataref.sha256)
        .ok_or_else(|| format!("its data, artifact {}, is not in the file", dataref.sha256))?;
    event["data"] =
        serde_json::from_slice(bytes).map_err(|error| format!("its data, artifact {}: {error}", dataref.sha256))?;
    Ok(())
}

fn entry(value: &Value, artifacts: &Artifacts) -> Result<Entry, String> {
    match from_structured(value) {
        Ok(mut event) => {
            if let Fact::MissionCreated(created) = &mut event.fact
                && let Some(bytes) = artifacts.get(&created.catalogue.reference.sha256)
            {
                let catalogue = serde_json::from_slice(bytes).map_err(|error| format!("its catalogue: {error}"))?;
                created.catalogue.content = Some(Arc::new(catalogue));
            }
            Ok(Entry::Event(Box::new(event)))
        }
        Err(Unreadable::Unknown(ce_type)) => {
            let seq = value["sequence"].as_str().and_then(|seq| seq.parse().ok());
            seq.map(Entry::Passed).ok_or_else(|| format!("`{ce_type}` is no word of a mission's log"))
        }
        Err(error) => Err(error.to_string()),
    }
}
