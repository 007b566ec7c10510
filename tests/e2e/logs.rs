//! Service logs: found by mission, followed, and without a secret.

use crate::{
    canary::PASSWORD,
    plan::{goal, turns},
    process::signal,
    stage7::{Layout, Stage7, shared},
    wait::eventually,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// All that is in a folder's files.
fn text(dir: &Path) -> String {
    let files = fs::read_dir(dir).unwrap().flatten();
    files.map(|file| String::from_utf8_lossy(&fs::read(file.path()).unwrap()).into_owned()).collect()
}

#[test]
fn the_lines_of_a_mission_are_found_in_one_process_and_followed() {
    let stage7 = shared(Layout::One);
    let user = stage7.user();
    let follow = stage7.spawn(&["logs", "--follow", "-n", "1", "--worker", "intake", "--json"]);
    eventually("it follows", || stage7.logs(), || (!follow.said().is_empty()).then_some(()));
    let mission = user.submit(&goal(vec![turns("a", 10)]));
    stage7.until_is(&user, &mission, "completed");
    eventually("the line that comes is shown", || follow.said(), || follow.said().contains(&mission).then_some(()));
    signal(follow.pid(), Signal::INT);
    let followed = follow.end().code(0).lines();
    assert!(followed.iter().all(|line| line["worker"] == "intake"), "{followed:?}");

    let lines = eventually(
        "the end is logged",
        || stage7.logs(),
        || {
            let lines = stage7.cli(&["logs", "--mission", &mission[..12], "--json"]).code(0).lines();
            lines.iter().any(|line| line["message"] == "a mission completed").then_some(lines)
        },
    );
    assert!(lines.iter().all(|line| line["mission"] == *mission && line["level"].is_string()), "{lines:#?}");
    let of =
        |message: &str| lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{lines:#?}"));
    let (begin, end) = (of("a goal is a mission"), of("a mission completed"));
    assert_eq!((&begin["worker"], &end["worker"]), (&json!("intake"), &json!("mission-control")));
    assert!(begin["time"].as_str() <= end["time"].as_str() && end["event"].as_str().is_some_and(|id| id.len() == 32));
    assert_eq!(lines.iter().filter(|line| line["level"] == "INFO").count(), 2, "not a line an event: {lines:#?}");

    let shown = stage7.cli(&["logs", "--mission", &mission, "-n", "1"]).code(0).stdout;
    assert!(shown.ends_with('\n') && shown.lines().count() == 1 && shown.contains("a mission completed"), "{shown}");
    let server = stage7.cli(&["logs", "--worker", "nats-server", "--json"]).code(0).lines();
    assert!(server.iter().any(|line| line["message"] == "Server is ready"), "{server:#?}");
    let started: Vec<Value> = stage7.cli(&["logs", "--since", "1h", "--level", "info", "--json"]).code(0).lines();
    for worker in
        ["mission-control", "intake", "agents", "brain", "capabilities", "timekeeper", "librarian", "post-office"]
    {
        assert!(started.iter().any(|line| line["worker"] == worker && line["message"] == "started"), "{worker}");
    }
    assert!(stage7.cli(&["logs", "--mission", "0000"]).code(2).stderr.contains("no mission 0000"));
    assert!(stage7.cli(&["logs", "--worker", "baker"]).code(2).stderr.contains("post-office"));
    let empty = stage7.ended(stage7.command(&["logs"], &stage7.path("client"))).code(1);
    assert!(empty.stderr.contains("there are no logs in"), "{}", empty.stderr);
}

#[test]
fn every_process_keeps_the_logs_of_its_own_worker() {
    let stage7 = shared(Layout::Split);
    let user = stage7.user();
    let mission = user.submit(&goal(vec![turns("a", 10)]));
    stage7.until_is(&user, &mission, "completed");
    eventually(
        "the end is logged",
        || stage7.logs(),
        || {
            let logs = stage7.command(&["logs", "--mission", &mission, "--json"], &stage7.path("mission-control"));
            let lines = stage7.ended(logs).code(0).lines();
            lines.iter().any(|line| line["message"] == "a mission completed").then_some(())
        },
    );
    let brain = stage7.ended(stage7.command(&["logs", "--json"], &stage7.path("brain"))).code(0).lines();
    assert!(brain.iter().all(|line| line["worker"] == "brain"), "{brain:#?}");
}

#[test]
fn no_log_holds_a_secret_at_any_level() {
    let address = format!("http://somebody:{PASSWORD}@127.0.0.1:1/");
    let env = [
        ("OPENAI_API_URL", address.as_str()),
        ("LLAMACPP_URL", &address),
        ("GITHUB_TOKEN", "canary-token-0451"),
        ("STAGE7_LOG", "trace"),
    ];
    let stage7 = Stage7::start_with(Layout::One, &env);
    let user = stage7.user();
    // Models that can't be reached: the errors name the address.
    let mut exported = String::new();
    for model in ["openai/m", "llamacpp/m"] {
        let mission = user.submit(&json!({"goal": "Write about tea", "model": model}));
        let told = "a model call failed, or is tried again";
        stage7.until(&user, &mission, told, |state| {
            state["status"] == "failed" || state["calls"].as_array().is_some_and(|calls| !calls.is_empty())
        });
        stage7.cli(&["mission", "abort", &mission]);
        exported += &stage7.cli(&["mission", "export", &mission]).code(0).stdout;
    }
    let asked = user.submit(&goal(vec![turns("a", 10)]));
    stage7.until_is(&user, &asked, "completed");
    stage7.cli(&["doctor"]);
    stage7.stop();
    let logged = text(&stage7.path("data/logs"));
    assert!(logged.lines().filter(|line| line.contains("\"DEBUG\"")).count() > 10, "it was logged in full");
    let printed: String = fs::read_dir(stage7.path(""))
        .unwrap()
        .flatten()
        .filter(|file| file.path().is_file())
        .map(|file| fs::read_to_string(file.path()).unwrap_or_default())
        .collect();
    let seeds =
        fs::read_dir(stage7.path("data/creds")).unwrap().flatten().map(|file| fs::read_to_string(file.path()).unwrap());
    for secret in seeds.chain(["canary-token-0451".into()]) {
        for text in [&logged, &printed, &exported] {
            let line = text.lines().find(|line| line.contains(secret.trim()));
            assert!(line.is_none(), "{}", line.unwrap_or_default());
        }
    }
}
