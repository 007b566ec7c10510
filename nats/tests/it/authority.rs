//! Who may do what: the essence, each user once. Fixed by the accounts, not by good manners.

use crate::fixture::{Server, User, next};
use futures::future::join_all;
use std::collections::BTreeMap;
use streams::topology::STREAMS;

const M: &str = "stage7.mission.default.0.m1";

async fn everyone(server: &Server) -> BTreeMap<&'static str, User> {
    let mut all = BTreeMap::new();
    for name in nats::key::Ring::users() {
        all.insert(name, server.user(name).await);
    }
    all
}

/// Subject of a write, and the only one who may.
const WRITES: [(&str, &str); 17] = [
    ("stage7.mission.default.0.m1.control.mission.created", "control"),
    ("stage7.mission.default.0.m1.agent.llm.requested", "agent"),
    ("stage7.mission.default.0.m1.brain.llm.completed.agent.c1", "brain"),
    ("stage7.mission.default.0.m1.capability.plugin.completed.agent.r1", "capability"),
    ("stage7.mission.default.0.m1.timer.timer.fired.agent.t1", "timekeeper"),
    ("stage7.mission.default.0.m1.user.pause.requested", "door"),
    ("stage7.mission.default.0.m1.librarian.word.said", "librarian"),
    ("stage7.registry.control.role.set.k", "control"),
    ("stage7.registry.agent.role.set.k", "agent"),
    ("stage7.registry.brain.role.set.k", "brain"),
    ("stage7.registry.capability.role.set.k", "capability"),
    ("stage7.registry.librarian.role.set.k", "librarian"),
    ("stage7.registry.user.role.set.k", "door"),
    ("stage7.refused.default", "control"),
    ("stage7.timer.set.default.0.m1.agent.t1", "timekeeper"),
    ("stage7.telemetry.brain.cpu", "brain"),
    ("stage7.mission.other.0.m1.nobody.x.y", ""),
];

#[tokio::test(flavor = "multi_thread")]
async fn everyone_writes_their_own_words_and_nobody_anothers() {
    let server = Server::start().await;
    let users = everyone(&server).await;
    for (subject, owner) in WRITES {
        // At once: a refusal is a request that nobody answers, which takes its time to be sure of.
        let tried = users.iter().filter(|(name, _)| **name != "setup");
        join_all(tried.map(|(name, user)| async move {
            let stored = user.append(subject, "x").await.is_some();
            assert_eq!(stored, *name == owner, "{name} writing {subject}");
        }))
        .await;
    }
    let mut stored = 0;
    for stream in &STREAMS {
        let info = users["setup"].ask(&format!("$JS.API.STREAM.INFO.{}", stream.name), "").await.unwrap();
        let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
        stored += info["state"]["last_seq"].as_u64().unwrap();
    }
    assert_eq!(stored, WRITES.len() as u64 - 1, "one word each, and none of nobody's");
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_takes_from_their_own_consumer_and_nobody_from_anothers() {
    let server = Server::start().await;
    let users = everyone(&server).await;
    users["control"].append(&format!("{M}.control.mission.created"), "x").await.unwrap();
    users["agent"].append(&format!("{M}.agent.llm.requested"), "call").await.unwrap();
    users["agent"].append(&format!("{M}.agent.plugin.requested"), "run").await.unwrap();
    users["agent"].append(&format!("{M}.agent.timer.set"), "timer").await.unwrap();
    for (stream, consumer, owner, payload) in [
        ("MISSIONS", "llm-calls", "brain", "call"),
        ("MISSIONS", "plugin-runs", "capability", "run"),
        ("MISSIONS", "timers", "timekeeper", "timer"),
    ] {
        let others = users.iter().filter(|(name, _)| !["setup", owner].contains(name));
        join_all(others.map(|(name, user)| async move {
            assert!(user.pull(stream, consumer).await.is_none(), "{name} pulling {consumer}");
        }))
        .await;
        assert_eq!(users[owner].pull(stream, consumer).await.unwrap().payload, payload);
    }
    let info = users["librarian"].ask("$JS.API.CONSUMER.INFO.MISSIONS.llm-calls", "").await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
    assert_eq!(info["num_ack_pending"], 0, "an acknowledgement crosses the accounts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_a_tenants_rights_submits_and_watches_and_no_more() {
    let server = Server::start().await;
    let (tenant, door) = (server.user("default").await, server.user("door").await);
    let mut view = tenant.client.subscribe("stage7.view.default.>").await.unwrap();
    let mut live = tenant.client.subscribe("stage7.live.default.>").await.unwrap();
    tenant.client.flush().await.unwrap();
    assert!(tenant.append("stage7.goal.default", "a goal").await.is_some(), "JetStream says the goal is safe");
    let read = r#"{"seq":1,"batch":10,"next_by_subj":"stage7.goal.default"}"#;
    assert_eq!(door.ask("$JS.API.DIRECT.GET.GOALS", read).await.unwrap().payload, "a goal");

    let stored = server.user("control").await.append(&format!("{M}.control.mission.created"), "x").await.unwrap();
    let answer = format!("{M}.brain.llm.completed.agent.c1");
    server.user("brain").await.append(&answer, "y").await.unwrap();
    let seen = next(&mut view).await;
    assert_eq!(seen.subject.as_str(), "stage7.view.default.m1.control.mission.created");
    assert_eq!(seen.headers.unwrap().get("Nats-Sequence").unwrap().as_str(), stored.to_string());
    assert_eq!(next(&mut view).await.subject.as_str(), "stage7.view.default.m1.brain.llm.completed.agent.c1");
    let capability = server.user("capability").await;
    capability.client.publish("stage7.live.default.m1.log", "line".into()).await.unwrap();
    assert_eq!(next(&mut live).await.payload, "line");

    let mut asked = door.client.subscribe("stage7.submit.*").await.unwrap();
    door.client.flush().await.unwrap();
    let (answer, ()) = tokio::join!(tenant.ask("stage7.submit.default", "{}"), async {
        let request = next(&mut asked).await;
        let told = request.headers.as_ref().unwrap().get("Nats-Request-Info").unwrap().as_str().to_string();
        assert!(told.contains(&server.managed.ring().seed("default").unwrap().public()), "the door is told who asks");
        door.client.publish(request.reply.unwrap(), "yes".into()).await.unwrap();
        door.client.flush().await.unwrap();
    });
    assert_eq!(answer.unwrap().payload, "yes");

    tenant.refusals().await;
    for subject in [
        "stage7.goal.other",
        "stage7.submit.other",
        "stage7.query.x",
        "$JS.API.STREAM.INFO.MISSIONS",
        "$JS.API.DIRECT.GET.MISSIONS",
    ] {
        tenant.client.publish(subject, "x".into()).await.unwrap();
        assert!(!tenant.refusals().await.is_empty(), "a tenant publishing {subject}");
    }
    for subject in ["stage7.view.>", "stage7.mission.>", "stage7.registry.>", "stage7.live.other.>", "_R_.>"] {
        let _refused = tenant.client.subscribe(subject).await.unwrap();
        assert!(!tenant.refusals().await.is_empty(), "a tenant subscribing {subject}");
    }
}
