//! The life of a mission.

use schemas::{
    Class,
    agent::{AnswerType, QuestionAsked},
    control::{
        BudgetReached, MissionAborted, MissionCompleted, MissionFailed, MissionPaused, MissionPausing, MissionResumed,
        MissionRetried, MissionWaiting, Purpose, Standstill, TimerCleared, TimerSet,
    },
    plan::PLAN_STEP,
};
use streams::{
    control::{State, Status},
    decide::Due,
};

pub fn abort(state: &State) -> Option<Due> {
    let (cause, reason) = state.abort_requested.clone()?;
    Some(Due::new(MissionAborted { reason }, "", Some(cause)))
}

/// What ends a mission however far it is: too many events, its time, its budget.
pub fn guard(state: &State) -> Option<Due> {
    let mission = state.mission.as_ref()?;
    let fail = |class, message: String, cause| {
        let failed = MissionFailed { class, message, steps: Vec::new(), faults: Vec::new() };
        Some(Due::new(failed, "", cause).nth(state.retries))
    };
    if mission.catalogue.content.is_none() {
        return fail(
            Class::Permanent,
            "the catalogue that the mission was created with is missing".into(),
            state.created,
        );
    }
    if state.events >= mission.limits.events {
        return fail(
            Class::Permanent,
            format!("the mission has {} events, the most that are allowed", mission.limits.events),
            state.created,
        );
    }
    if let Some(cause) = state.deadline {
        let seconds = mission.budget.max_seconds.unwrap_or_default();
        return fail(
            Class::Budget,
            format!("the mission took longer than the {seconds} seconds it was given"),
            Some(cause),
        );
    }
    if let Some(cause) = state.budget_refused {
        return fail(Class::Budget, "the budget is used up and was not raised".into(), Some(cause));
    }
    let seconds = mission.budget.max_seconds.filter(|_| !state.deadline_set)?;
    let at = state.time().after_seconds(seconds);
    Some(Due::new(TimerSet { at, purpose: Purpose::Deadline }, "deadline", state.created))
}

/// The handshake of a pause: pausing, the agents' halt, paused; and resumed.
pub fn pause(state: &State) -> Option<Due> {
    match state.status {
        Status::Pausing => {
            let halted = state.halted?;
            Some(Due::new(MissionPaused {}, "", Some(halted)).nth(state.pauses.saturating_sub(1)))
        }
        Status::Paused => {
            let cause = state.resume_requested?;
            Some(Due::new(MissionResumed { from: Standstill::Paused }, "", Some(cause)).nth(state.resumes))
        }
        _ => {
            let cause = state.pause_requested?;
            Some(Due::new(MissionPausing {}, "", Some(cause)).nth(state.pauses))
        }
    }
}

/// What the person is to know before the budget is used up.
pub fn warning(state: &State) -> Option<Due> {
    let (warned, nth) = state.budget.warning(state.mission.as_ref()?.limits.warn_at?)?;
    let limit = warned.limit.to_string();
    Some(Due::new(warned, limit, state.spent).nth(nth))
}

/// The question that a used-up budget raises.
pub fn budget(state: &State) -> Option<Due> {
    if let Some((_, message, cause)) = &state.short {
        return Some(
            Due::new(BudgetReached { message: message.clone() }, "", Some(*cause)).nth(state.shorts.saturating_sub(1)),
        );
    }
    let (step, message, cause) = state.reached.as_ref()?;
    let asked = QuestionAsked {
        step: step.clone(),
        attempt: state.step(step).map_or(1, |step| step.attempt),
        agent: None,
        text: format!(
            "The budget is used up: {message}. Raise it (`budget.raised` with new limits), or stop the mission?"
        ),
        answer: AnswerType::Choice,
        choices: vec!["raise".into(), "stop".into()],
        schema: None,
        expires: None,
    };
    Some(Due::new(asked, "budget", Some(*cause)).nth(state.shorts.saturating_sub(1)))
}

/// Nothing goes on before a person has answered; or something does again. A used-up budget lets a
/// mission wait at once, though what needs no model goes on: which of the assigned steps are held
/// back, only the agents know.
pub fn wait(state: &State) -> Option<Due> {
    let moving = state.is_moving() && state.budget_question.is_none();
    if state.status == Status::Waiting {
        let over = moving || state.questions.is_empty();
        let resumed = MissionResumed { from: Standstill::Waiting };
        return over.then(|| Due::new(resumed, "", state.freed.or(state.asked)).nth(state.resumes));
    }
    if moving || state.questions.is_empty() || state.open == 0 {
        return None;
    }
    let questions = state.questions.keys().copied().collect();
    Some(Due::new(MissionWaiting { questions }, "", state.asked).nth(state.waits))
}

/// Every step has ended.
pub fn end(state: &State) -> Option<Due> {
    if state.open > 0 {
        return None;
    }
    if state.failed.is_empty() {
        // A plan without steps has an answer; before there is a plan its step is open.
        let planned = state.step(PLAN_STEP).map(|step| step.cause).or(state.created);
        let last = state.steps.values().max_by_key(|step| step.index).map(|step| step.cause);
        let completed = MissionCompleted { answer: state.answer.clone() };
        if state.steps.is_empty() && state.answer.is_none() {
            return None;
        }
        // The deadline: nothing is to be said to a mission that is over.
        if let Some(timer) = state.timers.keys().next() {
            return Some(Due::new(TimerCleared { timer: *timer }, timer.to_string(), last.or(planned)));
        }
        return Some(Due::new(completed, "", last.or(planned)));
    }
    let first = state.failed.values().next()?;
    let words: Vec<String> = state
        .failed
        .iter()
        .take(5)
        .map(|(id, trouble)| match id.as_str() {
            PLAN_STEP => trouble.message.clone(),
            _ => format!("step {id}: {}", trouble.message),
        })
        .collect();
    let more = state.failed.size().saturating_sub(5);
    let more = if more > 0 { format!("; and {more} more steps") } else { String::new() };
    let failed = MissionFailed {
        class: first.class,
        message: format!("{}{more}", words.join("; ")),
        steps: state.failed.keys().cloned().collect(),
        faults: if state.failed.contains_key(PLAN_STEP) { state.plan_faults.to_vec() } else { Vec::new() },
    };
    Some(Due::new(failed, "", Some(first.cause)).nth(state.retries))
}

/// A person wants a failed mission tried again, all of it or one step.
pub fn retry(state: &State) -> Option<Due> {
    let (cause, only) = state.retry_requested.clone()?;
    let steps: Vec<String> =
        state.failed.keys().filter(|id| only.as_ref().is_none_or(|only| only == *id)).cloned().collect();
    // Said even when there is nothing to retry: then the mission fails again, saying why.
    Some(Due::new(MissionRetried { steps }, "", Some(cause)).nth(state.retries))
}
