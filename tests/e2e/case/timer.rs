//! Time that runs out: of an attempt, of a question, of a mission.

use crate::{
    plan::{ask, endless, goal},
    stage7::{Layout, shared},
};
use serde_json::{Value, json};

pub fn what_takes_too_long_ends(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let with = |mut step: Value, field: &str, value: Value| {
        step[field] = value;
        step
    };
    let mut question = ask("q", "Still there?", "text", &[]);
    question["inputs"]["expires"] = json!({"value": 1});
    let mut late = goal(vec![endless("late")]);
    late["budget"] = json!({"max_seconds": 1});
    for (goal, told) in [
        (goal(vec![with(with(endless("slow"), "timeout", json!(1)), "retries", json!(0))]), "longer than 1 second"),
        (goal(vec![with(question, "retries", json!(0))]), "expired"),
        (late, "longer than the 1 second"),
    ] {
        let mission = user.submit(&goal);
        let state = stage7.until_is(&user, &mission, "failed");
        assert!(state["error"].as_str().is_some_and(|error| error.contains(told)), "{told}: {}", state["error"]);
        let log = stage7.export(&mission);
        assert_eq!(log.of("timer.fired").len(), 1, "{told}");
        log.has_nothing_twice();
    }
}
