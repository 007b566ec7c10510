//! Goals as a user sends them: with their plan, a chain of steps that do next to nothing.

use super::system::PATIENCE;
use crate::exit::Error;
use anyhow::{Context, anyhow};
use futures::{StreamExt, TryStreamExt, stream};
use nats::{
    connect::{Client, Subscriber},
    key::TENANT,
};
use schemas::Value;
use serde_json::json;
use tokio::time::{Instant, timeout};

const SOURCE: &str = "/stage7/bench";
/// Goals on their way into the queue at once.
const AT_ONCE: usize = 256;

/// The cheapest of the shipped verbs: TEXT_ANALYSIS of one word, in a thread of the worker. A verb
/// that does nothing would have to be in every catalogue.
fn step(n: usize) -> Value {
    let mut step = json!({
        "id": format!("s{n}"), "verb": "TEXT_ANALYSIS",
        "inputs": {"text": {"value": "word"}, "keywords": {"value": 0}},
        "outputs": {"language": {"type": "string"}},
    });
    if n > 0 {
        step["after"] = json!([format!("s{}", n - 1)]);
    }
    step
}

/// A word that only this mission's goal has.
pub fn word(of: &str, n: usize) -> String {
    format!("{of}x{n}")
}

fn event(of: &str, n: usize, steps: usize) -> Value {
    let steps: Vec<Value> = (0..steps).map(step).collect();
    let goal = json!({"goal": format!("Measure {}", word(of, n)), "plan": {"steps": steps}});
    schemas::cloudevent::goal(SOURCE, &word(of, n), &goal)
}

/// The mission that the nth goal is.
pub fn mission(of: &str, n: usize) -> schemas::MissionId {
    schemas::MissionId::of_goal(&TENANT.parse().expect("a tenant"), SOURCE, &word(of, n))
}

/// Sends one goal; it is safe when this returns.
pub async fn send_one(user: &Client, of: &str, n: usize, steps: usize) -> Result<(), Error> {
    let answer = user.request(format!("stage7.goal.{TENANT}"), event(of, n, steps).to_string().into()).await;
    let answer = answer.context("sending a goal")?;
    let answer: Value = serde_json::from_slice(&answer.payload).context("sending a goal")?;
    match answer.get("error") {
        None => Ok(()),
        Some(error) => Err(Error::failed(format!("a goal was not taken: {error}"))),
    }
}

/// Sends so many.
pub async fn send(user: &Client, of: &str, missions: usize, steps: usize) -> Result<(), Error> {
    let sending = stream::iter(0..missions).map(|n| send_one(user, of, n, steps));
    sending.buffer_unordered(AT_ONCE).try_collect().await
}

/// The end of the last of several missions.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    pub at: Instant,
    pub mission: schemas::MissionId,
}

/// Waits for so many missions to complete; one that ends otherwise is an error.
pub async fn all_ended(mut ends: Subscriber, missions: usize) -> Result<Ended, Error> {
    let mut completed = 0;
    let waiting = async {
        while let Some(message) = ends.next().await {
            match message.subject.rsplit('.').next() {
                Some("completed") => completed += 1,
                Some(end @ ("failed" | "aborted" | "waiting")) => {
                    let said = String::from_utf8_lossy(&message.payload).into_owned();
                    return Err(anyhow!("a mission is {end}: {said}").into());
                }
                _ => {}
            }
            if completed == missions {
                let mission = message.subject.split('.').nth(3).and_then(|id| id.parse().ok());
                let mission = mission.context("a subject of a mission")?;
                return Ok(Ended { at: Instant::now(), mission });
            }
        }
        Err(anyhow!("the connection was closed").into())
    };
    match timeout(PATIENCE, waiting).await {
        Ok(ended) => ended,
        Err(_) => Err(Error::failed(format!("{missions} missions are not done after {PATIENCE:?}"))),
    }
}
