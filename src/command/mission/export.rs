//! A mission's log as CloudEvents, one a line, with the bytes that its events name beside them.

use crate::{
    client::{Client, Error as Unread},
    exit::{Code, Error},
    mission::page,
    progress::{err, say},
};
use schemas::{MissionId, Value};
use std::{collections::BTreeMap, time::Duration};
use streams::archive::{artifact_line, named};

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
    let (mut after, mut beside) = (0, BTreeMap::new());
    loop {
        let events = page(client, mission, after, PATIENCE).await?;
        let Some(last) = events.last() else { break };
        after = sequence(last)?;
        for event in events {
            beside.extend(named(&event).into_iter().map(|named| (named.sha256, named.size)));
            put(event);
        }
    }
    for (sha256, size) in beside {
        let bytes = match client.get(&sha256, size).await {
            Ok(bytes) => bytes,
            Err(Unread::Refused(refusal)) => {
                err!("artifact {sha256} is left out: {}", refusal.error.message);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        put(artifact_line(&client.tenant, mission, &sha256, &bytes));
    }
    Ok(())
}

fn sequence(event: &Value) -> Result<u64, Error> {
    let seq = event["sequence"].as_str().and_then(|seq| seq.parse().ok());
    seq.ok_or_else(|| Error::failed("an event without a sequence"))
}
