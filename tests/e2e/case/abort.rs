//! An abort: what runs is killed, and nothing comes of it.

use crate::{
    plan::{after, endless, goal, slow},
    process::{descendants, is_alive},
    stage7::{Layout, Stage7},
    wait::{eventually, within},
};
use std::{fs, time::Duration};

/// Ticks of processor time that a process has used.
fn busy(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.to_string()).unwrap_or_default();
    fields.split(' ').nth(11).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

pub fn an_abort_kills_what_runs(layout: Layout) {
    // Its own: what its worker computes is what this test started.
    let stage7 = Stage7::start(layout);
    let user = stage7.user();
    let plan = stage7
        .file("endless.json", goal(vec![endless("endless"), after(slow("next"), &["endless"])])["plan"].to_string());
    let run = stage7.spawn(&["run", "--plan", &plan, "--model", "offline", "--json", "--name", "endless"]);
    let mission = eventually(
        "the mission is submitted",
        || run.said(),
        || {
            let said = run.said();
            let first: serde_json::Value = serde_json::from_str(said.lines().next()?).ok()?;
            first["mission"].as_str().map(str::to_string)
        },
    );
    let watch = stage7.spawn(&["mission", "watch", &mission, "--json"]);
    let worker = stage7.pid("capabilities");
    let child = eventually(
        "the plugin computes",
        || stage7.logs(),
        || {
            descendants(worker).into_iter().find(|pid| {
                busy(*pid) > 20
                    && fs::read_to_string(format!("/proc/{pid}/cmdline"))
                        .is_ok_and(|line| line.contains("DATA_TOOLKIT"))
            })
        },
    );
    assert_eq!(user.state(&mission)["status"], "running");

    stage7.cli(&["mission", "abort", &mission, "--reason", "changed my mind"]).code(0);
    // Its own limit of time would end it too, but later.
    within(
        Duration::from_secs(15),
        "the plugin's process is gone",
        || stage7.logs(),
        || (!is_alive(child)).then_some(()),
    );
    let state = stage7.until_is(&user, &mission, "aborted");
    assert!(state["error"].as_str().unwrap().contains("changed my mind"), "{state}");
    for step in state["steps"].as_array().unwrap() {
        assert_eq!(step["status"], "cancelled", "{step}");
    }
    run.end().code(3);
    watch.end().code(3);
    let log = stage7.export(&mission);
    assert!(log.of("plugin.completed").is_empty() && log.of_step("step.assigned", "next").is_empty());
    let ended = stage7.cli(&["mission", "resume", &mission, "--json"]).code(1).line();
    assert_eq!(ended["error"]["code"], "ended");
}
