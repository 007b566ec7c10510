//! A mission's log as CloudEvents, one a line, with the bytes that its events name beside them.

use crate::{
    client::{Client, Error as Unread},
    exit::{Code, Error},
    mission::{dataref, page},
    progress::say,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use schemas::{
    MissionId, Value,
    value::{REF_KEY, Ref},
};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

const PATIENCE: Duration = Duration::from_secs(20);
/// The CloudEvents type of bytes.
const ARTIFACT: &str = "io.stage7.artifact.v1";

pub async fn run(client: &Client, mission: MissionId) -> Result<Code, Error> {
    let (mut after, mut named) = (0, BTreeMap::new());
    loop {
        let events = page(client, mission, after, PATIENCE).await?;
        let Some(last) = events.last() else { break };
        after = sequence(last)?;
        for event in &events {
            say(event);
            if let Some(dataref) = dataref(event) {
                named.insert(dataref.sha256, dataref.size);
            }
            // The catalogue: without it no decision can be made again.
            if let Some(reference) = event.pointer("/data/catalogue").and_then(Ref::from_value) {
                named.insert(reference.sha256, reference.size);
            }
        }
    }
    for (sha256, size) in named {
        let bytes = match client.get(&sha256, size).await {
            Ok(bytes) => bytes,
            Err(Unread::Refused(refusal)) => {
                eprintln!("artifact {sha256} is left out: {}", refusal.error.message);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        say(&json!({
            "specversion": "1.0", "id": sha256, "source": format!("/stage7/{}/artifacts", client.tenant), "type": ARTIFACT,
            "correlationid": mission, "data_base64": STANDARD.encode(&bytes),
        }));
    }
    Ok(Code::Completed)
}

fn sequence(event: &Value) -> Result<u64, Error> {
    let seq = event["sequence"].as_str().and_then(|seq| seq.parse().ok());
    seq.ok_or_else(|| Error::failed(format!("an event without a sequence: {}", event[REF_KEY])))
}
