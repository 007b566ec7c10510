//! A mission as a client sees it: its log read page by page, folded; its view only rings the bell.
//! What is published is lost to whoever is away for a moment, what is read is not.

use crate::{
    client::{Client, Error, SOURCE},
    exit,
};
use futures::StreamExt;
use nats::connect::Subscriber;
use schemas::{
    MissionId, Value,
    cloudevent::{Unreadable, from_structured},
};
use serde_json::json;
use std::time::Duration;
use streams::{overview::Overview, record::Dataref, subject, submission::Refusal};
use tokio::time::Instant;

/// A bell may be missed: how long until a look without one.
const LOOK: Duration = Duration::from_millis(1_500);
/// The same while the mission is not there yet.
const LOOK_EARLY: Duration = Duration::from_millis(200);
/// Bells that ring together are answered together.
const GATHER: Duration = Duration::from_millis(20);
/// A page has no answer: the connection is lost.
const PATIENCE: Duration = Duration::from_secs(8);
/// A goal that nobody knows, neither waiting nor refused.
const UNKNOWN: Duration = Duration::from_secs(10);

/// Follows one mission.
pub struct Follower {
    pub id: MissionId,
    pub overview: Overview,
    /// The id of the goal event, if it was this process that submitted it.
    goal: Option<String>,
    bell: Option<(u64, Subscriber)>,
    began: Instant,
}

impl Follower {
    pub fn new(id: MissionId, goal: Option<String>) -> Self {
        Self { id, overview: Overview::default(), goal, bell: None, began: Instant::now() }
    }

    /// Waits until the mission has gone on, and folds how; may return without news. Dropping the
    /// future loses nothing.
    ///
    /// # Errors
    /// The goal was refused, nobody knows the mission, or nobody answers.
    pub async fn next(&mut self, client: &Client) -> Result<(), Error> {
        let epoch = client.epoch().await;
        if self.bell.as_ref().is_none_or(|(of, _)| *of != epoch) {
            self.bell = Some((epoch, client.listen(subject::view(&client.tenant, self.id)).await?));
        } else if let Some((_, bell)) = &mut self.bell {
            let look = if self.overview.id.is_some() { LOOK } else { LOOK_EARLY };
            match tokio::time::timeout(look, bell.next()).await {
                Ok(Some(_)) => {
                    tokio::time::sleep(GATHER).await;
                    while futures::FutureExt::now_or_never(bell.next()).flatten().is_some() {}
                }
                // The connection it belonged to is closed: another next time.
                Ok(None) => {
                    self.bell = None;
                    tokio::time::sleep(LOOK_EARLY).await;
                }
                Err(_) => {}
            }
        }
        self.read(client).await
    }

