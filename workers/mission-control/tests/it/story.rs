//! Each case is a story: what happens, and what control says to it.

mod budget;

use crate::mission::{Mission, created};
use mission_control::Control;
use schemas::{
    Class, EventId, Fact, Writer,
    agent::{AnswerType, BudgetShort, Halted, PlanProposed, QuestionAsked, StepCompleted, StepFaulted},
    brain::{LlmCompleted, Usage},
    control::{Purpose, TimerSet},
    fact::Tail,
    goal::{Budget, Limit},
    limits::Limits,
    plan::Plan,
    timer::TimerFired,
    user,
};
use serde_json::json;
use std::collections::BTreeMap;
use streams::decide::Decider;

fn plan(steps: serde_json::Value) -> Option<Plan> {
    Some(serde_json::from_value(json!({ "steps": steps })).expect("a plan"))
}

fn with_plan(steps: serde_json::Value) -> Mission {
    Mission::new(created(plan(steps), Limits::default(), Budget::default()))
}

fn completes(mission: &mut Mission, step: &str, attempt: u32) -> Vec<String> {
    let done = StepCompleted {
        step: step.into(),
        attempt,
        agent: "x".into(),
        run: None,
        runs: vec![],
        outputs: BTreeMap::new(),
        deliverables: Vec::new(),
    };
    mission.say(Writer::Agent, done.into(), Tail::Bare);
    mission.words()
}

fn faults(mission: &mut Mission, step: &str, attempt: u32, class: Class) -> Vec<String> {
    mission.say(
        Writer::Agent,
        StepFaulted { step: step.into(), attempt, class, message: "no".into() }.into(),
        Tail::Bare,
    );
    mission.words()
}

/// The timers that were set for this purpose fire.
fn fires(mission: &mut Mission, purpose: impl Fn(&Purpose) -> bool) -> Vec<String> {
    let set: Vec<(EventId, TimerSet)> = mission
        .log
        .iter()
        .filter_map(|event| if let Fact::TimerSet(set) = &event.fact { Some((event.id, set.clone())) } else { None })
        .collect();
    let (timer, set) = set.into_iter().rev().find(|(_, set)| purpose(&set.purpose)).expect("the timer was set");
    mission.say(
        Writer::Timer,
        TimerFired { at: set.at }.into(),
        Tail::Answer { requester: Writer::Control, request: timer },
    );
    mission.words()
}

fn user(mission: &mut Mission, fact: impl Into<Fact>) -> Vec<String> {
    mission.say(Writer::User, fact.into(), Tail::Bare);
    mission.words()
}

#[test]
fn independent_steps_start_together_and_a_dependant_when_both_are_done() {
    let mut mission = with_plan(json!([
        {"id": "a", "verb": "WORK"}, {"id": "b", "verb": "WORK"}, {"id": "c", "verb": "THINK", "after": ["a", "b"]}
    ]));
    assert_eq!(
        mission.words(),
        ["plan.accepted _plan", "agent.spawned executor-1", "step.assigned a/1", "step.assigned b/1"]
    );
    assert!(completes(&mut mission, "a", 1).is_empty());
    assert_eq!(completes(&mut mission, "b", 1), ["agent.spawned analyst-1", "step.assigned c/1"]);
    assert_eq!(completes(&mut mission, "c", 1), ["mission.completed"]);
    assert!(user(&mut mission, user::AbortRequested::default()).is_empty(), "what has ended stays ended");
}

