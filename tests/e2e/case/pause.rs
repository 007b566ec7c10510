//! A pause: nothing starts, whatever is queued or restarted; nothing is done twice afterwards.

use crate::{
    log::seq,
    plan::{after, goal, slow},
    stage7::{Layout, Stage7},
    wait::eventually,
};
use std::{thread::sleep, time::Duration};

/// Words with which something starts.
const STARTS: [&str; 6] =
    ["step.assigned", "plugin.requested", "llm.requested", "question.asked", "plugin.started", "step.retried"];

pub fn a_pause_lets_nothing_start_and_survives_a_restart(layout: Layout) {
    // Two at once, so that most of what could start is queued.
    let stage7 = Stage7::start_with(layout, &[("STAGE7_SLOTS", "2"), ("STAGE7_PLUGIN_RUNS", "1")]);
    let user = stage7.user();
    let names: Vec<String> = (0..8).map(|n| format!("step-{n}")).collect();
    let mut steps: Vec<_> = names.iter().map(|name| slow(name)).collect();
    steps.push(after(slow("last"), &["step-0", "step-7"]));
    let mission = user.submit(&goal(steps));

    // A run that is under way, and one that waits for its turn.
    stage7.until(&user, &mission, "has begun", |state| {
        state["steps"].as_array().is_some_and(|steps| steps.iter().any(|step| step["status"] == "completed"))
    });
    stage7.cli(&["mission", "pause", &mission, "--reason", "lunch", "--json"]).code(0).line();
    stage7.until_is(&user, &mission, "paused");
    let open = |log: &crate::log::Log| {
        log.of("plugin.requested").len() - log.of("plugin.completed").len() - log.of("plugin.failed").len()
    };
    let before = eventually(
        "what ran has ended",
        || stage7.logs(),
        || {
            let log = stage7.export(&mission);
            (open(&log) == 0).then_some(log)
        },
    );
    let paused = seq(before.one("mission.paused"));
    let started =
        |log: &crate::log::Log| STARTS.iter().flat_map(|kind| log.of(kind)).filter(|event| seq(event) > paused).count();
    assert_eq!(started(&before), 0, "something started after the pause");
    assert!(before.of("step.completed").len() < names.len(), "there was nothing left to pause");

    drop(user);
    stage7.stop();
    stage7.run();
    stage7.ready();
    let user = stage7.user();
    // Long enough for whatever would start by itself.
    sleep(Duration::from_secs(3));
    let log = stage7.export(&mission);
    assert_eq!(log.0.len(), before.0.len(), "something was said after the pause");
    assert_eq!(user.state(&mission)["status"], "paused");

    stage7.cli(&["mission", "resume", &mission]).code(0);
    stage7.until_is(&user, &mission, "completed");
    let log = stage7.export(&mission);
    log.has_nothing_twice();
    assert_eq!(log.one("mission.resumed")["data"]["from"], "paused");
    for name in names.iter().map(String::as_str).chain(["last"]) {
        log.one_of("plugin.completed", name);
        log.one_of("step.completed", name);
        let not_started = log.of_step("plugin.failed", name);
        assert!(not_started.iter().all(|event| event["data"]["class"] == "not_started"), "{not_started:?}");
        assert_eq!(log.of_step("plugin.requested", name).len(), 1 + not_started.len(), "{name}");
        assert!(
            log.of_step("step.faulted", name).is_empty() && log.of_step("step.retried", name).is_empty(),
            "no retry is used up"
        );
    }
}
