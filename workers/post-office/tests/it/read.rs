//! What people ask to know.

use crate::fixture::{World, code, plugin};
use nats::{
    registry,
    service::{Answer, Request, Service, serve},
};
use schemas::Writer;
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn events_come_in_pages_that_leave_nothing_out() {
    let world = World::start().await.with_intake().await;
    let mission = world.mission("m", json!({"goal": "x"})).await;
    for n in 0..40 {
        let said = world.say(&mission, "message.said", json!({"text": format!("{n} {}", "ä".repeat(19_000))})).await;
        assert!(said["seq"].is_u64(), "{said}");
    }
    for (limit, least) in [(json!(null), 2), (json!(7), 6)] {
        let (mut after, mut pages, mut texts) = (json!(0), 0, Vec::new());
        loop {
            let page = world.read(json!({"mission": mission, "after": after, "limit": limit})).await;
            assert!(page.to_string().len() <= 600_000);
            let events = page["events"].as_array().unwrap();
            if events.is_empty() {
                assert_eq!(page["last"], after);
                break;
            }
            assert_eq!(events.last().unwrap()["sequence"], page["last"].to_string());
            texts.extend(
                events
                    .iter()
                    .filter_map(|event| event["data"]["text"].as_str()?.split(' ').next()?.parse::<u32>().ok()),
            );
            after = page["last"].clone();
            pages += 1;
        }
        assert!(pages >= least, "{pages} pages");
        assert_eq!(texts, (0..40).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mission_is_shown_now_and_as_it_was() {
    let world = World::start().await.with_intake().await;
    let mission = world.mission("m", json!({"goal": "brew", "name": "tea"})).await;
    let said = world.say(&mission, "message.said", json!({"text": "hello"})).await["seq"].as_u64().unwrap();
    let now = world.read(json!({"mission": mission, "state": true})).await;
    assert_eq!(
        (&now["id"], &now["goal"], &now["name"], &now["last_seq"]),
        (&json!(mission), &json!("brew"), &json!("tea"), &json!(said)),
        "{now}"
    );
    assert_eq!(now["messages"][0]["text"], "hello");
    let then = world.read(json!({"mission": mission, "state": true, "at": said - 1})).await;
    assert_eq!((&then["goal"], &then["messages"]), (&json!("brew"), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_are_listed_and_shown() {
    let world = World::start().await.with_intake().await;
    let list = world.read(json!({"plugins": true})).await;
    world
        .until(|| async {
            world.read(json!({"plugins": true})).await["plugins"].as_array().is_some_and(|all| all.len() == 2)
        })
        .await;
    assert_eq!(list["plugins"][0]["verb"], "TEXT_ANALYSIS");
    assert_eq!(list["plugins"][0]["type"], "native");
    let shown = world.read(json!({"plugin": "TEXT_ANALYSIS"})).await;
    assert_eq!(shown["plugin"]["input"]["properties"]["text"]["type"], "string");
    assert_eq!(code(&world.read(json!({"plugin": "NOPE"})).await), "unknown_plugin");

    // A worker that comes back with another set.
    let log = world.log("capability").await;
    registry::announce(&log, Writer::Capability, &[plugin("FILE_OPS", "capability")]).await.unwrap();
    let list = world.read(json!({"plugins": true})).await;
    let verbs: Vec<_> = list["plugins"].as_array().unwrap().iter().map(|plugin| plugin["verb"].clone()).collect();
    assert_eq!(verbs, ["FILE_OPS", "THINK"]);
    let words = log.load_from("REGISTRY", "stage7.registry.>", 0).await.unwrap().len();
    registry::announce(&log, Writer::Capability, &[plugin("FILE_OPS", "capability")]).await.unwrap();
    assert_eq!(
        log.load_from("REGISTRY", "stage7.registry.>", 0).await.unwrap().len(),
        words,
        "what is known is not said again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_cannot_be_understood_are_answered_with_the_forms() {
    let world = World::start().await;
    for (body, wanted) in [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[]", "invalid_request"),
        ("{}", "invalid_request"),
        (r#"{"mission": 7}"#, "invalid_request"),
        (r#"{"mission": "x"}"#, "unknown_mission"),
        (r#"{"mission": "00000000000000000000000000000000", "before": 7}"#, "invalid_request"),
        (r#"{"mission": "00000000000000000000000000000000", "after": -1}"#, "invalid_request"),
        (r#"{"mission": "00000000000000000000000000000000", "state": "all"}"#, "invalid_request"),
        (r#"{"mission": "00000000000000000000000000000000", "state": true}"#, "unknown_mission"),
        (r#"{"plugin": 7}"#, "invalid_request"),
        (r#"{"refused": {"id": "x"}}"#, "invalid_request"),
    ] {
        assert_eq!(code(&world.ask_raw("stage7.read.default", body).await), wanted, "{body}");
    }
    let none = world.read(json!({"refused": {"source": "/t", "id": "x"}})).await;
    assert_eq!(none, json!({"refused": null}));
}

/// Stands where the librarian stands; its rows are its own tests' business.
struct Rows;

#[async_trait::async_trait]
impl Service for Rows {
    const NAME: &'static str = "librarian";
    const ENDPOINTS: &'static [(&'static str, &'static str)] = &[("query", "stage7.query.*")];

    async fn answer(&self, _: &'static str, request: Request) -> Answer {
        Answer {
            payload: json!({"asked": request.subject, "with": String::from_utf8_lossy(&request.payload)})
                .to_string()
                .into(),
            ..Answer::default()
        }
    }
    fn broken(&self) -> Answer {
        Answer::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_searches_and_sums_are_passed_on_for_this_tenant_only() {
    let world = World::start().await;
    let nobody = world.read(json!({"list": {}})).await;
    assert_eq!(code(&nobody), "unavailable");
    let librarian = world.log("librarian").await;
    tokio::spawn(async move { serve(&librarian, Arc::new(Rows), CancellationToken::new()).await.unwrap() });
    for body in
        [r#"{"list":{"tenant":"other"}}"#, r#"{"search":{"text":"x"}}"#, r#"{"cost":{"by":"day","tenant":"other"}}"#]
    {
        let answer = world.ask_raw("stage7.read.default", body).await;
        assert_eq!(answer, json!({"asked": "stage7.query.default", "with": body}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_processed_is_asked_of_the_librarian_and_refused_goals_are_counted() {
    let world = World::start().await.with_intake().await;
    let librarian = world.log("librarian").await;
    tokio::spawn(async move { serve(&librarian, Arc::new(Rows), CancellationToken::new()).await.unwrap() });
    let dead = r#"{"dead":{"limit":3}}"#;
    let asked = || world.ask_raw("stage7.read.default", dead);
    world.until(|| async { asked().await["asked"].is_string() }).await;
    let none = asked().await;
    assert_eq!(none, json!({"asked": "stage7.query.default", "with": dead, "refused": {"goals": 0, "last": null}}));
    for body in ["no event", "{\"specversion\": \"1.0\"}", "\u{1}"] {
        world.person.client().publish("stage7.goal.default", body.into()).await.unwrap();
    }
    world.until(|| async { asked().await["refused"]["goals"] == 3 }).await;
    let answer = asked().await;
    assert!(answer["refused"]["last"]["error"]["message"].is_string(), "{answer:#}");
    let record = r#"{"record":{"seq":7}}"#;
    let answer = world.ask_raw("stage7.read.default", record).await;
    assert_eq!(answer, json!({"asked": "stage7.query.default", "with": record}));
}