#[test]
fn a_goal_is_planned_judged_and_planned_again_at_most_three_times() {
    let mut mission = Mission::new(created(None, Limits::default(), Budget::default()));
    assert_eq!(mission.words(), ["agent.spawned coordinator-1", "step.assigned _plan/1"]);
    for round in 1..=4 {
        let bad = PlanProposed {
            step: "_plan".into(),
            attempt: 1,
            call: EventId(uuid::Uuid::from_u128(round)),
            plan: json!({"steps": [{"id": "a", "verb": "NO"}]}),
        };
        mission.say(Writer::Agent, bad.into(), Tail::Bare);
        let words = mission.words();
        assert_eq!(words[0], "plan.rejected _plan");
        if round == 4 {
            assert_eq!(words[1..], ["step.failed _plan/1/invalid_input", "mission.failed invalid_input"]);
        } else {
            assert_eq!(words.len(), 1);
        }
    }
    assert_eq!(user(&mut mission, user::RetryRequested::default()), ["mission.retried", "step.assigned _plan/2"]);
    let good = PlanProposed {
        step: "_plan".into(),
        attempt: 2,
        call: EventId(uuid::Uuid::from_u128(9)),
        plan: json!({"steps": [{"id": "a", "verb": "WORK"}]}),
    };
    mission.say(Writer::Agent, good.into(), Tail::Bare);
    assert_eq!(mission.words(), ["plan.accepted _plan", "agent.spawned executor-1", "step.assigned a/1"]);
}

#[test]
fn a_refused_ready_plan_fails_the_mission_at_once_with_its_faults() {
    let mut mission = with_plan(json!([{"id": "a", "verb": "NO"}]));
    assert_eq!(mission.words(), ["plan.rejected _plan", "mission.failed invalid_input"]);
    let Some(Fact::MissionFailed(failed)) = mission.log.last().map(|event| &event.fact) else { panic!("it failed") };
    assert!(!failed.faults.is_empty());
}

#[test]
fn a_transient_failure_is_tried_again_after_a_while_and_at_most_so_often() {
    let mut mission = with_plan(json!([{"id": "a", "verb": "WORK", "retries": 2}]));
    mission.words();
    for attempt in 1..=2 {
        assert_eq!(faults(&mut mission, "a", attempt, Class::Transient), ["timer.set"]);
        let retried = format!("step.retried a/{}", attempt + 1);
        let assigned = format!("step.assigned a/{}", attempt + 1);
        assert_eq!(fires(&mut mission, |p| matches!(p, Purpose::Retry { .. })), [retried, assigned]);
    }
    assert_eq!(
        faults(&mut mission, "a", 3, Class::Transient),
        ["step.failed a/3/transient", "mission.failed transient"]
    );
}

#[test]
fn a_failed_step_cancels_only_what_needs_it_and_a_retry_keeps_what_is_done() {
    let mut mission = with_plan(json!([
        {"id": "a", "verb": "WORK"}, {"id": "b", "verb": "WORK"}, {"id": "c", "verb": "WORK", "after": ["a"]}, {"id": "d", "verb": "WORK", "after": ["b"]}
    ]));
    mission.words();
    assert_eq!(faults(&mut mission, "a", 1, Class::Permanent), ["step.failed a/1/permanent"]);
    assert_eq!(completes(&mut mission, "b", 1), ["step.assigned d/1"]);
    assert_eq!(completes(&mut mission, "d", 1), ["mission.failed permanent"]);
    assert_eq!(user(&mut mission, user::RetryRequested::default()), ["mission.retried", "step.assigned a/2"]);
    assert_eq!(completes(&mut mission, "a", 2), ["step.assigned c/1"]);
    assert_eq!(completes(&mut mission, "c", 1), ["mission.completed"]);
}

#[test]
fn a_time_limit_calls_the_attempt_off_and_a_late_result_does_not_count() {
    let mut mission = with_plan(json!([{"id": "a", "verb": "WORK", "timeout": 5, "retries": 1}]));
    assert_eq!(mission.words().last().map(String::as_str), Some("timer.set"));
    assert_eq!(
        fires(&mut mission, |p| matches!(p, Purpose::Timeout { .. })),
        ["step.cancelled a/1/transient", "timer.set"]
    );
    assert!(completes(&mut mission, "a", 1).is_empty());
    fires(&mut mission, |p| matches!(p, Purpose::Retry { .. }));
    assert_eq!(completes(&mut mission, "a", 2), ["timer.cleared", "mission.completed"]);
}

