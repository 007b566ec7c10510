//! The check is there to find changed rules. So here each decider of a scratch copy of the code gets
//! one rule changed, the copy is built, and its check must find the change in the recordings; and
//! nothing while nothing is changed. One pair of changes in the normal run, all in soak runs.
//!
//! The copy is built from what was compiled for this test: only the changed crates are compiled anew.

mod scratch;

use scratch::Scratch;

/// A changed rule: what it is, and where which text becomes which.
struct Rule {
    what: &'static str,
    file: &'static str,
    text: &'static str,
    becomes: &'static str,
}

const fn rule(what: &'static str, file: &'static str, text: &'static str, becomes: &'static str) -> Rule {
    Rule { what, file, text, becomes }
}

const CONTROL: [Rule; 6] = [
    rule(
        "a slot less",
        "workers/mission-control/src/decide/work.rs",
        "if state.running >= limits.slots",
        "if state.running + 1 >= limits.slots",
    ),
    rule(
        "a longer back-off",
        "workers/mission-control/src/decide/step.rs",
        "(0.8 + 0.4 * fraction",
        "(0.9 + 0.4 * fraction",
    ),
    rule(
        "twice the time for an attempt",
        "workers/mission-control/src/decide/step.rs",
        "after_seconds(step.definition.timeout?)",
        "after_seconds(2.0 * step.definition.timeout?)",
    ),
    rule(
        "a round less for the planner",
        "workers/mission-control/src/decide/judge.rs",
        "let last = round > mission",
        "let last = round >= mission",
    ),
    rule(
        "a retry that keeps what failed",
        "workers/mission-control/src/decide/life.rs",
        "MissionRetried { steps }",
        "MissionRetried { steps: steps.into_iter().skip(1).collect() }",
    ),
    rule(
        "an agent that may do one step more",
        "workers/mission-control/src/decide/work.rs",
        "agent.running < limits.steps_per_agent",
        "agent.running <= limits.steps_per_agent",
    ),
];

const AGENTS: [Rule; 6] = [
    rule(
        "no deliverables",
        "workers/agents/src/decide/complete.rs",
        "completed.deliverables.push(folder.deliver(file, reference));",
        "let _ = folder.deliver(file, reference);",
    ),
    rule(
        "a planner that forgets its first round",
        "workers/agents/src/decide/accomplish.rs",
        "for round in &task.rounds {",
        "for round in task.rounds.iter().skip(1) {",
    ),
    rule(
        "every failure may pass",
        "workers/agents/src/decide.rs",
        "Some(faulted(task, *class, message))",
        "Some(faulted(task, { let _ = class; Class::Transient }, message))",
    ),
    rule("nobody asks", "workers/agents/src/decide/ask.rs", "agent: Some(task.agent.clone()),", "agent: None,"),
    rule(
        "no words about a budget",
        "workers/agents/src/decide/call.rs",
        "but the budget has none left. {message}",
        "but the budget has none left.",
    ),
    rule(
        "no role in a prompt",
        "workers/agents/src/decide/write.rs",
        "prompt::write::system(desk.state.role(&task.agent), ",
        "prompt::write::system(None, ",
    ),
];

#[test]
fn a_changed_rule_of_either_decider_is_found() {
    let many = if std::env::var_os("STAGE7_SOAK").is_some() { CONTROL.len() } else { 1 };
    let mut scratch = Scratch::new();
    scratch.build();
    let (same, told) = scratch.check();
    assert!(same && told.is_empty(), "the copy as it is finds differences:\n{told}");
    for (control, agents) in CONTROL.iter().zip(&AGENTS).take(many) {
        for rule in [control, agents] {
            scratch.replace(rule.file, rule.text, rule.becomes);
        }
        scratch.build();
        let (same, told) = scratch.check();
        assert!(!same);
        for (rule, decider) in [(control, "mission-control"), (agents, "agent-steps")] {
            let found: Vec<&str> = told.lines().filter(|line| line.contains(&format!(" {decider} at "))).collect();
            assert!(!found.is_empty(), "{} is not found:\n{told}", rule.what);
            eprintln!("{decider}, {}: {} differences, first {}", rule.what, found.len(), found[0]);
            scratch.restore(rule.file);
        }
    }
}
