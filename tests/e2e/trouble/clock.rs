//! Clocks that are wrong.

use super::in_order;
use crate::{
    canary::KEY,
    ledger::{mark, thought},
    openai::{Reply, Server},
    plan::{after, goal, turns},
    stage7::{Layout, Stage7, WORKERS},
    wait::eventually,
    witness::{Witness, Word, now},
};
use schemas::Time;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::PathBuf, sync::Mutex, thread::sleep, time::Duration};

/// How far the clocks are set back.
const HOUR: i64 = 3_600_000;

/// What has a program see another time.
fn faketime() -> PathBuf {
    let places = fs::read_dir("/usr/lib").unwrap().flatten().map(|place| place.path());
    let places = places.chain(["/usr/lib".into(), "/usr/local/lib".into()]);
    let found = places.map(|place| place.join("faketime/libfaketime.so.1")).find(|path| path.exists());
    found.expect("libfaketime: apt-get install faketime (`make test` does)")
}

/// Every first call of a step fails in a way that is worth another try; one takes for ever.
fn reluctant() -> Server {
    let seen: Mutex<BTreeSet<String>> = Mutex::default();
    Server::start(move |chat| {
        if chat.text().contains("for ever") {
            sleep(Duration::from_secs(120));
        }
        match seen.lock().unwrap().insert(chat.text()) {
            true => Reply::Error(503, "", "not now".into()),
            false => Reply::Text("at the second try".into()),
        }
    })
}

/// A mission that has to wait for a retry.
fn patient(name: &str) -> Value {
    let mut goal = goal(vec![
        turns("before", 10),
        thought("thought", &mark(name, 0)),
        after(turns("after", 10), &["thought", "before"]),
    ]);
    goal.as_object_mut().unwrap().remove("model");
    goal
}

/// A mission whose only step takes longer than it may.
fn late() -> Value {
    let mut step = thought("late", "Think for ever");
    (step["timeout"], step["retries"]) = (json!(8), json!(0));
    let mut goal = goal(vec![step]);
    goal.as_object_mut().unwrap().remove("model");
    goal
}

#[test]
fn clocks_that_are_set_back_an_hour_stop_nothing() {
    let model = reluctant();
    let env = [
        ("OPENAI_API_URL", model.url.as_str()),
        ("OPENAI_API_KEY", KEY),
        ("STAGE7_BACKOFF", "8"),
        ("STAGE7_BACKOFF_CAP", "8"),
    ];
    let stage7 = Stage7::start_with(Layout::Split, &env);
    let (witness, user) = (Witness::of(&stage7), stage7.user());
    let before = [user.submit(&patient("before")), user.submit(&late())];
    for mission in &before {
        let pending = || witness.words(mission, 0).into_iter().find(|word| word.kind == "timer.set");
        eventually("a timer runs", || stage7.logs(), pending);
    }

    // The machine of the workers gets another time, and they start again.
    stage7.stop();
    let library = faketime();
    let wrong = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME", "-1h"),
        // Nobody can set back how long a machine has been running.
        ("DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    WORKERS.iter().for_each(|(worker, _)| stage7.run_instance(worker, worker, &wrong));
    stage7.ready();
    let user = stage7.user();
    let after = [user.submit(&patient("after")), user.submit(&late())];
    for [patient, late] in [&before, &after] {
        stage7.until_is(&user, patient, "completed");
        let state = stage7.until_is(&user, late, "failed");
        assert!(state["error"].as_str().is_some_and(|error| error.contains("longer than 8 seconds")), "{state:#}");
        for mission in [patient, late] {
            let log = in_order(&stage7, mission);
            assert_eq!(log.of("timer.fired").len(), 1, "one timer, once");
        }
    }
    // It was as it is said to be.
    let words = |mission: &str| witness.words(mission, 0);
    let back = |word: &Word| word.at < now() - HOUR + 300_000;
    assert!(words(&before[0]).iter().any(back) && words(&after[0]).iter().all(back), "the clocks were not set back");
    // Decisions go by the latest time in the log, so none of control's words is older than the one before.
    let control: Vec<i64> =
        words(&before[0]).iter().filter(|word| word.writer == "control").map(|word| word.at).collect();
    assert!(control.is_sorted(), "{control:?}");
    // By the clock of the server a timer takes its time, and not an hour more or less.
    for mission in &after {
        let words = words(mission);
        let fired = words.iter().find(|word| word.kind == "timer.fired").unwrap();
        let due: Time = fired.data["at"].as_str().unwrap().parse().unwrap();
        assert!((-50..60_000).contains(&(fired.at - due.0)), "due at {due}: {fired:?}");
    }
}
