//! `stage7 bench` works and leaves nothing behind; whether it is fast, a test cannot tell.

use crate::{
    process::at_work,
    stage7::{Layout, Stage7},
};
use std::fs;

#[test]
fn a_short_bench_tells_every_figure_and_leaves_nothing_behind() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    let data = stage7.path("bench");
    let args = ["bench", "--quick", "--json", "--data", data.to_str().unwrap()];
    let ended = stage7.ended(stage7.command(&args, &stage7.path("client"))).code(0);
    let report = &ended.lines()[0];
    let figures = report["figures"].as_array().unwrap();
    let value = |name: &str, sync: &str| {
        let found = figures.iter().find(|figure| figure["name"] == name && figure["sync"] == sync);
        found.and_then(|figure| figure["median"].as_f64()).unwrap_or_else(|| panic!("{name} ({sync}): {report:#}"))
    };
    let both = [
        "hops",
        "bare_hops",
        "hop_alone",
        "steps",
        "events",
        "events_of_hops",
        "alone",
        "first_step_p50",
        "first_step_p99",
        "lag",
        "idle",
        "after",
    ];
    let once = [
        "drain",
        "control_of_drain",
        "agents_of_drain",
        "projector_of_drain",
        "fold_control",
        "fold_agents",
        "fold_overview",
        "from_log",
    ];
    let all = both.iter().flat_map(|name| [(name, "default"), (name, "always")]);
    for (name, sync) in all.chain(once.iter().map(|name| (name, "default"))) {
        assert!(value(name, sync) > 0.0, "{name} ({sync})");
    }
    // mission.created, plan.accepted, agent.spawned, four words for each of ten steps, mission.completed.
    assert_eq!(value("events_a_mission", "default"), 44.0);
    assert!(at_work(&data).is_empty(), "nothing runs on");
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "nothing is left");
}
