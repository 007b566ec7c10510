//! Exports as they come from other hands.

use crate::recording::one;
use replay::{Entry, History, Kind, check_all};
use schemas::{Fact, cloudevent::to_structured};
use std::{fs, path::Path};

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("recordings/{name}.jsonl"))).unwrap()
}

#[test]
fn line_ends_marks_and_empty_lines_make_no_other_history() {
    let (text, history) = (text("question"), one("question"));
    for other in [
        text.replace('\n', "\r\n"),
        format!("\u{feff}{text}"),
        text.replace('\n', "\n\n \n"),
        text.trim_end().to_string(),
        // Bytes may stand anywhere.
        text.lines().rev().take(1).chain(text.lines().take(text.lines().count() - 1)).collect::<Vec<_>>().join("\n"),
    ] {
        assert_eq!(History::parse(&other).as_ref(), Ok(&history));
    }
}

#[test]
fn an_export_read_and_written_again_is_the_same() {
    for line in text("timeout").lines().filter(|line| !line.contains(replay::ARTIFACT)) {
        let event = History::parse(line).unwrap();
        let Some(Entry::Event(event)) = event.entries.first() else { panic!("{line}") };
        let written: serde_json::Value = serde_json::from_str(&to_structured(event).to_string()).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(line).unwrap());
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_what_would_be_right() {
    let text = text("question");
    let lines: Vec<&str> = text.lines().collect();
    let edited = |line: usize, edit: &dyn Fn(&str) -> String| {
        let all = lines.iter().enumerate().map(|(i, text)| if i + 1 == line { edit(text) } else { text.to_string() });
        all.collect::<Vec<_>>().join("\n") + "\n"
    };
    let mission = one("question").events().next().unwrap().mission.to_string();
    for (wrong, line, why) in [
        (text[..text.find("plan.accepted").unwrap()].to_string(), 2, "cut off"),
        ("{\"a\": \n".into(), 1, "one CloudEvent a line"),
        ("[1, 2]\n".into(), 1, "one CloudEvent a line"),
        ("hello\n".into(), 1, "one CloudEvent a line"),
        ("{}\n".into(), 1, "/specversion"),
        (edited(3, &|text| text.replace(&mission, &"1".repeat(32))), 3, "in an export of"),
        (edited(3, &|text| text.replace("/stage7/default/", "/stage7/other/")), 3, "of tenant other"),
        (edited(2, &|text| text.replace("/default/control", "/default/agent")), 2, "agent does not say plan.accepted"),
        (edited(2, &|text| text.replace("/stage7/default/control", "/elsewhere")), 2, "/stage7/{tenant}/{writer}"),
        (edited(2, &|text| text.replace("\"part\":\"", "\"part\":\"x")), 2, "k/n"),
        (edited(2, &|text| text.replace("\"sequence\":\"", "\"sequence\":\"x")), 2, "/sequence"),
        (edited(2, &|text| text.replace("\"plan\":", "\"paln\":")), 2, "/data"),
        (edited(4, &|_| lines[2].into()), 4, "in the order of the log"),
        (
            edited(lines.len(), &|text| text.replace("\"data_base64\":\"", "\"data_base64\":\"AAAA")),
            lines.len(),
            "holds other bytes",
        ),
        (
            edited(lines.len(), &|text| text.replace("\"data_base64\":\"", "\"data_base64\":\"!")),
            lines.len(),
            "data_base64",
        ),
    ] {
        let refused = History::parse(&wrong).expect_err(why);
        assert!(refused.line == line && refused.why.contains(why), "{why}: {refused}");
    }
}

#[test]
fn data_that_lies_elsewhere_is_put_into_its_event() {
    let (text, history) = (text("question"), one("question"));
    let mut event: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    let data = event.as_object_mut().unwrap().remove("data").unwrap().to_string();
    let sha256 = schemas::value::sha256(data.as_bytes());
    event["dataref"] = format!("urn:stage7:artifact:{sha256}:{}", data.len()).into();
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &data);
    let artifact = serde_json::json!({"type": replay::ARTIFACT, "id": sha256, "data_base64": base64}).to_string();
    let line = event.to_string();
    let outlined = text.replace(text.lines().nth(1).unwrap(), &line);
    assert_eq!(History::parse(&format!("{outlined}{artifact}\n")).as_ref(), Ok(&history));
    let lacking = History::parse(&outlined).unwrap_err();
    assert!(lacking.line == 2 && lacking.why.contains(&sha256), "{lacking}");
    let nowhere = outlined.replace("urn:stage7:artifact", "https://elsewhere");
    assert!(History::parse(&nowhere).unwrap_err().why.contains("names no artifact"));
}

#[test]
fn a_newer_word_is_counted_and_passed_over() {
    let text = text("question");
    let said = text.lines().find(|line| line.contains("message.said")).unwrap();
    let newer = text.replace(said, &said.replace("message.said.v1", "message.sung.v3").replace("\"text\"", "\"tune\""));
    let history = History::parse(&newer).unwrap();
    assert_eq!(history.entries.len(), one("question").entries.len());
    assert!(history.entries.iter().any(|entry| matches!(entry, Entry::Passed(_))));
    // No decision of this mission rests on what was said.
    assert!(check_all(&history).iter().all(replay::Report::is_same));
}

#[test]
fn without_its_catalogue_a_mission_can_be_shown_but_not_decided() {
    let text = text("question");
    let events: String =
        text.lines().filter(|line| !line.contains(replay::ARTIFACT)).map(|line| format!("{line}\n")).collect();
    let history = History::parse(&events).unwrap();
    assert_eq!(replay::show(&history, None), replay::show(&one("question"), None));
    for report in check_all(&history) {
        assert!(report.differences.len() == 1 && report.differences[0].kind == Kind::Catalogue && !report.is_same());
        assert!(report.based > 0 && report.events == 0, "{report:?}");
    }
}

#[test]
fn a_decider_that_is_stuck_owes_nothing_more() {
    let mut history = one("question");
    let end = history
        .entries
        .iter()
        .position(|entry| matches!(entry, Entry::Event(event) if event.fact.kind() == "mission.completed"))
        .unwrap();
    let Entry::Event(event) = history.entries[end].clone() else { panic!("an event") };
    let stuck = schemas::decider::Stuck { message: "out of ideas".into(), at: event.basis.unwrap() };
    history.entries.truncate(end);
    let due = check_all(&history);
    assert!(due[0].is_under_way() && due[0].differences[0].decided["word"] == "mission.completed", "{due:?}");
    history.entries.push(Entry::Event(Box::new(schemas::Event {
        fact: Fact::DeciderStuck(stuck),
        basis: None,
        part: None,
        ..*event
    })));
    let stuck = check_all(&history);
    assert!(stuck[0].is_same() && stuck[0].stuck.as_deref() == Some("out of ideas"), "{stuck:?}");
}
