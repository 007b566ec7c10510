//! Secrets and settings: a plugin has them, and nobody else ever sees a secret.

use crate::stage7::{Layout, Stage7};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use std::{fs, path::Path};

const CANARY: &str = "canary/of the+tests=7f3a9c";
const TOKEN: &str = "token-canary-55aa11";

/// Every file in which these bytes are.
pub fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if let Ok(all) = fs::read(&path)
            && all.windows(bytes.len()).any(|window| window == bytes)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

fn add(stage7: &Stage7) {
    let folder = stage7.path("client/tell");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("plugin.toml"), include_str!("secret/plugin.toml")).unwrap();
    fs::write(folder.join("main.py"), include_str!("secret/main.py")).unwrap();
    stage7.cli(&["plugin", "add", "tell"]).code(0);
}

#[test]
fn a_secret_is_given_to_whom_it_is_for_and_found_nowhere() {
    let stage7 = Stage7::start_with(Layout::One, &[("RUST_LOG", "trace"), ("STAGE7_LOG", "trace")]);
    add(&stage7);
    let run = |input: &str| stage7.cli(&["plugin", "run", "TELL", "--input", input, "--json"]);
    let why = |input: &str| run(input).code(1).stderr;

    // What is missing is told with the command that gets it.
    let missing = why("{}");
    assert!(missing.contains("TELL needs the secret CANARY: `stage7 secret set CANARY --for TELL`"), "{missing}");
    stage7.piped(CANARY, &["secret", "set", "CANARY", "--for", "GREET"]).code(0);
    let withheld = why("{}");
    assert!(withheld.contains("which is not for it: `stage7 secret grant CANARY --for TELL`"), "{withheld}");
    let granted = stage7.cli(&["secret", "grant", "CANARY", "--for", "TELL", "--json"]).code(0).line();
    assert_eq!(granted["for"], json!(["TELL"]));
    let missing = why("{}");
    assert!(missing.contains("TELL needs its setting `token`: `stage7 plugin set TELL token"), "{missing}");
    stage7.piped(&format!("{TOKEN}\n"), &["plugin", "set", "TELL", "token"]).code(0);

    let told = run("{}").code(0);
    assert!(told.stderr.contains("I was given [secret] [secret] [secret]"), "{}", told.stderr);
    let out = &told.line()["out"];
    assert_eq!(out["forms"], json!(vec!["[secret]"; 10]));
    assert_eq!((&out["[secret]"], &out["tone"], &out["times"]), (&json!(1), &json!("plain"), &json!(null)));
    assert_eq!(out["environment"], json!(["CANARY", "HOME", "LANG", "PATH", "PWD", "SETTINGS"]));
    let failed = why(r#"{"fail": true}"#);
    assert!(failed.contains("I fail with ['[secret]'"), "{failed}");

    // Settings count for the next run.
    stage7.cli(&["plugin", "set", "TELL", "tone", "loud"]).code(0);
    stage7.cli(&["plugin", "set", "TELL", "times", "-3"]).code(0);
    let out = run("{}").code(0).line()["out"].take();
    assert_eq!((&out["tone"], &out["times"]), (&json!("loud"), &json!(-3)));
    stage7.cli(&["plugin", "unset", "TELL", "tone"]).code(0);
    let shown = stage7.cli(&["plugin", "settings", "TELL"]).code(0).stdout;
    let lines: Vec<Vec<_>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["token", "secret", "chosen", "(set)"]);
    assert_eq!(lines[1][..4], ["tone", "choice", "default", "plain"]);
    assert_eq!(lines[2][..4], ["times", "number", "chosen", "-3"]);

    let exported: Vec<_> = stage7.cli(&["mission", "list", "--json"]).code(0).lines();
    let exported =
        exported.iter().map(|row| stage7.cli(&["mission", "export", row["id"].as_str().unwrap()]).code(0).stdout);
    fs::write(stage7.path("exported.jsonl"), exported.collect::<String>()).unwrap();
    stage7.stop();
    let everywhere = stage7.path("");
    for (marker, least) in [("marker-of-a-file", 1), ("marker-of-an-output", 2), ("[secret]", 2)] {
        assert!(holding(&everywhere, marker.as_bytes()).len() >= least, "what is there is found: {marker}");
    }
    for secret in [CANARY, TOKEN] {
        for form in [secret.to_string(), STANDARD.encode(secret)] {
            let found = holding(&everywhere, form.as_bytes());
            assert!(found.iter().all(|file| file.ends_with(".input")), "{form} is in {found:?}");
        }
    }

    // It is kept by the next that runs, and gone when it is removed.
    stage7.run();
    stage7.ready();
    assert_eq!(run("{}").code(0).line()["out"]["forms"], json!(vec!["[secret]"; 10]));
    let listed = stage7.cli(&["secret", "list", "--json"]).code(0).lines();
    assert_eq!(listed.iter().map(|secret| &secret["name"]).collect::<Vec<_>>(), ["CANARY", "TELL.token"]);
    stage7.cli(&["secret", "remove", "CANARY"]).code(0);
    assert!(why("{}").contains("TELL needs the secret CANARY"));
    assert!(stage7.cli(&["secret", "remove", "CANARY"]).code(2).stderr.contains("there is no secret CANARY"));
}

#[test]
fn what_is_no_secret_or_no_setting_is_refused_before_anything_starts() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    let long = "x".repeat(8193);
    for (input, args, said) in [
        ("long enough", ["set", "api_key"], "`api_key` is no name of a secret"),
        ("short", ["set", "API_KEY"], "has 5 bytes: at least 6"),
        (&long, ["set", "API_KEY"], "has more than 8192 bytes"),
        ("with a\0nul", ["set", "API_KEY"], "holds a NUL"),
    ] {
        let ended = stage7.piped(input, &[&["secret"], &args[..]].concat()).code(2);
        assert!(ended.stderr.contains(said) && !ended.stderr.contains("starting"), "{}", ended.stderr);
    }
    // Without anything that runs, the command starts what it needs.
    stage7.piped("kept at rest", &["secret", "set", "API_KEY"]).code(0);
    assert!(stage7.cli(&["secret", "list"]).code(0).stdout.contains("for nobody yet"));
    let no = |args: &[&str]| stage7.cli(&[&["plugin"], args].concat()).code(2).stderr;
    assert!(no(&["set", "TRANSFORM", "colour", "red"]).contains("TRANSFORM has no setting `colour`; it has none"));
    assert!(no(&["set", "NOWHERE", "colour", "red"]).contains("there is no plugin `NOWHERE`"));
}
