//! Two missions side by side.

use crate::recording::{all, one};
use replay::{diff, show};
use serde_json::json;

#[test]
fn a_mission_does_not_differ_from_itself() {
    for (name, history) in all() {
        assert_eq!(diff(&show(&history, None), &show(&history, None)), [], "{name}");
    }
}

/// Shifts every time of a history, and gives it other ids.
fn run_again(name: &str) -> streams::overview::Overview {
    let mut overview = show(&one(name), None);
    let mut json = json!(overview);
    let text = json.to_string().replace("2026-", "2031-").replace(&overview.id.unwrap().to_string(), &"7".repeat(32));
    json = serde_json::from_str(&text).unwrap();
    json["last_seq"] = json!(999_999);
    for list in ["calls", "questions"] {
        for item in json[list].as_array_mut().unwrap() {
            item["id"] = json!("8".repeat(32));
        }
    }
    overview = serde_json::from_value(json).unwrap();
    overview
}

#[test]
fn ids_and_times_are_no_differences() {
    for name in ["success", "question", "timeout", "repaired-plan"] {
        let (first, again) = (show(&one(name), None), run_again(name));
        assert_ne!(first, again);
        assert_eq!(diff(&first, &again), [], "{name}");
    }
}

#[test]
fn what_differs_is_told_by_step_and_name() {
    let history = one("retry");
    let failed = history.events().find(|event| event.fact.kind() == "mission.failed").unwrap().seq;
    let apart = diff(&show(&history, Some(failed)), &show(&history, None));
    let told =
        |path: &str| apart.iter().find(|apart| apart.path == path).map(|apart| (apart.a.clone(), apart.b.clone()));
    assert_eq!(told("/status"), Some((Some(json!("failed")), Some(json!("completed")))));
    assert_eq!(told("/steps/read/status"), Some((Some(json!("failed")), Some(json!("completed")))));
    assert_eq!(told("/steps/read/outputs/content"), Some((None, Some(json!("it came later\n")))));
    assert!(matches!(told("/deliverables/copy.txt"), Some((None, Some(_)))));
    assert!(!apart.iter().any(|apart| apart.path.starts_with("/steps/other")), "{apart:#?}");

    let others = diff(&show(&one("repaired-plan"), None), &show(&one("refused-plan"), None));
    for path in ["/status", "/cost/tokens/input", "/steps/poem-1", "/calls/_plan 1 plan #3"] {
        assert!(others.iter().any(|apart| apart.path == path), "{path} in {others:#?}");
    }
}