#[test]
fn a_pause_is_a_handshake_and_nothing_is_assigned_until_resumed() {
    let mut mission = with_plan(json!([{"id": "a", "verb": "WORK"}, {"id": "b", "verb": "WORK", "after": ["a"]}]));
    mission.words();
    assert_eq!(user(&mut mission, user::PauseRequested::default()), ["mission.pausing"]);
    assert!(completes(&mut mission, "a", 1).is_empty());
    mission.say(Writer::Agent, Halted {}.into(), Tail::Bare);
    assert_eq!(mission.words(), ["mission.paused"]);
    assert!(user(&mut mission, user::PauseRequested::default()).is_empty());
    assert_eq!(user(&mut mission, user::ResumeRequested {}), ["mission.resumed", "step.assigned b/1"]);
    assert_eq!(user(&mut mission, user::PauseRequested::default()), ["mission.pausing"], "the second pause is another");
}

#[test]
fn a_step_that_waits_for_a_person_frees_its_slot_and_the_mission_waits_when_nothing_else_can_go_on() {
    let limits = Limits { slots: 1, ..Limits::default() };
    let mut mission = Mission::new(created(
        plan(json!([{"id": "a", "verb": "THINK"}, {"id": "b", "verb": "WORK"}])),
        limits,
        Budget::default(),
    ));
    assert_eq!(mission.words().last().map(String::as_str), Some("step.assigned a/1"));
    let asked = QuestionAsked {
        step: "a".into(),
        attempt: 1,
        agent: None,
        text: "?".into(),
        answer: AnswerType::Text,
        choices: Vec::new(),
        schema: None,
        expires: None,
    };
    let question = mission.say(Writer::Agent, asked.into(), Tail::Bare);
    assert_eq!(mission.words(), ["agent.spawned executor-1", "step.assigned b/1"]);
    assert_eq!(completes(&mut mission, "b", 1), ["mission.waiting"]);
    assert_eq!(user(&mut mission, user::QuestionAnswered { question, answer: json!("x") }), ["mission.resumed"]);
    assert_eq!(completes(&mut mission, "a", 1), ["mission.completed"]);
}

#[test]
fn a_permanent_failure_of_a_planned_mission_is_planned_around_once() {
    let mut mission = Mission::new(created(None, Limits::default(), Budget::default()));
    mission.words();
    let proposal = |step: &str, steps| PlanProposed {
        step: step.into(),
        attempt: 1,
        call: EventId(uuid::Uuid::from_u128(1)),
        plan: json!({ "steps": steps }),
    };
    mission.say(
        Writer::Agent,
        proposal("_plan", json!([{"id": "a", "verb": "WORK"}, {"id": "b", "verb": "WORK", "after": ["a"]}])).into(),
        Tail::Bare,
    );
    mission.words();
    assert_eq!(faults(&mut mission, "a", 1, Class::Permanent), ["step.assigned _recover-a/1"]);
    mission.say(Writer::Agent, proposal("_recover-a", json!([{"id": "x", "verb": "WORK"}])).into(), Tail::Bare);
    assert_eq!(mission.words(), ["plan.accepted _recover-a", "step.assigned a-x/1"]);
    assert_eq!(completes(&mut mission, "a-x", 1), ["step.assigned b/1"]);
    assert_eq!(faults(&mut mission, "b", 1, Class::Permanent), ["step.assigned _recover-b/1"]);
    assert_eq!(
        faults(&mut mission, "_recover-b", 1, Class::Permanent),
        ["step.failed _recover-b/1/permanent", "step.failed b/1/permanent", "mission.failed permanent"]
    );
}

