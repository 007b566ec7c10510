//! What a run finds set: variables, secrets, settings.

use crate::TRIAL;
use capabilities::{Env, Failure, Host, MASK, Plugin, State};
use plugins::{Done, Run, Secret};
use schemas::value::Value;
use serde_json::json;
use std::sync::Mutex;
use tokio_util::sync::CancellationToken;

const LANGUAGES: [(&str, &str, &str); 2] = [
    (
        "python",
        "main.py",
        "import json, os, sys; print('log', os.environ.get('KEY'), file=sys.stderr); json.dump({'out': dict(os.environ)}, sys.stdout)",
    ),
    (
        "javascript",
        "main.mjs",
        "console.error('log', process.env.KEY); process.stdout.write(JSON.stringify({out: process.env}))",
    ),
];

fn plugin(runtime: usize, more: &str) -> Plugin {
    let (runtime, entry, code) = LANGUAGES[runtime];
    let rest = format!(
        "runtime = '{runtime}'\nentry = '{entry}'\noutput = {{ type = 'object' }}\nlimits = {{ processes = 24 }}\n{more}"
    );
    Plugin::new(&format!("{TRIAL}{rest}"), vec![(entry.into(), code.into())]).expect("the manifest is right")
}

fn host() -> Host {
    let env = [("TZ", Some("UTC")), ("TOLD", Some("$HOME `id` \"'\n")), ("UNSET", None)];
    let env = env.map(|(name, value)| (name.to_string(), value.map(String::from)));
    Host::new("/nonexistent", "/nonexistent").with_env(Env(env.into()))
}

async fn ran(plugin: &Plugin, run: Run, lines: &Mutex<Vec<String>>) -> Result<Done, Failure> {
    let log = |line: &str| lines.lock().expect("not poisoned").push(line.into());
    host().run(plugin, run, &CancellationToken::new(), &log).await
}

#[tokio::test]
async fn a_run_finds_what_it_was_granted_and_nothing_else() {
    let more = "permissions = { env = ['TZ', 'TOLD', 'UNSET'], secrets = ['KEY'] }\nsettings = [{ name = 'a', type = 'number', default = 7 }, { name = 'b', type = 'secret' }]";
    for runtime in [0, 1] {
        let secret = |name: &str, value: &str| Secret { name: name.into(), host: None, value: value.into() };
        let run = Run {
            secrets: vec![secret("KEY", "very \"secret\" $PATH"), secret("KEY", "very \"secret\" $PATH")],
            settings: [("b".to_string(), json!("another secret"))].into(),
            ..Run::default()
        };
        let lines = Mutex::default();
        let done = ran(&plugin(runtime, more), run, &lines).await.expect("it answers");
        let set = done.outputs["out"].as_object().expect("an object");
        let mut names: Vec<_> = set.keys().map(String::as_str).filter(|name| *name != "LC_CTYPE").collect();
        names.sort_unstable();
        assert_eq!(names, ["HOME", "KEY", "LANG", "PATH", "PWD", "SETTINGS", "TOLD", "TZ"]);
        assert_eq!(
            (&set["TZ"], &set["TOLD"]),
            (&json!("UTC"), &json!("$HOME `id` \"'\n")),
            "as it is, whatever it holds"
        );
        assert_eq!(set["KEY"], MASK);
        let settings: Value = serde_json::from_str(set["SETTINGS"].as_str().expect("text")).expect("JSON");
        assert_eq!(settings, json!({"a": 7, "b": MASK}));
        assert_eq!(*lines.lock().expect("not poisoned"), [format!("log {MASK}")]);
    }
}

#[tokio::test]
async fn variables_that_nobody_gives_and_settings_that_nobody_chose_are_missed() {
    let lines = Mutex::default();
    let asks = plugin(0, "permissions = { env = ['TZ', 'AWS_PROFILE'] }");
    let State::Unavailable(why) = host().state(&asks).await else { panic!("it is available") };
    assert!(why.contains("asks for the variable AWS_PROFILE") && why.contains("workers.plugin_env"), "{why}");
    let failure = ran(&asks, Run::default(), &lines).await.expect_err("it is not run");
    assert!(failure.message.contains("AWS_PROFILE"), "{failure}");

    let needs = plugin(0, "settings = [{ name = 'key', type = 'secret', required = true }]");
    let failure = ran(&needs, Run::default(), &lines).await.expect_err("it is not run");
    assert_eq!(failure.message, "TRIAL needs its setting `key`: `stage7 plugin set TRIAL key`");
}
