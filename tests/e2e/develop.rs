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

#[test]
fn a_plugin_is_signed_packed_and_taken_as_long_as_its_key_is_good() {
    let (ours, theirs) = (Stage7::prepared(Layout::One, &[]), Stage7::prepared(Layout::One, &[]));
    ours.cli(&["plugin", "init", "SAY_HELLO", "--runtime", "python"]).code(0);
    let manifest = ours.path("client/say-hello/plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("publisher = \"local\"", "publisher = \"Ada & Co\"")).unwrap();
    let nobody = ours.cli(&["plugin", "pack", "say-hello"]).code(2).stderr;
    assert!(nobody.contains("stage7 keys generate --for plugins --publisher \"Ada & Co\""), "{nobody}");
    let whose = ["--for", "plugins", "--publisher", "Ada & Co"];
    let keys = |stage7: &Stage7, args: &[&str]| stage7.cli(&[&["keys", "--json"], args].concat());
    let first = keys(&ours, &[&["generate"], whose.as_slice()].concat()).code(0).line();
    keys(&ours, &[&["generate"], whose.as_slice()].concat()).code(2);
    let file = "say-hello-0.1.0.tar.gz";
    assert!(ours.cli(&["plugin", "pack", "say-hello"]).code(0).stdout.ends_with(&format!(": {file}\n")));
    assert!(ours.cli(&["plugin", "verify", file]).code(0).stdout.contains("is what `Ada & Co` signed"));

    // Somebody else takes it once they know the key.
    let archive = ours.path("client").join(file).display().to_string();
    let verified = |stage7: &Stage7| stage7.cli(&["plugin", "verify", &archive]);
    assert!(verified(&theirs).code(5).stderr.contains("of `Ada & Co` is not known here"));
    let fingerprint = first["fingerprint"].as_str().unwrap();
    let public = ours.path(&format!("data/keys/plugins/{fingerprint}.pub.pem")).display().to_string();
    keys(&theirs, &[&["trust", &public], whose.as_slice()].concat()).code(0);
    verified(&theirs).code(0);

    // Rotation stops nothing; a changed byte and a revoked key do.
    let second = keys(&ours, &[&["rotate"], whose.as_slice()].concat()).code(0).line();
    verified(&ours).code(0);
    ours.cli(&["plugin", "sign", "say-hello"]).code(0);
    let folder = ours.cli(&["plugin", "verify", "say-hello", "--json"]).code(0).line();
    assert_eq!(folder["key"], second["fingerprint"]);
    let code = ours.path("client/say-hello/main.py");
    let text = fs::read_to_string(&code).unwrap();
    fs::write(&code, text.replace("Hello", "Hallo")).unwrap();
    let changed = ours.cli(&["plugin", "verify", "say-hello"]).code(5).stderr;
    assert!(changed.contains("SAY_HELLO 0.1.0: it is not what `Ada & Co` signed: it was changed since"), "{changed}");
    fs::write(&code, text).unwrap();
    ours.cli(&["plugin", "verify", "say-hello"]).code(0);
    keys(&ours, &["revoke", &fingerprint[..8], "--for", "plugins"]).code(0);
    assert!(verified(&ours).code(5).stderr.contains(&format!("key {fingerprint} of `Ada & Co` was revoked")));
    ours.cli(&["plugin", "verify", "say-hello"]).code(0);
    let states: Vec<Value> = keys(&ours, &["list", "--for", "plugins"]).code(0).lines();
    assert_eq!([&states[0]["state"], &states[1]["state"]], [&json!("revoked"), &json!("current")]);

    fs::remove_file(ours.path("client/say-hello/plugin.sig")).unwrap();
    assert!(ours.cli(&["plugin", "verify", "say-hello"]).code(5).stderr.contains("it is not signed"));
    fs::write(ours.path("client/broken.tar.gz"), "no archive").unwrap();
    assert!(ours.cli(&["plugin", "verify", "broken.tar.gz"]).code(1).stderr.contains("it is no archive"));
}
