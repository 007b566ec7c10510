//! What people say about a mission: checked, then appended in their name.

mod answer;
mod body;
mod sense;

use crate::{mission::Mission, unread, unwritten};
use body::Body;
use nats::{
    decider::append_event,
    jetstream::JetStream,
    log::{AppendError, Guard, Log},
    service::Request,
};
use schemas::{
    Event, EventId, MissionId, Tenant, Value, Writer,
    fact::{Tail, WORDS},
};
use serde_json::json;
use streams::{subject, submission::Refusal};

/// Tries of an append that others are quicker at, or that the log does not answer.
const TRIES: usize = 20;
/// How often the log may say nothing: whoever asked hears why while they still listen.
const SILENT: usize = 2;

/// Appends one word of a person; answers with its place in the log.
pub async fn say(
    log: &JetStream,
    tenant: &Tenant,
    id: MissionId,
    kind: &str,
    request: &Request,
) -> Result<Value, Refusal> {
    if !known().any(|word| word == kind) {
        let known = known().collect::<Vec<_>>().join(", ");
        return Err(Refusal::new("unknown_command", format!("`{kind}` is not one of {known}")));
    }
    let mission = Mission { log, tenant, id };
    let body = Body::read(kind, request)?;
    // Sent twice, an event that names itself is said once. One that does not is named by its
    // request: no two have the same inbox at the same time.
    let entity = body.name.clone().unwrap_or_else(|| format!("{}/{}", request.reply, log.now()));
    let event = EventId::of_word(id, Writer::User, kind, &entity, 0);
    let family = subject::family(tenant, id, Writer::User);
    let (mut why, mut silent) = (String::new(), 0);
    let mut tries = 0..TRIES;
    while silent < SILENT && tries.next().is_some() {
        let before = mission.last(subject::mission(tenant, id)).await?.map_or(0, |record| record.seq);
        let status = mission.status().await?;
        let said = log.load(&family, 0).await.map_err(unread)?;
        if let Some(record) = said.iter().find(|record| record.header("ce-id") == Some(&event.to_string())) {
            return Ok(json!({"seq": record.seq, "id": event}));
        }
        let ended = sense::has_ended(&status);
        let fact = sense::check(&mission, status, body.fact.clone(), &said).await?;
        let event = Event {
            seq: 0,
            id: event,
            time: log.now(),
            tenant: tenant.clone(),
            mission: id,
            writer: Writer::User,
            tail: Tail::Bare,
            fact,
            causation: None,
            basis: None,
            part: None,
            worker_version: String::new(),
            traceparent: body.traceparent.clone(),
            authid: asker(request),
        };
        // An ended mission may be about to leave the log: then the word must not be in it at all.
        // One that runs has too many words for such a guard.
        let guard = match ended {
            true => Guard { filter: subject::mission(tenant, id), last: before },
            false => Guard { filter: family.clone(), last: said.last().map_or(0, |record| record.seq) },
        };
        match append_event(log, &event, &[], &guard).await {
            Ok(seq) => return Ok(json!({"seq": seq, "id": event.id})),
            // Refused by the guard, or perhaps stored: look again, and it is found by its id.
            Err(error @ (AppendError::Conflict | AppendError::Unknown(_))) => {
                silent += usize::from(error != AppendError::Conflict);
                why = error.to_string();
            }
            Err(error) => return Err(unwritten(error)),
        }
    }
    Err(Refusal::new("unavailable", format!("the log takes no word of this mission now ({why}); try again")))
}

/// The words that people may say.
fn known() -> impl Iterator<Item = &'static str> {
    WORDS.iter().filter(|word| word.writers.contains(&Writer::User)).map(|word| word.kind)
}

/// The key of whoever asked, as the server tells it. Its own header is the last of that name:
/// a client can send one too.
fn asker(request: &Request) -> Option<String> {
    let info = request.headers.iter().rev().find(|(name, _)| name == "Nats-Request-Info")?;
    let info: Value = serde_json::from_str(&info.1).ok()?;
    Some(info.get("user")?.as_str()?.chars().take(200).collect())
}
