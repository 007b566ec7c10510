//! Questions that are not about one mission: lists and searches, plugins, refused goals.

use crate::{Door, market, read::GoalName, setting, unread};
use bytes::Bytes;
use nats::{jetstream::JetStream, service::ask};
use schemas::{Fault, Tenant, Value};
use serde_json::json;
use std::time::Duration;
use streams::{
    registry::Plugin,
    subject,
    submission::{Refusal, Refused},
};

/// How long the librarian may be away: it hands over within its pin's time.
const PATIENCE: Duration = Duration::from_secs(4);

/// Lists, searches and sums are the librarian's rows.
pub async fn librarian(log: &JetStream, tenant: &Tenant, body: Bytes) -> Result<Value, Refusal> {
    let answer = ask(log, &format!("stage7.query.{tenant}"), body, PATIENCE).await.map_err(unread)?;
    serde_json::from_slice(&answer)
        .map_err(|e| Refusal::new("internal", format!("the librarian's answer is not JSON: {e}")))
}

/// What could not be processed is the librarian's too. Goals that could not are refusals: how many
/// there are, and the last of them.
pub async fn dead(log: &JetStream, tenant: &Tenant, body: Bytes) -> Result<Value, Refusal> {
    let mut answer = librarian(log, tenant, body).await?;
    if answer.get("error").is_none() {
        let filter = subject::refused(tenant);
        let (first, more) = log.page_from("REFUSALS", &filter, 0, 1).await.map_err(unread)?;
        let last = log.last_from("REFUSALS", &filter).await.map_err(unread)?;
        let last = last.and_then(|record| serde_json::from_slice::<Refused>(&record.payload).ok());
        answer["refused"] = json!({"goals": first.len() as u64 + more, "last": last});
    }
    Ok(answer)
}

/// How long a mission may take to be archived or imported.
const LONG: Duration = Duration::from_secs(120);

/// What is not about one mission's course, done by the librarian: `archive` and `import`.
pub async fn order(log: &JetStream, tenant: &Tenant, what: &str, body: &Bytes) -> Result<Value, Refusal> {
    if !["archive", "import"].contains(&what) {
        return Err(Refusal::new(
            "unknown_command",
            format!("`mission.{what}` is not one of mission.archive, mission.import"),
        ));
    }
    let data: Value = serde_json::from_slice(body)
        .map_err(|e| Refusal::new("invalid_json", format!("the order is not JSON: {e}")))?;
    let order = json!({what: data}).to_string().into();
    let answer = ask(log, &format!("stage7.query.{tenant}"), order, LONG).await.map_err(unread)?;
    let answer: Value = serde_json::from_slice(&answer)
        .map_err(|e| Refusal::new("internal", format!("the librarian's answer is not JSON: {e}")))?;
    match answer.get("error") {
        Some(_) => Err(serde_json::from_value(answer).map_err(|e| Refusal::new("internal", e.to_string()))?),
        None => Ok(answer),
    }
}

/// All verbs, in short.
pub async fn plugins(door: &Door) -> Result<Value, Refusal> {
    let mut reader = door.registry.lock().await;
    let registry = reader.read(&door.log).await.map_err(unread)?;
    Ok(json!({"plugins": registry.plugins().map(short).collect::<Vec<_>>()}))
}

/// One verb, with its schemas.
pub async fn plugin(door: &Door, tenant: &Tenant, verb: &str) -> Result<Value, Refusal> {
    let mut reader = door.registry.lock().await;
    let registry = reader.read(&door.log).await.map_err(unread)?;
    let Some(plugin) = registry.plugins().find(|plugin| plugin.verb.name == verb) else {
        let known = registry.plugins().map(|plugin| plugin.verb.name.as_str()).collect::<Vec<_>>().join(", ");
        let fault = Fault::new("/plugin", format!("there is no plugin `{verb}`; known are {known}"));
        return Err(Refusal::of_faults("unknown_plugin", vec![fault]));
    };
    let mut whole = short(plugin);
    let market = market::read(&door.log).await?;
    if !market.versions(verb).is_empty() {
        whole["added"] = market::versions(&market, verb);
    }
    whole["digest"] = json!(plugin.digest);
    if !plugin.settings.is_empty() {
        whole["settings"] = setting::list(door, tenant, plugin).await?;
    }
    for field in ["input", "output", "literal", "files", "roles", "pure"] {
        whole[field] = json!(plugin.verb)[field].take();
    }
    Ok(json!({"plugin": whole}))
}

fn short(Plugin { verb, state, reason, .. }: &Plugin) -> Value {
    let mut short = json!({"verb": verb.name, "type": verb.runtime, "version": verb.version, "state": state, "description": verb.description});
    if let Some(reason) = reason {
        short["reason"] = json!(reason);
    }
    short
}

/// Why a published goal was refused; `null` when it was not, or not yet.
pub async fn refused(log: &JetStream, tenant: &Tenant, goal: &GoalName) -> Result<Value, Refusal> {
    let all = log.load_from("REFUSALS", &subject::refused(tenant), 0).await.map_err(unread)?;
    let its = all
        .iter()
        .rev()
        .filter_map(|record| serde_json::from_slice::<Refused>(&record.payload).ok())
        .find(|refused| refused.source.as_ref() == Some(&goal.source) && refused.id.as_ref() == Some(&goal.id));
    Ok(json!({"refused": its}))
}
