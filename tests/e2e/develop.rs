//! Writing a plugin: begun, tried out, broken and told so. Nothing runs meanwhile.

use crate::stage7::{Layout, Stage7};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_plugin_is_begun_and_tried_out() {
    let stage7 = Stage7::prepared(Layout::One, &[]);
    for (runtime, folder, code) in [("python", "say-hello", "main.py"), ("javascript", "js", "main.mjs")] {
        let begun = match runtime {
            "python" => stage7.cli(&["plugin", "init", "SAY_HELLO", "--runtime", runtime]),
            _ => stage7.cli(&["plugin", "init", "SAY_HELLO", "--runtime", runtime, "--dir", folder]),
        };
        assert_eq!(begun.code(0).stdout, format!("{folder} is begun; try it: stage7 plugin test {folder}\n"));
        let tried = stage7.cli(&["plugin", "test", folder]).code(0);
        assert_eq!(tried.stdout, "ok      manifest\nok      its own tests\nok      example 1: A greeting\n");
        assert!(tried.stderr.contains("greeting Ada"), "{}", tried.stderr);

        let path = stage7.path("client").join(folder);
        let text = fs::read_to_string(path.join(code)).unwrap();
        fs::write(path.join(code), text.replace("Hello", "Bye")).unwrap();
        let parts: Vec<Value> = stage7.cli(&["plugin", "test", folder, "--json"]).code(1).lines();
        assert_eq!(parts[0], json!({"part": "manifest", "ok": true}));
        assert_eq!(
            parts[1],
            json!({"part": "its own tests", "ok": false, "reason": "its own tests fail (exit status: 1)"})
        );
        assert_eq!(parts[2]["ok"], false);

        let manifest = fs::read_to_string(path.join("plugin.toml")).unwrap();
        fs::write(path.join("plugin.toml"), manifest.replace("0.1.0", "1").replace("seconds = 10", "secnds = 10"))
            .unwrap();
        let told = stage7.cli(&["plugin", "test", folder]).code(1);
        let told: Vec<&str> = told.stderr.lines().collect();
        assert!(told[0].contains("plugin.toml:2:1: /version: \"1\" is no semantic version, as 1.0.0"), "{told:?}");
        let wanted = "/limits/secnds: there is no such field; known are memory_mb, output_kb, processes, seconds";
        assert!(told[1].contains(wanted), "{told:?}");
        let faults = &stage7.cli(&["plugin", "test", folder, "--json"]).code(1).line()["faults"];
        fs::write(path.join("plugin.toml"), manifest).unwrap();
        assert_eq!(
            (&faults[0]["line"], &faults[0]["column"], &faults[0]["at"]),
            (&json!(2), &json!(1), &json!("/version"))
        );
    }
    let packages = stage7.path("packages").display().to_string();
    let path = stage7.path("client/say-hello");
    fs::write(path.join("requirements.txt"), "idna>=3,<4\n").unwrap();
    let unlocked = stage7.cli(&["plugin", "test", "say-hello"]).code(1).stderr;
    assert!(unlocked.contains("requirements.txt has no requirements.lock beside it"), "{unlocked}");
    let mut lock = stage7.client(&["plugin", "lock", "say-hello"]);
    lock.env("STAGE7_PACKAGES", packages);
    let locked = stage7.ended(lock).code(0).stdout;
    assert_eq!(locked, "say-hello/requirements.lock names 1 package(s)\n");
    assert!(fs::read_to_string(path.join("requirements.lock")).unwrap().starts_with("idna==3."));
    for (args, said) in [
        (vec!["init", "SAY_HELLO", "--runtime", "python"], "say-hello is there already"),
        (vec!["init", "say-hello", "--runtime", "python"], "`say-hello` is no name of a verb"),
        (vec!["init", "SAY_HELLO", "--runtime", "perl"], "[possible values: python, javascript]"),
    ] {
        let refused = stage7.cli(&[&["plugin"], args.as_slice()].concat()).code(2);
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    let refused = stage7.cli(&["plugin", "test", "."]).code(1);
    assert!(refused.stderr.contains("holds no plugin.toml: `stage7 plugin init` makes a folder that does"));
}
