//! What a used-up budget leads to.

use super::*;

#[test]
fn a_used_up_budget_asks_and_goes_on_when_raised_or_ends() {
    for raise in [true, false] {
        let mut mission = with_plan(json!([{"id": "a", "verb": "THINK"}]));
        mission.words();
        mission.say(
            Writer::Agent,
            BudgetShort { step: "a".into(), attempt: 1, message: "0 calls left".into() }.into(),
            Tail::Bare,
        );
        assert_eq!(mission.words(), ["budget.reached", "question.asked a/1", "mission.waiting"]);
        if raise {
            assert_eq!(
                user(&mut mission, user::BudgetRaised { max_calls: Some(9), ..Default::default() }),
                ["mission.resumed"]
            );
            assert_eq!(completes(&mut mission, "a", 1), ["mission.completed"]);
        } else {
            let question =
                mission.log.iter().rev().find(|event| event.fact.kind() == "question.asked").expect("asked").id;
            assert_eq!(
                user(&mut mission, user::QuestionAnswered { question, answer: json!("stop") }),
                ["mission.failed budget"]
            );
        }
    }
}

#[test]
fn a_used_up_budget_lets_the_mission_wait_though_other_steps_go_on() {
    let mut mission = with_plan(
        json!([{"id": "a", "verb": "THINK"}, {"id": "b", "verb": "WORK"}, {"id": "c", "verb": "WORK", "after": ["b"]}]),
    );
    mission.words();
    mission.say(
        Writer::Agent,
        BudgetShort { step: "a".into(), attempt: 1, message: "0 calls left".into() }.into(),
        Tail::Bare,
    );
    assert_eq!(mission.words(), ["budget.reached", "question.asked a/1", "mission.waiting"]);
    assert_eq!(completes(&mut mission, "b", 1), ["step.assigned c/1"]);
    assert!(completes(&mut mission, "c", 1).is_empty());
    assert_eq!(
        user(&mut mission, user::BudgetRaised { max_calls: Some(9), ..Default::default() }),
        ["mission.resumed"]
    );
}

/// A model's answer to a call.
fn answers(mission: &mut Mission, call: u128, cost_usd: f64) -> Vec<String> {
    let said = LlmCompleted {
        step: "a".into(),
        attempt: 1,
        provider: "p".into(),
        model: "m".into(),
        answer: json!("x"),
        calls: vec![],
        cached: false,
        usage: Usage::default(),
        cost_usd,
        ms: 1,
        routing: None,
    };
    let request = EventId(uuid::Uuid::from_u128(call));
    mission.say(Writer::Brain, said.into(), Tail::Answer { requester: Writer::Agent, request });
    mission.words()
}

#[test]
fn the_person_is_told_once_that_a_limit_is_nearly_used_up_and_again_after_a_raise() {
    let steps = || plan(json!([{"id": "a", "verb": "THINK"}]));
    let budget = Budget { max_cost_usd: Some(1.0), max_calls: Some(3), ..Budget::default() };
    let mut mission = Mission::new(created(steps(), Limits::default(), budget.clone()));
    mission.words();
    assert!(answers(&mut mission, 1, 0.75).is_empty());
    assert_eq!(answers(&mut mission, 2, 0.125), ["budget.warned"]);
    let Some(Fact::BudgetWarned(said)) = mission.log.last().map(|event| &event.fact) else { panic!("it is told") };
    assert_eq!(
        (said.limit, said.used, said.of, said.message.as_str()),
        (Limit::MaxCostUsd, 0.875, 1.0, "87 % of max_cost_usd: 0.875 of 1 USD are spent")
    );
    assert_eq!(answers(&mut mission, 3, 0.0), ["budget.warned"], "of the other limit");
    assert!(answers(&mut mission, 4, 0.0).is_empty());
    let to = |usd| user::BudgetRaised { max_cost_usd: Some(usd), ..Default::default() };
    assert_eq!(user(&mut mission, to(1.05)), ["budget.warned"]);
    assert!(user(&mut mission, to(2.0)).is_empty());
    assert_eq!(answers(&mut mission, 5, 1.0), ["budget.warned"]);

    let silent = Limits { warn_at: None, ..Limits::default() };
    let mut mission = Mission::new(created(steps(), silent, budget));
    mission.words();
    assert!(answers(&mut mission, 1, 5.0).is_empty(), "missions of before are decided as they were");
}

#[test]
fn a_shortage_that_was_said_without_knowing_of_a_raise_asks_nobody() {
    let mut mission = with_plan(json!([{"id": "a", "verb": "THINK"}]));
    mission.words();
    let basis = mission.log.len() as u64;
    user(&mut mission, user::BudgetRaised { max_calls: Some(9), ..Default::default() });
    let short = BudgetShort { step: "a".into(), attempt: 1, message: "0 calls left".into() };
    mission.say_on(Some(basis), Writer::Agent, short.clone().into(), Tail::Bare);
    assert!(mission.words().is_empty());
    let basis = mission.log.len() as u64;
    mission.say_on(Some(basis), Writer::Agent, short.into(), Tail::Bare);
    assert_eq!(mission.words(), ["budget.reached", "question.asked a/1", "mission.waiting"]);
}

#[test]
fn a_budget_that_is_raised_while_control_asks_about_it_holds_nobody_back() {
    let mut mission = with_plan(json!([{"id": "a", "verb": "THINK"}]));
    mission.words();
    let short = BudgetShort { step: "a".into(), attempt: 1, message: "0 calls left".into() };
    mission.say(Writer::Agent, short.into(), Tail::Bare);
    let (basis, decided) = (mission.log.len() as u64, Control::decide(&mission.state));
    mission.say(Writer::User, user::BudgetRaised { max_calls: Some(9), ..Default::default() }.into(), Tail::Bare);
    for due in decided {
        mission.say_on(Some(basis), Writer::Control, due.fact, due.tail);
    }
    assert_eq!(mission.words(), ["mission.resumed"]);
}
