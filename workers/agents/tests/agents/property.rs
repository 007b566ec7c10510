//! What must hold in every mission, whatever the others say and in whatever order.
//!
//! Two invariants are checked at every step by [`super::log::Log`] itself: once its words are folded
//! nothing is due, and folding twice changes nothing.

use super::log::{Log, fact};
use proptest::prelude::*;
use schemas::{Event, EventId, Fact, Value, Writer, agent, fact::Tail};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use streams::agent::State;

const VERBS: [&str; 5] = ["THINK", "TEXT_ANALYSIS", "FILE_OPS", "ASK_USER_QUESTION", "CHAT"];

/// A mission whose others do what the dice say.
struct World {
    log: Log,
    steps: Vec<&'static str>,
    attempts: BTreeMap<usize, u32>,
    paused: bool,
}

fn input(verb: &str, step: usize) -> Value {
    let value = |value: Value| json!({ "value": value });
    match verb {
        "THINK" => json!({
            "prompt": value(json!(format!("p{step}"))), "tools": value(json!(["TEXT_ANALYSIS", "FILE_OPS", "ASK_USER_QUESTION"])),
        }),
        "TEXT_ANALYSIS" => json!({"text": value(json!("t"))}),
        "FILE_OPS" => {
            json!({"operation": value(json!("append")), "path": value(json!("f")), "content": value(json!("c"))})
        }
        "ASK_USER_QUESTION" => json!({"question": value(json!("?")), "expires": value(json!(60))}),
        _ => json!({"message": value(json!("m"))}),
    }
}

/// What a model asks for before it answers: by its request, so that the same one always gets the same.
fn calls(request: &Event, said: &agent::LlmRequested) -> Value {
    let call = |name: &str, input: Value| json!({"id": "c", "name": name, "input": input});
    let n = said.messages.len();
    let write = json!({"operation": "append", "path": "f", "content": n});
    match request.id.0.as_u128() % 6 {
        _ if said.tools.is_empty() => json!([]),
        0 => json!([call("FILE_OPS", write), call("SHOUT", json!({})), call("TEXT_ANALYSIS", json!({"text": n}))]),
        1 => json!([call("ASK_USER_QUESTION", json!({"question": format!("{n}?"), "expires": 60}))]),
        2 => json!([call("TEXT_ANALYSIS", json!({"text": "the same"}))]),
        _ => json!([]),
    }
}

impl World {
    fn new(verbs: &[usize], budget: Value) -> Self {
        let mut log = Log::default();
        log.created(&json!({"budget": budget}));
        let steps: Vec<_> = verbs.iter().map(|i| VERBS[i % VERBS.len()]).collect();
        let plan: Vec<_> = steps
            .iter()
            .enumerate()
            .map(|(i, verb)| json!({"id": format!("s{i}"), "verb": verb, "inputs": input(verb, i)}))
            .collect();
        let mut world = Self { log, steps, attempts: BTreeMap::new(), paused: false };
        world.control("plan.accepted", json!({"step": "_plan", "plan": {"steps": plan}}));
        world
    }

    fn control(&mut self, kind: &str, data: Value) {
        let tail = if kind == "step.cancelled" {
            Tail::Step(data["step"].as_str().expect("a step").into())
        } else {
            Tail::Bare
        };
        self.log.say(Writer::Control, fact(kind, &data), tail);
    }

    fn user(&mut self, kind: &str, data: Value) {
        self.log.say(Writer::User, fact(kind, &data), Tail::Bare);
    }

    /// Requests of the agents, answered ones too.
    fn requests(&self) -> Vec<Event> {
        let all = self.log.events.iter().filter(|event| event.writer == Writer::Agent);
        all.filter(|event| {
            matches!(
                event.fact,
                Fact::LlmRequested(_) | Fact::PluginRequested(_) | Fact::QuestionAsked(_) | Fact::TimerSet(_)
            )
        })
        .cloned()
        .collect()
    }

    fn answered(&self, request: EventId) -> bool {
        self.log.events.iter().any(|event| event.request() == Some(request))
    }

