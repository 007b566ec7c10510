//! Questions: put to the person, answered from wherever the person is.

use crate::{
    plan::{after, ask, delivered, goal, query, read, slow, with},
    stage7::{Layout, Stage7, shared},
    user::User,
};
use serde_json::{Value, json};
use std::fs;

/// The open question of a step, once it is asked.
fn open(stage7: &Stage7, user: &User, mission: &str, step: &str) -> String {
    let is = |question: &Value| question["step"] == step && question["status"] == "open";
    let state = stage7.until(user, mission, &format!("asks in {step}"), |state| {
        state["questions"].as_array().is_some_and(|all| all.iter().any(is))
    });
    let question = state["questions"].as_array().unwrap().iter().find(|question| is(question)).unwrap();
    question["id"].as_str().unwrap().into()
}

pub fn questions_are_answered_while_other_branches_go_on(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let mission = user.submit(&goal(vec![
        delivered(ask("colour", "Which colour?", "choice", &["red", "green", "blau & weiß"]), "answer", "colour.txt"),
        delivered(ask("name", "Who are you?", "text", &[]), "answer", "name.txt"),
        slow("branch"),
        slow("leaf"),
        after(slow("late"), &["branch", "colour"]),
    ]));
    let (colour, name) = (open(&stage7, &user, &mission, "colour"), open(&stage7, &user, &mission, "name"));

    // Which one is meant must be said while several are open.
    stage7.cli(&["mission", "answer", &mission, "Zoë"]).code(2);
    stage7.cli(&["mission", "answer", &mission, "--question", &name, "Zoë\nO'Neil {name}"]).code(0);
    stage7.until(&user, &mission, "has ended its other branches", |state| {
        let is = |id: &str, status: &str| {
            state["steps"].as_array().unwrap().iter().any(|step| step["id"] == id && step["status"] == status)
        };
        is("branch", "completed") && is("leaf", "completed") && is("name", "completed") && is("colour", "waiting")
    });
    stage7.until_is(&user, &mission, "waiting");
    let told = user.say(&mission, "question.answered", &json!({"question": colour, "answer": "blau & weiß"}));
    assert!(told["error"].is_null(), "{told}");

    let state = stage7.until_is(&user, &mission, "completed");
    assert_eq!(user.deliverable(&state, "colour.txt"), "blau & weiß".as_bytes());
    assert_eq!(user.deliverable(&state, "name.txt"), "Zoë\nO'Neil {name}".as_bytes());
    let again = user.say(&mission, "question.answered", &json!({"question": colour, "answer": "red"}));
    assert_eq!(again["error"]["code"], "ended", "{again}");
    stage7.export(&mission).has_nothing_twice();
}

pub fn a_form_is_filled_in_or_asked_for_again(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let schema = json!({
        "type": "object", "required": ["street"],
        "properties": {"street": {"type": "string", "minLength": 3}, "floor": {"type": "integer", "default": 0}},
    });
    let form = json!({
        "id": "form", "verb": "GET_USER_INPUT", "outputs": {"values": {"type": "object"}},
        "inputs": {"schema": {"value": schema}, "title": {"value": "Where to?"}},
    });
    let floor = with(query("floor", json!(null), ".floor + 1"), "data", "form", "values");
    let mission =
        user.submit(&goal(vec![delivered(form, "values", "address.json"), delivered(floor, "data", "floor.json")]));
    open(&stage7, &user, &mission, "form");
    let shown = stage7.cli(&["mission", "show", &mission]).code(0);
    assert!(shown.stdout.contains("Where to? (a JSON object with street*, floor)"), "{}", shown.stdout);
    for (wrong, why) in [
        ("{}", "/answer: \"street\" is a required property"),
        ("{\"street\": 1}", "/answer/street: 1 is not of type \"string\""),
        ("Mill Lane", "/answer: must be an object"),
    ] {
        let refused = stage7.cli(&["mission", "answer", &mission, wrong]).code(2);
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    stage7.cli(&["mission", "answer", &mission, "@/nowhere/address.json"]).code(2);
    assert!(stage7.export(&mission).of("question.answered").is_empty(), "a wrong answer is not said");
    stage7.cli(&["mission", "answer", &mission, "{\"street\": \"1 Mill Lane\"}"]).code(0);
    let state = stage7.until_is(&user, &mission, "completed");
    let address: Value = serde_json::from_slice(&user.deliverable(&state, "address.json")).unwrap();
    assert_eq!(address, json!({"street": "1 Mill Lane", "floor": 0}));
    assert_eq!(user.deliverable(&state, "floor.json"), b"1\n");
    stage7.export(&mission).has_nothing_twice();
}

pub fn only_fitting_answers_are_taken(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    for (kind, choices, wrong, right, text) in [
        ("choice", vec!["tea", "coffee"], vec!["milk", "", "tea,coffee"], "Tea", "tea"),
        (
            "choices",
            vec!["a", "b", "c"],
            vec!["d", "[1]", "[\"a\",\"d\"]"],
            "[\"c\", \"a\"]",
            "[\n  \"a\",\n  \"c\"\n]\n",
        ),
        ("number", vec![], vec!["many", "", "1,5"], "-2.5", "-2.5"),
        ("boolean", vec![], vec!["maybe", "2"], "yes", "true"),
        ("text", vec![], vec!["", " \n"], "-x: {} \"ü\"", "-x: {} \"ü\""),
    ] {
        let mission = user.submit(&goal(vec![delivered(ask("q", "Well?", kind, &choices), "answer", "answer.txt")]));
        open(&stage7, &user, &mission, "q");
        for wrong in wrong {
            stage7.cli(&["mission", "answer", &mission, wrong]).code(2);
        }
        let log = stage7.export(&mission);
        assert!(log.of("question.answered").is_empty(), "a wrong answer is not said");
        stage7.cli(&["mission", "answer", &mission, right]).code(0);
        let state = stage7.until_is(&user, &mission, "completed");
        let answer = String::from_utf8(user.deliverable(&state, "answer.txt")).unwrap();
        assert_eq!(answer.trim_end(), text.trim_end(), "{kind}");
    }
}

pub fn a_file_is_an_answer(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let which = ask("which", "Which file?", "file", &[]);
    let seen = delivered(with(read("seen", ""), "path", "which", "answer"), "content", "seen.txt");
    let mission = user.submit(&goal(vec![which, seen]));
    open(&stage7, &user, &mission, "which");
    let name = format!("{layout:?}-given.txt");
    fs::write(stage7.path("client").join(&name), "Rösti\n").unwrap();
    let wrong = |answer: &str| stage7.cli(&["mission", "answer", &mission, answer]).code(2).stderr;
    assert!(wrong(&name).contains(&format!("nobody gave the mission a file `{name}`")));
    assert!(wrong("../x").contains("must be the path of a file that was given"));
    assert!(wrong("@missing.txt").contains("missing.txt"));
    stage7.cli(&["mission", "answer", &mission, &format!("@{name}")]).code(0);
    let state = stage7.until_is(&user, &mission, "completed");
    assert_eq!(user.deliverable(&state, "seen.txt"), "Rösti\n".as_bytes());
}
