//! Steps: at the same time, with exact values, and with files for the person.

use crate::{
    plan::{after, delivered, goal, query, read, slow, with},
    stage7::{Layout, shared},
};
use schemas::value::sha256;
use serde_json::{Value, json};
use std::fs;

/// Runs a plan by the command line and gives the mission and the folder of its deliverables.
fn run(stage7: &crate::stage7::Stage7, name: &str, goal: &Value, files: &[String]) -> (String, std::path::PathBuf) {
    let plan = stage7.file(&format!("{name}.json"), goal["plan"].to_string());
    let out = stage7.path("client").join(format!("out-{name}"));
    let mut args = vec!["run", "--plan", &plan, "--model", "offline", "--json", "--out", out.to_str().unwrap()];
    files.iter().for_each(|file| args.extend(["--file", file]));
    let lines = stage7.cli(&args).code(0).lines();
    let result = lines.last().expect("it says how it ended");
    assert_eq!(result["kind"], "result", "{result}");
    let mission = result["mission"].as_str().unwrap().to_string();
    assert!(lines.iter().any(|line| line["kind"] == "submitted" && line["mission"] == mission.as_str()));
    let folder = out.join(&mission);
    (mission, folder)
}

pub fn independent_steps_overlap(layout: Layout) {
    let stage7 = shared(layout);
    let names = ["one", "two", "three"];
    let (mission, _) = run(&stage7, "overlap", &goal(names.map(slow).to_vec()), &[]);
    let log = stage7.export(&mission);
    let spans = names.map(|name| log.span(name));
    let (last_start, first_end) = (spans.iter().map(|span| span.0).max(), spans.iter().map(|span| span.1).min());
    assert!(last_start < first_end, "{spans:?}");
    log.has_nothing_twice();
}

pub fn a_step_gets_its_sources_exact_bytes(layout: Layout) {
    let stage7 = shared(layout);
    let odd =
        "Zoë\r\n{path} {operation} {{x}} {} }{\r\n\t\u{1f9ea}東京 e\u{301} \u{feff}end without line feed \u{2028}…";
    let large = odd.repeat(400);
    assert!(large.len() > 16 * 1024);
    let text = |id: &str, source: &str, name: &str| {
        let mut step = with(query(id, json!(null), "."), "data", source, "content");
        step["inputs"]["from"] = json!({"value": "text"});
        delivered(step, "data", name)
    };
    let plan = goal(vec![
        read("small", "small.txt"),
        read("large", "large.txt"),
        text("copy", "small", "small-copy.txt"),
        text("large-copy", "large", "large-copy.txt"),
        with(
            json!({
                "id": "written", "verb": "FILE_OPS",
                "inputs": {"operation": {"value": "write"}, "path": {"value": "written.txt"}},
                "outputs": {"path": {"type": "string"}},
            }),
            "content",
            "copy",
            "data",
        ),
        delivered(
            query("braces", json!({"x": "{query} {x} {data}"}), "[.x, \"{data} {operation}\"]"),
            "data",
            "braces.json",
        ),
    ]);
    let files = [stage7.file("bytes/small.txt", odd), stage7.file("bytes/large.txt", &large)];
    let (_, folder) = run(&stage7, "bytes", &plan, &files);
    for (name, wanted) in [("small-copy.txt", odd), ("large-copy.txt", large.as_str()), ("written.txt", odd)] {
        assert!(fs::read_to_string(folder.join(name)).unwrap() == wanted, "{name}");
    }
    assert_eq!(
        fs::read_to_string(folder.join("braces.json")).unwrap(),
        "[\n  \"{query} {x} {data}\",\n  \"{data} {operation}\"\n]\n"
    );
}