    /// Answers a request; `how` 0 is well.
    fn answer(&mut self, request: &Event, how: u8) {
        let tail = Tail::Answer { requester: Writer::Agent, request: request.id };
        let class = ["transient", "permanent", "invalid_input", "lost", "budget"][usize::from(how) % 5];
        let failed = |step: &str, attempt: u32| json!({"step": step, "attempt": attempt, "class": class, "message": "no", "ms": 1, "usage": {"input": 1, "output": 1}, "cost_usd": 0.01});
        let (writer, kind, data) = match &request.fact {
            Fact::LlmRequested(said) if how > 0 => (Writer::Brain, "llm.failed", failed(&said.step, said.attempt)),
            Fact::LlmRequested(said) => (
                Writer::Brain,
                "llm.completed",
                json!({
                    "step": said.step, "attempt": said.attempt, "provider": "p", "model": "m", "ms": 1,
                    "answer": format!("to {}", said.step), "calls": calls(request, said), "usage": {"input": 1, "output": 1},
                    "cost_usd": 0.01,
                }),
            ),
            Fact::PluginRequested(said) if how > 0 => {
                (Writer::Capability, "plugin.failed", failed(&said.step, said.attempt))
            }
            Fact::PluginRequested(said) => (
                Writer::Capability,
                "plugin.completed",
                json!({
                    "step": said.step, "attempt": said.attempt, "outputs": {"path": format!("of {}", said.step)}, "ms": 1,
                }),
            ),
            Fact::QuestionAsked(_) => {
                return self.user("question.answered", json!({"question": request.id.to_string(), "answer": "yes"}));
            }
            _ => (Writer::Timer, "timer.fired", json!({"at": "2000-01-01T00:00:00Z"})),
        };
        self.log.say(writer, fact(kind, &data), tail);
    }

    /// One thing that happens.
    fn act(&mut self, action: u8, which: usize, how: u8) {
        let step = which % self.steps.len();
        let name = format!("s{step}");
        match action % 12 {
            0..=3 => {
                let attempt = self.attempts.entry(step).or_insert(0);
                *attempt += 1;
                let data = json!({"step": name, "attempt": *attempt, "agent": "executor-1", "verb": self.steps[step]});
                self.control("step.assigned", data);
            }
            4..=7 => {
                let open: Vec<_> = self.requests().into_iter().filter(|request| !self.answered(request.id)).collect();
                if !open.is_empty() {
                    self.answer(&open[which % open.len()].clone(), how.saturating_sub(2));
                }
            }
            8 => {
                let all = self.requests();
                if !all.is_empty() {
                    self.answer(&all[which % all.len()].clone(), how);
                }
            }
            9 => {
                let Some(attempt) = self.attempts.get(&step).copied() else { return };
                self.control(
                    "step.cancelled",
                    json!({"step": name, "attempt": attempt, "class": "transient", "reason": "slow"}),
                );
            }
            10 if self.paused => {
                self.paused = false;
                self.control("mission.resumed", json!({"from": "paused"}));
            }
            10 => {
                self.paused = true;
                self.control("mission.pausing", json!({}));
            }
            _ => self.user("budget.raised", json!({"max_calls": u64::from(how)})),
        }
    }
}

fn about(fact: &Fact) -> Option<(String, u32)> {
    let value = fact.to_value();
    Some((value["step"].as_str()?.to_string(), value["attempt"].as_u64()? as u32))
}

fn starts(fact: &Fact) -> bool {
    matches!(fact, Fact::LlmRequested(_) | Fact::PluginRequested(_) | Fact::QuestionAsked(_) | Fact::MessageSaid(_))
}

