use super::*;
use schemas::{
    Value,
    brain::{LeftOut, Routing},
};
use uuid::Uuid;

fn call(n: u128) -> EventId {
    EventId(Uuid::from_u128(n))
}

fn limited(max_calls: Option<u64>, max_tokens: Option<u64>, max_cost_usd: Option<f64>) -> Budget {
    Budget::new(&goal::Budget { max_calls, max_tokens, max_cost_usd, ..goal::Budget::default() })
}

fn dollars_of(max: f64) -> Budget {
    limited(None, None, Some(max))
}

fn usd(usd: f64) -> Reserve {
    Reserve { usd: Some(usd), tokens: None }
}

fn took(tokens: u64, cost_usd: f64) -> LlmCompleted {
    LlmCompleted {
        step: "s".into(),
        attempt: 1,
        provider: "p".into(),
        model: "m".into(),
        answer: Value::Null,
        calls: vec![],
        cached: false,
        usage: Usage { input: tokens, output: 0, estimated: false },
        cost_usd,
        ms: 1,
        routing: None,
    }
}

fn failed(class: Class, cost_usd: f64, routing: Option<Routing>) -> LlmFailed {
    let (usage, message) = (Usage::default(), "no".into());
    LlmFailed { step: "s".into(), attempt: 1, class, message, usage, cost_usd, ms: 1, routing }
}

fn did_not_fit() -> LlmFailed {
    let left_out = vec![LeftOut { model: "p/m".into(), reason: "costs too much".into() }];
    failed(Class::Budget, 0.0, Some(Routing { ranked: Vec::new(), left_out }))
}

fn told(budget: &mut Budget) -> Option<String> {
    let (said, _) = budget.warning(80)?;
    budget.warned(&said);
    Some(said.message)
}

#[test]
fn without_limits_everything_starts() {
    let mut budget = limited(None, None, None);
    for n in 0..9 {
        assert_eq!(budget.room("a", None, || 1), Room::Free(Reserve::default()));
        budget.reserve(call(n), "a", &Reserve::default());
    }
    assert_eq!(budget.agent("a").reserved.calls, 9);
}

#[test]
fn calls_in_flight_are_counted() {
    let mut budget = limited(Some(2), None, None);
    budget.reserve(call(1), "a", &Reserve::default());
    assert_eq!(budget.room("a", None, || 1), Room::Free(Reserve::default()), "a limit of calls is exact");
    budget.reserve(call(2), "a", &Reserve::default());
    assert_eq!(budget.room("b", None, || 1), Room::Wait);
    budget.failed(call(1), &failed(Class::NotStarted, 0.0, None));
    assert_eq!(budget.room("b", None, || 1), Room::Free(Reserve::default()), "what never started is no call");
    budget.failed(call(2), &did_not_fit());
    assert_eq!(budget.mission().used.calls, 0, "what nobody was asked for is none either");
    budget.completed(call(3), &took(1, 0.0));
    budget.failed(call(4), &failed(Class::Transient, 0.0, None));
    assert_eq!(budget.room("b", None, || 1), Room::Short("max_calls: 2 of 2 calls are made".into()));
}

#[test]
fn agents_share_what_is_free_and_leave_a_part_for_whoever_comes_next() {
    let mut budget = dollars_of(1.0);
    assert_eq!(budget.room("a", None, || 3), Room::Free(usd(0.25)));
    budget.reserve(call(1), "a", &usd(0.25));
    assert_eq!(budget.room("a", None, || 3), Room::Wait, "one call of an agent at a time");
    assert_eq!(budget.room("b", None, || 2), Room::Free(usd(0.25)));
    budget.reserve(call(2), "b", &usd(0.25));
    let Node { used, reserved } = budget.mission();
    assert_eq!((used, reserved), (Sum::default(), Sum { calls: 2, tokens: 0, usd: 0.5 }));
    assert_eq!(budget.completed(call(1), &took(7, 0.125)), Some(usd(0.25)), "the rest is free again");
    assert_eq!(budget.room("c", None, || 1), Room::Free(usd(0.3125)));
    assert_eq!(budget.agent("a").used, Sum { calls: 1, tokens: 7, usd: 0.125 });
}

#[test]
fn what_is_reserved_is_never_more_than_what_is_left() {
    let mut budget = limited(None, Some(10), Some(0.3));
    for n in 0..40 {
        let Room::Free(reserve) = budget.room(&format!("a{n}"), None, || 2) else { break };
        budget.reserve(call(n), &format!("a{n}"), &reserve);
        let reserved = budget.mission().reserved;
        assert!(reserved.tokens <= 10 && reserved.usd <= 0.3, "{reserved:?}");
    }
    assert_eq!(budget.mission().reserved.tokens, 10, "to the last token");
    assert_eq!(budget.room("z", None, || 2), Room::Wait);
    for n in 0..40 {
        budget.completed(call(n), &took(0, 0.0));
    }
    assert_eq!(budget.mission().reserved, Sum::default());
}

