//! The agents: how an assigned step is done.
//!
//! Consumes: `mission.*`, `plan.*`, `step.*`, `agent.spawned` of control; answers of brain,
//! capability and timer to what the agents asked for; answers to questions, messages, raises and
//! files of people.
//! Emits: `plan.proposed`, `llm.requested`, `plugin.requested`, `question.asked`, `message.said`,
//! `step.completed`, `step.faulted`, `budget.short`, `agent.halted`, `timer.set`, `timer.cleared`.
//! Decides: which word follows in each assigned attempt, and whether it may start now.
//! Effects: none.
//! Repeats: a decision made twice gives the same events; the log takes each once.
//! Never: retries a step, judges a plan, starts what control has not assigned, or starts anything
//! while the mission stands still.

mod decide;
mod prompt;

use schemas::{Event, Writer, fact::Tail};
use streams::{
    agent::State,
    decide::{About, Decider, Due},
};

/// The decider of all agents of a mission.
#[derive(Debug, Clone, Copy, Default)]
pub struct Agents;

impl Decider for Agents {
    const NAME: &'static str = "agent-steps";
    const WRITER: Writer = Writer::Agent;
    type State = State;

    fn folds(writer: Writer, kind: &str, tail: &Tail) -> bool {
        streams::agent::folds(writer, kind, tail)
    }

    fn evolve(state: &mut State, event: &Event) {
        state.evolve(event);
    }

    fn about(state: &State) -> Option<&About> {
        state.about()
    }

    fn next(state: &State) -> Option<Due> {
        decide::next(state)
    }
}