    async fn read(&mut self, client: &Client) -> Result<(), Error> {
        loop {
            match page(client, self.id, self.overview.last_seq, PATIENCE).await {
                Ok(events) if events.is_empty() => return Ok(()),
                Ok(events) => {
                    for event in &events {
                        fold(&mut self.overview, event)?;
                    }
                }
                Err(Error::Refused(refusal)) if refusal.error.code == "not_yet" => return Ok(()),
                Err(Error::Refused(refusal)) if refusal.error.code == "unknown_mission" => {
                    return self.unknown(client, refusal).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A goal that is no mission was refused, or is between two places.
    async fn unknown(&self, client: &Client, refusal: Refusal) -> Result<(), Error> {
        let Some(goal) = &self.goal else { return Err(Error::Refused(refusal)) };
        let answer = client.read_for(&json!({"refused": {"source": SOURCE, "id": goal}}), PATIENCE).await?;
        if let Some(refused) = answer
            .get("refused")
            .and_then(|refused| refused.get("refusal").or(Some(refused)))
            .filter(|refused| !refused.is_null())
        {
            let refused = serde_json::from_value(refused.clone());
            return Err(Error::Refused(refused.unwrap_or_else(|_| Refusal::new("refused", "the goal was refused"))));
        }
        if self.began.elapsed() > UNKNOWN { Err(Error::Refused(refusal)) } else { Ok(()) }
    }
}

/// The events above `after`, data included; none: there are no more.
pub async fn page(client: &Client, id: MissionId, after: u64, patience: Duration) -> Result<Vec<Value>, Error> {
    let mut answer = client.read_for(&json!({"mission": id, "after": after}), patience).await?;
    let Value::Array(mut events) = answer["events"].take() else {
        return Err(Error::Broken("a page without events".into()));
    };
    for event in &mut events {
        if let Some(dataref) = dataref(event).filter(|_| event.get("data").is_none()) {
            let bytes = client.get(&dataref.sha256, dataref.size).await?;
            event["data"] = serde_json::from_slice(&bytes)
                .map_err(|error| Error::Broken(format!("the data of an event: {error}")))?;
        }
    }
    Ok(events)
}

/// The mission as it stands, from its events.
///
/// # Errors
/// As for a page.
pub async fn folded(client: &Client, id: MissionId) -> Result<Overview, Error> {
    let mut overview = Overview::default();
    loop {
        let events = page(client, id, overview.last_seq, PATIENCE).await?;
        if events.is_empty() {
            return Ok(overview);
        }
        for event in &events {
            fold(&mut overview, event)?;
        }
    }
}

/// Where the data of an event lies.
pub fn dataref(event: &Value) -> Option<Dataref> {
    Dataref::from_urn(event.get("dataref")?.as_str()?)
}

/// Folds an event in structured mode; what this version does not know is counted.
///
/// # Errors
/// It is no event of a mission.
pub fn fold(overview: &mut Overview, event: &Value) -> Result<(), Error> {
    match from_structured(event) {
        Ok(event) => overview.evolve(&event),
        Err(Unreadable::Unknown(_)) => {
            let seq = event["sequence"].as_str().and_then(|seq| seq.parse().ok());
            overview.pass(seq.ok_or_else(|| Error::Broken("an event without a sequence".into()))?);
        }
        Err(Unreadable::Malformed(fault)) => return Err(Error::Broken(format!("an event of the mission: {fault}"))),
    }
    Ok(())
}

/// The shortest beginning of an id that is taken for it.
const SHORTEST: usize = 4;

/// The mission that an id, or the beginning of one, means.
///
/// # Errors
/// No mission begins like that, or several do.
pub async fn resolve(client: &Client, text: &str) -> Result<MissionId, exit::Error> {
    let text = text.to_ascii_lowercase();
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    check_beginning(&text)?;
    let rows = crate::command::mission::rows(client, json!({}), usize::MAX).await?;
    let ids: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).filter(|id| id.starts_with(&text)).collect();
    pick(&text, &ids)?.parse().map_err(|error| exit::Error::failed(format!("{error}")))
}

/// Can a mission's id begin like that?
///
/// # Errors
/// It can't, or it says too little.
pub fn check_beginning(text: &str) -> Result<(), exit::Error> {
    if is_beginning(text) {
        return Ok(());
    }
    Err(exit::Error::usage(format!(
        "`{text}` is no mission: give its id (32 hexadecimal digits), or at least the first {SHORTEST}"
    )))
}

fn is_beginning(text: &str) -> bool {
    (SHORTEST..32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The only id that there is.
///
/// # Errors
/// There is none, or there are several.
pub fn pick<'a>(text: &str, ids: &[&'a str]) -> Result<&'a str, exit::Error> {
    match ids {
        [only] => Ok(only),
        [] => Err(exit::Error::usage(format!("there is no mission {text}…"))),
        several => Err(exit::Error::usage(format!("{text}… may be any of {}: give more of it", several.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_beginning_that_is_unique_counts() {
        assert!(
            is_beginning("5f1b") && !is_beginning("5f1") && !is_beginning("demo") && !is_beginning(&"a".repeat(32))
        );
        assert_eq!(pick("5f1b", &["5f1b00"]).unwrap(), "5f1b00");
        assert!(pick("5f1b", &[]).unwrap_err().to_string().contains("no mission 5f1b"));
        assert!(pick("5f1b", &["5f1b00", "5f1b01"]).unwrap_err().to_string().contains("5f1b01"));
    }
}
