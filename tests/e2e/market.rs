//! Plugins that people add: versions side by side, switched off and on, and whose signature counts,
//! with missions under way.

use crate::{
    plan::{after, ask, delivered, goal},
    stage7::{Layout, Stage7},
    user::User,
};
use serde_json::{Value, json};
use std::fs;

/// A plugin's folder that greets so, in that version.
fn greeter(stage7: &Stage7, version: &str, word: &str) -> String {
    let folder = format!("greet-{version}-{word}");
    stage7.cli(&["plugin", "init", "GREET", "--runtime", "python", "--dir", &folder]).code(0);
    for (file, from, to) in [("main.py", "Hello", word), ("plugin.toml", "0.1.0", version)] {
        let path = stage7.path("client").join(&folder).join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replace(from, to)).unwrap();
    }
    folder
}

fn said(stage7: &Stage7) -> String {
    let ended = stage7.cli(&["plugin", "run", "GREET", "--input", r#"{"name": "Ada"}"#, "--json"]).code(0);
    assert!(ended.stderr.contains("greeting Ada"), "log lines are seen: {}", ended.stderr);
    ended.line()["greeting"].as_str().unwrap().into()
}

/// What a run by hand fails with.
fn refused(stage7: &Stage7) -> String {
    stage7.cli(&["plugin", "run", "GREET", "--input", r#"{"name": "Ada"}"#]).code(1).stderr
}

/// A mission that greets once its question is answered.
fn waiting(stage7: &Stage7, user: &User) -> String {
    let greet = json!({
        "id": "greet", "verb": "GREET", "inputs": {"name": {"value": "Ada"}}, "outputs": {"greeting": {"type": "string"}},
    });
    let greet = delivered(after(greet, &["go"]), "greeting", "greeting.txt");
    let mission = user.submit(&goal(vec![ask("go", "Now?", "text", &[]), greet]));
    stage7.until_is(user, &mission, "waiting");
    mission
}

fn go_on(stage7: &Stage7, mission: &str) {
    stage7.cli(&["mission", "answer", mission, "yes"]).code(0);
}

fn shown(stage7: &Stage7) -> Value {
    stage7.cli(&["plugin", "show", "GREET", "--json"]).code(0).line()
}

#[test]
fn plugins_are_added_and_each_mission_keeps_its_version() {
    let stage7 = Stage7::start(Layout::One);
    let user = stage7.user();
    let change = |args: &[&str]| stage7.cli(&[&["plugin"], args].concat()).code(0).stdout;
    assert_eq!(change(&["add", &greeter(&stage7, "1.0.0", "Hello")]), "GREET 1.0.0 enabled\n");
    assert_eq!(said(&stage7), "Hello, Ada!");
    let listed = |args: &[&str]| stage7.cli(&[&["plugin", "list", "--json"], args].concat()).code(0).lines().len();
    assert_eq!([listed(&["--search", "greets somebody"]), listed(&["--search", "greets nobody"])], [1, 0]);
    assert_eq!([listed(&["--type", "python"]), listed(&["--type", "javascript"])], [3, 0]);

    // A new version is for new missions; the one under way keeps its own.
    let begun = waiting(&stage7, &user);
    assert_eq!(change(&["add", &greeter(&stage7, "1.1.0", "Hi")]), "GREET 1.1.0 enabled\n");
    assert_eq!(said(&stage7), "Hi, Ada!");
    go_on(&stage7, &begun);
    let state = stage7.until_is(&user, &begun, "completed");
    assert_eq!(user.deliverable(&state, "greeting.txt"), b"Hello, Ada!");

    assert_eq!(change(&["rollback", "GREET"]), "GREET 1.0.0 enabled\n");
    assert_eq!(said(&stage7), "Hello, Ada!");
    let added = change(&["add", &greeter(&stage7, "2.0.0", "Servus")]);
    assert_eq!(added, "GREET 1.0.0 enabled\n2.0.0 is there, too: 1.0.0 is pinned\n");
    assert_eq!(change(&["pin", "GREET", "1.1.0"]), "GREET 1.1.0 enabled\n");
    assert_eq!(said(&stage7), "Hi, Ada!");
    assert_eq!(change(&["pin", "GREET"]), "GREET 2.0.0 enabled\n");
    assert_eq!(change(&["remove", "GREET", "2.0.0"]), "GREET 1.1.0 enabled\n");
    let versions = &shown(&stage7)["added"]["versions"];
    assert_eq!(
        [&versions[0]["version"], &versions[1]["version"], &versions[2]],
        [&json!("1.0.0"), &json!("1.1.0"), &json!(null)]
    );

    // Switched off: neither planned nor run, and missions under way say so.
    let begun = waiting(&stage7, &user);
    let off = change(&["disable", "GREET"]);
    assert_eq!(off, "GREET 1.1.0 disabled: `stage7 plugin enable GREET` undoes that\n");
    go_on(&stage7, &begun);
    let state = stage7.until_is(&user, &begun, "failed");
    assert!(state.to_string().contains("GREET was disabled"), "{state:#}");
    assert!(refused(&stage7).contains("GREET"), "it can't be planned");
    change(&["enable", "GREET"]);
    assert_eq!(said(&stage7), "Hi, Ada!");

    let no = |args: &[&str], code: i32| stage7.cli(&[&["plugin"], args].concat()).code(code).stderr;
    let other = no(&["add", &greeter(&stage7, "1.1.0", "Hullo")], 5);
    assert!(other.contains("GREET 1.1.0 is there, with other bytes: raise the version"), "{other}");
    let shipped = stage7.path("client/greet-1.0.0-Hello/plugin.toml");
    let text = fs::read_to_string(&shipped).unwrap();
    fs::write(&shipped, text.replace("GREET", "WORD_FREQUENCY")).unwrap();
    assert!(no(&["add", "greet-1.0.0-Hello"], 5).contains("WORD_FREQUENCY comes with stage7"));
    assert!(no(&["rollback", "NOWHERE"], 2).contains("no plugin `NOWHERE` was added"));
    assert!(no(&["pin", "GREET", "3.0.0"], 2).contains("there is no GREET 3.0.0; there are 1.0.0, 1.1.0"));
    assert!(no(&["disable", "THINK"], 5).contains("THINK is what agents do themselves"));

    // Whatever runs anew knows it all.
    stage7.stop();
    stage7.run();
    stage7.ready();
    assert_eq!(said(&stage7), "Hi, Ada!");
    assert_eq!(change(&["remove", "GREET"]), "GREET removed\n");
    stage7.cli(&["plugin", "show", "GREET"]).code(2);
}

#[test]
fn what_a_revoked_key_has_signed_is_not_run_any_more() {
    let stage7 = Stage7::start(Layout::One);
    let user = stage7.user();
    let keys = |args: &[&str]| stage7.cli(&[&["keys", "--json"], args, &["--for", "plugins"]].concat()).code(0);
    stage7.cli(&["plugin", "add", &greeter(&stage7, "1.0.0", "Hello")]).code(0);
    let first = keys(&["list"]).line()["fingerprint"].as_str().unwrap().to_string();
    keys(&["rotate"]);
    assert_eq!(said(&stage7), "Hello, Ada!", "rotation stops nothing");
    let begun = waiting(&stage7, &user);
    keys(&["revoke", &first]);
    go_on(&stage7, &begun);
    let state = stage7.until_is(&user, &begun, "failed");
    let why = format!("GREET 1.0.0 is refused: key {first} of `local` was revoked");
    assert!(state.to_string().contains(&why), "{state:#}");
    let now = stage7.until_shown(&["plugin", "show", "GREET", "--json"], |plugin| plugin["state"] == "unavailable");
    assert!(now["reason"].as_str().unwrap().ends_with("was revoked"), "{now}");
    // The next version is signed by the new key.
    let added = stage7.cli(&["plugin", "add", &greeter(&stage7, "1.0.1", "Hello again")]).code(0).stdout;
    assert_eq!(added, "GREET 1.0.1 enabled\n");
    assert_eq!(said(&stage7), "Hello again, Ada!");

    // Revoked while nothing runs: heeded at the next start.
    let second = keys(&["list"]).lines()[1]["fingerprint"].as_str().unwrap().to_string();
    stage7.stop();
    keys(&["revoke", &second]);
    stage7.run();
    stage7.ready();
    let now = shown(&stage7);
    assert_eq!(now["state"], "unavailable", "{now}");
    assert!(refused(&stage7).contains("GREET"), "{now}");
}

/// Each command finds nothing running, and starts what it needs; with `--json` it gives one object a line.
#[test]
fn plugins_are_looked_after_while_nothing_runs() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    let alone = |args: &[&str]| {
        let ended = stage7.cli(&[&["plugin"], args, &["--json"]].concat()).code(0);
        assert!(!fs::exists(stage7.path("data/up.json")).unwrap(), "{args:?} left something running");
        ended.lines()
    };
    let is = |args: &[&str], version: Option<&str>, state: &str| {
        let told = &alone(args)[0];
        assert_eq!(
            (&told["verb"], &told["version"], &told["state"]),
            (&json!("GREET"), &json!(version), &json!(state))
        );
    };
    let has_greet = || alone(&["list"]).iter().any(|plugin| plugin["verb"] == "GREET");
    assert!(!has_greet() && !fs::exists(stage7.path("data/nats")).unwrap(), "what is shipped is known without a log");
    is(&["add", &greeter(&stage7, "1.0.0", "Hello")], Some("1.0.0"), "enabled");
    is(&["add", &greeter(&stage7, "1.1.0", "Hi")], Some("1.1.0"), "enabled");
    assert!(has_greet());
    is(&["show", "GREET"], Some("1.1.0"), "enabled");
    is(&["pin", "GREET", "1.0.0"], Some("1.0.0"), "enabled");
    is(&["pin", "GREET"], Some("1.1.0"), "enabled");
    is(&["rollback", "GREET"], Some("1.0.0"), "enabled");
    is(&["disable", "GREET"], Some("1.0.0"), "disabled");
    is(&["show", "GREET"], Some("1.0.0"), "disabled");
    stage7.cli(&["plugin", "run", "GREET", "--input", r#"{"name": "Ada"}"#, "--json"]).code(1).line();
    is(&["enable", "GREET"], Some("1.0.0"), "enabled");
    assert_eq!(alone(&["run", "GREET", "--input", r#"{"name": "Ada"}"#])[0]["greeting"], "Hello, Ada!");

    // Whoever runs then knows it all, and what is said while nothing runs again.
    stage7.run();
    stage7.ready();
    assert_eq!(said(&stage7), "Hello, Ada!");
    assert_eq!(shown(&stage7)["added"]["versions"].as_array().map(Vec::len), Some(2));
    stage7.stop();
    is(&["remove", "GREET", "1.0.0"], Some("1.1.0"), "enabled");
    is(&["remove", "GREET"], None, "removed");
    stage7.cli(&["plugin", "show", "GREET", "--json"]).code(2).line();
    assert!(!has_greet());
}
