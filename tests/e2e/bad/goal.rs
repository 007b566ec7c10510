//! Goals that are none.

use crate::{
    stage7::{Layout, Stage7, shared},
    user::{SOURCE, User, new_id},
    wait::eventually,
};
use schemas::cloudevent;
use serde_json::{Value, json};

/// Data of goals with something wrong, and where that is.
fn wrong_data() -> Vec<(Value, &'static str)> {
    let with = |field: &str, value: Value| {
        let mut goal = json!({"goal": "Create a basic todo list"});
        goal[field] = value;
        goal
    };
    let mut all = vec![
        (json!(null), ""),
        (json!("Create a list"), ""),
        (json!([1]), ""),
        (json!({}), "/goal"),
        (with("goal", json!("")), "/goal"),
        (with("goal", json!(" \n\t ")), "/goal"),
        (with("goal", json!("x".repeat(20_001))), "/goal"),
        (with("goal", json!("ring\u{7}")), "/goal"),
        (with("goal", json!("a\rb")), "/goal"),
        (with("goal", json!("a\u{85}b")), "/goal"),
        (with("colour", json!("red")), "/colour"),
        (with("kind", json!("chore")), "/kind"),
        (with("name", json!(" ")), "/name"),
        (with("name", json!("x".repeat(201))), "/name"),
        (with("context", json!("\u{0}")), "/context"),
        (with("optimize", json!("luck")), "/optimize"),
        (with("autonomy", json!("wild")), "/autonomy"),
        (with("budget", json!({"max_cost_usd": -1})), "/budget/max_cost_usd"),
        (with("budget", json!({"max_cost_usd": "much"})), "/budget"),
        (with("budget", json!({"max_calls": 1.5})), "/budget"),
        (with("budget", json!({"max_wishes": 3})), "/budget"),
        (with("schedule", json!({"cron": "* * * * *"})), "/schedule"),
        (with("files", json!([{"name": "../x", "data_base64": ""}])), "/files/0/name"),
        (with("files", json!([{"name": "/etc/passwd", "data_base64": ""}])), "/files/0/name"),
        (with("files", json!([{"name": "a", "data_base64": "?"}])), "/files/0/data_base64"),
        (with("files", json!([{"name": "a"}])), "/files/0"),
        (with("files", json!([{"name": "a", "data_base64": ""}, {"name": "a", "data_base64": ""}])), "/files/1/name"),
        (with("files", json!([{"name": "a", "ref": {"sha256": "xyz", "size": 1}}])), "/files/0/ref/sha256"),
        (with("plan", json!({"steps": [{"id": 1, "verb": "THINK"}]})), "/plan"),
        (with("plan", json!({"stages": []})), "/plan"),
    ];
    for field in
        ["goal", "kind", "name", "context", "files", "optimize", "budget", "autonomy", "schedule", "model", "plan"]
    {
        for value in [json!(null), json!(7), json!(true)] {
            all.push((with(field, value), Box::leak(format!("/{field}").into_boxed_str())));
        }
    }
    all
}

/// What is no CloudEvent of a goal, and where it is wrong.
fn wrong_events() -> Vec<(Vec<u8>, &'static str)> {
    let whole = cloudevent::goal(SOURCE, "bad", &json!({"goal": "Create a basic todo list"}));
    let with = |field: &str, value: Value| {
        let mut event = whole.clone();
        event[field] = value;
        event.to_string().into_bytes()
    };
    let without = |field: &str| {
        let mut event = whole.clone();
        event.as_object_mut().unwrap().shift_remove(field);
        event.to_string().into_bytes()
    };
    vec![
        (Vec::new(), ""),
        (b"hello".to_vec(), ""),
        (b"{\"specversion\": \"1.0\"".to_vec(), ""),
        (b"\xff\xfe\x00".to_vec(), ""),
        (b"[]".to_vec(), ""),
        (b"{}".to_vec(), "/specversion"),
        (with("specversion", json!("0.3")), "/specversion"),
        (with("specversion", json!(1.0)), "/specversion"),
        (without("specversion"), "/specversion"),
        (without("id"), "/id"),
        (with("id", json!("")), "/id"),
        (with("id", json!(7)), "/id"),
        (without("source"), "/source"),
        (without("type"), "/type"),
        (with("type", json!("com.example.other")), "/type"),
        (without("data"), ""),
    ]
}

