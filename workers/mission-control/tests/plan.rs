//! Given a plan, it is accepted as this, or has these faults: every file of `plan/` is a table of
//! such cases.
//!
//! A case has `plan` (or `steps`, for a plan of just these), and where needed `mission` (steps that
//! the mission has already), `parent` (the id of the one whose place the plan takes) and `max_steps`.
//! Expected are `faults`, all of them, each as its place and a part of its message; or `ids`, the
//! accepted order; or `accepted`, the whole plan.

use mission_control::plan::{Scope, accept};
use proptest::prelude::*;
use schemas::{
    Value,
    catalogue::{Catalogue, Role, Verb},
    manifest::Manifest,
    plan::{Plan, Step},
};
use serde_json::json;
use std::{collections::BTreeSet, sync::LazyLock};

/// The shipped verbs, one with a closed schema and one that gives what nobody knows beforehand.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let plugins = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins");
    let folders = std::fs::read_dir(plugins).expect("the shipped plugins");
    let manifests =
        folders.filter_map(|folder| std::fs::read_to_string(folder.expect("readable").path().join("plugin.toml")).ok());
    let shipped = manifests.map(|text| {
        let value: Value = toml::from_str(&text).expect("a manifest is TOML");
        Manifest::from_value(&value).expect("a shipped manifest is right").verb()
    });
    let more = [
        json!({
            "name": "MEET", "version": "1.0.0", "description": "Finds a day.", "runner": "capability", "runtime": "python",
            "input": {
                "type": "object", "required": ["day"], "additionalProperties": false, "minProperties": 2,
                "properties": {
                    "day": {"type": "string", "pattern": "^[a-z]+day$"}, "people": {"type": "number"},
                    "at": {"enum": ["noon", "night"]}, "rooms": {"type": "array", "items": {"type": "integer"}},
                },
            },
            "output": {"type": "object", "properties": {"seats": {"type": "integer"}, "share": {"type": "number"}, "note": {"type": ["string", "null"]}}},
        }),
        json!({
            "name": "FETCH", "version": "1.0.0", "description": "Gets whatever there is.", "runner": "capability", "runtime": "python",
            "input": {"type": "object"}, "output": {"type": "object", "additionalProperties": {"type": "string"}, "properties": {"status": {"type": "integer"}}},
        }),
    ];
    let more = more.map(|verb| serde_json::from_value::<Verb>(verb).expect("a verb"));
    let role = || Role { description: "d".into(), responsibilities: vec![], prompt: "p".into(), verbs: vec![] };
    Catalogue {
        verbs: shipped.chain(more).map(|verb| (verb.name.clone(), verb)).collect(),
        roles: ["analyst", "writer"].map(|name| (name.to_string(), role())).into(),
    }
});

fn judge(plan: &Value, mission: &[Step], parent: Option<&str>, max_steps: usize) -> Result<Plan, Vec<schemas::Fault>> {
    let find = |id: &str| mission.iter().find(|step| step.id == id);
    let parent = parent.map(|id| find(id).expect("the parent is among the steps of the mission"));
    accept(plan, &Scope { catalogue: &CATALOGUE, step: &find, parent, max_steps })
}

#[test]
fn the_tables_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan");
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("readable").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        let table: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for (name, case) in table.as_object().expect("cases by name") {
            check(&format!("{}: {name}", path.file_stem().expect("named").to_string_lossy()), case);
            cases += 1;
        }
    }
    assert!(cases > 60, "{cases}");
}

fn check(name: &str, case: &Value) {
    let plan = case.get("plan").cloned().unwrap_or_else(|| json!({"steps": case["steps"]}));
    let mission: Vec<Step> =
        case.get("mission").map(|steps| serde_json::from_value(steps.clone()).expect(name)).unwrap_or_default();
    let max_steps = case.get("max_steps").and_then(Value::as_u64).unwrap_or(10_000) as usize;
    let result = judge(&plan, &mission, case.get("parent").and_then(Value::as_str), max_steps);
    if let Some(expected) = case.get("faults").map(|faults| faults.as_array().expect("a list")) {
        let mut found = result.map(|plan| json!(plan)).expect_err(name);
        for fault in expected {
            let (at, part) = (fault[0].as_str().expect("a place"), fault[1].as_str().expect("a part of the message"));
            let place = found.iter().position(|fault| fault.at == at && fault.message.contains(part));
            found.remove(place.unwrap_or_else(|| panic!("{name}: no `{part}` at {at} in {found:#?}")));
        }
        assert_eq!(found, [], "{name}: also found");
        return;
    }
    let plan = result.unwrap_or_else(|faults| panic!("{name}: {faults:#?}"));
    if let Some(ids) = case.get("ids") {
        assert_eq!(json!(plan.steps.iter().map(|step| &step.id).collect::<Vec<_>>()), *ids, "{name}");
    } else {
        assert_eq!(json!(plan), case["accepted"], "{name}");
    }
}

