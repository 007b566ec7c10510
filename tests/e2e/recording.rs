//! A mission of each kind, by the real system: what is recorded is decided again the same, live and
//! from files. With STAGE7_REGENERATE the files become `replay/recordings/`.

mod drive;

use crate::{
    canary::KEY,
    log::Log,
    openai::{Reply, Server},
    stage7::{Layout, Stage7},
};
use serde_json::json;
use std::{fs, path::Path, thread};

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
        host.trim(),
        &home,
    ] {
        assert!(private.len() < 2 || !exported.contains(private), "{name} holds {private}");
    }
    fs::write(folder.join(format!("{name}.jsonl")), exported).unwrap();
}

/// The command beside the recordings: nobody runs, nobody is asked.
#[test]
fn recorded_files_are_shown_walked_checked_and_compared() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("replay/recordings");
    let file = |name: &str| kept.join(format!("{name}.jsonl")).to_str().unwrap().to_string();
    let run = |args: &[&str]| stage7.ended(stage7.command(args, &stage7.path("client")));
    let (retry, question) = (file("retry"), file("question"));

    let shown = run(&["replay", "show", &retry, "--step", "read", "--json"]).code(0).line();
    assert_eq!(shown["steps"][1]["status"], "completed", "{shown}");
    let time = shown["updated"].as_str().unwrap();
    assert_eq!(run(&["replay", "show", &retry, "--time", time, "--json"]).code(0).line()["updated"], time);
    for (args, told) in [
        (["--step", "raed"], "read, copy"),
        (["--at", "1"], "begins later"),
        (["--time", "2001-01-01T00:00:00Z"], "begins later"),
        (["--time", "noon"], "--time"),
    ] {
        let refused = run(&["replay", "show", &retry, args[0], args[1]]).code(2);
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }

    let steps = run(&["replay", "step", &question, "--writer", "user", "--json"]).code(0).lines();
    assert_eq!(
        steps.iter().map(|step| step["word"].clone()).collect::<Vec<_>>(),
        ["message.said", "question.answered"]
    );
    assert!(steps[1]["changes"].to_string().contains("\"was\":\"waiting\",\"value\":\"running\""), "{}", steps[1]);
    let listed = run(&["replay", "step", &question]).code(0).stdout;
    assert!(listed.contains("steps/which/status \"waiting\" → \"running\"") && !listed.contains('\u{1b}'), "{listed}");
    run(&["replay", "step", &question, "--from", "999999"]).code(2);

    assert_eq!(run(&["replay", "diff", &retry, "--json"]).code(0).line()["differences"], 0);
    let apart = run(&["replay", "diff", &retry, &question, "--json"]).code(1).lines();
    assert!(apart.iter().any(|apart| apart["path"] == "/steps/which"), "{apart:?}");
    assert!(run(&["replay", "diff", &retry]).code(0).stdout.contains("no difference"));

    let all = run(&["replay", "check", kept.to_str().unwrap(), "--json"]).code(0).lines();
    assert_eq!(all.last().unwrap()["missions"], 13);
    // A folder below with one that was altered, one that was cut off, and one that is whole.
    let text = fs::read_to_string(&question).unwrap();
    let altered = stage7.file("mixed/deep/altered.jsonl", text.replace("Which colour?\",\"type", "Which?\",\"type"));
    assert_ne!(fs::read_to_string(altered).unwrap(), text);
    stage7.file("mixed/cut-off.jsonl", &text[..text.len() / 2]);
    stage7.file("mixed/whole.jsonl", &text);
    let mixed = stage7.path("client/mixed");
    let told = run(&["replay", "check", mixed.to_str().unwrap()]).code(1);
    assert!(told.stdout.contains("text  recorded \"Which?\", decided \"Which colour?\""), "{}", told.stdout);
    assert!(told.stdout.contains("2 missions") && told.stdout.contains("1 not readable"), "{}", told.stdout);
    assert!(told.stderr.contains("cut-off.jsonl: line ") && told.stderr.contains("cut off"), "{}", told.stderr);
    run(&["replay", "check", "mixed/cut-off.jsonl"]).code(2);
    run(&["replay", "check", "client/nothing.jsonl"]).code(2);
    run(&["replay", "check"]).code(2);
}
