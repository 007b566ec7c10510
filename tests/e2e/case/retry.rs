//! A failed mission that is tried again.

use crate::{
    plan::{after, delivered, goal, query, read, slow, with},
    stage7::{Layout, shared},
};
use serde_json::json;

pub fn a_retried_mission_keeps_what_was_done(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let mut copy = with(query("copy", json!(null), "."), "data", "read", "content");
    copy["inputs"]["from"] = json!({"value": "text"});
    let mission = user.submit(&goal(vec![
        slow("done"),
        read("read", "later.txt"),
        delivered(copy, "data", "copy.txt"),
        after(slow("both"), &["done", "copy"]),
    ]));
    let state = stage7.until_is(&user, &mission, "failed");
    assert!(state["error"].as_str().unwrap().contains("later.txt"), "{state:#}");
    let status = |state: &serde_json::Value, id: &str| {
        state["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()["status"].clone()
    };
    assert_eq!(
        (status(&state, "done"), status(&state, "read"), status(&state, "copy")),
        (json!("completed"), json!("failed"), json!("cancelled"))
    );

    // Without the file it fails again; a step that has not failed can't be tried again.
    stage7.cli(&["mission", "retry", &mission, "--step", "done"]).code(2);
    stage7.cli(&["mission", "retry", &mission]).code(0);
    stage7.until(&user, &mission, "fails again", |state| {
        state["status"] == "failed" && state["steps"][1]["attempt"].as_u64() > Some(1)
    });

    let bytes = "it came later\r\n".as_bytes();
    let file = user.put("later.txt", bytes);
    let added = user.say(&mission, "file.added", &json!({"path": "later.txt", "file": file}));
    assert!(added["error"].is_null(), "{added}");
    stage7.cli(&["mission", "retry", &mission, "--step", "read", "--json"]).code(0).line();
    let state = stage7.until(&user, &mission, "is completed", |state| state["status"] == "completed");
    assert_eq!(user.deliverable(&state, "copy.txt"), bytes);

    let log = stage7.export(&mission);
    log.has_nothing_twice();
    log.one_of("plugin.requested", "done");
    log.one_of("plugin.completed", "done");
    assert_eq!(log.of("mission.retried").len(), 2);
    assert_eq!(log.of("mission.failed").len(), 2);
}
