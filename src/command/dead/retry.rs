//! Another try, and what came of it.

use super::rows;
use crate::{
    client::{Client, Error as ClientError},
    exit::{Code, Error},
    mission::page,
    progress::{clean, out, say},
};
use schemas::{MissionId, Value, fact::kind_of_type};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// How long a decider may take to say what came of it.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// What came of trying a decider again.
enum Outcome {
    /// It said this next.
    GoesOn(String),
    /// It is stuck again, with this.
    Stuck(String),
    /// It said nothing.
    Silent,
}

/// Has every decider that is stuck with the mission try again.
pub async fn mission(client: &Client, id: MissionId, json: bool) -> Result<Code, Error> {
    let (dead, _) = rows(client, Some(id), usize::MAX).await?;
    let stuck: Vec<&str> = dead.iter().filter_map(|row| row["decider"].as_str()).collect();
    if stuck.is_empty() {
        return Err(Error::failed(format!("no worker is stuck with mission {id}")));
    }
    let mut still = false;
    for decider in stuck {
        let answer = client.command(id, "decider.retried", &json!({"decider": decider})).await?;
        let asked = answer["seq"].as_u64().unwrap_or_default();
        let outcome = outcome(client, id, decider, asked).await?;
        still |= matches!(outcome, Outcome::Stuck(_));
        let (name, detail) = match &outcome {
            Outcome::GoesOn(word) => ("goes_on", word.as_str()),
            Outcome::Stuck(reason) => ("stuck", reason.as_str()),
            Outcome::Silent => ("silent", ""),
        };
        if json {
            say(&json!({"mission": id, "decider": decider, "seq": asked, "outcome": name, "detail": detail}));
            continue;
        }
        match &outcome {
            Outcome::GoesOn(word) => out!("{decider} goes on with mission {id}: {word}"),
            Outcome::Stuck(reason) => out!("{decider} is still stuck with mission {id}: {}", clean(reason)),
            Outcome::Silent => out!(
                "{decider} was asked to try mission {id} again, and has said nothing for {} s: it has nothing to do there now, or it does not run",
                PATIENCE.as_secs()
            ),
        }
    }
    Ok(if still { Code::Failed } else { Code::Completed })
}

async fn outcome(client: &Client, id: MissionId, decider: &str, asked: u64) -> Result<Outcome, Error> {
    let until = Instant::now() + PATIENCE;
    let source = format!("/stage7/{}/{decider}", client.tenant);
    while Instant::now() < until {
        let events = match page(client, id, asked, PATIENCE).await {
            Ok(events) => events,
            // Of a mission whose beginning can't be read there is no page.
            Err(ClientError::Refused(_)) => return Ok(Outcome::Silent),
            Err(error) => return Err(error.into()),
        };
        if let Some(event) = events.iter().find(|event| event["source"] == *source) {
            let word = event["type"].as_str().unwrap_or_default();
            let word = kind_of_type(word).unwrap_or(word).to_string();
            return Ok(match word == "decider.stuck" {
                true => Outcome::Stuck(event["data"]["message"].as_str().unwrap_or_default().into()),
                false => Outcome::GoesOn(word),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(Outcome::Silent)
}

/// Has a record judged again with the code of today.
pub async fn record(client: &Client, seq: u64, json: bool) -> Result<Code, Error> {
    let asked = |again: bool| json!({"record": {"seq": seq, "again": again}});
    let before = client.read(&asked(false)).await?;
    let id = before["dead"]["mission"].as_str().and_then(|id| id.parse::<MissionId>().ok());
    if let (Some(id), true) = (id, before["dead"]["decider"].is_string()) {
        return mission(client, id, json).await;
    }
    let reads = |answer: &Value| answer["today"]["reads"] == true;
    if before["dead"].is_null() && reads(&before) {
        return Err(Error::failed(format!("record {seq} is not dead: it is an event as it should be")));
    }
    let now = client.read(&asked(true)).await?;
    let (outcome, reason) = match reads(&now) {
        true => ("reads", ""),
        false => ("dead", now["today"]["reason"].as_str().unwrap_or_default()),
    };
    match (json, reads(&now)) {
        (true, _) => say(&json!({"seq": seq, "mission": id, "outcome": outcome, "detail": reason})),
        (false, true) => out!("record {seq} can be read now, and counts"),
        (false, false) => out!("record {seq} still is no event: {}", clean(reason)),
    }
    if !reads(&now) {
        return Ok(Code::Failed);
    }
    // Who was stuck with it can go on now.
    match id {
        Some(id) if rows(client, Some(id), usize::MAX).await?.0.iter().any(|row| row["decider"].is_string()) => {
            mission(client, id, json).await
        }
        _ => Ok(Code::Completed),
    }
}
