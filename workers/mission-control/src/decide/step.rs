//! What follows for single steps: given up, tried again, called off, and their timers.

use schemas::{
    Class, EventId,
    control::{Purpose, StepCancelled, StepFailed, StepRetried, TimerCleared, TimerSet},
};
use streams::{control::State, decide::Due};

pub fn next(state: &State) -> Option<Due> {
    give_up(state)
        .or_else(|| call_off(state))
        .or_else(|| again_later(state))
        .or_else(|| again(state))
        .or_else(|| limit(state))
        .or_else(|| clear(state))
}

fn give_up(state: &State) -> Option<Due> {
    let (id, trouble) = state.failing.iter().next()?;
    let attempt = state.step(id)?.attempt;
    let failed = StepFailed { step: id.clone(), attempt, class: trouble.class, message: trouble.message.clone() };
    Some(Due::new(failed, format!("{id}/{attempt}"), Some(trouble.cause)))
}

fn call_off(state: &State) -> Option<Due> {
    let (id, cause) = state.overdue.iter().next()?;
    let step = state.step(id)?;
    let reason = format!("it took longer than {} seconds", step.definition.timeout.unwrap_or_default());
    let cancelled = StepCancelled { step: id.clone(), attempt: step.attempt, class: Class::Transient, reason };
    Some(Due::new(cancelled, format!("{id}/{}", step.attempt), Some(*cause)))
}

/// The next attempt waits: twice as long each time, give or take a fifth, so that steps that failed
/// together don't all come back together.
fn again_later(state: &State) -> Option<Due> {
    let (id, trouble) = state.retrying.iter().next()?;
    let step = state.step(id)?;
    let limits = &state.mission.as_ref()?.limits;
    let attempt = step.attempt + 1;
    let doubled = limits.backoff * f64::from(2u32.saturating_pow(step.tries().saturating_sub(1).min(20)));
    let seconds = doubled.min(limits.backoff_cap) * (0.8 + 0.4 * fraction(trouble.cause));
    let set =
        TimerSet { at: state.time().after_seconds(seconds), purpose: Purpose::Retry { step: id.clone(), attempt } };
    Some(Due::new(set, format!("retry/{id}/{attempt}"), Some(trouble.cause)))
}

/// A number from 0 to 1 that an event brings with it: decisions have no dice of their own.
fn fraction(id: EventId) -> f64 {
    f64::from(u16::from_be_bytes([id.0.as_bytes()[14], id.0.as_bytes()[15]])) / f64::from(u16::MAX)
}

fn again(state: &State) -> Option<Due> {
    let (id, cause) = state.reopening.iter().next()?;
    let attempt = state.step(id)?.attempt + 1;
    Some(Due::new(StepRetried { step: id.clone(), attempt }, format!("{id}/{attempt}"), Some(*cause)))
}

fn limit(state: &State) -> Option<Due> {
    let (id, cause) = state.timing.iter().next()?;
    let step = state.step(id)?;
    let at = state.time().after_seconds(step.definition.timeout?);
    let set = TimerSet { at, purpose: Purpose::Timeout { step: id.clone(), attempt: step.attempt } };
    Some(Due::new(set, format!("timeout/{id}/{}", step.attempt), Some(*cause)))
}

fn clear(state: &State) -> Option<Due> {
    let (timer, cause) = state.needless.iter().next()?;
    Some(Due::new(TimerCleared { timer: *timer }, timer.to_string(), Some(*cause)))
}
