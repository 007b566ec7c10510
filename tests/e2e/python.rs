//! A client in another language, with nothing but a user's rights.

use crate::{
    process::Ended,
    stage7::{Layout, Stage7, shared},
    user::{SOURCE, new_id},
};
use schemas::{MissionId, cloudevent};
use serde_json::json;
use std::process::Command;

/// Runs `client.py` with the Python that `scripts/test.sh` prepares.
fn client(stage7: &Stage7, args: &[&str]) -> Ended {
    let python = std::env::var_os("STAGE7_TEST_PYTHON")
        .expect("STAGE7_TEST_PYTHON names a Python with nats-py: `make test` prepares one");
    let (url, key) = stage7.address();
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client/client.py")).arg(url).arg(key).args(args);
    stage7.ended(command)
}

#[test]
fn a_python_client_starts_watches_answers_and_reads_a_mission() {
    let stage7 = shared(Layout::One);
    let ended = client(&stage7, &["mission"]).code(0);
    assert_eq!(ended.stdout, "ok\n", "{}", ended.stderr);
}

/// The log takes goals whether anybody works or not; what waits is known to the door.
#[test]
fn a_goal_published_while_nobody_works_is_done_later() {
    let stage7 = Stage7::prepared(Layout::Split, &[]);
    client(&stage7, &["publish", "promise"]).code(0);
    let mission = MissionId::of_goal(&"default".parse().unwrap(), "/tests/python", "promise").to_string();

    stage7.run_worker("post-office");
    let user = stage7.user();
    let told = user.say(&mission, "pause.requested", &json!({}));
    assert_eq!(told["error"]["code"], "not_yet", "{told}");
    assert_eq!(user.state(&mission)["error"]["code"], "not_yet");
    let nobody = "0".repeat(32);
    assert_eq!(user.say(&nobody, "pause.requested", &json!({}))["error"]["code"], "unknown_mission");
    // One more, by request, and once more the same one.
    let id = new_id();
    let event = cloudevent::goal(SOURCE, &id, &json!({"goal": "Save 'twice' as out.txt", "model": "offline"}));
    let (first, again) =
        (user.ask_again("stage7.submit.default", &event), user.ask_again("stage7.submit.default", &event));
    assert!(first["mission"].is_string() && first == again, "{first} {again}");

    for worker in ["mission-control", "agents", "brain", "capabilities", "timekeeper", "librarian"] {
        stage7.run_worker(worker);
    }
    for (mission, text) in [(mission.as_str(), "as promised"), (first["mission"].as_str().unwrap(), "twice")] {
        let state = stage7.until(&user, mission, "is completed", |state| state["status"] == "completed");
        assert_eq!(user.deliverable(&state, "out.txt"), text.as_bytes());
    }
    stage7.ready();
    assert_eq!(stage7.cli(&["mission", "list", "--json"]).code(0).lines().len(), 2);
}
