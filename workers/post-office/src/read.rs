//! What people ask to know: a mission's events and state, lists, plugins, refusals.

mod page;
mod shelf;
mod state;

pub use shelf::Shelf;

use crate::{Door, mission::Mission, mission_id, model, query, secret};
use bytes::Bytes;
use schemas::{Tenant, Value};
use serde::{Deserialize, de::DeserializeOwned};
use streams::submission::Refusal;

/// Events of a mission.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Events {
    mission: String,
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// A mission as a person sees it, now or as it was at a sequence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    mission: String,
    #[expect(dead_code, reason = "it only tells the forms apart")]
    state: bool,
    at: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugins {
    #[expect(dead_code, reason = "it only tells the forms apart")]
    plugins: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugin {
    plugin: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Models {
    #[expect(dead_code, reason = "it only tells the forms apart")]
    models: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    #[expect(dead_code, reason = "it only tells the forms apart")]
    secrets: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    refused: GoalName,
}

/// What names a goal event within its tenant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoalName {
    pub source: String,
    pub id: String,
}

const FORMS: &str = "{\"mission\", \"after\"?, \"limit\"?}, {\"mission\", \"state\": true, \"at\"?}, {\"list\": {…}}, {\"search\": {…}}, \
    {\"dead\": {…}}, {\"record\": {\"seq\"}}, {\"cost\": {…}}, {\"plugins\": true}, {\"plugin\": \"VERB\"}, {\"secrets\": true}, {\"models\": true} or {\"refused\": {\"source\", \"id\"}}";

/// Answers a question of a tenant about what is its own.
pub async fn read(door: &Door, tenant: &Tenant, body: &Bytes) -> Result<Value, Refusal> {
    let asked: Value =
        serde_json::from_slice(body).map_err(|e| Refusal::new("invalid_json", format!("ask with {FORMS}: {e}")))?;
    let has = |name: &str| asked.get(name).is_some();
    if has("list") || has("search") || has("record") || has("cost") {
        query::librarian(&door.log, tenant, body.clone()).await
    } else if has("dead") {
        query::dead(&door.log, tenant, body.clone()).await
    } else if has("mission") && asked.get("state").is_some_and(|state| *state != Value::Bool(false)) {
        let asked: State = form(asked)?;
        let mission = Mission { log: &door.log, tenant, id: mission_id(&asked.mission)? };
        state::state(&mission, &door.shelf, asked.at).await
    } else if has("mission") {
        let asked: Events = form(asked)?;
        let mission = Mission { log: &door.log, tenant, id: mission_id(&asked.mission)? };
        page::events(&mission, &door.shelf, asked.after, asked.limit).await
    } else if has("plugins") {
        form::<Plugins>(asked)?;
        query::plugins(door).await
    } else if has("plugin") {
        query::plugin(door, tenant, &form::<Plugin>(asked)?.plugin).await
    } else if has("models") {
        form::<Models>(asked)?;
        model::list(&door.log).await
    } else if has("secrets") {
        form::<Secrets>(asked)?;
        secret::list(&door.log, tenant).await
    } else if has("refused") {
        query::refused(&door.log, tenant, &form::<Refused>(asked)?.refused).await
    } else {
        Err(Refusal::new("invalid_request", format!("ask with {FORMS}")))
    }
}

fn form<T: DeserializeOwned>(asked: Value) -> Result<T, Refusal> {
    serde_json::from_value(asked).map_err(|e| Refusal::new("invalid_request", format!("{e}; ask with {FORMS}")))
}