pub fn deliverables_are_what_they_are_said_to_be(layout: Layout) {
    let stage7 = shared(layout);
    let rows = "name,age\nAda,36\n\"O'Neil, \"\"Doc\"\"\",7\n";
    let csv = json!({
        "id": "table", "verb": "DATA_TOOLKIT",
        "inputs": {"operation": {"value": "convert"}, "data": {"value": [{"a": "1", "b": "x,y"}]}, "to": {"value": "csv"}},
        "outputs": {"data": {"type": "string", "deliverable": "table.csv"}},
    });
    let mut convert = with(query("rows", json!(null), "."), "data", "read", "content");
    convert["inputs"]["from"] = json!({"value": "csv"});
    let plan = goal(vec![
        read("read", "people.csv"),
        delivered(convert, "data", "people.json"),
        csv,
        delivered(query("empty", json!(null), "\"\""), "data", "Ärger 1.md"),
    ]);
    let (mission, folder) = run(&stage7, "files", &plan, &[stage7.file("people.csv", rows)]);
    let wanted = [
        (
            "people.json",
            "[\n  {\n    \"name\": \"Ada\",\n    \"age\": \"36\"\n  },\n  {\n    \"name\": \"O'Neil, \\\"Doc\\\"\",\n    \"age\": \"7\"\n  }\n]\n",
            "application/json",
        ),
        ("table.csv", "a,b\n1,\"x,y\"\n", "text/csv; charset=utf-8"),
        ("Ärger 1.md", "", "text/markdown; charset=utf-8"),
    ];
    let shown = stage7.show(&mission);
    let deliverables = shown["deliverables"].as_array().unwrap();
    assert_eq!(deliverables.len(), wanted.len(), "{deliverables:?}");
    for (name, text, media_type) in wanted {
        let said =
            deliverables.iter().find(|said| said["name"] == name).unwrap_or_else(|| panic!("{name}: {deliverables:?}"));
        let is = json!({"size": text.len(), "sha256": sha256(text.as_bytes()), "media_type": media_type});
        for field in ["size", "sha256", "media_type"] {
            assert_eq!(said[field], is[field], "{field} of {name}");
        }
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), text, "{name}");
        assert_eq!(stage7.user().deliverable(&shown, name), text.as_bytes(), "{name}");
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), wanted.len(), "nothing else is there");
}

pub fn a_mission_may_be_larger_than_a_message(layout: Layout) {
    let stage7 = shared(layout);
    let text = |n: usize| format!("{n}: {}", "ü{} ".repeat(2_800));
    let steps =
        (0..60).map(|n| json!({"id": format!("s{n}"), "verb": "CHAT", "inputs": {"message": {"value": text(n)}}}));
    let (mission, _) = run(&stage7, "wide", &goal(steps.collect()), &[]);
    let shown = stage7.show(&mission);
    assert!(shown.to_string().len() > 1 << 20);
    let said: Vec<&str> =
        shown["messages"].as_array().unwrap().iter().filter_map(|said| said["text"].as_str()).collect();
    assert!(said.len() == 60 && (0..60).all(|n| said.contains(&text(n).as_str())));
    let log = stage7.export(&mission);
    log.one("plan.accepted");
    log.has_nothing_twice();
}

pub fn a_large_file_goes_in_and_out(layout: Layout) {
    let stage7 = shared(layout);
    let large: Vec<u8> = (0..60_u32 << 18).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    assert_eq!(large.len(), 60 << 20);
    let copy = json!({
        "id": "copy", "verb": "FILE_OPS",
        "inputs": {"operation": {"value": "copy"}, "path": {"value": "large.bin"}, "to": {"value": "copy.bin"}},
        "outputs": {"path": {"type": "string"}},
    });
    let (mission, folder) = run(&stage7, "large", &goal(vec![copy]), &[stage7.file("large.bin", &large)]);
    assert!(fs::read(folder.join("copy.bin")).unwrap() == large);
    let said = &stage7.show(&mission)["deliverables"][0];
    assert_eq!((said["size"].as_u64(), said["sha256"].as_str()), (Some(60 << 20), Some(sha256(&large).as_str())));
}

pub fn tasks_that_are_added_side_by_side_are_all_kept(layout: Layout) {
    let stage7 = shared(layout);
    let user = stage7.user();
    let task = |id: &str, inputs: Value| json!({"id": id, "verb": "TASK_MANAGER", "inputs": inputs, "outputs": {"tasks": {"type": "array"}}});
    let ids: Vec<String> = (1..=5).map(|n| format!("add-{n}")).collect();
    let add = |id: &String| task(id, json!({"operation": {"value": "add"}, "task": {"value": id}}));
    let mut steps: Vec<Value> = ids.iter().map(add).collect();
    let others: Vec<&str> = ids.iter().map(String::as_str).collect();
    let below = json!({"operation": {"value": "add"}, "task": {"value": "below"}, "parent": {"value": "5"}});
    steps.push(after(task("below", below), &others));
    let mission = user.submit(&goal(steps));
    let state = stage7.until_is(&user, &mission, "completed");
    let tasks: Value = serde_json::from_slice(&user.deliverable(&state, "tasks.json")).unwrap();
    let of = |field: &str| -> Vec<&str> {
        tasks.as_array().unwrap().iter().map(|task| task[field].as_str().unwrap()).collect()
    };
    assert_eq!(of("id"), ["1", "2", "3", "4", "5", "5.1"]);
    let mut titles = of("title");
    titles.sort_unstable();
    assert_eq!(titles, ["add-1", "add-2", "add-3", "add-4", "add-5", "below"]);
}
