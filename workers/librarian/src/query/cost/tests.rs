//! What was paid is counted once, wherever it is looked for.

mod log;

use super::*;
use crate::query::{self, Query};
use log::*;
use proptest::{collection::vec, prelude::*};
use schemas::Value;
use serde_json::json;
use std::collections::BTreeMap;
use streams::overview::Overview;

fn paid() -> impl Strategy<Value = Paid> {
    (0..3_usize, 0..5_000_u64, 1..900_u64, 0..4_u32, any::<bool>()).prop_map(
        |(model, input, output, price, estimated)| Paid {
            model,
            input,
            output,
            usd: f64::from(price) * (input + output) as f64 / 1e7,
            estimated,
        },
    )
}

fn call() -> impl Strategy<Value = Call> {
    let end = prop_oneof![3 => paid().prop_map(End::Completed), 1 => Just(End::Failed), 1 => Just(End::Open)];
    let tries = (vec(paid(), 0..4), vec(paid(), 0..3));
    (1..4_u128, 0..3_usize, 0..2_usize, 0..4_i64, tries, end).prop_map(
        |(mission, step, agent, day, (tried, lost), end)| {
            // Of tries that were lost and not made again nobody knows whose they are.
            let lost = if tried.is_empty() { Vec::new() } else { lost };
            Call { mission, step, agent, day, lost, tried, end }
        },
    )
}

type Figures = (u64, u64, f64);

fn figures(row: &Value) -> Figures {
    let tokens = &row["cost"]["tokens"];
    (
        tokens["input"].as_u64().expect("tokens"),
        tokens["output"].as_u64().expect("tokens"),
        row["cost"]["usd"].as_f64().expect("dollars"),
    )
}

fn same(a: Figures, b: Figures) -> bool {
    (a.0, a.1) == (b.0, b.1) && (a.2 - b.2).abs() < 1e-9
}

fn added(all: impl Iterator<Item = Figures>) -> Figures {
    all.fold((0, 0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2))
}

const ALL: [&str; 6] = ["mission", "step", "agent", "model", "day", "call"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn by_whatever_it_is_asked_for_the_sum_is_what_was_paid(calls in vec(call(), 1..12)) {
        let mut log = Log::new();
        (1..4).for_each(|n| log.created(n));
        calls.iter().for_each(|call| log.call(call));
        let mut of_models: BTreeMap<String, Vec<Figures>> = BTreeMap::new();
        let mut failed = 0;
        for call in &calls {
            let answer = match &call.end { End::Completed(answer) => Some(answer), _ => None };
            failed += call.lost.len() + call.tried.len();
            for paid in call.lost.iter().chain(&call.tried).chain(answer) {
                of_models.entry(format!("p/m{}", paid.model)).or_default().push((paid.input, paid.output, paid.usd));
            }
        }
        let paid = added(of_models.values().flatten().copied());
        for again in 0..2 {
            for by in ALL {
                let page = log.ask(json!({"by": by, "limit": 500})).expect("a page");
                let rows = page["rows"].as_array().expect("rows");
                prop_assert!(same(figures(&page["total"]), paid), "by {}: {} is not {:?}", by, page["total"], paid);
                prop_assert!(same(added(rows.iter().map(figures)), paid), "by {}: {:?}", by, rows);
                prop_assert_eq!(&page["total"]["calls"], &json!(calls.len()));
                prop_assert_eq!(&page["total"]["failed"], &json!(failed));
            }
            for row in log.rows(json!({"by": "model"})).iter().filter(|row| !row["model"].is_null()) {
                let key = row["key"].as_str().expect("a key");
                let expected = added(of_models.get(key).into_iter().flatten().copied());
                prop_assert!(same(figures(row), expected), "{} is not {:?}", row, expected);
            }
            // In the archive it is the same.
            if again == 0 {
                log.archive(1, false);
            }
        }
        // Where no brain disappeared and nothing is open, it is what the mission says of itself.
        let odd = |call: &&Call| !call.lost.is_empty() || (matches!(call.end, End::Open) && !call.tried.is_empty());
        for row in log.rows(json!({"by": "mission"})) {
            let n = row["mission"].as_str().and_then(|id| id.parse::<MissionId>().ok()).expect("an id").0.as_u128();
            if !calls.iter().filter(|call| call.mission == n).any(|call| odd(&call)) {
                let mut overview = Overview::default();
                log.events.iter().filter(|event| event.mission == mission(n)).for_each(|event| overview.evolve(event));
                prop_assert!(same(figures(&row), figures(&json!({"cost": overview.cost}))), "{row} is not {:?}", overview.cost);
            }
        }
        // Pages leave nothing out and bring nothing twice.
        for by in ALL {
            let (mut pages, mut after) = (Vec::new(), Value::Null);
            loop {
                let page = log.ask(json!({"by": by, "limit": 2, "after": after})).expect("a page");
                pages.extend(page["rows"].as_array().expect("rows").iter().map(|row| row["key"].clone()));
                after = page["next"].clone();
                if after.is_null() { break; }
            }
            let whole: Vec<_> = log.rows(json!({"by": by, "limit": 500})).iter().map(|row| row["key"].clone()).collect();
            prop_assert_eq!(pages, whole);
        }
    }
}