fn chain(n: usize) -> Value {
    let step = |i: usize| match i {
        0 => {
            json!({"id": "s0", "verb": "THINK", "inputs": {"prompt": {"value": "Begin"}}, "outputs": {"text": {"type": "string"}}})
        }
        _ => json!({
            "id": format!("s{i}"), "verb": "THINK",
            "inputs": {"prompt": {"value": "Go on after {before}"}, "before": {"from": format!("s{}", i - 1), "output": "text"}},
            "outputs": {"text": {"type": "string"}},
        }),
    };
    json!({"steps": (0..n).rev().map(step).collect::<Vec<_>>()})
}

#[test]
fn ten_thousand_steps_are_fine_and_one_more_is_one_fault() {
    let plan = judge(&chain(10_000), &[], None, 10_000).expect("nothing is wrong");
    assert_eq!((plan.steps[0].id.as_str(), plan.steps[9_999].id.as_str()), ("s0", "s9999"));
    let faults = judge(&chain(10_001), &[], None, 10_000).expect_err("too many");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].to_string(), "/steps: these are 10001 steps, this mission may have 10000 more");
}

#[test]
fn a_circle_of_ten_thousand_is_one_short_fault() {
    let mut plan = chain(10_000);
    plan["steps"][9_999]["after"] = json!(["s9999"]);
    let faults = judge(&plan, &[], None, 10_000).expect_err("a circle");
    assert_eq!(faults.len(), 1);
    assert!(faults[0].message.len() < 400, "{}", faults[0]);
}

#[test]
fn faults_fit_into_an_event_however_many_and_long_they_are() {
    let long = "x".repeat(1_000_000);
    let step = json!({"id": long, "verb": long, "inputs": {long.clone(): 1}, "outputs": {"a": {"type": long, "deliverable": long}}, "role": long});
    let faults = judge(&json!({"steps": vec![step; 60]}), &[], None, 10_000).expect_err("all is wrong");
    assert_eq!(faults.len(), 101);
    assert!(faults[100].message.starts_with("and "), "{}", faults[100]);
    assert!(json!(faults).to_string().len() < 100_000);
}

#[test]
fn the_ids_of_a_sub_plan_are_new_and_short_enough_at_any_depth() {
    let mut mission: Vec<Step> = serde_json::from_value(
        json!([{"id": "p".repeat(60), "verb": "ACCOMPLISH", "inputs": {"goal": {"value": "x"}}}]),
    )
    .expect("steps");
    for _ in 0..12 {
        let parent = mission.last().expect("there is one").id.clone();
        let plan = judge(&chain(20), &mission, Some(&parent), 10_000).expect("nothing is wrong");
        for (step, before) in plan.steps.iter().skip(1).zip(&plan.steps) {
            assert_eq!(step.needs().collect::<Vec<_>>(), [before.id.as_str()]);
        }
        mission.extend(plan.steps);
    }
    let ids: BTreeSet<&str> = mission.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids.len(), 1 + 12 * 20);
    assert!(ids.iter().all(|id| schemas::id::is_step_id(id)));
}

/// Any JSON, now and then with the names that plans are made of.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "a", "b", "_plan", "THINK", "MEET", "text", "prompt", "{b}", "../x", "string", "", "seats",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(n)),
        word.prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "id",
        "verb",
        "inputs",
        "outputs",
        "value",
        "from",
        "output",
        "after",
        "deliverable",
        "type",
        "prompt",
        "b",
        "~/",
        "stage7:ref",
    ]);
    leaf.prop_recursive(4, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6).prop_map(|map| json!(map))
        ]
    })
}

proptest! {
    /// Whatever a planner says, the judge survives it; what it accepts it accepts again, unchanged.
    #[test]
    fn any_json_is_judged(steps in prop::collection::vec(any_json(), 0..6), whole in any_json()) {
        let _ = judge(&whole, &[], None, 10_000);
        if let Ok(plan) = judge(&json!({"steps": steps}), &[], None, 10_000) {
            prop_assert_eq!(judge(&json!(plan), &[], None, 10_000), Ok(plan));
        }
    }

    /// Steps come after what they need, and stand as given where nothing speaks against it.
    #[test]
    fn accepted_steps_are_in_order(needs in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..40), order in any::<prop::sample::Index>()) {
        let mut steps: Vec<Value> = needs.iter().enumerate().map(|(i, needs)| {
            let after: Vec<String> = needs.iter().filter(|_| i > 0).map(|need| format!("s{}", need.index(i.max(1)))).collect();
            json!({"id": format!("s{i}"), "verb": "CHAT", "inputs": {"message": {"value": "x"}}, "after": after})
        }).collect();
        let given = judge(&json!({"steps": steps}), &[], None, 10_000).expect("nothing is wrong");
        prop_assert_eq!(json!(given.steps.iter().map(|step| &step.id).collect::<Vec<_>>()), json!((0..needs.len()).map(|i| format!("s{i}")).collect::<Vec<_>>()));
        let middle = order.index(steps.len());
        steps.rotate_left(middle);
        let turned = judge(&json!({"steps": steps}), &[], None, 10_000).expect("nothing is wrong");
        prop_assert_eq!(turned.steps.len(), steps.len());
        for (i, step) in turned.steps.iter().enumerate() {
            prop_assert!(step.needs().all(|need| turned.steps[..i].iter().any(|before| before.id == need)));
        }
    }
}
