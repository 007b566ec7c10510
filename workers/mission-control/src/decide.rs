//! The first thing due in a mission, in this order: its life, its bookkeeping, its work, its end.

mod judge;
mod life;
mod step;
mod work;

use streams::{
    control::{State, Status},
    decide::Due,
};

/// What is due first, if anything.
pub fn next(state: &State) -> Option<Due> {
    match state.status {
        Status::Unknown | Status::Completed | Status::Aborted => None,
        Status::Failed => life::retry(state),
        _ => life::abort(state)
            .or_else(|| life::guard(state))
            .or_else(|| life::pause(state))
            .or_else(|| judge::next(state))
            .or_else(|| step::next(state))
            .or_else(|| life::warning(state))
            .or_else(|| life::budget(state))
            // Nothing begins, ends or waits while the mission stands still.
            .or_else(|| {
                if state.stands_still() {
                    None
                } else {
                    life::wait(state).or_else(|| work::assign(state)).or_else(|| life::end(state))
                }
            }),
    }
}
