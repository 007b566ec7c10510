//! Properties over random missions: a hand of random luck does the steps, out of order and twice.

use crate::mission::{Mission, created};
use proptest::prelude::*;
use schemas::{
    Class, Event, EventId, Fact, Writer,
    agent::{Halted, StepCompleted, StepFaulted},
    fact::Tail,
    goal::Budget,
    limits::Limits,
    plan::Plan,
    timer::TimerFired,
    user,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use streams::control::{State, Status, StepStatus};

/// A plan of `n` steps, each needing some of those before it.
fn random_plan(n: usize, needs: &[u8]) -> Plan {
    let steps: Vec<_> = (0..n)
        .map(|i| {
            let after: BTreeSet<String> = (0..i).filter(|j| needs[(i * 7 + j) % needs.len()].is_multiple_of(4)).map(|j| format!("s{j}")).collect();
            json!({"id": format!("s{i}"), "verb": if i % 3 == 0 { "THINK" } else { "WORK" }, "after": after, "retries": i % 3})
        })
        .collect();
    serde_json::from_value(json!({ "steps": steps })).expect("a plan")
}

fn assert_sound(mission: &Mission, slots: u32) {
    let state = &mission.state;
    let assigned = state.steps.values().filter(|step| step.status == StepStatus::Assigned).count();
    assert_eq!(assigned, state.running as usize, "the count of running steps is right");
    assert!(state.running <= slots, "never more than the slots allow");
    assert_eq!(
        state.steps.values().filter(|step| !step.has_ended()).count(),
        state.open as usize,
        "the count of open steps is right"
    );
    let agents: u32 = state.agents.values().map(|agent| agent.running).sum();
    assert_eq!(agents, state.running, "every running step is some agent's");
    let mut done = BTreeSet::new();
    let mut at = BTreeSet::new();
    for Event { fact, .. } in &mission.log {
        match fact {
            Fact::StepAssigned(said) => {
                assert!(!done.contains(&said.step), "a completed step is never assigned again: {}", said.step);
                assert!(at.insert((said.step.clone(), said.attempt)), "an attempt is assigned once");
            }
            Fact::StepCompleted(said)
                if state
                    .step(&said.step)
                    .is_some_and(|step| step.status == StepStatus::Completed && step.attempt == said.attempt) =>
            {
                done.insert(said.step.clone());
            }
            _ => {}
        }
    }
}

/// What may happen next in this mission, by luck.
fn happening(mission: &Mission, luck: u16) -> Option<(Writer, Fact, Tail)> {
    let assigned: Vec<_> = mission
        .log
        .iter()
        .filter_map(|event| if let Fact::StepAssigned(said) = &event.fact { Some(said.clone()) } else { None })
        .collect();
    let timers: Vec<_> = mission
        .log
        .iter()
        .filter_map(|event| if let Fact::TimerSet(said) = &event.fact { Some((event.id, said.at)) } else { None })
        .collect();
    let of = |n: usize| usize::from(luck / 16) % n.max(1);
    match luck % 16 {
        0 => Some((Writer::User, user::PauseRequested::default().into(), Tail::Bare)),
        1 | 2 => Some((Writer::User, user::ResumeRequested {}.into(), Tail::Bare)),
        3 | 4 => Some((Writer::Agent, Halted {}.into(), Tail::Bare)),
        5 => Some((Writer::User, user::RetryRequested::default().into(), Tail::Bare)),
        6..=8 => timers.get(of(timers.len())).map(|(timer, at)| {
            (Writer::Timer, TimerFired { at: *at }.into(), Tail::Answer { requester: Writer::Control, request: *timer })
        }),
        9 | 10 => assigned.get(of(assigned.len())).map(|said| {
            let class =
                [Class::Transient, Class::Permanent, Class::InvalidInput, Class::Lost][usize::from(luck / 64) % 4];
            (
                Writer::Agent,
                StepFaulted { step: said.step.clone(), attempt: said.attempt, class, message: "no".into() }.into(),
                Tail::Bare,
            )
        }),
        _ => assigned
            .get(of(assigned.len()))
            .map(|said| (Writer::Agent, completed(&said.step, said.attempt), Tail::Bare)),
    }
}

fn completed(step: &str, attempt: u32) -> Fact {
    StepCompleted {
        step: step.into(),
        attempt,
        agent: "x".into(),
        run: None,
        runs: vec![],
        outputs: BTreeMap::new(),
        deliverables: Vec::new(),
    }
    .into()
}

/// Folds the whole log again, each event `times` times.
fn refold(log: &[Event], times: usize) -> State {
    let mut state = State::default();
    for event in log {
        for _ in 0..times {
            state.evolve(event);
        }
    }
    state
}

fn picture(state: &State) -> String {
    format!("{state:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mission_stays_sound_and_always_comes_to_an_end(
        n in 1usize..14, needs in prop::collection::vec(any::<u8>(), 8..64), slots in 1u32..5,
        luck in prop::collection::vec(any::<u16>(), 0..150),
    ) {
        let limits = Limits { slots, agents: 3, steps_per_agent: 2, ..Limits::default() };
        let mut mission = Mission::new(created(Some(random_plan(n, &needs)), limits, Budget::default()));
        mission.decide();
        for luck in luck {
            if let Some((writer, fact, tail)) = happening(&mission, luck) {
                mission.say(writer, fact, tail);
            }
            // Now and then a trigger is late: the next one finds everything due.
            if luck % 5 != 0 {
                mission.decide();
            }
            assert_sound(&mission, slots);
        }
        mission.decide();
        // From here on all goes well: whatever state luck left it in, the mission ends.
        for _ in 0..400 {
            if mission.state.status.is_final() {
                break;
            }
            let running: Vec<_> = mission.state.steps.iter().filter(|(_, step)| step.status == StepStatus::Assigned).map(|(id, step)| (id.clone(), step.attempt)).collect();
            for (step, attempt) in running {
                mission.say(Writer::Agent, completed(&step, attempt), Tail::Bare);
            }
            let timers: Vec<EventId> = mission.state.timers.keys().copied().collect();
            for timer in timers {
                mission.say(Writer::Timer, TimerFired { at: schemas::Time(0) }.into(), Tail::Answer { requester: Writer::Control, request: timer });
            }
            mission.say(Writer::Agent, Halted {}.into(), Tail::Bare);
            mission.say(Writer::User, user::ResumeRequested {}.into(), Tail::Bare);
            mission.decide();
            assert_sound(&mission, slots);
        }
        prop_assert!(mission.state.status.is_final(), "it is {:?}", mission.state.status);
        let twice = refold(&mission.log, 2);
        prop_assert_eq!(picture(&refold(&mission.log, 1)), picture(&twice), "folding twice changes nothing");
        if mission.state.status == Status::Completed {
            prop_assert!(mission.state.steps.values().all(|step| step.is_done()));
        }
    }

    #[test]
    fn after_paused_nothing_is_assigned_until_resumed(n in 2usize..10, needs in prop::collection::vec(any::<u8>(), 8..32), luck in prop::collection::vec(any::<u16>(), 0..80)) {
        let mut mission = Mission::new(created(Some(random_plan(n, &needs)), Limits::default(), Budget::default()));
        mission.decide();
        for luck in luck {
            if let Some((writer, fact, tail)) = happening(&mission, luck) {
                mission.say(writer, fact, tail);
            }
            mission.decide();
        }
        let mut paused = false;
        for event in &mission.log {
            match &event.fact {
                Fact::MissionPausing(_) => paused = true,
                Fact::MissionResumed(_) | Fact::MissionRetried(_) => paused = false,
                Fact::StepAssigned(said) => prop_assert!(!paused, "{} was assigned in a pause", said.step),
                _ => {}
            }
        }
    }
}
