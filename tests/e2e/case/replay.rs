//! Replay: the same mission from its log alone.

use crate::{
    log::seq,
    plan::{delivered, goal, query, read, slow, with},
    stage7::{Layout, shared},
};
use serde_json::json;

pub fn an_export_shows_the_mission_as_it_was(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let mut copy = delivered(with(query("copy", json!(null), "."), "data", "read", "content"), "data", "copy.txt");
    copy["inputs"]["from"] = json!({"value": "text"});
    let mut goal = goal(vec![slow("slow"), read("read", "large.txt"), copy]);
    let file = user.put("large.txt", "large ".repeat(8_000).as_bytes());
    goal["files"] = json!([{"name": "large.txt", "ref": {"sha256": file["stage7:ref"], "size": file["size"]}}]);
    let mission = user.submit(&goal);
    stage7.until_is(&user, &mission, "completed");

    let exported = stage7.cli(&["mission", "export", &mission]).code(0).stdout;
    let path = stage7.file("export.jsonl", &exported);
    let shown = stage7.show(&mission);
    // From the file alone: nobody is asked, no server is named.
    let alone = stage7.path("alone");
    std::fs::create_dir_all(&alone).unwrap();
    let replay = |args: &[&str]| stage7.ended(stage7.command(args, &alone)).code(0);
    assert_eq!(replay(&["replay", "show", &path, "--json"]).line(), shown);
    assert!(replay(&["replay", "show", &path]).stdout.contains(&mission));
    assert_eq!(stage7.cli(&["replay", "show", &mission, "--json"]).code(0).line(), shown);

    // At every event it is what the door says it was there.
    let log = crate::log::Log::of_lines(&exported);
    for event in [log.one("mission.created"), log.one("plan.accepted"), log.one_of("step.completed", "read")] {
        let at = seq(event).to_string();
        let then = replay(&["replay", "show", &path, "--at", &at, "--json"]).line();
        assert_eq!(then, user.read(&json!({"mission": mission, "state": true, "at": seq(event)})), "at {at}");
        assert_eq!(then["last_seq"], seq(event));
        assert_ne!(then["status"], "completed");
    }
    let broken = stage7.file("broken.jsonl", &exported[..exported.len() / 2]);
    let told = stage7.ended(stage7.command(&["replay", "show", &broken], &alone));
    assert!(told.code != Some(0) || told.stderr.is_empty(), "{}", told.stderr);
    for (name, text) in [("empty.jsonl", ""), ("nonsense.jsonl", "{\"a\": 1}\n"), ("text.jsonl", "hello")] {
        let path = stage7.file(name, text);
        let told = stage7.ended(stage7.command(&["replay", "show", &path], &alone));
        assert!(matches!(told.code, Some(1 | 2)) && !told.stderr.is_empty(), "{name}: {:?} {}", told.code, told.stderr);
    }
}