/// Checks a whole log.
fn holds(events: &[Event], single: bool) {
    let (mut assigned, mut ended, mut gone) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut calls, mut writes) = (BTreeSet::new(), BTreeSet::new());
    let (mut paused, mut aborted) = (false, false);
    for event in events {
        if let Some(request) = event.request() {
            calls.remove(&request);
            writes.remove(&request);
        }
        match (&event.fact, event.writer) {
            (Fact::StepAssigned(said), _) => {
                assigned.insert((said.step.clone(), said.attempt));
            }
            (Fact::StepCancelled(said), _) => {
                gone.insert((said.step.clone(), said.attempt));
            }
            (Fact::MissionPausing(_), _) => paused = true,
            (Fact::MissionResumed(_), _) => paused = false,
            (Fact::MissionAborted(_), _) => aborted = true,
            (word, Writer::Agent) => {
                let kind = word.kind();
                assert!(!aborted, "`{kind}` after the mission was aborted");
                assert!(!(paused && starts(word)), "`{kind}` while the mission stands still");
                if let Some(attempt) = about(word) {
                    assert!(assigned.contains(&attempt), "`{kind}` without assignment of {attempt:?}");
                    assert!(!gone.contains(&attempt), "`{kind}` for the cancelled {attempt:?}");
                    assert!(!ended.contains(&attempt), "`{kind}` after the end of {attempt:?}");
                    if matches!(word, Fact::StepCompleted(_) | Fact::StepFaulted(_)) {
                        ended.insert(attempt);
                    }
                }
                match word {
                    Fact::LlmRequested(_) => {
                        assert!(!single || calls.is_empty(), "two calls at once share a limit");
                        calls.insert(event.id);
                    }
                    Fact::PluginRequested(said) if said.verb == "FILE_OPS" => {
                        assert!(writes.is_empty(), "two runs write at once");
                        writes.insert(event.id);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_rules_hold(
        verbs in prop::collection::vec(0usize..5, 1..7),
        limited in any::<bool>(),
        actions in prop::collection::vec((any::<u8>(), any::<u8>(), 0u8..6, any::<bool>()), 1..60),
    ) {
        let budget = if limited { json!({"max_cost_usd": 0.05, "max_calls": 6}) } else { json!({}) };
        let mut world = World::new(&verbs, budget);
        for (action, which, how, decide) in actions {
            world.act(action, usize::from(which), how);
            // Several words may come before a decision is made.
            if decide {
                world.log.decide();
            }
        }
        world.log.decide();
        world.control("mission.aborted", json!({}));
        world.act(4, 0, 0);
        world.act(0, 0, 0);
        prop_assert_eq!(world.log.decide(), vec![]);
        holds(&world.log.events, limited);

        // A state loaded from the log is the state that grew with it.
        let mut loaded = State::default();
        for event in &world.log.events {
            loaded.evolve(event);
        }
        for i in 0..verbs.len() {
            let step = format!("s{i}");
            prop_assert_eq!(loaded.plans().outputs(&step), world.log.state.plans().outputs(&step));
        }
    }

    #[test]
    fn late_and_repeated_answers_change_no_output(
        verbs in prop::collection::vec(0usize..5, 1..7),
        order in prop::collection::vec((any::<u8>(), any::<bool>(), 0u8..4), 80..81),
    ) {
        let mut world = World::new(&verbs, json!({}));
        for step in 0..verbs.len() {
            world.act(0, step, 0);
        }
        world.log.decide();
        for (which, repeat, how) in order {
            let timers = |request: &Event| matches!(request.fact, Fact::TimerSet(_));
            let (done, open): (Vec<_>, Vec<_>) =
                world.requests().into_iter().filter(|request| !timers(request)).partition(|request| {
                    let is_it = |event: &&Event| matches!(&event.fact, Fact::QuestionAnswered(said) if said.question == request.id);
                    world.answered(request.id) || world.log.events.iter().any(|event| is_it(&event))
                });
            match (repeat, done.is_empty(), open.is_empty()) {
                (true, false, _) => world.answer(&done[usize::from(which) % done.len()].clone(), how),
                (_, _, false) => world.answer(&open[usize::from(which) % open.len()].clone(), 0),
                _ => break,
            }
            world.log.decide();
        }
        for (i, verb) in verbs.iter().enumerate() {
            let step = format!("s{i}");
            let wanted = match VERBS[*verb] {
                "THINK" => json!({"text": format!("to {step}")}),
                "ASK_USER_QUESTION" => json!({"answer": "yes"}),
                "CHAT" => json!({"delivered": true}),
                _ => json!({"path": format!("of {step}")}),
            };
            let found = world.log.state.plans().outputs(&step).map(|all| serde_json::to_value(all).expect("JSON"));
            prop_assert_eq!(found, Some(wanted), "{}", step);
        }
    }
}
