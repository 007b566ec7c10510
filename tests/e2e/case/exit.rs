//! Exit codes, and the commands that need nobody.

use crate::{
    plan::{ask, query, turns},
    stage7::{Layout, shared},
};
use nats::key::Seed;
use serde_json::json;

pub fn codes_say_how_it_ended(layout: Layout) {
    let stage7 = shared(layout);
    let plan = |name: &str, steps: Vec<serde_json::Value>| stage7.file(name, json!({"steps": steps}).to_string());
    let (good, bad) = (plan("good.json", vec![turns("a", 1)]), plan("bad.json", vec![query("a", json!(1), ".a.b")]));
    let asks = plan("asks.json", vec![ask("q", "Well?", "text", &[])]);
    let offline = ["--model", "offline"];

    stage7.cli(&[&["run", "--plan", &good][..], &offline].concat()).code(0);
    let failed = stage7.cli(&[&["run", "--plan", &bad, "--json"][..], &offline].concat()).code(1);
    let result = failed.lines().pop().unwrap();
    assert!(
        result["status"] == "failed" && result["error"].as_str().is_some_and(|error| error.contains("cannot index")),
        "{result}"
    );
    stage7.cli(&[&["run"][..], &offline].concat()).code(2);
    stage7.cli(&["run", "--plan", &asks, "--no-such-flag"]).code(2);
    let waits = stage7.cli(&[&["run", "--plan", &asks][..], &offline].concat()).code(4);
    assert!(waits.stderr.contains("mission answer"), "it says how to go on: {}", waits.stderr);

    let late = stage7.cli(
        &[
            &["run", "--plan", &plan("late.json", vec![turns("a", 1_000_000_000)]), "--timeout", "300ms", "--json"][..],
            &offline,
        ]
        .concat(),
    );
    let mission = late.code(6).lines()[0]["mission"].as_str().unwrap().to_string();
    stage7.cli(&["mission", "watch", &mission, "--timeout", "0.2s"]).code(6);
    stage7.cli(&["mission", "abort", &mission]).code(0);
    stage7.cli(&["mission", "watch", &mission]).code(3);

    // A key that the server does not know.
    let (url, key) = stage7.address();
    let stranger = stage7.file("stranger.nk", Seed::new().reveal());
    let own = stage7.path("stranger");
    std::fs::create_dir_all(&own).unwrap();
    let refused = |args: &[&str]| stage7.ended(stage7.command(args, &own)).code(5);
    assert!(refused(&["mission", "list", "--nats", &url, "--creds", &stranger]).stderr.contains("key"));
    let key = key.display().to_string();
    // With a key that it does know, any directory will do.
    stage7.ended(stage7.command(&["mission", "list", "--nats", &url, "--creds", &key], &own)).code(0);
    stage7.ended(stage7.command(&["mission", "list", "--nats", &url], &own)).code(2);
    stage7.ended(stage7.command(&["mission", "list", "--nats", &url, "--creds", "no.nk"], &own)).code(1);
    stage7.ended(stage7.command(&["mission", "list"], &own)).code(1);

    let listed = stage7.cli(&["config", "--json"]).code(0).lines();
    assert!(
        listed.iter().any(|setting| setting["name"] == "data")
            && listed.iter().all(|setting| setting["from"].is_string()),
        "{listed:?}"
    );
    assert!(stage7.cli(&["config"]).code(0).stdout.contains("limits.slots"));
    let found = stage7.cli(&["doctor", "--json"]).code(0).lines();
    assert!(found.iter().any(|finding| finding["what"] == "up" && finding["state"] == "ok"), "{found:?}");
    assert!(stage7.cli(&["doctor"]).code(0).stdout.contains("nats-server"));
    stage7.cli(&["--help"]).code(0);
    stage7.cli(&["no-such-command"]).code(2);
}
