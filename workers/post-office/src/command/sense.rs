//! Does a word make sense now? Only what one look at the log can tell; what happens between the
//! look and the word is for the deciders to judge.

use super::answer;
use crate::{mission::Mission, unread};
use nats::log::{Log, ReadError};
use schemas::{
    Event, EventId, Fact, Fault, Value,
    agent::{AnswerType, QuestionAsked},
    goal::{MAX_FILE, MAX_FILES, is_sha256},
    user,
    value::{Form, Ref, is_safe_path, media_type},
};
use std::collections::BTreeMap;
use streams::{
    record::Record,
    subject::{Subject, step_cancelled},
    submission::Refusal,
};

/// Is this word on a mission's life its end?
pub fn has_ended(status: &Record) -> bool {
    [".completed", ".failed", ".aborted"].iter().any(|end| status.subject.ends_with(end))
}

/// The word as it is to be said; `status` is the last word on the mission's life, `said` is all that people said before.
///
/// # Errors
/// What speaks against it.
pub async fn check(mission: &Mission<'_>, status: Record, fact: Fact, said: &[Record]) -> Result<Fact, Refusal> {
    let standing = Subject::parse(&status.subject).map(|subject| subject.kind).unwrap_or_default();
    let standing = standing.strip_prefix("mission.").unwrap_or_default();
    let ended = has_ended(&status);
    // A failed mission may be mended before it is tried again.
    let open = match &fact {
        Fact::DeciderRetried(_) => true,
        Fact::RetryRequested(_) | Fact::BudgetRaised(_) | Fact::FileAdded(_) | Fact::FileRemoved(_) => {
            !ended || standing == "failed"
        }
        _ => !ended,
    };
    if !open {
        return Err(Refusal::new("ended", format!("the mission is {standing}")));
    }
    match fact {
        Fact::PauseRequested(_) if wants_pause(standing, status.seq, said) => {
            Err(Refusal::new("already_paused", "the mission is paused already"))
        }
        Fact::ResumeRequested(_) if !wants_pause(standing, status.seq, said) => {
            Err(Refusal::new("not_paused", "the mission is not paused"))
        }
        Fact::RetryRequested(asked) => retry(mission, standing, status, asked).await.map(Fact::from),
        Fact::QuestionAnswered(given) => {
            let question = open_question(mission, given.question, said).await?;
            let answer = answer::normalise(&question, &given.answer)
                .map_err(|faults| Refusal::of_faults("invalid_answer", faults))?;
            // What mission-control itself asks is about the budget.
            if question.agent.is_none() && answer == "raise" {
                let how =
                    "to raise the budget takes figures: say `budget.raised` with new limits (`stage7 mission raise`)";
                return Err(Refusal::of_faults("invalid_answer", vec![Fault::new("/answer", how)]));
            }
            if question.answer == AnswerType::File {
                given_file(mission, &answer, said).await?;
            }
            Ok(user::QuestionAnswered { answer, ..given }.into())
        }
        Fact::QuestionDismissed(given) => open_question(mission, given.question, said).await.map(|_| given.into()),
        Fact::BudgetRaised(raised) => budget(raised).map(Fact::from),
        Fact::FileAdded(added) => file(mission, added, said).await.map(Fact::from),
        Fact::FileRemoved(removed) => path(&removed.path).map(|()| removed.into()),
        Fact::DeciderRetried(asked) => {
            let stuck = mission.last(mission.filter(&format!("{}.decider.stuck", asked.decider))).await?;
            stuck
                .map(|_| asked.clone().into())
                .ok_or_else(|| Refusal::new("not_stuck", format!("`{}` is not stuck with this mission", asked.decider)))
        }
        fact => Ok(fact),
    }
}

/// Is the mission paused, or about to be? What people said after the last word on its life counts.
fn wants_pause(standing: &str, since: u64, said: &[Record]) -> bool {
    let newer = said.iter().rev().take_while(|record| record.seq > since);
    let last = newer.map(|record| record.subject.as_str()).find_map(|subject| {
        let asked = subject.ends_with(".user.pause.requested");
        (asked || subject.ends_with(".user.resume.requested")).then_some(asked)
    });
    last.unwrap_or(matches!(standing, "pausing" | "paused"))
}

async fn retry(
    mission: &Mission<'_>,
    standing: &str,
    status: Record,
    asked: user::RetryRequested,
) -> Result<user::RetryRequested, Refusal> {
    if standing != "failed" {
        return Err(Refusal::new("not_failed", "only a failed mission can be tried again"));
    }
    let Some(step) = &asked.step else { return Ok(asked) };
    let failed = match mission.event(status).await?.map(|event| event.fact) {
        Some(Fact::MissionFailed(failed)) => failed.steps,
        _ => Vec::new(),
    };
    if failed.contains(step) {
        return Ok(asked);
    }
    let failed = if failed.is_empty() { "no step".into() } else { failed.join(", ") };
    Err(Refusal::of_faults("unknown_step", vec![Fault::new("/step", format!("`{step}` did not fail; {failed} did"))]))
}

