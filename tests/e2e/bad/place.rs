//! Places that are taken, full or not to be written.

use crate::{
    plan::{delivered, query},
    stage7::{Layout, Stage7, shared},
};
use serde_json::json;
use std::{fs, net::TcpListener, process::Command};

#[test]
fn a_second_up_and_a_taken_port_are_told() {
    let stage7 = Stage7::start(Layout::One);
    let data = stage7.path("data").display().to_string();
    let home = stage7.path("client");
    let second = stage7.ended(stage7.command(&["up", "--data", &data], &home)).code(1);
    assert!(
        second.stderr.contains("in use") && second.stderr.contains(&stage7.pid("up").to_string()),
        "{}",
        second.stderr
    );
    // The first one did not notice.
    stage7.cli(&["run", "Create a basic todo list", "--model", "offline"]).code(0);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let other = stage7.path("other").display().to_string();
    let ended = stage7.ended(stage7.command(&["up", "--data", &other, "--port", &port], &home)).code(1);
    assert!(ended.stderr.contains(&port) && ended.stderr.contains("in use"), "{}", ended.stderr);
    let file = stage7.file("file", "not a folder");
    for (args, told) in [
        (vec!["up", "--data", &file], "file"),
        (vec!["run", "x", "--model", "offline", "--data", &file], "file"),
        (vec!["up", "--data", &other, "--port", "70000"], "70000"),
        (vec!["worker", "librarian"], "--nats"),
        (vec!["worker", "baker"], "mission-control"),
        (vec!["worker"], "NAME"),
        (vec!["setup"], "--nats"),
        (vec!["up", "--nats", "http://x"], "nats://"),
        (vec!["mission", "list", "--nats", "nats://127.0.0.1:1", "--creds", &file], "file"),
        (vec!["config", "--config", "no-such.toml"], "no-such.toml"),
    ] {
        let ended = stage7.ended(stage7.command(&args, &home));
        assert!(
            matches!(ended.code, Some(1 | 2)) && ended.stderr.contains(told),
            "{args:?}: {:?} {}",
            ended.code,
            ended.stderr
        );
    }
    let mut wrong = stage7.command(&["config"], &home);
    wrong.env("STAGE7_SLOTS", "many").env("STAGE7_RETRIES", "-1");
    let told = stage7.ended(wrong).code(2).stderr;
    assert!(told.contains("STAGE7_SLOTS") && told.contains("STAGE7_RETRIES"), "all at once: {told}");
}

/// What the command finds at `place` is a folder that is read-only, or has no more room.
fn within(stage7: &Stage7, bounds: &[&str], args: &[&str]) -> Command {
    let inner = stage7.client(args);
    let mut command = Command::new("bwrap");
    command.args(["--dev-bind", "/", "/"]).args(bounds).args(["--die-with-parent", "--"]);
    command.arg(inner.get_program()).args(inner.get_args()).env_clear();
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.current_dir(stage7.path("client"));
    command
}

#[test]
fn a_read_only_or_full_folder_is_told_and_the_deliverables_are_kept() {
    let stage7 = shared(Layout::One);
    let out = stage7.path("out-bad").display().to_string();
    fs::create_dir_all(&out).unwrap();
    let plan = json!({"steps": [delivered(query("a", json!(null), "\"large \" * 100000"), "data", "large.txt")]});
    let plan = stage7.file("large-out.json", plan.to_string());
    let args = ["run", "--plan", &plan, "--model", "offline", "--json", "--out", &out];

    let read_only = stage7.ended(within(&stage7, &["--ro-bind", &out, &out], &args)).code(2);
    assert!(read_only.stderr.contains("out-bad") && read_only.stderr.contains("Read-only"), "{}", read_only.stderr);
    assert!(read_only.lines().iter().all(|line| line.get("kind").is_none()), "nothing was begun");

    let full = stage7.ended(within(&stage7, &["--size", "65536", "--tmpfs", &out], &args)).code(1);
    assert!(full.stderr.contains("large.txt") && full.stderr.contains("No space left"), "{}", full.stderr);
    let lines = full.lines();
    let mission = lines.iter().find_map(|line| line["mission"].as_str()).expect("it says which mission").to_string();
    // Where there is room, they are to be had.
    stage7.cli(&["mission", "watch", &mission, "--out", &out]).code(0);
    assert_eq!(fs::read_to_string(format!("{out}/{mission}/large.txt")).unwrap(), "large ".repeat(100_000));

    let file = stage7.file("no-folder", "");
    let ended =
        stage7.cli(&["run", "Create a basic todo list", "--model", "offline", "--out", &format!("{file}/out")]).code(2);
    assert!(ended.stderr.contains("no-folder"), "{}", ended.stderr);
}

/// A data directory without room, or not to be written.
#[test]
fn a_data_directory_that_can_not_be_written_is_told() {
    let stage7 = shared(Layout::One);
    let data = stage7.path("data-bad").display().to_string();
    fs::create_dir_all(&data).unwrap();
    for (bounds, told) in
        [(vec!["--ro-bind", &data, &data], "Read-only"), (vec!["--size", "4096", "--tmpfs", &data], "No space left")]
    {
        for command in [&["up"][..], &["run", "Create a basic todo list", "--model", "offline"]] {
            let inner = stage7.command(&[command, &["--data", &data]].concat(), &stage7.path("client"));
            let mut outer = Command::new("bwrap");
            outer
                .args(["--dev-bind", "/", "/"])
                .args(&bounds)
                .args(["--die-with-parent", "--"])
                .arg(inner.get_program())
                .args(inner.get_args());
            outer.current_dir(stage7.path("client"));
            let ended = stage7.ended(outer);
            assert!(
                matches!(ended.code, Some(1 | 2)) && ended.stderr.contains(told) && ended.stderr.contains("data-bad"),
                "{command:?} {told}: {:?} {}",
                ended.code,
                ended.stderr
            );
        }
    }
}
