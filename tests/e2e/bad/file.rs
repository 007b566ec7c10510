//! Files that are none, or not the mission's to have.

use crate::{
    plan::read,
    stage7::{Layout, shared},
};
use serde_json::json;
use std::{fs, os::unix::fs::symlink};

#[test]
fn a_file_that_can_not_be_sent_is_named_before_anything_is() {
    let stage7 = shared(Layout::One);
    let folder = stage7.path("client/files");
    fs::create_dir_all(folder.join("folder")).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    stage7.file("files/a.txt", "a");
    stage7.file("files/folder/a.txt", "another");
    symlink("nowhere", path("dangling.txt")).unwrap();
    symlink("circle.txt", path("circle.txt")).unwrap();
    fs::File::create(path("huge.bin")).unwrap().set_len(2 << 30).unwrap();
    fs::File::create(path("over.bin")).unwrap().set_len((64 << 20) + 1).unwrap();
    for name in ["c1.bin", "c2.bin", "c3.bin", "c4.bin", "c5.bin"] {
        fs::File::create(path(name)).unwrap().set_len(60 << 20).unwrap();
    }
    let (a, other) = (path("a.txt"), path("folder/a.txt"));
    let below = format!("{a}/below.txt");
    let wrong = [
        (vec![path("missing.txt")], "missing.txt"),
        (vec![path("folder")], "directory"),
        (vec![path("dangling.txt")], "dangling.txt"),
        (vec![path("circle.txt")], "circle.txt"),
        (vec![below], "below.txt"),
        (vec![path("huge.bin")], "64 MiB"),
        (vec![path("over.bin")], "64 MiB"),
        (vec!["/dev/zero".into()], "/dev/zero"),
        (vec![a, other], "a.txt"),
        (["c1.bin", "c2.bin", "c3.bin", "c4.bin", "c5.bin"].map(path).to_vec(), "256 MiB"),
        (vec![String::new()], "--file"),
    ];
    for (files, told) in wrong {
        let mut args = vec!["run", "Count the words in a.txt", "--model", "offline", "--json"];
        files.iter().for_each(|file| args.extend(["--file", file]));
        let ended = stage7.cli(&args).code(2);
        assert!(ended.stderr.contains(told), "{files:?}: {}", ended.stderr);
        assert!(ended.lines().iter().all(|line| line.get("kind").is_none()), "{files:?}: nothing was sent");
    }
    // Readable for its name and size, and then not: no bytes come out of it.
    let memory = stage7.cli(&["run", "Count the words in mem", "--model", "offline", "--file", "/proc/self/mem"]);
    assert!(matches!(memory.code, Some(1 | 2)), "{:?}: {}", memory.code, memory.stderr);
}

#[test]
fn a_file_that_the_log_does_not_have_is_refused() {
    let stage7 = shared(Layout::One);
    let user = stage7.user();
    let mission = user.submit(&json!({"goal": "Read it", "model": "offline", "plan": {"steps": [read("a", "b.txt")]}}));
    stage7.until_is(&user, &mission, "failed");
    let reference = json!({"stage7:ref": "a".repeat(64), "type": "file", "size": 3, "media_type": "text/plain"});
    for (path, file) in
        [("b.txt", reference.clone()), ("../b.txt", user.put("b.txt", b"b")), ("b.txt", json!({"size": 3}))]
    {
        let told = user.say(&mission, "file.added", &json!({"path": path, "file": file}));
        assert!(told["error"]["code"].is_string(), "{path}: {told}");
    }
    let hash = "b".repeat(64);
    for (subject, payload) in [
        (format!("stage7.put.default.{hash}.x"), vec![1]),
        (format!("stage7.put.default.{hash}.99999"), vec![1]),
        (format!("stage7.put.default.{hash}.0"), vec![0; 128 * 1024 + 1]),
        ("stage7.put.default.nonsense.0".into(), vec![1]),
        (format!("stage7.get.default.{hash}.0"), vec![]),
        ("stage7.user.default.nonsense.pause.requested".into(), b"{}".to_vec()),
        (format!("stage7.user.default.{mission}.mission.completed"), b"{}".to_vec()),
        (format!("stage7.user.default.{mission}.pause.requested"), b"{".to_vec()),
        (format!("stage7.user.default.{mission}.retry.requested"), b"{\"step\": 7}".to_vec()),
        (format!("stage7.user.default.{mission}.retry.requested"), b"{\"colour\": 1}".to_vec()),
        ("stage7.read.default".into(), b"hello".to_vec()),
        ("stage7.read.default".into(), b"{}".to_vec()),
        ("stage7.read.default".into(), b"{\"mission\": 7}".to_vec()),
        ("stage7.read.default".into(), b"{\"list\": {\"limit\": -1}}".to_vec()),
    ] {
        let answer = user.request(&subject, payload);
        let answer: serde_json::Value =
            serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{subject}: {error}: {answer:?}"));
        assert!(answer["error"]["code"].is_string() && answer["error"]["message"].is_string(), "{subject}: {answer}");
    }
}