#[test]
fn a_call_that_did_not_fit_gets_all_that_is_left_or_nothing_does() {
    let mut budget = dollars_of(1.0);
    budget.reserve(call(1), "a", &usd(0.25));
    budget.reserve(call(2), "b", &usd(0.25));
    let had = budget.failed(call(1), &did_not_fit()).expect("it was in flight");
    assert_eq!(budget.room("a", Some(&had), || 1), Room::Wait, "another call is in flight");
    budget.completed(call(2), &took(1, 0.25));
    assert_eq!(budget.room("a", Some(&had), || 9), Room::Free(usd(0.75)));
    budget.reserve(call(3), "a", &usd(0.75));
    let had = budget.failed(call(3), &did_not_fit()).expect("it was in flight");
    assert_eq!(budget.room("a", Some(&had), || 1), Room::TooLittle);
    budget.raise(&BudgetRaised { max_cost_usd: Some(2.0), ..BudgetRaised::default() });
    assert_eq!(budget.room("a", Some(&had), || 1), Room::Free(usd(1.75)));
}

#[test]
fn a_limit_of_nothing_allows_what_costs_nothing() {
    let mut budget = dollars_of(0.0);
    for n in 0..3 {
        let agent = format!("a{n}");
        assert_eq!(budget.room(&agent, None, || 3), Room::Free(usd(0.0)));
        budget.reserve(call(n), &agent, &usd(0.0));
    }
    budget.completed(call(0), &took(5, 0.0));
    assert_eq!(budget.room("a0", None, || 1), Room::Free(usd(0.0)));
    assert_eq!(told(&mut budget), None);
    budget.completed(call(1), &took(5, 0.1));
    assert_eq!(budget.room("a0", None, || 1), Room::Wait);
    budget.completed(call(2), &took(5, 0.0));
    assert_eq!(budget.room("a0", None, || 1), Room::Short("max_cost_usd: 0.1 of 0 USD are spent".into()));
}

#[test]
fn answers_that_nobody_waits_for_are_counted_too() {
    let mut budget = limited(None, Some(100), None);
    budget.reserve(call(1), "a", &Reserve { usd: None, tokens: Some(50) });
    budget.reserve(call(1), "a", &Reserve { usd: None, tokens: Some(50) });
    assert_eq!(budget.mission().reserved.tokens, 50, "a word that comes twice is one");
    budget.completed(call(1), &took(60, 0.0));
    assert_eq!(budget.completed(call(2), &took(40, f64::NAN)), None, "never asked for, as far as is known");
    assert_eq!(budget.mission().used, Sum { calls: 2, tokens: 100, usd: 0.0 });
    assert_eq!(budget.room("a", None, || 1), Room::Short("max_tokens: 100 of 100 tokens are used".into()));
}

#[test]
fn a_limit_goes_up_or_appears_and_never_goes_down() {
    let mut budget = dollars_of(1.0);
    budget.reserve(call(1), "a", &usd(0.5));
    let to = |max_cost_usd, max_tokens| BudgetRaised { max_cost_usd, max_tokens, max_calls: None };
    budget.raise(&to(Some(0.1), Some(30)));
    assert_eq!(budget.room("b", None, || 1), Room::Free(Reserve { usd: Some(0.25), tokens: Some(15) }));
    budget.completed(call(1), &took(40, 0.1));
    assert_eq!(budget.room("b", None, || 1), Room::Short("max_tokens: 40 of 30 tokens are used".into()));
    budget.raise(&to(None, Some(60)));
    assert_eq!(budget.room("b", None, || 1), Room::Free(Reserve { usd: Some(0.45), tokens: Some(10) }));
}

#[test]
fn the_person_is_told_once_for_each_limit_and_raise() {
    let mut budget = limited(Some(10), Some(1_000), Some(0.5));
    for n in 0..7 {
        budget.completed(call(n), &took(100, 0.05));
    }
    assert_eq!(told(&mut budget), None);
    budget.completed(call(7), &took(100, 0.05));
    let all = [told(&mut budget), told(&mut budget), told(&mut budget), told(&mut budget)];
    assert_eq!(
        all.map(Option::unwrap_or_default),
        [
            "80 % of max_cost_usd: 0.4 of 0.5 USD are spent",
            "80 % of max_tokens: 800 of 1000 tokens are used",
            "80 % of max_calls: 8 of 10 calls are made",
            ""
        ]
    );
    budget.completed(call(8), &took(0, 0.0));
    budget.raise(&BudgetRaised { max_calls: Some(11), max_tokens: Some(900), max_cost_usd: Some(5.0) });
    assert_eq!(told(&mut budget).as_deref(), Some("81 % of max_calls: 9 of 11 calls are made"));
    assert_eq!(told(&mut budget), None);
}

#[test]
fn a_digit_that_the_log_loses_is_no_raise() {
    let mut budget = dollars_of(0.3);
    budget.completed(call(1), &took(0, 0.3));
    let (said, _) = budget.warning(80).expect("all is used");
    budget.warned(&BudgetWarned { of: said.of.next_down(), ..said });
    assert_eq!(budget.warning(80), None);
}
