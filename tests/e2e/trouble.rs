//! Trouble that is nobody's fault here: a line that is lost, a disk that is full, a clock that goes
//! wrong. Nothing is lost, nothing hangs, and a person is told.

mod clock;
mod disk;
mod line;

use crate::{
    ledger::{counted, mark, thought},
    log::Log,
    plan::{after, goal, turns},
    stage7::Stage7,
    wait::eventually,
    witness::{Witness, completed},
};
use serde_json::Value;

/// A mission of so many steps of all kinds, four at a time.
fn mixed(name: &str, steps: usize) -> Value {
    let id = |n: usize| format!("step-{n}");
    let steps = (0..steps).map(|n| {
        let said = mark(&format!("{name}/{}", id(n)), 300);
        let step = match n % 3 {
            0 => turns(&id(n), 20_000),
            1 => counted(&id(n), &said),
            _ => thought(&id(n), &said),
        };
        if n < 4 { step } else { after(step, &[&id(n - 4)]) }
    });
    let mut goal = goal(steps.collect());
    goal.as_object_mut().unwrap().remove("model");
    goal
}

/// Waits until so many steps are done.
fn until(stage7: &Stage7, witness: &Witness, mission: &str, steps: usize) {
    let done = || (completed(&witness.words(mission, 0)) >= steps).then_some(());
    eventually(&format!("mission {mission} has {steps} steps done"), || stage7.logs(), done);
}

/// Nothing is there twice, and every decision can be made again.
fn in_order(stage7: &Stage7, mission: &str) -> Log {
    let exported = stage7.cli(&["mission", "export", mission]).code(0).stdout;
    let log = Log::of_lines(&exported);
    log.has_nothing_twice();
    let path = stage7.file(&format!("{mission}.jsonl"), &exported);
    let checked = stage7.cli(&["replay", "check", &path]).code(0);
    assert!(checked.stdout.contains(" 0 differences"), "{}", checked.stdout);
    assert!(log.of("decider.stuck").is_empty());
    log
}