#[test]
fn too_many_events_and_too_much_time_end_a_mission_in_clear_words() {
    let limits = Limits { events: 5, ..Limits::default() };
    let mut mission = Mission::new(created(plan(json!([{"id": "a", "verb": "WORK"}])), limits, Budget::default()));
    assert_eq!(mission.words().last().map(String::as_str), Some("step.assigned a/1"));
    assert_eq!(completes(&mut mission, "a", 1), ["mission.failed permanent"]);

    let budget = Budget { max_seconds: Some(3.0), ..Budget::default() };
    let mut mission = Mission::new(created(plan(json!([{"id": "a", "verb": "WORK"}])), Limits::default(), budget));
    assert_eq!(mission.words()[0], "timer.set");
    assert_eq!(fires(&mut mission, |p| *p == Purpose::Deadline), ["mission.failed budget"]);
}

#[test]
fn an_answer_around_a_failure_is_what_the_failed_step_was_to_give() {
    let mut mission = Mission::new(created(None, Limits::default(), Budget::default()));
    mission.words();
    let proposal = |step: &str, plan| PlanProposed {
        step: step.into(),
        attempt: 1,
        call: EventId(uuid::Uuid::from_u128(1)),
        plan,
    };
    let steps = json!({"steps": [{"id": "a", "verb": "WORK"}, {"id": "b", "verb": "WORK", "after": ["a"]}]});
    mission.say(Writer::Agent, proposal("_plan", steps).into(), Tail::Bare);
    mission.words();
    faults(&mut mission, "a", 1, Class::Permanent);
    mission.say(Writer::Agent, proposal("_recover-a", json!({"answer": "so"})).into(), Tail::Bare);
    assert_eq!(mission.words(), ["plan.accepted _recover-a", "step.assigned b/1"]);
    assert_eq!(completes(&mut mission, "b", 1), ["mission.completed"]);
}

#[test]
fn a_step_whose_question_is_answered_takes_a_slot_again() {
    let limits = Limits { slots: 1, ..Limits::default() };
    let steps = json!([{"id": "a", "verb": "THINK"}, {"id": "b", "verb": "WORK"}, {"id": "c", "verb": "WORK"}]);
    let mut mission = Mission::new(created(plan(steps), limits, Budget::default()));
    mission.words();
    let asked = QuestionAsked {
        step: "a".into(),
        attempt: 1,
        agent: None,
        text: "?".into(),
        answer: AnswerType::Text,
        choices: Vec::new(),
        schema: None,
        expires: None,
    };
    let question = mission.say(Writer::Agent, asked.into(), Tail::Bare);
    assert_eq!(mission.words(), ["agent.spawned executor-1", "step.assigned b/1"]);
    assert!(user(&mut mission, user::QuestionAnswered { question, answer: json!("x") }).is_empty());
    assert!(completes(&mut mission, "b", 1).is_empty(), "the slot is taken by the step that was answered");
    assert_eq!(completes(&mut mission, "a", 1), ["step.assigned c/1"]);
}

#[test]
fn a_step_that_a_person_tries_again_has_all_its_retries_again() {
    let mut mission = with_plan(json!([{"id": "a", "verb": "WORK", "retries": 1}]));
    mission.words();
    faults(&mut mission, "a", 1, Class::Transient);
    fires(&mut mission, |p| matches!(p, Purpose::Retry { .. }));
    assert_eq!(faults(&mut mission, "a", 2, Class::Lost), ["step.failed a/2/lost", "mission.failed lost"]);
    assert_eq!(user(&mut mission, user::RetryRequested::default()), ["mission.retried", "step.assigned a/3"]);
    assert_eq!(faults(&mut mission, "a", 3, Class::Transient), ["timer.set"]);
}

#[test]
fn a_mission_that_completes_leaves_no_deadline() {
    let budget = Budget { max_seconds: Some(3.0), ..Budget::default() };
    let mut mission = Mission::new(created(plan(json!([{"id": "a", "verb": "WORK"}])), Limits::default(), budget));
    mission.words();
    assert_eq!(completes(&mut mission, "a", 1), ["timer.cleared", "mission.completed"]);
}
