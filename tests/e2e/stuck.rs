//! A decision that panics for one mission, in the shipped loop, beside the real workers.

use crate::{
    key::Key,
    plan::{after, goal, turns},
    stage7::{Layout, Stage7},
    wait::eventually,
};
use mission_control::{Control, intake};
use nats::decider::{self, Options};
use schemas::{Event, Fact, Writer, fact::Tail};
use serde_json::json;
use std::sync::Arc;
use streams::decide::{About, Decider, Due};
use tokio_util::sync::CancellationToken;

const VERSION: &str = "test0001";

/// Mission control with a fault in its code, or with the fault mended.
struct Faulty<const MENDED: bool>;

#[derive(Clone, Default)]
struct State {
    of_control: <Control as Decider>::State,
    poisoned: bool,
    halfway: bool,
}

impl<const MENDED: bool> Decider for Faulty<MENDED> {
    const NAME: &'static str = Control::NAME;
    const WRITER: Writer = Control::WRITER;
    type State = State;

    fn folds(writer: Writer, kind: &str, tail: &Tail) -> bool {
        Control::folds(writer, kind, tail)
    }
    fn evolve(state: &mut State, event: &Event) {
        match &event.fact {
            Fact::MissionCreated(created) => state.poisoned = created.name.as_deref() == Some("poison"),
            Fact::StepCompleted(_) => state.halfway = true,
            _ => {}
        }
        Control::evolve(&mut state.of_control, event);
    }
    fn pass(state: &mut State) {
        Control::pass(&mut state.of_control);
    }
    fn about(state: &State) -> Option<&About> {
        Control::about(&state.of_control)
    }
    fn next(state: &State) -> Option<Due> {
        assert!(MENDED || !state.poisoned || !state.halfway, "a fault that only this mission meets");
        Control::next(&state.of_control)
    }
}

/// Runs mission control in this process until what is given back is cancelled.
fn control<const MENDED: bool>(key: &Key) -> CancellationToken {
    let stop = CancellationToken::new();
    let run = decider::run::<Faulty<MENDED>>(Arc::new(key.log.clone()), Options::new(VERSION), stop.clone());
    key.runtime.spawn(async { run.await.unwrap() });
    stop
}

#[test]
fn a_decision_that_panics_stops_its_mission_only_until_the_fault_is_mended() {
    let stage7 = Stage7::prepared(Layout::Split, &[]);
    for worker in ["agents", "brain", "capabilities", "timekeeper", "librarian", "post-office"] {
        stage7.run_worker(worker);
    }
    let key = Key::of(&stage7, "control");
    let faulty = control::<false>(&key);
    let options = intake::Options { limits: Default::default(), worker_version: VERSION.into() };
    let run = intake::run(key.log.clone(), options, CancellationToken::new());
    key.runtime.spawn(async { run.await.unwrap() });
    stage7.ready();

    let user = stage7.user();
    let mut poison = goal(vec![turns("a", 10), after(turns("b", 10), &["a"])]);
    let before = user.submit(&poison);
    poison["name"] = json!("poison");
    let mission = user.submit(&poison);
    poison["name"] = json!("tea");
    let behind = user.submit(&poison);
    stage7.until_is(&user, &before, "completed");
    stage7.until_is(&user, &behind, "completed");
    let dead = || stage7.cli(&["dead", "list", "--mission", &mission, "--json"]).code(0).lines();
    let listed = eventually("the mission is stuck", || stage7.logs(), || Some(dead()).filter(|rows| !rows.is_empty()));
    assert_eq!((listed.len(), &listed[0]["decider"], &listed[0]["version"]), (1, &json!("control"), &json!(VERSION)));
    assert!(listed[0]["reason"].as_str().unwrap().contains("a fault that only this mission meets"), "{listed:?}");
    let again = stage7.cli(&["dead", "retry", &mission, "--json"]).code(1).line();
    assert_eq!(again["outcome"], "stuck", "the fault is still there");

    // Mended without another version: it is tried again when somebody asks for it.
    faulty.cancel();
    control::<true>(&key);
    let after = user.submit(&poison);
    stage7.until_is(&user, &after, "completed");
    assert_eq!(stage7.show(&mission)["status"], "running");
    let again = stage7.cli(&["dead", "retry", &mission, "--json"]).code(0).line();
    assert_eq!(again["outcome"], "goes_on", "{again}");
    stage7.until_is(&user, &mission, "completed");
    stage7.export(&mission).has_nothing_twice();
    eventually("it is not stuck any more", || stage7.logs(), || dead().is_empty().then_some(()));
}
