//! Calls of models, and what they cost.

use super::{Overview, step::Status};
use schemas::{
    Event, EventId, Fact, Time,
    agent::{LlmRequested, Purpose},
    brain::Usage,
};
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// What the mission has cost so far, over all tries of all answered calls.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Cost {
    pub usd: f64,
    pub tokens: Tokens,
    /// A provider did not say how many tokens it took.
    pub estimated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
}

/// One call of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub id: EventId,
    pub step: String,
    pub attempt: u32,
    pub agent: String,
    pub purpose: Purpose,
    /// The model that answered or was tried last; before that the one asked for, if any.
    pub model: Option<String>,
    pub provider: Option<String>,
    pub status: State,
    /// The tools that the model asked for instead of answering.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// The answer was given before: nobody was asked.
    #[serde(default)]
    pub cached: bool,
    /// How many times a model was tried.
    pub tries: u32,
    pub cost: Cost,
    /// Milliseconds, over all tries.
    pub ms: Option<u64>,
    pub error: Option<String>,
    pub at: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Running,
    Completed,
    Failed,
}

impl Cost {
    fn of(usage: Usage, usd: f64) -> Self {
        Self { usd, tokens: Tokens { input: usage.input, output: usage.output }, estimated: usage.estimated }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.usd += other.usd;
        self.tokens.input = self.tokens.input.saturating_add(other.tokens.input);
        self.tokens.output = self.tokens.output.saturating_add(other.tokens.output);
        self.estimated |= other.estimated;
    }
}

impl Overview {
    pub(super) fn asked_model(&mut self, event: &Event, said: &LlmRequested) {
        if self.index.calls.contains_key(&event.id) {
            return;
        }
        self.index.calls.insert(event.id, self.calls.len());
        self.calls.push(Call {
            id: event.id,
            step: said.step.clone(),
            attempt: said.attempt,
            agent: said.agent.clone(),
            purpose: said.purpose,
            model: said.model.clone(),
            provider: None,
            status: State::Running,
            tools: Vec::new(),
            cached: false,
            tries: 0,
            cost: Cost::default(),
            ms: None,
            error: None,
            at: event.time,
        });
        if let Some(i) = self.open_step(&said.step, said.attempt) {
            self.set(i, Status::Running);
        }
    }

    pub(super) fn evolve_brain(&mut self, event: &Event) {
        let tried = match &event.fact {
            Fact::LlmTried(said) => Some(said.call),
            _ => event.request(),
        };
        let Some(call) = tried.and_then(|id| self.index.calls.get(&id)).map(|&i| &mut self.calls[i]) else { return };
        // The first answer stands.
        if call.status != State::Running {
            return;
        }
        match &event.fact {
            Fact::LlmTried(said) => {
                call.tries = call.tries.max(said.n);
                (call.model, call.provider) = (Some(said.model.clone()), Some(said.provider.clone()));
            }
            Fact::LlmCompleted(said) => {
                (call.status, call.cached) = (State::Completed, said.cached);
                call.tools = said.calls.iter().map(|tool| tool.name.clone()).collect();
                (call.model, call.provider, call.ms) =
                    (Some(said.model.clone()), Some(said.provider.clone()), Some(said.ms));
                call.cost += Cost::of(said.usage, said.cost_usd);
                self.cost += call.cost;
            }
            Fact::LlmFailed(said) => {
                call.status = State::Failed;
                (call.error, call.ms) = (Some(said.message.clone()), Some(said.ms));
                call.cost += Cost::of(said.usage, said.cost_usd);
                self.cost += call.cost;
            }
            _ => {}
        }
    }
}
