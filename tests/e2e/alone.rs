//! Commands that find nobody: `run` serves itself, whatever a killed one left behind.

use crate::{
    plan::{after, slow},
    process::{Process, at_work, gone, is_alive, signal},
    stage7::{Layout, Stage7},
    wait::eventually,
};
use nats::server::{Places, find};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

fn plan(stage7: &Stage7) -> String {
    let mut steps: Vec<Value> = (0..4).map(|n| slow(&format!("step-{n}"))).collect();
    steps.push(after(slow("last"), &["step-0", "step-1", "step-2", "step-3"]));
    stage7.file("slow.json", json!({"steps": steps}).to_string())
}

/// A `run` of the plan that has begun, and its mission.
fn begun(stage7: &Stage7) -> (Process, String) {
    let run = stage7.spawn(&["run", "--plan", &plan(stage7), "--model", "offline", "--json"]);
    let mission = eventually(
        "a step is done",
        || run.said(),
        || {
            let lines: Vec<Value> = run.said().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            let done = lines.iter().any(|line| line["kind"] == "step" && line["status"] == "completed");
            lines.first().filter(|_| done)?["mission"].as_str().map(str::to_string)
        },
    );
    (run, mission)
}

#[test]
fn a_run_that_finds_nobody_serves_itself_and_leaves_nothing_behind() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    // Listing what is shipped needs nobody.
    assert!(stage7.cli(&["plugin", "list", "--json"]).code(0).lines().len() > 5);
    stage7.cli(&["mission", "list"]).code(1);
    let (run, mission) = begun(&stage7);
    let mode = fs::metadata(stage7.path("data/up.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Others find it there.
    assert_eq!(stage7.show(&mission)["status"], "running");
    stage7.cli(&["run", "Create a basic todo list", "--model", "offline"]).code(0);
    let ended = run.end().code(0);
    assert_eq!(ended.lines().last().unwrap()["status"], "completed");
    assert!(!stage7.path("data/up.json").exists());
    assert!(at_work(&stage7.path("data")).is_empty(), "nothing runs on");
}

#[test]
fn what_a_killed_run_left_is_cleaned_up_and_its_mission_goes_on() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    let (mut run, mission) = begun(&stage7);
    let left = at_work(&stage7.path("data"));
    assert_eq!(left.len(), 1, "its nats-server");
    run.kill();
    assert!(is_alive(left[0]));
    stage7.cli(&["run", "Create a basic todo list", "--model", "offline"]).code(0);
    gone(left[0]);
    stage7.run();
    stage7.ready();
    stage7.until_is(&stage7.user(), &mission, "completed");
    stage7.export(&mission).has_nothing_twice();
}

#[test]
fn ctrl_c_stops_a_mission_that_nobody_else_would_go_on_with() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    let (run, mission) = begun(&stage7);
    signal(run.pid(), Signal::INT);
    run.end().code(3);
    assert!(at_work(&stage7.path("data")).is_empty(), "nothing runs on");
    stage7.run();
    stage7.ready();
    assert_eq!(stage7.show(&mission)["status"], "aborted");
    // Where `up` serves, the mission goes on.
    let (run, mission) = begun(&stage7);
    signal(run.pid(), Signal::INT);
    run.end().code(130);
    stage7.until_is(&stage7.user(), &mission, "completed");
}

#[test]
fn setup_writes_what_a_server_of_ones_own_needs() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    let home = stage7.path("client");
    let told = stage7
        .ended(stage7.command(&["setup", "--write", "server", "--creds", "keys", "--json"], &home))
        .code(0)
        .line();
    let keys: Vec<_> = fs::read_dir(home.join("keys")).unwrap().flatten().collect();
    assert!(keys.len() > 7, "{keys:?}");
    for key in keys {
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{key:?}");
    }
    let places = Places::from_vars(|name| std::env::var_os(name));
    let server = tokio::runtime::Runtime::new().unwrap().block_on(find(&places, &|line| eprintln!("{line}"))).unwrap();
    let mut test = Command::new(server.path);
    test.args(["-t", "-c"]).arg(told["path"].as_str().unwrap());
    stage7.ended(test).code(0);
}

#[test]
fn the_process_of_a_native_plugin_is_nothing_else() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    for (verb, code, said) in
        [("TRANSFORM", 0, r#"{"failed":{"class":"invalid_input""#), ("NOWHERE", 1, "no code for NOWHERE")]
    {
        let args = ["run-native-plugin", verb, "512", "5"];
        let mut command = stage7.command(&args, &stage7.path("client"));
        command.stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"{}").unwrap();
        let ended = child.wait_with_output().unwrap();
        let all = [ended.stdout, ended.stderr].concat();
        let all = String::from_utf8_lossy(&all);
        assert_eq!(ended.status.code(), Some(code), "{all}");
        assert!(all.starts_with(said) && all.lines().count() == 1, "{all}");
    }
}
