//! Recorded missions are decided again as they were. Where one is not, missions in flight would be
//! decided otherwise than before: where that is wanted, it is recorded anew (see
//! `replay/recordings/README.md`).

use replay::{History, check_all, show};
use std::{fs, path::Path};

/// Every recording, by name.
pub fn all() -> Vec<(String, History)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut all: Vec<(String, History)> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_string();
            let history = History::parse(&fs::read_to_string(&path).unwrap());
            (name.clone(), history.unwrap_or_else(|why| panic!("{name}: {why}")))
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

pub fn one(name: &str) -> History {
    all().into_iter().find(|(its, _)| its == name).unwrap().1
}

#[test]
fn every_recording_is_decided_again_as_it_was() {
    let (mut decisions, mut events) = (0, 0);
    for (name, history) in all() {
        for report in check_all(&history) {
            assert_eq!(report.differences, [], "{name}, {}", report.decider);
            assert_eq!(report.events, report.based, "{name}, {}", report.decider);
            assert!(report.is_same() && report.decisions > 0, "{name}: {report:?}");
            decisions += report.decisions;
            events += report.events;
        }
    }
    assert!(decisions > 100 && events > decisions, "{decisions} decisions, {events} events");
}

#[test]
fn every_way_that_a_mission_may_go_is_recorded() {
    let has = |name: &str, kind: &str| one(name).events().any(|event| event.fact.kind() == kind);
    for (name, status, words) in [
        ("success", "completed", ["llm.completed", "plan.proposed"].as_slice()),
        ("retry", "completed", &["mission.failed", "mission.retried", "file.added"]),
        ("timeout", "failed", &["step.cancelled", "step.retried", "timer.fired", "step.failed"]),
        ("question", "completed", &["question.asked", "mission.waiting", "question.answered"]),
        ("pause", "completed", &["mission.pausing", "agent.halted", "mission.paused", "mission.resumed"]),
        ("abort", "aborted", &["abort.requested", "plugin.failed"]),
        ("parallel", "completed", &["plugin.completed"]),
        ("python", "completed", &["plugin.started"]),
        ("refused-plan", "failed", &["plan.rejected", "step.failed"]),
        ("repaired-plan", "completed", &["plan.rejected", "plan.accepted"]),
        ("budget", "completed", &["budget.short", "budget.reached", "budget.raised"]),
        ("crash", "completed", &["plugin.completed"]),
    ] {
        assert_eq!(show(&one(name), None).status.as_str(), status, "{name}");
        for word in words {
            assert!(has(name, word), "{name} has no {word}");
        }
    }
    let verbs = show(&one("python"), None).steps.iter().map(|step| step.verb.clone()).collect::<Vec<_>>();
    assert!(verbs.contains(&"WORD_FREQUENCY".to_string()), "{verbs:?}");
}
