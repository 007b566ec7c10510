//! What people say about plugins, and what the door makes of it.

use crate::fixture::{World, code, plugin};
use nats::registry;
use schemas::{Value, Writer};
use serde_json::json;

const ORDER: &str = "stage7.command.default";

fn version(verb: &str, version: &str, digest: char) -> Value {
    let hash = digest.to_string().repeat(64);
    json!({"verb": verb, "version": version, "publisher": "local", "digest": hash, "sha256": hash, "size": 10})
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_come_and_go_and_one_of_them_counts() {
    let world = World::start().await;
    let log = world.log("capability").await;
    registry::announce(&log, Writer::Capability, &[plugin("SHIPPED", "capability")]).await.unwrap();
    let log = world.log("agent").await;
    registry::announce(&log, Writer::Agent, &[plugin("THINK", "agent")]).await.unwrap();
    let order = async |what: &str, data: Value| world.ask(&format!("{ORDER}.plugin.{what}"), data).await;

    assert_eq!(order("add", version("X", "1.2.0", 'a')).await["current"], "1.2.0");
    assert_eq!(order("add", version("X", "1.10.0", 'b')).await["current"], "1.10.0");
    assert_eq!(order("add", version("X", "1.10.0", 'b')).await["current"], "1.10.0", "the same again is no matter");
    assert_eq!(code(&order("add", version("X", "1.10.0", 'c')).await), "taken_version");
    assert_eq!(order("rollback", json!({"verb": "X"})).await["current"], "1.2.0");
    assert_eq!(code(&order("rollback", json!({"verb": "X"})).await), "no_version");
    assert_eq!(order("pin", json!({"verb": "X", "version": null})).await["current"], "1.10.0");
    assert_eq!(code(&order("pin", json!({"verb": "X", "version": "3.0.0"})).await), "unknown_plugin");
    assert_eq!(order("remove", json!({"verb": "X", "version": "1.10.0"})).await["removed"], json!(["1.10.0"]));
    // It comes back, though the word that brought it first is equal to the one that does now.
    assert_eq!(order("add", version("X", "1.10.0", 'b')).await["current"], "1.10.0");
    assert_eq!(order("remove", json!({"verb": "X"})).await["removed"], json!(["1.2.0", "1.10.0"]));
    assert_eq!(code(&order("remove", json!({"verb": "X"})).await), "unknown_plugin");

    assert_eq!(code(&order("add", version("SHIPPED", "9.0.0", 'd')).await), "taken_verb");
    assert_eq!(code(&order("disable", json!({"verb": "THINK"})).await), "agents_verb");
    assert_eq!(code(&order("disable", json!({"verb": "NOWHERE"})).await), "unknown_plugin");
    for enabled in [false, true, false, true] {
        let what = if enabled { "enable" } else { "disable" };
        assert_eq!(order(what, json!({"verb": "SHIPPED"})).await["enabled"], enabled);
        let words = log.load_from("REGISTRY", "stage7.registry.user.plugin.>", 0).await.unwrap();
        let last = words.iter().rev().find(|word| word.subject.ends_with(".SHIPPED")).unwrap();
        assert!(last.subject.contains(&format!(".plugin.{what}d.")), "{}", last.subject);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_are_none_are_refused_with_what_is_wrong() {
    let world = World::start().await;
    let order = async |what: &str, data: Value| world.ask(&format!("{ORDER}.{what}"), data).await;
    let with = |field: &str, value: Value| {
        let mut order = version("X", "1.0.0", 'a');
        order[field] = value;
        order
    };
    for (what, data, wanted, at) in [
        ("plugin.add", with("verb", json!("x")), "invalid_order", "/verb"),
        ("plugin.add", with("version", json!("1")), "invalid_order", "/version"),
        ("plugin.add", with("digest", json!("../..")), "invalid_order", "/digest"),
        ("plugin.add", with("sha256", json!("A".repeat(64))), "invalid_order", "/sha256"),
        ("plugin.add", with("more", json!(1)), "invalid_json", ""),
        ("plugin.add", json!([]), "invalid_json", ""),
        ("plugin.shout", json!({}), "unknown_command", ""),
        (
            "key.trust",
            json!({"fingerprint": "x", "publisher": "a", "key": "PUBLIC KEY"}),
            "invalid_order",
            "/fingerprint",
        ),
        ("key.revoke", json!({"fingerprint": "*"}), "invalid_order", "/fingerprint"),
    ] {
        let answer = order(what, data.clone()).await;
        assert_eq!((code(&answer), answer["error"]["at"].as_str().unwrap()), (wanted, at), "{what} {data}: {answer}");
    }
    // Somebody of another tenant, whose account leads there.
    let asked = world
        .log("setup")
        .await
        .client()
        .request("stage7.command.other.plugin.disable", r#"{"verb": "X"}"#.into())
        .await;
    let answer: Value = serde_json::from_slice(&asked.unwrap().payload).unwrap();
    assert_eq!(code(&answer), "not_yours", "{answer}");

    let fingerprint = "a".repeat(32);
    let trust = |publisher: &str| json!({"fingerprint": fingerprint, "publisher": publisher, "key": "-----BEGIN PUBLIC KEY-----"});
    assert_eq!(order("key.trust", trust("ada")).await["fingerprint"], fingerprint);
    assert_eq!(order("key.trust", trust("ada")).await["fingerprint"], fingerprint);
    assert_eq!(code(&order("key.trust", trust("eve")).await), "known_key");
    assert_eq!(order("key.revoke", json!({"fingerprint": fingerprint})).await["fingerprint"], fingerprint);
    assert_eq!(code(&order("key.trust", trust("ada")).await), "revoked_key");
}
