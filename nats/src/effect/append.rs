//! What an effect says, and how the log sees to it that a request is answered once.

use super::Answer;
use crate::{
    decider::{append_anyway, append_event},
    log::{AppendError, Guard, Log},
};
use schemas::{Event, EventId, Fact, Writer, fact::Tail};
use streams::subject;

/// Answers a request, unless it has an answer; without `once`, though it has.
///
/// # Errors
/// `Conflict`: it has one. Otherwise as the log says.
pub async fn answer(
    log: &dyn Log,
    writer: Writer,
    noun: &str,
    request: &Event,
    answer: &Answer,
    version: &str,
    once: bool,
) -> Result<u64, AppendError> {
    let tail = Tail::Answer { requester: request.writer, request: request.id };
    let event = event(log, writer, request, answer.fact.clone(), tail, &request.id.to_string(), version);
    let filter = subject::answers(&request.tenant, request.mission, writer, noun, request.writer, request.id);
    if !once {
        return append_anyway(log, &event, &answer.blobs, &filter).await;
    }
    append_event(log, &event, &answer.blobs, &Guard { filter, last: 0 }).await
}

/// Says a word on the way, guarded by the last of its kind in the mission.
///
/// # Errors
/// As the log says.
pub async fn say(
    log: &dyn Log,
    writer: Writer,
    request: &Event,
    fact: Fact,
    entity: &str,
    version: &str,
) -> Result<(), AppendError> {
    let event = event(log, writer, request, fact, Tail::Bare, entity, version);
    let filter =
        format!("{}.{writer}.{}", subject::mission_prefix(&request.tenant, request.mission), event.fact.kind());
    loop {
        let last =
            log.last(&filter).await.map_err(|e| AppendError::Unknown(e.to_string()))?.map_or(0, |record| record.seq);
        match append_event(log, &event, &[], &Guard { filter: filter.clone(), last }).await {
            Ok(_) => return Ok(()),
            // Another call of the same mission was quicker.
            Err(AppendError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
}

fn event(log: &dyn Log, writer: Writer, request: &Event, fact: Fact, tail: Tail, entity: &str, version: &str) -> Event {
    Event {
        seq: 0,
        id: EventId::of_word(request.mission, writer, fact.kind(), entity, 0),
        time: log.now(),
        tenant: request.tenant.clone(),
        mission: request.mission,
        writer,
        tail,
        fact,
        causation: Some(request.id),
        basis: None,
        part: None,
        worker_version: version.into(),
        traceparent: request.traceparent.clone(),
        authid: None,
    }
}
