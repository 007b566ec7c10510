//! A crash of everything in the middle of a mission.

use crate::{
    plan::{after, goal, slow},
    stage7::{Layout, Stage7},
};
use std::time::Duration;

/// Every process and the server are killed, at three moments; the mission goes on from its log.
pub fn a_mission_survives_kill_9_of_everything(layout: Layout) {
    let stage7 = Stage7::start_with(layout, &[("STAGE7_SLOTS", "3")]);
    let names: Vec<String> = (0..12).map(|n| format!("step-{n}")).collect();
    let mut steps: Vec<_> = names.iter().map(|name| slow(name)).collect();
    steps.push(after(slow("last"), &names.iter().map(String::as_str).collect::<Vec<_>>()));
    let mut user = stage7.user();
    let mission = user.submit(&goal(steps));
    // A client of the command line stays where it is, and sees the end.
    let watch = stage7.spawn(&["mission", "watch", &mission, "--json"]);
    for completed in [1, 4, 8] {
        let done = |state: &serde_json::Value| {
            state["steps"]
                .as_array()
                .map_or(0, |steps| steps.iter().filter(|step| step["status"] == "completed").count())
        };
        stage7.until(&user, &mission, &format!("has {completed} steps done"), |state| done(state) >= completed);
        drop(user);
        // In the middle of what begins next, too.
        std::thread::sleep(Duration::from_millis(137 * completed as u64));
        stage7.kill();
        stage7.run();
        stage7.ready();
        user = stage7.user();
    }
    let state = stage7.until_is(&user, &mission, "completed");
    assert!(state["steps"].as_array().unwrap().iter().all(|step| step["status"] == "completed"));
    let log = stage7.export(&mission);
    log.has_nothing_twice();
    for name in names.iter().map(String::as_str).chain(["last"]) {
        log.one_of("step.completed", name);
        log.one_of("plugin.completed", name);
    }
    watch.end().code(0);
}