#[track_caller]
fn refused(answer: &Value, at: &str, what: &str) {
    let error = &answer["error"];
    assert!(error["code"].as_str().is_some_and(|code| code.starts_with("invalid_")), "{what}: {answer}");
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{what}: {answer}");
    let all = [&answer["error"]["at"]]
        .into_iter()
        .chain(answer["faults"].as_array().into_iter().flatten().map(|fault| &fault["at"]));
    assert!(
        all.clone().any(|found| found
            .as_str()
            .is_some_and(|found| found == at || (!at.is_empty() && found.starts_with(&format!("{at}/"))))),
        "{what}: not at `{at}`: {answer}"
    );
}

#[test]
fn a_goal_that_is_none_is_refused_with_its_place() {
    let stage7 = shared(Layout::One);
    let user = stage7.user();
    for (data, at) in wrong_data() {
        let event = cloudevent::goal(SOURCE, &new_id(), &data);
        let what: String = data.to_string().chars().take(80).collect();
        refused(&user.ask_again("stage7.submit.default", &event), at, &what);
    }
    for (bytes, at) in wrong_events() {
        let what = String::from_utf8_lossy(&bytes).into_owned();
        let answer = user.request("stage7.submit.default", bytes);
        refused(&serde_json::from_slice(&answer).unwrap(), at, &what);
    }
    goes_on(&stage7, &user);
}

/// Published, it is taken in all the same, and whoever asks is told why nothing comes of it.
#[test]
fn a_published_goal_that_is_none_is_refused_later() {
    let stage7 = shared(Layout::One);
    let user = stage7.user();
    let goals = wrong_data();
    let ids: Vec<String> = goals.iter().map(|_| new_id()).collect();
    let told = user.listen("stage7.refused.default");
    for ((data, _), id) in goals.iter().zip(&ids) {
        assert!(user.publish(cloudevent::goal(SOURCE, id, data).to_string()));
    }
    for (bytes, _) in wrong_events() {
        assert!(user.publish(bytes));
    }
    for ((data, at), id) in goals.iter().zip(&ids) {
        let what: String = data.to_string().chars().take(80).collect();
        let answer = eventually(
            &format!("{what} is refused"),
            || stage7.logs(),
            || {
                Some(user.read(&json!({"refused": {"source": SOURCE, "id": id}}))["refused"].take())
                    .filter(|refused| !refused.is_null())
            },
        );
        refused(&answer, at, &what);
    }
    // Who listens is told of all of them, of those too that nobody could ask about.
    let all = goals.len() + wrong_events().len();
    eventually("all refusals are heard", || stage7.logs(), || (told.lock().unwrap().len() >= all).then_some(()));
    goes_on(&stage7, &user);
}

#[test]
fn the_command_line_refuses_a_goal_before_anything_is_sent() {
    let stage7 = shared(Layout::One);
    let before = stage7.cli(&["mission", "list", "--json"]).code(0).lines().len();
    let long = "x".repeat(20_001);
    for args in [
        &[""][..],
        &["  "],
        &["ring\u{7}"],
        &[&long],
        &["x", "--optimize", "luck"],
        &["x", "--max-cost", "-1"],
        &["x", "--max-cost", "much"],
        &["x", "--timeout", "soon"],
        &["x", "--name", ""],
        &["x", "--model", " "],
        &["x", "y"],
    ] {
        let ended = stage7.cli(&[&["run", "--json"], args].concat()).code(2);
        assert!(!ended.stderr.is_empty(), "{args:?}");
    }
    assert!(stage7.cli(&["mission", "list", "--json"]).code(0).lines().len() >= before);
    // What the grammar of the offline provider does not know is refused by the mission itself.
    let ended = stage7.cli(&["run", "Ponder the meaning of life", "--model", "offline", "--json"]).code(1);
    let result = ended.lines().pop().unwrap();
    assert!(result["error"].as_str().is_some_and(|error| error.contains("count")), "it says what it knows: {result}");
    // A model that nobody offers.
    let ended = stage7.cli(&["run", "Create a basic todo list", "--model", "gpt-9", "--json"]).code(1);
    assert!(ended.lines().pop().unwrap()["error"].as_str().is_some_and(|error| error.contains("gpt-9")));
}

/// Nobody died of it.
fn goes_on(stage7: &Stage7, user: &User) {
    let mission = user.submit(&json!({"goal": "Create a basic todo list", "model": "offline"}));
    let state = stage7.until_is(user, &mission, "completed");
    assert!(String::from_utf8(user.deliverable(&state, "basic-todo-list.md")).unwrap().contains("- [ ] First item"));
}