fn one(model: usize, input: u64, usd: f64) -> Paid {
    Paid { model, input, output: 10, usd, estimated: false }
}

/// Two missions: one with a try that failed, on the day before the answer; one that waits for its answer.
fn two() -> Log {
    let mut log = Log::new();
    log.created(1);
    log.created(2);
    let end = End::Completed(Paid { estimated: true, ..one(1, 200, 0.5) });
    log.call(&Call { mission: 1, step: 0, agent: 0, day: 10, lost: vec![], tried: vec![one(0, 100, 0.0)], end });
    log.call(&Call { mission: 2, step: 1, agent: 1, day: 11, lost: vec![], tried: vec![], end: End::Open });
    log
}

#[test]
fn a_try_counts_with_its_model_on_its_day_and_the_rest_with_who_answered() {
    let log = two();
    let shown = |by: &str| -> Vec<Value> {
        let sums = |row: Value| {
            json!([
                row["key"],
                row["calls"],
                row["failed"],
                row["cost"]["tokens"]["input"],
                row["cost"]["usd"],
                row["cost"]["estimated"],
                row["unpriced"]
            ])
        };
        log.rows(json!({"by": by})).into_iter().map(sums).collect()
    };
    assert_eq!(
        shown("model"),
        [
            json!(["p/m1", 1, 0, 200, 0.5, true, false]),
            json!(["p/m0", 0, 1, 100, 0.0, false, true]),
            json!(["", 1, 0, 0, 0.0, false, false]),
        ]
    );
    assert_eq!(
        shown("day"),
        [
            json!(["1970-01-13", 1, 0, 200, 0.5, true, false]),
            json!(["1970-01-12", 1, 0, 0, 0.0, false, false]),
            json!(["1970-01-11", 0, 1, 100, 0.0, false, true]),
        ]
    );
    let (first, second) = (mission(1), mission(2));
    assert_eq!(
        shown("mission"),
        [json!([second, 1, 0, 0, 0.0, false, false]), json!([first, 1, 1, 300, 0.5, true, true])],
        "the newest first"
    );
    let call = &log.rows(json!({"by": "call", "mission": first}))[0];
    assert_eq!(
        json!([
            call["step"],
            call["attempt"],
            call["agent"],
            call["purpose"],
            call["status"],
            call["provider"],
            call["model"],
            call["ms"]
        ]),
        json!(["s0", 1, "executor-0", "think", "completed", "p", "m1", 50])
    );
    let step = &log.ask(json!({"mission": first})).unwrap();
    assert_eq!((&step["by"], &step["rows"][0]["step"]), (&json!("step"), &json!("s0")), "of a mission, by step");
}

