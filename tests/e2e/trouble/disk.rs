//! No room: on the server's disk, or in a stream.

use super::{in_order, until};
use crate::{
    plan::{after, goal, turns},
    stage7::{Layout, Stage7},
    wait::eventually,
    witness::{Witness, completed},
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
};

/// Bytes of the disk that will be full.
const DISK: &str = "48000000";
const STEPS: usize = 16;

/// Steps two at a time, none of which needs more than the log.
fn modest() -> Value {
    let id = |n: usize| format!("step-{n}");
    let turn = |n| turns(&id(n), if cfg!(debug_assertions) { 60_000 } else { 1_500_000 });
    goal((0..STEPS).map(|n| if n < 2 { turn(n) } else { after(turn(n), &[&id(n - 2)]) }).collect())
}

#[test]
fn a_full_disk_stops_what_writes_until_there_is_room() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    let store = stage7.path("data/nats/store");
    fs::create_dir_all(&store).unwrap();
    let place = store.to_str().unwrap();
    stage7.run_within("bwrap", &["--dev-bind", "/", "/", "--size", DISK, "--tmpfs", place, "--"]);
    stage7.ready();
    let (witness, user) = (Witness::of(&stage7), stage7.user());
    let mission = user.submit(&modest());
    until(&stage7, &witness, &mission, 3);

    // The disk is only there for whoever runs within.
    let filler = || PathBuf::from(format!("/proc/{}/root{place}/filler", stage7.server_pid()));
    let mut file = File::create(filler()).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);
    let told = || stage7.said("up").contains("is full").then_some(());
    eventually("the person who runs it is told", || stage7.logs(), told);
    let before = witness.words(&mission, 0);
    assert!(completed(&before) < STEPS, "the mission was over too soon");
    // What is there can be read; a word that can't be kept is not taken, and the person hears why.
    assert_eq!(stage7.show(&mission)["status"], "running");
    // There may be room for a small word yet, in the last page of a file.
    let (word, logs) = ("x".repeat(2_000), || stage7.logs());
    let refused = eventually("a word is refused", logs, || {
        Some(stage7.cli(&["mission", "say", &mission, &word])).filter(|said| said.code != Some(0))
    });
    assert!(refused.code(1).stderr.contains("disk is full"));

    fs::remove_file(filler()).unwrap();
    stage7.until_is(&user, &mission, "completed");
    let words = witness.words(&mission, 0);
    assert_eq!(completed(&words), STEPS);
    let same = before.iter().zip(&words).all(|(before, now)| (before.seq, &before.id) == (now.seq, &now.id));
    assert!(same, "what was in the log is there");
    in_order(&stage7, &mission);
    let said = stage7.said("up");
    assert!(said.contains("there is room again"), "{said}");
}

/// Sets how many bytes a stream may have.
fn limit(stage7: &Stage7, witness: &Witness, stream: &str, bytes: impl Fn(u64) -> u64) {
    let ask = |verb: &str, body: &Value| {
        let answer = witness.ask_as(stage7, "setup", &format!("$JS.API.STREAM.{verb}.{stream}"), body);
        assert!(answer["error"].is_null(), "{answer}");
        answer
    };
    let found = ask("INFO", &Value::Null);
    let mut config = found["config"].clone();
    config["max_bytes"] = json!(bytes(found["state"]["bytes"].as_u64().unwrap()));
    ask("UPDATE", &config);
}

#[test]
fn a_full_log_is_told_and_waited_for() {
    let stage7 = Stage7::start(Layout::Split);
    let (witness, user) = (Witness::of(&stage7), stage7.user());
    let mission = user.submit(&modest());
    until(&stage7, &witness, &mission, 3);
    limit(&stage7, &witness, "MISSIONS", |now| now + 2_000);
    // Whoever had the next word to say.
    let writers = ["mission-control", "agents", "capabilities"];
    let told = || writers.iter().any(|worker| stage7.said(worker).contains("the log is full")).then_some(());
    eventually("a worker says why it waits", || stage7.logs(), told);
    assert!(completed(&witness.words(&mission, 0)) < STEPS, "the mission was over too soon");
    // There may be room for a small word yet; now there is none.
    limit(&stage7, &witness, "MISSIONS", |now| now);
    let paused = stage7.cli(&["mission", "pause", &mission]).code(1);
    assert!(paused.stderr.contains("the log is full"), "{}", paused.stderr);
    // Goals have a stream of their own.
    let waiting = user.submit(&modest());
    limit(&stage7, &witness, "GOALS", |now| now + 1);
    let refused = stage7.cli(&["run", "Create a basic todo list", "--model", "offline"]).code(1);
    assert!(refused.stderr.contains("the log is full"), "{}", refused.stderr);

    for stream in ["GOALS", "MISSIONS"] {
        limit(&stage7, &witness, stream, |_| 1 << 30);
    }
    for mission in [&mission, &waiting] {
        stage7.until_is(&user, mission, "completed");
        assert_eq!(completed(&witness.words(mission, 0)), STEPS);
        in_order(&stage7, mission);
    }
}