/// A question that still waits for its answer.
async fn open_question(mission: &Mission<'_>, id: EventId, said: &[Record]) -> Result<QuestionAsked, Refusal> {
    let asked = mission.load(mission.filter("*.question.asked")).await?;
    let asked = asked.into_iter().find(|record| record.header("ce-id") == Some(&id.to_string()));
    let unknown = || {
        Refusal::of_faults("unknown_question", vec![Fault::new("/question", format!("the mission has not asked {id}"))])
    };
    let Some(Event { seq, fact: Fact::QuestionAsked(question), .. }) =
        mission.event(asked.ok_or_else(unknown)?).await?
    else {
        return Err(unknown());
    };
    let closed = |why: &str| Err(Refusal::of_faults("closed_question", vec![Fault::new("/question", why)]));
    for record in said.iter().filter(|record| record.subject.contains(".user.question.")) {
        match mission.event(record.clone()).await?.map(|event| event.fact) {
            Some(Fact::QuestionAnswered(given)) if given.question == id => return closed("is answered already"),
            Some(Fact::QuestionDismissed(given)) if given.question == id => return closed("was dismissed"),
            _ => {}
        }
    }
    if question.expires.is_some_and(|at| at <= mission.log.now()) {
        return closed("has expired");
    }
    let called_off = mission.last(step_cancelled(mission.tenant, mission.id, &question.step)).await?;
    if called_off.is_some_and(|record| record.seq > seq) {
        return closed("was asked by a step that has been called off");
    }
    Ok(question)
}

fn budget(raised: user::BudgetRaised) -> Result<user::BudgetRaised, Refusal> {
    let invalid = |at: &str, why: &str| Err(Refusal::of_faults("invalid_data", vec![Fault::new(at, why)]));
    match &raised {
        user::BudgetRaised { max_cost_usd: None, max_tokens: None, max_calls: None } => {
            invalid("", "say at least one of max_cost_usd, max_tokens, max_calls")
        }
        user::BudgetRaised { max_cost_usd: Some(usd), .. } if !usd.is_finite() || *usd < 0.0 => {
            invalid("/max_cost_usd", "must be a number from 0 up")
        }
        _ => Ok(raised),
    }
}

fn path(path: &str) -> Result<(), Refusal> {
    if is_safe_path(path) {
        return Ok(());
    }
    let message = format!("`{}` is not a relative path within the mission's folder", path.escape_debug());
    Err(Refusal::of_faults("invalid_data", vec![Fault::new("/path", message)]))
}

async fn file(mission: &Mission<'_>, added: user::FileAdded, said: &[Record]) -> Result<user::FileAdded, Refusal> {
    path(&added.path)?;
    let invalid = |code: &str, at: &str, why: String| Refusal::of_faults(code, vec![Fault::new(at, why)]);
    let Ref { sha256, size, .. } = &added.file;
    if !is_sha256(sha256) {
        return Err(invalid("invalid_data", "/file/stage7:ref", "must be 64 lower-case hexadecimal digits".into()));
    }
    if *size > MAX_FILE {
        return Err(invalid("too_large", "/file/size", format!("a file has at most {MAX_FILE} bytes")));
    }
    let mut sizes = folder(mission, said).await?;
    sizes.insert(added.path.clone(), *size);
    if sizes.values().sum::<u64>() > MAX_FILES {
        return Err(invalid(
            "too_large",
            "/file/size",
            format!("the files of a mission have at most {MAX_FILES} bytes together"),
        ));
    }
    match mission.log.get(mission.tenant, sha256, *size).await {
        Ok(_) => {}
        Err(ReadError::Artifact { why, .. }) => {
            return Err(invalid("missing_file", "/file", format!("put its bytes first: {why}")));
        }
        Err(error) => return Err(unread(error)),
    }
    let media_type =
        if added.file.media_type.is_empty() { media_type(&added.path).into() } else { added.file.media_type.clone() };
    Ok(user::FileAdded { file: Ref { form: Form::File, media_type, ..added.file }, path: added.path })
}

/// Is the answer a file that people gave the mission?
async fn given_file(mission: &Mission<'_>, answer: &Value, said: &[Record]) -> Result<(), Refusal> {
    let path = answer.as_str().unwrap_or_default();
    let files = folder(mission, said).await?;
    if files.contains_key(path) {
        return Ok(());
    }
    let there = if files.is_empty() { "none was".into() } else { files.into_keys().collect::<Vec<_>>().join(", ") };
    let message = format!("nobody gave the mission a file `{path}`; given: {there}. Say file.added first");
    Err(Refusal::of_faults("invalid_answer", vec![Fault::new("/answer", message)]))
}

/// The sizes of the files that people gave the mission, by path.
async fn folder(mission: &Mission<'_>, said: &[Record]) -> Result<BTreeMap<String, u64>, Refusal> {
    let mut sizes = BTreeMap::new();
    if let Some(created) = mission.last(mission.filter("control.mission.created")).await?
        && let Some(Event { fact: Fact::MissionCreated(created), .. }) = mission.event(created).await?
    {
        sizes.extend(created.files.into_iter().map(|(path, file)| (path, file.size)));
    }
    for record in said.iter().filter(|record| record.subject.contains(".user.file.")) {
        match mission.event(record.clone()).await?.map(|event| event.fact) {
            Some(Fact::FileAdded(added)) => drop(sizes.insert(added.path, added.file.size)),
            Some(Fact::FileRemoved(removed)) => drop(sizes.remove(&removed.path)),
            _ => {}
        }
    }
    Ok(sizes)
}