#[test]
fn days_bound_what_is_counted_and_wrong_questions_are_told() {
    let log = two();
    let keys =
        |question: Value| -> Vec<Value> { log.rows(question).into_iter().map(|row| row["key"].clone()).collect() };
    assert_eq!(keys(json!({"since": "1970-01-12"})), ["1970-01-13", "1970-01-12"]);
    assert_eq!(keys(json!({"until": "1970-01-11"})), ["1970-01-11"]);
    assert_eq!(keys(json!({"since": "1970-01-12", "until": "1970-01-12"})), ["1970-01-12"]);
    assert_eq!(keys(json!({"since": "2026-01-01"})), [Value::Null; 0]);
    for (question, code, words) in [
        (json!({"since": "1970-01-12", "until": "1970-01-11"}), "invalid_request", "later than"),
        (json!({"mission": mission(9)}), "unknown_mission", "there is no mission"),
        (json!({"after": "1970-01-14"}), "invalid_request", "no row `1970-01-14`"),
        (json!({"limit": 501}), "invalid_request", "1 to 500"),
    ] {
        let refused = log.ask(question.clone()).expect_err("it is wrong").error;
        assert!(refused.code == code && refused.message.contains(words), "{question}: {refused:?}");
    }
    let wrong = serde_json::from_value::<Sums>(json!({"since": "yesterday"})).expect_err("no day");
    assert!(wrong.to_string().contains("`yesterday` is no day: write it like 2026-01-31"), "{wrong}");
    let other = log.store.read(|rows| list(rows, &"other".parse().unwrap(), &Sums::default())).unwrap();
    assert!(other.rows.is_empty() && other.total.calls == 0, "what another tenant paid nobody sees");
    let named = Sums { mission: Some(mission(1)), ..Sums::default() };
    let refused = log.store.read(|rows| list(rows, &"other".parse().unwrap(), &named)).expect_err("it is another's");
    assert_eq!(refused.error.code, "unknown_mission");
}

#[test]
fn tries_of_a_brain_that_disappeared_are_paid_beside_the_answer_of_the_next() {
    let mut log = Log::new();
    log.created(1);
    // More than the answer counts: it is no part of it.
    let end = End::Completed(one(1, 200, 0.25));
    log.call(&Call { mission: 1, step: 0, agent: 0, day: 10, lost: vec![one(0, 900, 0.5)], tried: vec![], end });
    let rows = log.rows(json!({"by": "model"}));
    assert_eq!(rows.iter().map(figures).collect::<Vec<_>>(), [(900, 10, 0.5), (200, 10, 0.25)]);
}

#[test]
fn an_imported_mission_counts_only_where_it_is_named() {
    let log = two();
    log.archive(1, true);
    assert_eq!(log.ask(json!({})).unwrap()["total"]["cost"]["usd"], 0.0);
    assert_eq!(log.ask(json!({"mission": mission(1)})).unwrap()["total"]["cost"]["usd"], 0.5);
}

#[test]
fn no_figure_is_too_large_to_be_added() {
    let mut log = Log::new();
    log.created(1);
    let much = Paid { model: 0, input: u64::MAX / 4, output: u64::MAX / 4, usd: 1e300, estimated: false };
    for _ in 0..5 {
        let (tried, end) = (vec![much.clone()], End::Completed(much.clone()));
        log.call(&Call { mission: 1, step: 0, agent: 0, day: 10, lost: vec![], tried, end });
    }
    assert_eq!(log.ask(json!({})).unwrap()["total"]["calls"], 5);
    let listed = Query::List(Default::default());
    let listed = log.store.read(|rows| query::answer(rows, &Tenant::default(), &listed)).unwrap();
    assert!(listed["missions"][0]["cost"]["usd"].is_number(), "{listed}");
}
