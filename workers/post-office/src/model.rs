//! Models: which fail, as if they never had, and what people think of their answers.

use crate::{
    Door,
    market::{form, given},
    mission_id, unread, unwritten,
};
use nats::{decider::attach, jetstream::JetStream, log::Log, registry};
use schemas::{EventId, Fact, Fault, MissionId, Tenant, Value, Writer, brain::LlmCompleted};
use serde::Deserialize;
use serde_json::json;
use streams::{
    record::Decoded,
    registry::{
        health::{Health, RESET, WORDS, key},
        merit::{Merit, RATED, Rated},
    },
    subject,
    submission::Refusal,
};

/// Characters of what a person says about an answer.
const MOST_NOTE: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    model: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rating {
    mission: String,
    call: EventId,
    good: bool,
    #[serde(default)]
    note: Option<String>,
}

/// Does what somebody asked for; gives what it came to.
pub async fn order(door: &Door, tenant: &Tenant, what: &str, body: &[u8]) -> Result<Value, Refusal> {
    match what {
        "reset" => reset(door, body).await,
        "rate" => rate(door, tenant, body).await,
        _ => Err(Refusal::new("unknown_command", format!("`model.{what}` is neither model.reset nor model.rate"))),
    }
}

async fn reset(door: &Door, body: &[u8]) -> Result<Value, Refusal> {
    let Named { model } = given(body)?;
    let (failed, _) = read(&door.log).await?;
    if failed.of(&model).is_none() {
        let failing: Vec<_> = failed.all().map(|(model, _)| model).collect();
        let failing = if failing.is_empty() { "none does".into() } else { failing.join(", ") };
        let message = format!("`{model}` does not fail; of all models: {failing}");
        return Err(Refusal::of_faults("unknown_model", vec![Fault::new("/model", message)]));
    }
    registry::say(&door.log, Writer::User, RESET, Some(&key(&model)), &json!({})).await.map_err(unwritten)?;
    Ok(json!({"model": model}))
}

async fn rate(door: &Door, tenant: &Tenant, body: &[u8]) -> Result<Value, Refusal> {
    let Rating { mission, call, good, note } = given(body)?;
    let is_right = |note: &String| note.chars().count() <= MOST_NOTE && !note.trim().is_empty();
    form("/note", note.as_ref().is_none_or(is_right), &format!("has 1 to {MOST_NOTE} characters"))?;
    let mission = mission_id(&mission)?;
    let model = answered(door, tenant, mission, call).await?;
    let rated = Rated { tenant: tenant.clone(), mission, call, good, note };
    registry::say(&door.log, Writer::User, RATED, Some(&key(&model)), &rated).await.map_err(unwritten)?;
    Ok(json!({"model": model, "call": call, "good": good}))
}

/// The model that answered a call, as it is ranked.
async fn answered(door: &Door, tenant: &Tenant, mission: MissionId, call: EventId) -> Result<String, Refusal> {
    let refuse = |code: &str, message: String| Refusal::of_faults(code, vec![Fault::new("/call", message)]);
    let answers = subject::answers(tenant, mission, Writer::Brain, "llm", Writer::Agent, call);
    let mut record = door.log.last(&answers).await.map_err(unread)?.ok_or_else(|| {
        refuse("unknown_call", format!("mission {mission} has no answered model call {call}; or it is archived"))
    })?;
    attach(&door.log, &mut record, tenant).await.map_err(unread)?;
    let Ok(Decoded::Event(event)) = record.decode() else {
        return Err(refuse("unreadable", format!("this version can't read the answer to {call}")));
    };
    let Fact::LlmCompleted(LlmCompleted { provider, model, routing, .. }) = event.fact else {
        return Err(refuse("unanswered", format!("no model has answered call {call}: it failed")));
    };
    if provider == "offline" {
        return Err(refuse("unanswered", format!("call {call} was answered without a model, offline")));
    }
    // Where a provider's server chooses among its models, they are ranked as one.
    let any = format!("{provider}/*");
    let is_any = routing.is_some_and(|routing| routing.ranked.iter().any(|ranked| ranked.model == any));
    Ok(if is_any { any } else { format!("{provider}/{model}") })
}

/// The models that fail, until when they are left alone, and how each does.
pub async fn list(log: &JetStream) -> Result<Value, Refusal> {
    let (failed, merit) = read(log).await?;
    let failing = failed.all().map(|(model, failed)| with_model(json!(failed), model));
    let measured = merit.models().map(|model| {
        let mut measured = with_model(json!(merit.measured(model).unwrap_or_default()), model);
        measured["feedback"] = merit.feedback(model).into();
        measured
    });
    Ok(json!({"failing": failing.collect::<Vec<_>>(), "measured": measured.collect::<Vec<_>>()}))
}

fn with_model(mut shown: Value, model: &str) -> Value {
    shown["model"] = model.into();
    shown
}

async fn read(log: &JetStream) -> Result<(Health, Merit), Refusal> {
    let mut words = Vec::new();
    for filter in WORDS {
        words.extend(log.load_from("REGISTRY", filter, 0).await.map_err(unread)?);
    }
    words.sort_by_key(|word| word.seq);
    let (mut health, mut merit) = (Health::default(), Merit::default());
    for word in &words {
        health.evolve(word);
        merit.evolve(word);
    }
    Ok((health, merit))
}
