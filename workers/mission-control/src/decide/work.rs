//! Who does what next.

use schemas::control::{AgentSpawned, StepAssigned};
use streams::{control::State, decide::Due};

/// The first ready step, in plan order, whose role has somebody free; or a new agent for it.
pub fn assign(state: &State) -> Option<Due> {
    let limits = &state.mission.as_ref()?.limits;
    if state.running >= limits.slots {
        return None;
    }
    let mut best: Option<(u32, &str, Hand)> = None;
    for (role, steps) in &state.ready {
        let Some((index, id)) = steps.first() else { continue };
        if best.as_ref().is_some_and(|(first, _, _)| first <= index) {
            continue;
        }
        if let Some(hand) = hand(state, role) {
            best = Some((*index, id, hand));
        }
    }
    let (_, id, hand) = best?;
    let step = state.step(id)?;
    let cause = Some(step.cause);
    Some(match hand {
        Hand::New(agent) => {
            let entity = agent.clone();
            Due::new(AgentSpawned { agent, role: step.role.clone() }, entity, cause)
        }
        Hand::Free(agent) => {
            let assigned =
                StepAssigned { step: id.into(), attempt: step.attempt, agent, verb: step.definition.verb.clone() };
            Due::new(assigned, format!("{id}/{}", step.attempt), cause)
        }
    })
}

enum Hand {
    Free(String),
    New(String),
}

/// The least busy agent of a role, or a new one where the role is the bottleneck.
fn hand(state: &State, role: &str) -> Option<Hand> {
    let limits = &state.mission.as_ref()?.limits;
    let of_role = || state.agents.iter().filter(|(_, agent)| agent.role == role);
    let free =
        of_role().filter(|(_, agent)| agent.running < limits.steps_per_agent).min_by_key(|(_, agent)| agent.running);
    if let Some((name, _)) = free {
        return Some(Hand::Free(name.clone()));
    }
    let may_spawn = state.agents.size() < limits.agents as usize || of_role().next().is_none();
    may_spawn.then(|| Hand::New(format!("{role}-{}", of_role().count() + 1)))
}
