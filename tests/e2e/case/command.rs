//! Every command, for a person and for a program.

use crate::{
    plan::{ask, goal, turns},
    stage7::{Layout, shared},
};
use serde_json::{Value, json};

#[track_caller]
fn has(value: &Value, fields: &[&str]) {
    for field in fields {
        assert!(value.get(field).is_some(), "no `{field}` in {value:#}");
    }
}

pub fn every_command_of_a_mission(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let mut plan = goal(vec![turns("count", 10), ask("wait", "Go on?", "boolean", &[])]);
    plan["name"] = json!("quokka census");
    let mission = user.submit(&plan);
    stage7.until_is(&user, &mission, "waiting");

    let wanted = ["id", "name", "goal", "status", "cost", "progress"];
    let listed = stage7.cli(&["mission", "list", "--json", "--search", "quokka"]).code(0).lines();
    let row = listed.iter().find(|row| row["id"] == mission.as_str()).unwrap_or_else(|| panic!("{listed:?}"));
    has(row, &wanted);
    assert_eq!(
        (&row["name"], &row["progress"]["done"], &row["progress"]["total"]),
        (&json!("quokka census"), &json!(1), &json!(2))
    );
    crate::wait::eventually(
        "the list has the mission as waiting",
        || stage7.logs(),
        || {
            let listed = stage7.cli(&["mission", "list", "--json", "--status", "waiting"]).code(0).lines();
            listed.iter().any(|row| row["id"] == mission.as_str()).then_some(())
        },
    );
    assert!(stage7.cli(&["mission", "list"]).code(0).stdout.contains(&mission));
    assert_eq!(stage7.cli(&["mission", "list", "--json", "--limit", "1"]).code(0).lines().len(), 1);

    let shown = stage7.show(&mission);
    has(
        &shown,
        &["id", "name", "goal", "status", "steps", "agents", "calls", "cost", "questions", "deliverables", "last_seq"],
    );
    has(&shown["steps"][0], &["id", "verb", "status", "agent", "inputs", "outputs", "error"]);
    assert_eq!(shown["steps"][0]["outputs"]["data"], 10);
    let text = stage7.cli(&["mission", "show", &mission]).code(0).stdout;
    assert!(text.contains("quokka census") && text.contains("Go on?"), "{text}");
    assert_eq!(
        stage7.cli(&["mission", "show", &mission[..12], "--json"]).code(0).line()["id"],
        mission.as_str(),
        "a beginning will do"
    );

    let said = stage7.cli(&["mission", "say", &mission, "--json", "-hurry, {please}"]).code(0).line();
    has(&said, &["mission", "seq"]);
    stage7.until(&user, &mission, "has the message", |state| state["messages"][0]["text"] == "-hurry, {please}");
    stage7.cli(&["mission", "pause", &mission, "--json"]).code(0).line();
    stage7.until_is(&user, &mission, "paused");
    assert_eq!(stage7.cli(&["mission", "pause", &mission, "--json"]).code(1).line()["error"]["code"], "already_paused");
    stage7.cli(&["mission", "resume", &mission, "--json"]).code(0).line();
    stage7.cli(&["mission", "answer", &mission, "yes", "--json"]).code(0).line();
    stage7.until_is(&user, &mission, "completed");

    let watched = stage7.cli(&["mission", "watch", &mission, "--json"]).code(0).lines();
    assert_eq!(watched.last().unwrap()["status"], "completed");
    assert!(stage7.cli(&["mission", "watch", &mission]).code(0).stderr.contains("completed"));
    for (command, code) in [("abort", "ended"), ("retry", "not_failed"), ("pause", "ended"), ("resume", "ended")] {
        let told = stage7.cli(&["mission", command, &mission, "--json"]).code(1).line();
        assert!([code, "ended"].contains(&told["error"]["code"].as_str().unwrap()), "{command}: {told}");
    }
    for command in ["show", "watch", "export", "pause"] {
        let unknown = stage7.cli(&["mission", command, &"0".repeat(32), "--json"]).code(2);
        assert_eq!(unknown.line()["error"]["code"], "unknown_mission", "{command}");
    }
    stage7.cli(&["mission", "show", "nonsense"]).code(2);
    // Its export with --json is the same: CloudEvents, one a line.
    assert_eq!(
        stage7.cli(&["mission", "export", &mission, "--json"]).code(0).stdout,
        stage7.cli(&["mission", "export", &mission]).code(0).stdout
    );
}

pub fn plugins_are_listed_shown_and_run(layout: Layout) {
    let stage7 = shared(layout);
    let listed = stage7.cli(&["plugin", "list", "--json"]).code(0).lines();
    for plugin in &listed {
        has(plugin, &["verb", "type", "version", "state"]);
    }
    assert!(listed.iter().all(|plugin| plugin["state"] == "enabled"), "{listed:?}");
    assert!(stage7.cli(&["plugin", "list"]).code(0).stdout.contains("DATA_TOOLKIT"));
    has(
        &stage7.cli(&["plugin", "show", "FILE_OPS", "--json"]).code(0).line(),
        &["verb", "description", "input", "output"],
    );
    assert!(stage7.cli(&["plugin", "show", "FILE_OPS"]).code(0).stdout.contains("operation"));
    stage7.cli(&["plugin", "show", "NO_SUCH"]).code(2);

    let input = json!({"operation": "query", "data": "x", "from": "text", "query": ". * 20000"}).to_string();
    let large = stage7.cli(&["plugin", "run", "DATA_TOOLKIT", "--input", &input, "--json"]).code(0).line();
    assert_eq!(large["data"].as_str().map(str::len), Some(20_000));
    // A Python plugin, in the sandbox.
    let input = stage7.file("words.json", json!({"text": "tea Tea, coffee", "limit": 1}).to_string());
    let words =
        stage7.cli(&["plugin", "run", "WORD_FREQUENCY", "--input", &format!("@{input}"), "--json"]).code(0).line();
    assert_eq!(
        (&words["total"], &words["frequencies"][0]["word"], &words["frequencies"][0]["count"]),
        (&json!(3), &json!("tea"), &json!(2))
    );
    let read = [
        "plugin",
        "run",
        "FILE_OPS",
        "--input",
        "{\"operation\": \"read\", \"path\": \"words.json\"}",
        "--file",
        &input,
    ];
    assert!(stage7.cli(&read).code(0).stdout.contains("coffee"));
    // The log has it, as a mission of one step.
    let kinds = stage7.cli(&["mission", "list", "--json", "--search", "WORD_FREQUENCY"]).code(0).lines();
    assert!(!kinds.is_empty());

    for (input, code) in [
        ("{\"operation\": \"read\", \"path\": \"none.txt\"}", 1),
        ("[]", 2),
        ("{", 2),
        ("@/no/such/file", 2),
        ("{\"operation\": \"burn\"}", 1),
        ("{}", 1),
    ] {
        let ended = stage7.cli(&["plugin", "run", "FILE_OPS", "--input", input, "--json"]).code(code);
        assert!(ended.line()["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{input}");
    }
    stage7.cli(&["plugin", "run", "NO_SUCH"]).code(1);
}
