//! Who may do what: the essence, each user once. Fixed by the accounts, not by good manners.

use crate::fixture::{Server, User, next};
use async_nats::HeaderMap;
use futures::{StreamExt, future::join_all};
use std::{collections::BTreeMap, time::Duration};
use streams::topology::PIN_GROUP;

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
async fn pinned_consumers_give_one_instance_everything_in_order() {
    use async_nats::jetstream::{self, consumer::PullConsumer};
    let server = Server::start().await;
    let (control, agent) = (server.user("control").await, server.user("agent").await);
    server.user("default").await.append("stage7.goal.default", "goal").await.unwrap();
    for n in 0..500 {
        control.append(&format!("{M}.control.plan.noted"), &n.to_string()).await.unwrap();
    }
    for (user, stream, consumer, count) in [
        (&control, "MISSIONS", "mission-control", 500),
        (&control, "GOALS", "goals", 1),
        (&agent, "MISSIONS", "agent-steps", 500),
        (&server.user("librarian").await, "MISSIONS", "projector", 500),
    ] {
        let js = jetstream::new(user.client.clone());
        let taken: PullConsumer = js.get_consumer_from_stream(consumer, stream).await.unwrap();
        let open = |taken: PullConsumer| async move {
            let stream = taken.stream().group(PIN_GROUP).max_messages_per_batch(200).expires(Duration::from_secs(1)).messages();
            stream.await.unwrap()
        };
        let mut mine = open(taken.clone()).await;
        let mut last = None;
        for n in 0..count {
            let message = tokio::time::timeout(Duration::from_secs(5), mine.next()).await.unwrap().unwrap().unwrap();
            assert_eq!(message.info().unwrap().consumer_sequence, n + 1);
            last = Some(message);
        }
        last.unwrap().ack().await.unwrap();
        let mut standby = open(taken.clone()).await;
        let idle = tokio::time::timeout(Duration::from_millis(300), standby.next()).await;
        assert!(idle.is_err(), "{consumer}: the second instance stands by");
        for verb in ["UNPIN", "RESET"] {
            let done = user.ask(&format!("$JS.API.CONSUMER.{verb}.{stream}.{consumer}"), &format!(r#"{{"group":"{PIN_GROUP}"}}"#)).await;
            assert!(!String::from_utf8_lossy(&done.unwrap().payload).contains("error"), "{verb} {consumer}");
        }
    }
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
    for subject in ["stage7.goal.other", "stage7.submit.other", "stage7.query.x", "$JS.API.STREAM.INFO.MISSIONS", "$JS.API.DIRECT.GET.MISSIONS"] {
        tenant.client.publish(subject, "x".into()).await.unwrap();
        assert!(!tenant.refusals().await.is_empty(), "a tenant publishing {subject}");
    }
    for subject in ["stage7.view.>", "stage7.mission.>", "stage7.registry.>", "stage7.live.other.>", "_R_.>"] {
        let _refused = tenant.client.subscribe(subject).await.unwrap();
        assert!(!tenant.refusals().await.is_empty(), "a tenant subscribing {subject}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zones_of_effects_read_by_subject_only() {
    let server = Server::start().await;
    let (control, door) = (server.user("control").await, server.user("door").await);
    control.append(&format!("{M}.control.mission.created"), "created").await.unwrap();
    control.append(&format!("{M}.control.plan.accepted"), "secret").await.unwrap();
    control.append("stage7.registry.control.role.set.k", "role").await.unwrap();
    control.append("stage7.artifact.default.aa.0", "chunk").await.unwrap();
    for name in ["brain", "capability"] {
        let effect = &server.user(name).await;
        let get = |subject: String| async move { Some(effect.ask(&format!("$JS.API.DIRECT.GET.{subject}"), "").await?.payload) };
        assert_eq!(get(format!("MISSIONS.{M}.control.mission.*")).await.unwrap(), "created");
        assert_eq!(get("ARTIFACTS.stage7.artifact.default.aa.0".into()).await.unwrap(), "chunk");
        assert_eq!(get("REGISTRY.stage7.registry.control.role.set.k".into()).await.unwrap(), "role");
        let batch = effect.ask("$JS.API.DIRECT.GET.REGISTRY", r#"{"seq":1,"batch":9,"next_by_subj":"stage7.registry.>"}"#).await;
        assert_eq!(batch.unwrap().payload, "role");
        assert_ne!(get(format!("MISSIONS.{M}.control.plan.accepted")).await.unwrap_or_default(), "secret");
        let load = effect.ask("$JS.API.DIRECT.GET.MISSIONS", r#"{"seq":1,"batch":9,"next_by_subj":"stage7.mission.>"}"#).await;
        assert!(load.is_none_or(|m| m.payload.is_empty()), "{name} loads a whole mission");
    }
    let load = door.ask("$JS.API.DIRECT.GET.MISSIONS", &format!(r#"{{"seq":1,"batch":9,"next_by_subj":"{M}.>"}}"#)).await;
    assert_eq!(load.unwrap().payload, "created");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_can_not_be_made_to_land_among_anothers_words() {
    let server = Server::start().await;
    let brain = server.user("brain").await;
    let own = format!("{M}.brain.llm.completed.agent.c1");
    brain.append(&own, "answer").await.unwrap();
    for (asked, forged) in [
        (own.clone(), format!("{M}.control.forged.a")),
        (format!("$JS.API.DIRECT.GET.MISSIONS.{own}"), format!("{M}.control.forged.b")),
        (format!("$JS.API.DIRECT.GET.MISSIONS.{own}"), "stage7.timer.set.forged.0.m.agent.t".into()),
        ("$JS.API.CONSUMER.INFO.MISSIONS.llm-calls".into(), "stage7.goal.default".into()),
    ] {
        brain.client.publish_with_reply(asked.clone(), forged.clone(), "".into()).await.unwrap();
        brain.client.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let admin = server.user("setup").await;
        for stream in ["MISSIONS", "TIMERS", "GOALS"] {
            let last = admin.ask(&format!("$JS.API.STREAM.MSG.GET.{stream}"), &format!(r#"{{"last_by_subj":"{forged}"}}"#)).await;
            assert!(String::from_utf8_lossy(&last.unwrap().payload).contains("error"), "{asked} → {forged}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_guarded_and_not_rolled_up() {
    let server = Server::start().await;
    let brain = server.user("brain").await;
    let header = |pairs: &[(&str, &str)]| {
        let mut headers = HeaderMap::new();
        pairs.iter().for_each(|(k, v)| headers.insert(*k, *v));
        headers
    };
    let answer = format!("{M}.brain.llm.completed.agent.c1");
    let guard = [("Nats-Expected-Last-Subject-Sequence", "0"), ("Nats-Expected-Last-Subject-Sequence-Subject", "stage7.mission.default.0.m1.brain.llm.*.agent.c1")];
    assert!(brain.append_with(&answer, "first", header(&guard)).await.is_some());
    assert!(brain.append_with(&format!("{M}.brain.llm.failed.agent.c1"), "second", header(&guard)).await.is_none());
    for (name, value) in [("Nats-Rollup", "all"), ("Nats-Rollup", "sub"), ("Nats-TTL", "1s"), ("Nats-Schedule", "@at 2020-01-01T00:00:00Z")] {
        assert!(brain.append_with(&format!("{M}.brain.llm.tried"), "x", header(&[(name, value)])).await.is_none(), "{name}");
    }
    let chunk = "stage7.artifact.default.aa.0";
    assert!(brain.append(chunk, "once").await.is_some());
    assert!(brain.append(chunk, "again").await.is_none());
    let admin = server.user("setup").await;
    let purged = admin.ask("$JS.API.STREAM.PURGE.MISSIONS", "").await.unwrap();
    assert!(String::from_utf8_lossy(&purged.payload).contains("error"), "not even setup purges the log");
}
