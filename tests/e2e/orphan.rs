//! Runs whose worker is killed: nothing of them is left, and each is done again and answered once.

use crate::{
    escape::{
        leftovers, mark, marked, none_is_left,
        server::{http_of, ok},
    },
    plan::goal,
    stage7::{Layout, Stage7},
    wait::eventually,
};
use serde_json::json;

const LANGUAGES: [(&str, &str, &str, &str); 2] = [
    ("WAITS_PYTHON", "python", "main.py", include_str!("orphan/main.py")),
    ("WAITS_JAVASCRIPT", "javascript", "main.mjs", include_str!("orphan/main.mjs")),
];

/// Kills the process that runs the plugins, in the middle of a run in each language.
fn a_killed_worker_leaves_no_run_behind(layout: Layout, instance: &str, start: impl Fn(&Stage7)) {
    let (_dir, temporary) = leftovers();
    let stage7 = Stage7::start_with(layout, &[("TMPDIR", &temporary)]);
    // Counted where it is done: whoever asks first is to wait.
    let runs = LANGUAGES.map(|(verb, runtime, entry, code)| {
        let (port, count) = http_of(|nth| ok(if nth == 1 { "wait" } else { "go" }));
        let manifest = include_str!("orphan/plugin.toml")
            .replace("WAITS", verb)
            .replace("localhost:1", &format!("localhost:{port}"));
        let manifest = manifest.replace("\"python\"", &format!("{runtime:?}")).replace("main.py", entry);
        stage7.file(&format!("{verb}/plugin.toml"), manifest);
        stage7.file(&format!("{verb}/{entry}"), code);
        stage7.cli(&["plugin", "add", verb]).code(0);
        (verb, mark(), port, count)
    });
    let steps = runs.iter().map(|(verb, mark, port, _)| {
        json!({
            "id": verb.to_lowercase().replace('_', "-"), "verb": verb, "outputs": {"said": {"type": "string"}},
            "inputs": {"mark": {"value": mark}, "url": {"value": format!("http://localhost:{port}/")}},
        })
    });
    let user = stage7.user();
    let mission = user.submit(&goal(steps.collect()));
    let waiting = || runs.iter().all(|(_, mark, ..)| !marked(mark).is_empty()).then_some(());
    eventually("both runs wait", || stage7.logs(), waiting);

    stage7.kill_instance(instance);
    runs.iter().for_each(|(_, mark, ..)| none_is_left(mark));
    drop(user);
    start(&stage7);
    stage7.ready();
    let state = stage7.until_is(&stage7.user(), &mission, "completed");
    for (step, (verb, mark, _, count)) in state["steps"].as_array().unwrap().iter().zip(&runs) {
        assert_eq!((&step["verb"], &step["outputs"]["said"]), (&json!(verb), &json!("go")));
        assert_eq!(count.get(), 2, "{verb} was run, and run once more");
        assert_eq!(marked(mark), [0; 0]);
    }
    let log = stage7.export(&mission);
    log.has_nothing_twice();
    assert_eq!(
        [log.of("plugin.completed").len(), log.of("plugin.failed").len()],
        [2, 0],
        "{:#?}",
        log.of("plugin.failed")
    );
    assert_eq!(log.of("plugin.requested").len(), 2, "the same request was answered");
}

#[test]
fn a_killed_up_leaves_no_run_behind() {
    a_killed_worker_leaves_no_run_behind(Layout::One, "up", Stage7::run);
}

#[test]
fn a_killed_capabilities_worker_leaves_no_run_behind() {
    a_killed_worker_leaves_no_run_behind(Layout::Split, "capabilities", |stage7| stage7.run_worker("capabilities"));
}
