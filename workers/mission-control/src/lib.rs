//! mission-control: what is to be done, and by whom.
//!
//! Consumes: everything of a mission (consumer `mission-control`); goals (consumer `goals`). \
//! Emits: `mission.*`, `plan.accepted`, `plan.rejected`, `agent.spawned`, `step.assigned`,
//! `step.retried`, `step.cancelled`, `step.failed`, `question.asked` (its own: the budget),
//! `budget.warned`, `budget.reached`, `timer.set`, `timer.cleared`. \
//! Decides: is a plan good, which step is next, who does it, what follows from a failure, when a
//! mission stands still, goes on, ends. \
//! Effects: none but the intake's: files of a goal and the catalogue into `ARTIFACTS`. \
//! Repeats: a decision made twice is the same words with the same ids; the log takes them once. \
//! Never: says how a step is done.

pub mod decide;
pub mod intake;
pub mod plan;
pub mod role;

use schemas::{Event, Writer, fact::Tail};
use streams::{
    control::State,
    decide::{About, Decider, Due},
};

/// The decider of mission-control.
#[derive(Debug, Clone, Copy)]
pub struct Control;

impl Decider for Control {
    const NAME: &'static str = "mission-control";
    const WRITER: Writer = Writer::Control;
    type State = State;

    fn folds(writer: Writer, kind: &str, tail: &Tail) -> bool {
        streams::control::folds(writer, kind, tail)
    }

    fn evolve(state: &mut State, event: &Event) {
        state.evolve(event);
    }

    fn pass(state: &mut State) {
        state.pass();
    }

    fn about(state: &State) -> Option<&About> {
        state.about()
    }

    fn next(state: &State) -> Option<Due> {
        decide::next(state)
    }
}
