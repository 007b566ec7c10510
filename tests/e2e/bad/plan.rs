//! Plans that can't be carried out.

use crate::{
    plan::{after, delivered, query, turns, with},
    stage7::{Layout, shared},
    wait::eventually,
};
use serde_json::{Value, json};

fn wrong_plans() -> Vec<(&'static str, Vec<Value>, &'static str, &'static str)> {
    let think = |id: &str| json!({"id": id, "verb": "THINK", "inputs": {"prompt": {"value": "x"}}, "outputs": {"text": {"type": "string"}}});
    let mut typed = with(query("b", json!(null), "."), "query", "a", "rows");
    typed["inputs"]["data"] = json!({"value": 1});
    vec![
        ("a circle of order", vec![after(turns("a", 1), &["b"]), after(turns("b", 1), &["a"])], "/steps/", "a"),
        (
            "a circle of data",
            vec![with(turns("a", 1), "data", "b", "data"), with(turns("b", 1), "data", "a", "data")],
            "/steps/",
            "a",
        ),
        ("itself", vec![with(turns("a", 1), "data", "a", "data")], "/steps/0", "a"),
        (
            "a source that is not there",
            vec![with(turns("a", 1), "data", "ghost", "data")],
            "/steps/0/inputs/data/from",
            "ghost",
        ),
        (
            "an output that is not there",
            vec![turns("a", 1), with(turns("b", 1), "data", "a", "ghost")],
            "/steps/1/inputs/data",
            "ghost",
        ),
        ("an order after nothing", vec![after(turns("a", 1), &["ghost"])], "/steps/0/after/0", "ghost"),
        (
            "a missing input",
            vec![json!({"id": "a", "verb": "DATA_TOOLKIT", "inputs": {"operation": {"value": "query"}}})],
            "/steps/0/inputs/data",
            "data",
        ),
        (
            "a value of the wrong type",
            vec![json!({"id": "a", "verb": "THINK", "inputs": {"prompt": {"value": 7}}})],
            "/steps/0/inputs/prompt/value",
            "string",
        ),
        (
            "a value out of the list",
            vec![json!({"id": "a", "verb": "FILE_OPS", "inputs": {"operation": {"value": "burn"}}})],
            "/steps/0/inputs/operation/value",
            "burn",
        ),
        ("a source of the wrong type", vec![turns("a", 1), typed], "/steps/1/inputs/query", "rows"),
        (
            "an input that nobody takes",
            vec![json!({"id": "a", "verb": "THINK", "inputs": {"prompt": {"value": "x"}, "mood": {"value": 1}}})],
            "/steps/0/inputs/mood",
            "prompt",
        ),
        ("a verb that nobody knows", vec![json!({"id": "a", "verb": "LEVITATE"})], "/steps/0/", "LEVITATE"),
        (
            "a name up the tree",
            vec![delivered(turns("a", 1), "data", "../x")],
            "/steps/0/outputs/data/deliverable",
            "../x",
        ),
        (
            "an absolute name",
            vec![delivered(turns("a", 1), "data", "/etc/passwd")],
            "/steps/0/outputs/data/deliverable",
            "/etc",
        ),
        (
            "a hidden name",
            vec![delivered(turns("a", 1), "data", ".bashrc")],
            "/steps/0/outputs/data/deliverable",
            ".bashrc",
        ),
        (
            "a name twice",
            vec![delivered(turns("a", 1), "data", "x.json"), delivered(turns("b", 1), "data", "x.json")],
            "/steps/1/outputs/data/deliverable",
            "x.json",
        ),
        ("an id twice", vec![think("a"), think("a")], "/steps/1/id", "a"),
        ("an id of stage7's own", vec![think("_plan")], "/steps/0/id", "_plan"),
        ("an id with a blank", vec![think("a b")], "/steps/0/id", "a b"),
        (
            "an unknown type",
            vec![
                json!({"id": "a", "verb": "THINK", "inputs": {"prompt": {"value": "x"}}, "outputs": {"text": {"type": "poem"}}}),
            ],
            "/steps/0/outputs/text/type",
            "poem",
        ),
        (
            "no time",
            vec![json!({"id": "a", "verb": "THINK", "inputs": {"prompt": {"value": "x"}}, "timeout": 0})],
            "/steps/0/timeout",
            "seconds",
        ),
        ("nothing", vec![], "/steps", "step"),
        (
            "too much",
            (0..10_001)
                .map(|n| json!({"id": format!("s{n}"), "verb": "CHAT", "inputs": {"message": {"value": "x"}}}))
                .collect(),
            "/steps",
            "10001",
        ),
    ]
}

#[test]
fn a_plan_that_can_not_be_carried_out_is_rejected_with_its_place() {
    let stage7 = shared(Layout::One);
    let user = stage7.user();
    let missions: Vec<_> = wrong_plans()
        .into_iter()
        .map(|(what, steps, at, word)| {
            (user.submit(&json!({"goal": what, "model": "offline", "plan": {"steps": steps}})), what, at, word)
        })
        .collect();
    for (mission, what, at, word) in missions {
        let state = eventually(
            &format!("a plan with {what} is rejected"),
            || stage7.logs(),
            || Some(user.state(&mission)).filter(|state| state["status"] == "failed"),
        );
        let faults: Vec<&Value> = state["faults"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|rejection| rejection["faults"].as_array().unwrap())
            .collect();
        let found = faults.iter().any(|fault| {
            fault["at"].as_str().unwrap().starts_with(at) && fault["message"].as_str().unwrap().contains(word)
        });
        assert!(found, "{what}: nothing about `{word}` at `{at}`: {faults:?}");
        assert!(!state["error"].as_str().unwrap_or_default().is_empty(), "{what}: {state:#}");
        let log = stage7.export(&mission);
        assert!(
            log.of("step.assigned").is_empty() && log.of("plan.accepted").is_empty(),
            "{what}: something of it ran"
        );
    }
}

#[test]
fn the_command_line_says_what_is_wrong_with_a_plan() {
    let stage7 = shared(Layout::One);
    let many: Vec<Value> = (0..40_000).map(|n| turns(&format!("s{n}"), 1)).collect();
    for (name, text, told) in [
        ("text.json", "Do this, then that".to_string(), "JSON"),
        ("list.json", "[]".into(), "plan"),
        ("cut.json", "{\"steps\": [".into(), "JSON"),
        ("types.json", "{\"steps\": [{\"id\": 1, \"verb\": \"THINK\"}]}".into(), "/steps/0"),
        ("field.json", "{\"steps\": [{\"id\": \"a\", \"verb\": \"THINK\", \"colour\": \"red\"}]}".into(), "colour"),
        ("large.json", json!({"steps": many}).to_string(), "bytes"),
    ] {
        let path = stage7.file(&format!("wrong/{name}"), text);
        let ended = stage7.cli(&["run", "--plan", &path, "--json"]).code(2);
        assert!(ended.stderr.contains(told) && ended.stderr.contains(name), "{name}: {}", ended.stderr);
    }
    stage7.cli(&["run", "--plan", "no-such-file.json"]).code(2);
    stage7.cli(&["run", "--plan", "."]).code(2);
    let path = stage7.file(
        "wrong/circle.json",
        json!({"steps": [after(turns("a", 1), &["b"]), after(turns("b", 1), &["a"])]}).to_string(),
    );
    let ended = stage7.cli(&["run", "--plan", &path, "--model", "offline"]).code(1);
    assert!(ended.stderr.contains("/steps/"), "{}", ended.stderr);
}
