//! Missions of elsewhere, in the archive.

use crate::{
    log::Log,
    plan::{ask, delivered, goal, query},
    stage7::{Layout, Stage7, shared},
};
use nats::archive::pack;
use serde_json::{Value, json};
use std::fs;

fn rows(stage7: &Stage7) -> Vec<Value> {
    stage7.cli(&["mission", "list", "--json"]).code(0).lines()
}

#[test]
fn an_imported_mission_is_listed_shown_and_replayed_and_never_run() {
    let there = shared(Layout::One);
    let user = there.user();
    let text = "word ".repeat(30_000);
    let mission = user.submit(&goal(vec![delivered(query("q", json!(text), "length"), "data", "n.json")]));
    there.until_is(&user, &mission, "completed");
    let (export, shown) = (there.cli(&["mission", "export", &mission]).code(0).stdout, there.show(&mission));
    // One that waits for a person: imported it waits for ever.
    let waiting = user.submit(&goal(vec![ask("ask", "Which?", "text", &[])]));
    there.until_is(&user, &waiting, "waiting");
    let waits = there.cli(&["mission", "export", &waiting]).code(0).stdout;
    there.cli(&["mission", "abort", &waiting]).code(0);

    let here = Stage7::start(Layout::One);
    let user = here.user();
    let file = here.file("export.jsonl", &export);
    let told = here.cli(&["mission", "import", &file, "--json"]).code(0).line();
    assert_eq!((&told["mission"], &told["already"]), (&json!(mission), &json!(false)));
    let told = here.cli(&["mission", "import", &file]).code(0).stdout;
    assert!(told.contains("is here already, and is the same"), "{told}");
    let lines: Vec<String> = waits.lines().map(String::from).collect();
    let packed = here.file("export.jsonl.gz", pack(&lines));
    here.cli(&["mission", "import", &packed]).code(0);

    let check = |here: &Stage7| {
        let rows = rows(here);
        assert_eq!(rows.len(), 2, "{rows:#?}");
        assert!(rows.iter().all(|row| row["imported"] == true && row["archived"].is_string()), "{rows:#?}");
        assert!(here.cli(&["mission", "list"]).code(0).stdout.contains("(imported)"));
        assert_eq!(here.show(&mission), shown);
        assert_eq!(here.export(&mission).0, Log::of_lines(&export).0, "it goes out as it came in");
        assert_eq!(here.export(&waiting).0, Log::of_lines(&waits).0);
        here.cli(&["replay", "check", &mission]).code(0);
        here.cli(&["replay", "check", &waiting]).code(0);
        assert_eq!(here.cli(&["replay", "show", &waiting, "--json"]).code(0).line()["status"], "waiting");
    };
    check(&here);
    let refused = user.say(&waiting, "abort.requested", &json!({}));
    assert_eq!(refused["error"]["code"], "archived", "{refused}");

    // Another mission of the same id is not taken.
    let other = here.file("other.jsonl", export.replace("Do what the plan says", "Do something else"));
    let told = here.cli(&["mission", "import", &other]);
    assert!(told.code == Some(5) && told.stderr.contains("not the same"), "{:?} {}", told.code, told.stderr);
    let told = there.cli(&["mission", "import", &there.file("other.jsonl", fs::read(&other).unwrap())]);
    assert!(told.code == Some(5) && told.stderr.contains("not the same"), "{:?} {}", told.code, told.stderr);
    let told = there.cli(&["mission", "import", &there.file("same.jsonl", &export)]).code(0).stdout;
    assert!(told.contains("is the same"), "a mission that ran there: {told}");

    // The rows are made anew from the archive alone, and nothing is run.
    here.stop();
    fs::remove_file(here.path("data/librarian.sqlite")).unwrap();
    here.run();
    here.ready();
    check(&here);
}

#[test]
fn what_is_no_export_is_refused_with_its_line() {
    let stage7 = shared(Layout::One);
    let user = stage7.user();
    let mission = user.submit(&goal(vec![query("q", json!(1), ".")]));
    stage7.until_is(&user, &mission, "completed");
    let export = stage7.cli(&["mission", "export", &mission]).code(0).stdout;
    let lines: Vec<&str> = export.lines().collect();
    let other = lines[1].replace(&mission, &"a".repeat(32));
    let hash = lines.iter().position(|line| line.contains("data_base64")).unwrap();
    let mut forged: Vec<String> = lines.iter().map(ToString::to_string).collect();
    forged[hash] = forged[hash].replace("\"data_base64\":\"", "\"data_base64\":\"AAAA");
    for (text, why) in [
        (String::new(), "no events"),
        ("hello".into(), "line 1: not JSON"),
        ("{}".into(), "line 1: "),
        (format!("{}\n{}\n{}", lines[0], lines[2], lines[1]), "line 3: the event"),
        (format!("{}\n{other}", lines[0]), "line 2: an event of mission"),
        (forged.join("\n"), "holds other bytes"),
        (lines[1..].join("\n"), "line 1: a mission begins with mission.created"),
    ] {
        let told = stage7.cli(&["mission", "import", &stage7.file("wrong.jsonl", &text)]);
        assert!(told.code != Some(0) && told.stderr.contains(why), "{why}: {:?} {}", told.code, told.stderr);
    }
    // Whoever asks without the command line is told the same.
    for (bytes, why) in [
        (lines[1..].join("\n").into_bytes(), "line 1: a mission begins"),
        (vec![0x1f, 0x8b, 0, 1, 2], "gzip"),
        (vec![0xff; 64], "neither text"),
        (pack(&vec![" ".repeat(1 << 20); 300]), "256 MiB"),
    ] {
        let file = user.put("x", &bytes);
        let order = json!({"sha256": file["stage7:ref"], "size": file["size"]});
        let refused = user.ask_again("stage7.command.default.mission.import", &order);
        assert_eq!(refused["error"]["code"], "invalid_export", "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains(why), "{refused}");
    }
    for (order, code) in [
        (json!({"sha256": "0".repeat(64), "size": 3}), "missing_artifact"),
        (json!({"sha256": "0".repeat(64), "size": 1_u64 << 40}), "too_large"),
        (json!({"sha256": 1}), "invalid_request"),
    ] {
        let refused = user.ask_again("stage7.command.default.mission.import", &order);
        assert_eq!(refused["error"]["code"], code, "{refused}");
    }
    let imported = rows(&stage7).into_iter().find(|row| row["imported"] == true);
    assert!(imported.is_none(), "nothing is listed that was refused: {imported:?}");
}
