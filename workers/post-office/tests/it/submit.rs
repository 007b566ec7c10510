//! Goals, good and bad, by both roads.

use crate::fixture::{World, code};
use nats::service::store;
use schemas::{Fact, MissionId, cloudevent::goal, value::sha256};
use serde_json::{Value, json};
use streams::{
    record::{Decoded, Record},
    submission::Refused,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_goal_becomes_one_mission_however_often_it_is_sent() {
    let world = World::start().await.with_intake().await;
    let event = goal(
        "/tests/a b",
        "goal ä 1",
        &json!({"goal": " count it ", "files": [{"name": "a.csv", "data_base64": "YSxi"}]}),
    );
    let first = world.ask("stage7.submit.default", event.clone()).await;
    let mission = first["mission"].as_str().unwrap().to_string();
    assert_eq!(first["subject"], format!("stage7.view.default.{mission}.>"));
    assert_eq!(world.ask("stage7.submit.default", event.clone()).await, first);

    // Binary mode, straight into the stream, percent-encoded as the binding wants it.
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-type", schemas::goal::TYPE),
        ("ce-source", "/tests/a%20b"),
        ("ce-id", "goal%20%C3%A4%201"),
    ];
    let record = Record {
        subject: "stage7.goal.default".into(),
        headers: headers.map(|(name, value)| (name.to_string(), value.to_string())).to_vec(),
        payload: event["data"].to_string().into(),
        seq: 0,
    };
    store(&world.person, &record).await.unwrap();

    world.mission("another", json!({"goal": "x"})).await;
    // Goals are taken up side by side, in no order: all are when none waits.
    world
        .until(|| async {
            world.log("door").await.load_from("GOALS", "stage7.goal.default", 0).await.unwrap().is_empty()
        })
        .await;
    let log = world.log("door").await;
    let created = log.load_from("MISSIONS", "stage7.mission.*.*.*.control.mission.created", 0).await.unwrap();
    assert_eq!(created.len(), 2);
    let its = created.iter().find(|record| record.subject.contains(&mission)).expect("the goal's mission");
    let Ok(Decoded::Event(event)) = its.decode() else { panic!("{:?}", its.decode()) };
    assert_eq!(event.mission, mission.parse::<MissionId>().unwrap());
    let Fact::MissionCreated(created) = event.fact else { panic!("{:?}", event.fact) };
    assert_eq!((created.goal.as_str(), created.goal_event.id.as_str()), ("count it", "goal ä 1"));
    assert_eq!(created.files["a.csv"].sha256, sha256(b"a,b"));
    assert_eq!(created.files["a.csv"].media_type, "text/csv; charset=utf-8");
    for sha in [&created.files["a.csv"].sha256, &created.catalogue.reference.sha256] {
        let got = world.person.client().request(format!("stage7.get.default.{sha}.0"), "".into()).await.unwrap();
        assert_eq!(&sha256(&got.payload), sha);
    }
    let refusals = log.load_from("REFUSALS", "stage7.refused.default", 0).await.unwrap();
    assert!(refusals.is_empty(), "{refusals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_goal_and_files_put_before_are_taken_up() {
    let world = World::start().await.with_intake().await;
    let bytes = vec![7_u8; 200_000];
    let sha = sha256(&bytes);
    for (n, chunk) in bytes.chunks(128 * 1024).enumerate() {
        let answer = world.ask_raw(&format!("stage7.put.default.{sha}.{n}"), chunk).await;
        assert_eq!(answer, json!({"ok": true}));
    }
    let data = json!({"goal": "x", "context": "y".repeat(99_000), "files": [{"name": "big.bin", "ref": {"sha256": sha, "size": 200_000}}]});
    let mission = world.mission("large", data).await;
    let events = world.read(json!({"mission": mission})).await;
    let created = &events["events"][0];
    assert_eq!(created["type"], "io.stage7.mission.created.v1");
    assert_eq!(created["data"]["files"]["big.bin"]["size"], 200_000);
    assert_eq!(created["data"]["context"].as_str().unwrap().len(), 99_000, "data that lies elsewhere is put in");

    // Put, but not all of it; never put; another length.
    for (id, sha, size) in [("part", &sha, 300_000), ("none", &sha256(b"never put"), 9), ("less", &sha, 199_999)] {
        let event =
            goal("/test", id, &json!({"goal": "x", "files": [{"name": "f", "ref": {"sha256": sha, "size": size}}]}));
        world.ask("stage7.submit.default", event).await;
        let asked = json!({"refused": {"source": "/test", "id": id}});
        world.until(|| async { !world.read(asked.clone()).await["refused"].is_null() }).await;
        let refused = world.read(asked).await;
        assert_eq!(
            (code(&refused["refused"]), &refused["refused"]["error"]["at"]),
            ("invalid_files", &json!("/files/0/ref")),
            "{refused}"
        );
    }
}

/// What is no goal: the bytes, and the code and place of the error.
fn bad() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let event = |data: Value| goal("/test", "bad", &data).to_string().into_bytes();
    let with = |key: &str, value: Value| {
        let mut event = goal("/test", "bad", &json!({"goal": "x"}));
        event[key] = value;
        event.to_string().into_bytes()
    };
    let without = |key: &str| {
        let mut event = goal("/test", "bad", &json!({"goal": "x"}));
        event.as_object_mut().unwrap().remove(key);
        event.to_string().into_bytes()
    };
    vec![
        (vec![], "invalid_event", ""),
        (b"count words".to_vec(), "invalid_event", ""),
        (b"{\"goal\": \"x\"".to_vec(), "invalid_event", ""),
        (vec![0xff, 0xfe, 0x00], "invalid_event", ""),
        (b"[]".to_vec(), "invalid_event", ""),
        (json!({"goal": "x"}).to_string().into_bytes(), "invalid_event", "/specversion"),
        (with("specversion", json!("0.3")), "invalid_event", "/specversion"),
        (with("specversion", json!(1.0)), "invalid_event", "/specversion"),
        (without("id"), "invalid_event", "/id"),
        (with("id", json!("")), "invalid_event", "/id"),
        (without("source"), "invalid_event", "/source"),
        (with("type", json!("io.stage7.goal.wished.v1")), "invalid_event", "/type"),
        (without("data"), "invalid_goal", ""),
        (event(json!("x")), "invalid_goal", ""),
        (event(json!({})), "invalid_goal", "/goal"),
        (event(json!({"goal": ""})), "invalid_goal", "/goal"),
        (event(json!({"goal": " \n\t "})), "invalid_goal", "/goal"),
        (event(json!({"goal": "x".repeat(20_001)})), "invalid_goal", "/goal"),
        (event(json!({"goal": "a\u{0}b"})), "invalid_goal", "/goal"),
        (event(json!({"goal": "a\u{1b}[2Jb"})), "invalid_goal", "/goal"),
        (event(json!({"goal": 7})), "invalid_goal", "/goal"),
        (event(json!({"goal": "x", "gaol": "y"})), "invalid_goal", "/gaol"),
        (event(json!({"goal": "x", "kind": "war"})), "invalid_goal", "/kind"),
        (event(json!({"goal": "x", "name": 1})), "invalid_goal", "/name"),
        (event(json!({"goal": "x", "context": 1})), "invalid_goal", "/context"),
        (event(json!({"goal": "x", "files": "a.csv"})), "invalid_goal", "/files"),
        (
            event(json!({"goal": "x", "files": [{"name": "../x", "data_base64": "eA=="}]})),
            "invalid_goal",
            "/files/0/name",
        ),
        (event(json!({"goal": "x", "optimize": 1})), "invalid_goal", "/optimize"),
        (event(json!({"goal": "x", "budget": {"max_calls": -1}})), "invalid_goal", "/budget"),
        (event(json!({"goal": "x", "autonomy": 1})), "invalid_goal", "/autonomy"),
        (event(json!({"goal": "x", "schedule": 1})), "invalid_goal", "/schedule"),
        (event(json!({"goal": "x", "model": 1})), "invalid_goal", "/model"),
        (event(json!({"goal": "x", "plan": {"stages": []}})), "invalid_goal", "/plan"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_goal_is_refused_with_its_reason_by_both_roads() {
    let world = World::start().await.with_intake().await;
    let log = world.log("door").await;
    let bad = bad();
    for (body, wanted, at) in &bad {
        let shown = String::from_utf8_lossy(&body[..body.len().min(200)]);
        let answer = world.ask_raw("stage7.submit.default", body.clone()).await;
        assert_eq!((code(&answer), &answer["error"]["at"]), (*wanted, &json!(at)), "{shown}: {answer}");
        world.person.client().publish("stage7.goal.default", body.clone().into()).await.unwrap();
    }
    world.person.client().flush().await.unwrap();
    world
        .until(|| async { log.load_from("REFUSALS", "stage7.refused.default", 0).await.unwrap().len() == bad.len() })
        .await;
    let refusals = log.load_from("REFUSALS", "stage7.refused.default", 0).await.unwrap();
    let mut told: Vec<(String, String)> = refusals
        .iter()
        .map(|record| {
            assert_eq!(record.header("ce-type"), Some("io.stage7.goal.refused.v1"));
            let Refused { refusal, .. } = serde_json::from_slice(&record.payload).unwrap();
            (refusal.error.code, refusal.error.at)
        })
        .collect();
    let mut wanted: Vec<(String, String)> =
        bad.iter().map(|(_, code, at)| (code.to_string(), at.to_string())).collect();
    told.sort();
    wanted.sort();
    assert_eq!(told, wanted);
    assert!(log.load_from("MISSIONS", "stage7.mission.>", 0).await.unwrap().is_empty());
    // And whoever comes next is served.
    world.mission("good", json!({"goal": "x"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn goals_wait_until_it_is_known_what_can_be_done() {
    let world = World::start().await;
    let event = goal("/test", "early", &json!({"goal": "x"}));
    let mission = world.ask("stage7.submit.default", event).await["mission"].as_str().unwrap().to_string();
    assert_eq!(code(&world.say(&mission, "pause.requested", json!({})).await), "not_yet");
    assert_eq!(code(&world.read(json!({"mission": mission})).await), "not_yet");
    let world = world.with_intake().await;
    world.until(|| async { world.read(json!({"mission": mission})).await["last"].is_u64() }).await;
}
