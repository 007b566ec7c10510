//! Plugins that answer wrongly: each run fails once, and says why in words that its maker understands.

use crate::{
    log::Log,
    stage7::{Layout, Stage7},
};
use serde_json::{Value, json};
use std::{fmt::Write, thread};

const FILES: [(&str, &str); 3] = [
    ("plugin.toml", include_str!("answer/plugin.toml")),
    ("main.py", include_str!("answer/main.py")),
    ("main.mjs", include_str!("answer/main.mjs")),
];

/// The program that writes what it is told to, in each language.
fn added(stage7: &Stage7) -> [&'static str; 2] {
    let languages = [("SAYS_PYTHON", "python", "main.py"), ("SAYS_JAVASCRIPT", "javascript", "main.mjs")];
    languages.map(|(verb, runtime, entry)| {
        for (file, text) in FILES {
            let manifest =
                text.replace("SAYS", verb).replace("\"python\"", &format!("{runtime:?}")).replace("main.py", entry);
            stage7.file(&format!("{verb}/{file}"), if file == "plugin.toml" { &manifest } else { text });
        }
        stage7.cli(&["plugin", "add", verb]).code(0);
        verb
    })
}

/// Has it write these bytes so many times.
fn written(bytes: &[u8], times: usize) -> Value {
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    json!({"hex": hex, "times": times})
}

#[test]
fn a_wrong_answer_is_one_failure_with_its_reason() {
    let stage7 = Stage7::start(Layout::One);
    let verbs = added(&stage7);
    let no_object = "failed: what it wrote on stdout is not one JSON object: ";
    let broke = "broke its own output schema: ";
    let ends = |because: &str, exit: i32| {
        let mut given = written(br#"{"said": "x"}"#, 1);
        (given["because"], given["exit"]) = (json!(because), json!(exit));
        given
    };
    let table = [
        (written(b"", 1), "failed: it wrote nothing on stdout; it must write one JSON object".to_string()),
        (written(b"hello", 1), format!("{no_object}expected value at line 1 column 1")),
        (written(b"{\"said\": \"x\"", 1), format!("{no_object}EOF while parsing an object at line 1 column 12")),
        (written(b"{\"said\": \"x", 1), format!("{no_object}EOF while parsing a string at line 1 column 11")),
        (written(b"{\"said\": \"x\"}", 2), format!("{no_object}trailing characters at line 1 column 14")),
        (written(b"{\"said\": NaN}", 1), format!("{no_object}expected value at line 1 column 10")),
        (written(b"\x7fELF\0\xff\xfe", 1), format!("{no_object}expected value at line 1 column 1")),
        (written(b"{\"said\": \"\xff\"}", 1), format!("{no_object}invalid unicode code point at line 1 column 11")),
        (written(b"[", 1000), format!("{no_object}recursion limit exceeded at line 1 column 128")),
        (written(b"[\"said\"]", 1), "failed: what it wrote on stdout is JSON, but not an object".into()),
        (written(b"{\"said\": 1}", 1), format!("{broke}/said: 1 is not of type \"string\"")),
        (written(b"{}", 1), format!("{broke}\"said\" is a required property")),
        (
            written(br#"{"said": "x", "more": {"stage7:ref": "x"}}"#, 1),
            "gave an object with the key `stage7:ref`, which is reserved".into(),
        ),
        (written(b"x", 300 << 10), "was stopped: its answer is longer than 256 KiB".into()),
        // An answer that is right does not count where it says that it failed.
        (ends("because", 1), "failed: because (exit code 1)".into()),
        (ends("", 3), "failed: it gave no reason (exit code 3)".into()),
    ];
    let tried = |verb: &str| {
        for (given, why) in &table {
            let ended = stage7.cli(&["plugin", "run", verb, "--input", &given.to_string(), "--json"]).code(1);
            let message = format!("{verb} {why}");
            assert_eq!(ended.line()["error"]["message"], message, "{given}");
            assert!(ended.stderr.lines().any(|line| line == format!("stage7: {message}")), "{}", ended.stderr);
            let mission = ended.stderr.lines().find_map(|line| line.strip_prefix("mission ")).unwrap();
            let log: Log = stage7.export(mission);
            let failed = log.one("plugin.failed");
            assert_eq!((&failed["data"]["message"], &failed["data"]["class"]), (&json!(message), &json!("permanent")));
            assert!(log.of("plugin.completed").is_empty());
        }
        let given = written(br#"{"said": "x"}"#, 1).to_string();
        let right = stage7.cli(&["plugin", "run", verb, "--input", &given, "--json"]).code(0);
        assert_eq!(right.line(), json!({"said": "x"}), "and it can be right");
    };
    thread::scope(|scope| {
        verbs.iter().for_each(|verb| drop(scope.spawn(|| tried(verb))));
    });
}
