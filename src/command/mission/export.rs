//! A mission's log as CloudEvents, one a line, with the bytes that its events name beside them.

use crate::{
    client::{Client, Error as Unread},
    exit::{Code, Error},
    mission::{dataref, page},
    progress::{err, say},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use schemas::{MissionId, Value, value::Ref};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

const PATIENCE: Duration = Duration::from_secs(20);

pub async fn run(client: &Client, mission: MissionId) -> Result<Code, Error> {
    lines(client, mission, |line| say(&line)).await?;
    Ok(Code::Completed)
}

/// Gives each line to `put`.
///
/// # Errors
/// The mission can't be read.
pub async fn lines(client: &Client, mission: MissionId, mut put: impl FnMut(Value)) -> Result<(), Error> {
    let (mut after, mut named) = (0, BTreeMap::new());
    loop {
        let events = page(client, mission, after, PATIENCE).await?;
        let Some(last) = events.last() else { break };
        after = sequence(last)?;
        for event in events {
            if let Some(dataref) = dataref(&event) {
                named.insert(dataref.sha256, dataref.size);
            }
            // The catalogue: without it no decision can be made again.
            if let Some(reference) = event.pointer("/data/catalogue").and_then(Ref::from_value) {
                named.insert(reference.sha256, reference.size);
            }
            put(event);
        }
    }
    for (sha256, size) in named {
        let bytes = match client.get(&sha256, size).await {
            Ok(bytes) => bytes,
            Err(Unread::Refused(refusal)) => {
                err!("artifact {sha256} is left out: {}", refusal.error.message);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        put(json!({
            "specversion": "1.0", "id": sha256, "source": format!("/stage7/{}/artifacts", client.tenant), "type": replay::ARTIFACT,
            "correlationid": mission, "data_base64": STANDARD.encode(&bytes),
        }));
    }
    Ok(())
}

fn sequence(event: &Value) -> Result<u64, Error> {
    let seq = event["sequence"].as_str().and_then(|seq| seq.parse().ok());
    seq.ok_or_else(|| Error::failed("an event without a sequence"))
}
