//! Models that fail: which, and as if they never had.

use crate::{Door, market::given, unread, unwritten};
use nats::{jetstream::JetStream, registry};
use schemas::{Fault, Value, Writer};
use serde::Deserialize;
use serde_json::json;
use streams::{
    registry::health::{Health, RESET, WORDS, key},
    submission::Refusal,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    model: String,
}

/// Does what somebody asked for; gives what it came to.
pub async fn order(door: &Door, what: &str, body: &[u8]) -> Result<Value, Refusal> {
    if what != "reset" {
        return Err(Refusal::new("unknown_command", format!("`model.{what}` is not model.reset")));
    }
    let Named { model } = given(body)?;
    let failed = read(&door.log).await?;
    if failed.of(&model).is_none() {
        let failing: Vec<_> = failed.all().map(|(model, _)| model).collect();
        let failing = if failing.is_empty() { "none does".into() } else { failing.join(", ") };
        let message = format!("`{model}` does not fail; of all models: {failing}");
        return Err(Refusal::of_faults("unknown_model", vec![Fault::new("/model", message)]));
    }
    registry::say(&door.log, Writer::User, RESET, Some(&key(&model)), &json!({})).await.map_err(unwritten)?;
    Ok(json!({"model": model}))
}

/// The models that fail, and until when they are left alone.
pub async fn list(log: &JetStream) -> Result<Value, Refusal> {
    let failed = read(log).await?;
    let shown = failed.all().map(|(model, failed)| {
        let mut shown = json!(failed);
        shown["model"] = model.into();
        shown
    });
    Ok(json!({"failing": shown.collect::<Vec<_>>()}))
}

async fn read(log: &JetStream) -> Result<Health, Refusal> {
    let mut words = Vec::new();
    for filter in WORDS {
        words.extend(log.load_from("REGISTRY", filter, 0).await.map_err(unread)?);
    }
    words.sort_by_key(|word| word.seq);
    let mut health = Health::default();
    words.iter().for_each(|word| health.evolve(word));
    Ok(health)
}
