//! Missions that have left the log.

use crate::{
    log::{Log, seq},
    plan::{after, delivered, goal, query, read, with},
    stage7::{Layout, Stage7, shared},
    user::{SOURCE, User, new_id},
    wait::eventually,
};
use schemas::cloudevent;
use serde_json::{Value, json};

/// A goal whose mission delivers a file, and has an event whose data is too long for the log.
fn long() -> Value {
    let rows: Vec<Value> = (0..4_000).map(|n| json!({"n": n, "word": "stage"})).collect();
    let mut steps = vec![query("many", json!(rows), "map(.n) | add")];
    steps.push(delivered(with(query("copy", json!(null), "."), "data", "many", "data"), "data", "sum.json"));
    goal(steps)
}

/// Archives it, once everybody has heard of its end.
fn archive(stage7: &Stage7, mission: &str) {
    eventually(
        "the mission is archived",
        || stage7.logs(),
        || (stage7.cli(&["mission", "archive", mission]).code == Some(0)).then_some(()),
    );
}

fn listed(stage7: &Stage7, mission: &str) -> Value {
    let rows = stage7.cli(&["mission", "list", "--json"]).code(0).lines();
    rows.into_iter().find(|row| row["id"] == mission).unwrap_or_else(|| panic!("{mission} is not listed"))
}

pub fn an_archived_mission_is_read_as_before(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let event = cloudevent::goal(SOURCE, &new_id(), &long());
    let submit = || user.ask_again("stage7.submit.default", &event)["mission"].as_str().unwrap().to_string();
    let mission = submit();
    stage7.until_is(&user, &mission, "completed");
    let row = listed(&stage7, &mission);
    let (exported, shown) = (stage7.export(&mission), stage7.show(&mission));
    let halfway = seq(exported.one("plan.accepted"));
    let then = user.read(&json!({"mission": mission, "state": true, "at": halfway}));
    let watched = stage7.cli(&["mission", "watch", &mission, "--json"]).code(0).lines().last().unwrap().clone();
    let bytes = user.deliverable(&shown, "sum.json");
    let page = json!({"mission": mission, "after": halfway, "limit": 3});
    let paged = user.read(&page);
    assert!(row["archived"].is_null());

    archive(&stage7, &mission);
    let told = stage7.cli(&["mission", "archive", &mission, "--json"]).code(0).line();
    assert_eq!(told["already"], true);
    assert_eq!(stage7.export(&mission).0, exported.0, "every line as before");
    assert_eq!(stage7.show(&mission), shown);
    assert_eq!(user.read(&json!({"mission": mission, "state": true, "at": halfway})), then);
    assert_eq!(user.read(&page), paged);
    assert_eq!(stage7.cli(&["mission", "watch", &mission, "--json"]).code(0).lines().last().unwrap(), &watched);
    assert_eq!(user.deliverable(&shown, "sum.json"), bytes);
    stage7.cli(&["replay", "check", &mission]).code(0);
    assert_eq!(stage7.cli(&["replay", "show", &mission, "--json"]).code(0).line(), shown);
    let mut archived = listed(&stage7, &mission);
    assert!(archived["archived"].is_string(), "{archived}");
    archived.as_object_mut().unwrap().remove("archived");
    assert_eq!(archived, row, "otherwise its row is what it was");
    assert!(stage7.cli(&["mission", "list"]).code(0).stdout.contains("(archived)"));

    // It is over for good.
    for (kind, data) in [("message.said", json!({"text": "and?"})), ("retry.requested", json!({}))] {
        let refused = user.say(&mission, kind, &data);
        assert_eq!(refused["error"]["code"], "archived", "{refused}");
    }
    let told = stage7.cli(&["mission", "retry", &mission]);
    assert!(told.code == Some(5) && told.stderr.contains("is archived"), "{:?} {}", told.code, told.stderr);
    // The same goal again is the same mission, and nothing begins.
    assert_eq!(submit(), mission);
    let next = user.submit(&goal(vec![query("q", json!(1), ".")]));
    stage7.until_is(&user, &next, "completed");
    assert_eq!(stage7.export(&mission).0, exported.0);
    assert!(listed(&stage7, &mission)["archived"].is_string());
}

pub fn what_has_not_ended_is_not_archived(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let mission = user.submit(&goal(vec![crate::plan::ask("ask", "Which?", "text", &[])]));
    stage7.until_is(&user, &mission, "waiting");
    let told = stage7.cli(&["mission", "archive", &mission]);
    assert!(told.code != Some(0) && told.stderr.contains("has not ended"), "{}", told.stderr);
    let told = stage7.cli(&["mission", "archive", &"0".repeat(32)]);
    assert!(told.code != Some(0) && told.stderr.contains("no mission"), "{}", told.stderr);
    let wrong = user.ask_again("stage7.command.default.mission.archive", &json!({"mission": "x"}));
    assert_eq!(wrong["error"]["code"], "invalid_request", "{wrong}");
    let wrong = user.ask_again("stage7.command.default.mission.eaten", &json!({}));
    assert_eq!(wrong["error"]["code"], "unknown_command", "{wrong}");
    stage7.cli(&["mission", "abort", &mission]).code(0);
}

/// A person tries failed missions again while they are being archived: what is said is done, or
/// refused, and no mission is torn in two.
pub fn a_retry_and_the_archive_never_tear_a_mission_in_two(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let steps = || vec![read("read", "missing.txt"), after(query("q", json!(1), "."), &["read"])];
    let missions: Vec<String> = (0..24).map(|_| user.submit(&goal(steps()))).collect();
    let (mut retried, mut archived) = (0, 0);
    for (n, mission) in missions.iter().enumerate() {
        stage7.until_is(&user, mission, "failed");
        let (other, order) = (stage7.user(), json!({"mission": mission}));
        let (said, ordered) = std::thread::scope(|scope| {
            let ordered = scope.spawn(move || other.ask_again("stage7.command.default.mission.archive", &order));
            std::thread::sleep(std::time::Duration::from_millis(n as u64 / 2));
            (user.say(mission, "retry.requested", &json!({})), ordered.join().unwrap())
        });
        let log = settled(&stage7, &user, mission, said["error"].is_null());
        match (said["error"]["code"].as_str(), ordered["error"]["code"].as_str()) {
            (None, Some("not_yet")) => retried += 1,
            // Or it had failed once more by then.
            (Some("archived"), None) | (None, None) => archived += 1,
            _ => panic!("{said} {ordered}"),
        }
        assert_eq!(log.of("retry.requested").len(), usize::from(said["error"].is_null()), "what is said is kept");
        assert_eq!(log.of("mission.retried").len(), usize::from(said["error"].is_null()), "and done");
        log.one("mission.created");
        log.has_nothing_twice();
    }
    println!("{retried} retried, {archived} archived");
    assert_eq!(retried + archived, missions.len());
}

/// The mission's log once it has failed, again if it was tried again.
fn settled(stage7: &Stage7, user: &User, mission: &str, again: bool) -> Log {
    let ends = 1 + usize::from(again);
    stage7.until(user, mission, "has failed", |state| state["status"] == "failed");
    eventually(
        "the mission has ended",
        || stage7.logs(),
        || Some(stage7.export(mission)).filter(|log| log.of("mission.failed").len() == ends),
    )
}
