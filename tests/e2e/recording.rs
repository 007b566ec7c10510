//! A mission of each kind, by the real system: what is recorded is decided again the same, live and
//! from files. With STAGE7_REGENERATE the files become `replay/recordings/`.

mod drive;

use crate::{
    log::Log,
    openai::{Reply, Server},
    stage7::{Layout, Stage7},
};
use serde_json::json;
use std::{fs, path::Path, thread};

const KEY: &str = "sk-recording";
const POEM: &str = "Ten lines of code,\nnine of comment.\n";

/// A plan of one query and three texts; without the query nobody could run it.
fn plan(rows: bool) -> String {
    let text = |n: u32| {
        json!({"id": format!("poem-{n}"), "verb": "THINK", "description": format!("Write poem {n}"),
            "inputs": {"prompt": {"value": format!("Poem {n} about {{rows}}")}, "rows": {"from": "rows", "output": "data"}},
            "outputs": {"text": {"type": "string", "deliverable": format!("poem-{n}.md")}}})
    };
    let query = json!({"id": "rows", "verb": "DATA_TOOLKIT",
        "inputs": {"operation": {"value": "query"}, "data": {"value": [3, 1, 2]}, "query": {"value": "sort"}},
        "outputs": {"data": {"type": "array"}}});
    let mut steps = vec![text(1), text(2), text(3)];
    if rows {
        steps.insert(0, query);
    }
    json!({"steps": steps}).to_string()
}

/// A model that plans well, unless what it is asked for is impossible; and once only after a fault.
fn model() -> Server {
    Server::start(|chat| {
        let (text, plans) = (chat.text(), chat.body["response_format"]["type"].is_string());
        Reply::Text(match plans {
            false => POEM.into(),
            true if text.contains("impossible") => plan(false),
            true => plan(!text.contains("careless") || text.contains("`rows`")),
        })
    })
}

#[test]
fn missions_of_every_kind_are_decided_again_as_they_were() {
    let server = model();
    let stage7 = Stage7::start_with(
        Layout::One,
        &[("OPENAI_API_URL", &server.url), ("OPENAI_API_KEY", KEY), ("STAGE7_BACKOFF", "0.2")],
    );
    let stage7 = &stage7;
    let folder = stage7.path("recordings");
    fs::create_dir(&folder).unwrap();
    thread::scope(|scope| {
        for (name, drive) in drive::ALL {
            let folder = &folder;
            scope.spawn(move || {
                let mission = drive(stage7, &stage7.user(), name);
                record(stage7, folder, name, &mission);
            });
        }
    });
    // Last, as it takes everybody down.
    let mission = drive::crash(stage7, "crash");
    record(stage7, &folder, "crash", &mission);

    let all = drive::ALL.len() as u64 + 1;
    for args in
        [vec!["replay", "check", folder.to_str().unwrap(), "--json"], vec!["replay", "check", "--live", "--json"]]
    {
        let checked = stage7.cli(&args).code(0);
        let told = checked.lines().pop().unwrap();
        assert_eq!(
            (&told["missions"], &told["differences"], &told["unreadable"]),
            (&json!(all), &json!(0), &json!(0)),
            "{told}"
        );
        assert!(told["events"].as_u64() > Some(100) && told["events"] == told["based"], "{told}");
    }
    if std::env::var_os("STAGE7_REGENERATE").is_some() {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("replay/recordings");
        for file in fs::read_dir(&folder).unwrap().flatten() {
            fs::copy(file.path(), kept.join(file.file_name())).unwrap();
        }
    }
}

/// Keeps the mission's export, once it is sure that it tells nothing about this machine.
fn record(stage7: &Stage7, folder: &Path, name: &str, mission: &str) {
    let exported = stage7.cli(&["mission", "export", mission]).code(0).stdout;
    Log::of_lines(&exported).has_nothing_twice();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let home = std::env::var("HOME").unwrap_or_default();
    for private in [
        stage7.path(".").to_str().unwrap().trim_end_matches("/."),
        env!("CARGO_MANIFEST_DIR"),
        "127.0.0.1",
        KEY,
        host.trim(),
        &home,
    ] {
        assert!(private.len() < 2 || !exported.contains(private), "{name} holds {private}");
    }
    fs::write(folder.join(format!("{name}.jsonl")), exported).unwrap();
}
