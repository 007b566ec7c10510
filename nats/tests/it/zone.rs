//! What the accounts keep apart: the log from those who see the world.

use crate::fixture::Server;
use async_nats::HeaderMap;
use std::time::Duration;

const M: &str = "stage7.mission.default.0.m1";

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
        let get = |subject: String| async move {
            Some(effect.ask(&format!("$JS.API.DIRECT.GET.{subject}"), "").await?.payload)
        };
        assert_eq!(get(format!("MISSIONS.{M}.control.mission.*")).await.unwrap(), "created");
        assert_eq!(get("ARTIFACTS.stage7.artifact.default.aa.0".into()).await.unwrap(), "chunk");
        assert_eq!(get("REGISTRY.stage7.registry.control.role.set.k".into()).await.unwrap(), "role");
        let batch = effect
            .ask("$JS.API.DIRECT.GET.REGISTRY", r#"{"seq":1,"batch":9,"next_by_subj":"stage7.registry.>"}"#)
            .await;
        assert_eq!(batch.unwrap().payload, "role");
        assert_ne!(get(format!("MISSIONS.{M}.control.plan.accepted")).await.unwrap_or_default(), "secret");
        let load =
            effect.ask("$JS.API.DIRECT.GET.MISSIONS", r#"{"seq":1,"batch":9,"next_by_subj":"stage7.mission.>"}"#).await;
        assert!(load.is_none_or(|m| m.payload.is_empty()), "{name} loads a whole mission");
    }
    let load =
        door.ask("$JS.API.DIRECT.GET.MISSIONS", &format!(r#"{{"seq":1,"batch":9,"next_by_subj":"{M}.>"}}"#)).await;
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
            let last = admin
                .ask(&format!("$JS.API.STREAM.MSG.GET.{stream}"), &format!(r#"{{"last_by_subj":"{forged}"}}"#))
                .await;
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
    let guard = [
        ("Nats-Expected-Last-Subject-Sequence", "0"),
        ("Nats-Expected-Last-Subject-Sequence-Subject", "stage7.mission.default.0.m1.brain.llm.*.agent.c1"),
    ];
    assert!(brain.append_with(&answer, "first", header(&guard)).await.is_some());
    assert!(brain.append_with(&format!("{M}.brain.llm.failed.agent.c1"), "second", header(&guard)).await.is_none());
    for (name, value) in [
        ("Nats-Rollup", "all"),
        ("Nats-Rollup", "sub"),
        ("Nats-TTL", "1s"),
        ("Nats-Schedule", "@at 2020-01-01T00:00:00Z"),
    ] {
        assert!(
            brain.append_with(&format!("{M}.brain.llm.tried"), "x", header(&[(name, value)])).await.is_none(),
            "{name}"
        );
    }
    let chunk = "stage7.artifact.default.aa.0";
    assert!(brain.append(chunk, "once").await.is_some());
    assert!(brain.append(chunk, "again").await.is_none());
    let admin = server.user("setup").await;
    let purged = admin.ask("$JS.API.STREAM.PURGE.MISSIONS", "").await.unwrap();
    assert!(String::from_utf8_lossy(&purged.payload).contains("error"), "not even setup purges the log");
}
