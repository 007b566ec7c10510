//! Secrets and settings: what people say of them, and what the door makes of it.

use crate::fixture::{World, code, plugin};
use nats::{
    key::Seed,
    registry,
    seal::{Opener, seal},
};
use schemas::{Value, Writer};
use serde_json::json;
use streams::{
    registry::Plugin,
    secret::{ANNOUNCED, Announced, STREAM},
};

/// A verb with settings, and the worker that opens secrets.
async fn world() -> (World, Opener) {
    let (world, opener) = (World::start().await, Opener::of(&Seed::new()));
    let log = world.log("capability").await;
    let settings = json!([
        {"name": "provider", "type": "choice", "choices": ["a", "b"], "default": "a"},
        {"name": "depth", "type": "number"},
        {"name": "key", "type": "secret"},
    ]);
    let search = Plugin { settings: serde_json::from_value(settings).unwrap(), ..plugin("SEARCH", "capability") };
    registry::announce(&log, Writer::Capability, &[search, plugin("PLAIN", "capability")]).await.unwrap();
    let key = Announced { key: opener.public() };
    registry::publish(&log, Writer::Capability, ANNOUNCED, None, &key).await.unwrap();
    (world, opener)
}

async fn order(world: &World, what: &str, data: Value) -> Value {
    world.ask(&format!("stage7.command.default.{what}"), data).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_secret_only_the_last_word_is_left_and_only_its_worker_reads_it() {
    let (world, opener) = world().await;
    let key = world.read(json!({"secrets": true})).await["key"].as_str().unwrap().to_string();
    assert_eq!(key, opener.public());
    let set = async |name: &str, value: &str, grants: Value| {
        let mut data = json!({"name": name, "seal": seal(&key, value.as_bytes()).unwrap()});
        if grants.is_array() {
            data["for"] = grants;
        }
        order(&world, "secret.set", data).await
    };
    assert_eq!(
        set("API_KEY", "first", json!(["PLAIN", "API_CLIENT@a.example", "PLAIN"])).await["for"],
        json!(["API_CLIENT@a.example", "PLAIN"])
    );
    assert_eq!(
        set("API_KEY", "second", Value::Null).await["for"],
        json!(["API_CLIENT@a.example", "PLAIN"]),
        "as before"
    );
    assert_eq!(
        order(&world, "secret.grant", json!({"name": "API_KEY", "for": ["PLAIN"]})).await["for"],
        json!(["PLAIN"])
    );
    assert_eq!(
        set("SEARCH.key", "third", json!(["PLAIN"])).await["for"],
        json!(["SEARCH"]),
        "a setting is its plugin's"
    );

    let log = world.log("capability").await;
    let words = log.load_from(STREAM, "stage7.secret.default.>", 0).await.unwrap();
    let kept: Vec<_> = words.iter().filter_map(streams::secret::read).collect();
    let opened: Vec<_> = kept
        .iter()
        .map(|(tenant, name, secret)| {
            (tenant.as_str(), name.as_str(), opener.open(secret.seal.as_ref().unwrap()).unwrap())
        })
        .collect();
    assert_eq!(opened, [("default", "API_KEY", b"second".to_vec()), ("default", "SEARCH.key", b"third".to_vec())]);

    let all = world.read(json!({"secrets": true})).await;
    assert_eq!(
        all["secrets"].as_array().unwrap().iter().map(|secret| &secret["name"]).collect::<Vec<_>>(),
        ["API_KEY", "SEARCH.key"]
    );
    assert!(all["secrets"][0]["seal"].is_null(), "{all}");
    assert_eq!(order(&world, "secret.remove", json!({"name": "API_KEY"})).await["name"], "API_KEY");
    for what in ["remove", "grant"] {
        let mut data = json!({"name": "API_KEY"});
        if what == "grant" {
            data["for"] = json!(["PLAIN"]);
        }
        assert_eq!(code(&order(&world, &format!("secret.{what}"), data).await), "unknown_secret");
    }
    assert_eq!(world.read(json!({"secrets": true})).await["secrets"].as_array().unwrap().len(), 1);
    let words = log.load_from(STREAM, "stage7.secret.default.API_KEY", 0).await.unwrap();
    assert!(words.len() == 1 && !String::from_utf8_lossy(&words[0].payload).contains("seal"), "nothing is left of it");
    assert_eq!(set("API_KEY", "fourth", Value::Null).await["for"], json!([]), "who had the last one has not this one");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_secret_is_refused_with_what_is_wrong() {
    let (world, opener) = world().await;
    let sealed = seal(&opener.public(), b"value").unwrap();
    let other = seal(&Opener::of(&Seed::new()).public(), b"value").unwrap();
    let mut long = sealed.clone();
    long.sealed = "A".repeat(16 * 1024 + 1);
    let many: Vec<_> = (0..101).map(|n| format!("V{n}")).collect();
    for (what, data, wanted, at) in [
        ("set", json!({"name": "api_key", "seal": sealed}), "invalid_order", "/name"),
        ("set", json!({"name": "A.>", "seal": sealed}), "invalid_order", "/name"),
        ("set", json!({"name": "API_KEY", "seal": other}), "another_key", "/seal/to"),
        ("set", json!({"name": "API_KEY", "seal": long}), "invalid_order", "/seal/sealed"),
        ("set", json!({"name": "API_KEY", "for": ["x"], "seal": sealed}), "invalid_json", ""),
        ("set", json!({"name": "API_KEY", "for": many, "seal": sealed}), "invalid_order", "/for"),
        ("set", json!({"name": "API_KEY", "value": "plain"}), "invalid_json", ""),
        ("set", json!({"name": "SEARCH.depth", "seal": sealed}), "unknown_setting", "/name"),
        ("set", json!({"name": "PLAIN.key", "seal": sealed}), "unknown_setting", "/name"),
        ("set", json!({"name": "NOWHERE.key", "seal": sealed}), "unknown_setting", "/name"),
        ("grant", json!({"name": "SEARCH.key", "for": ["PLAIN"]}), "invalid_order", "/name"),
        ("shout", json!({}), "unknown_command", ""),
    ] {
        let answer = order(&world, &format!("secret.{what}"), data.clone()).await;
        assert_eq!((code(&answer), answer["error"]["at"].as_str().unwrap()), (wanted, at), "{what} {data}: {answer}");
    }
    assert_eq!(world.read(json!({"secrets": true})).await["secrets"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_a_tenants_own_and_must_fit() {
    let (world, _) = world().await;
    let choose = async |name: &str, value: Value| {
        order(&world, "setting.set", json!({"verb": "SEARCH", "name": name, "value": value})).await
    };
    let value = |answer: &Value, at: usize| (answer[at]["value"].clone(), answer[at]["set"].clone());
    let shown = world.read(json!({"plugin": "SEARCH"})).await["plugin"]["settings"].clone();
    assert_eq!(
        [value(&shown, 0), value(&shown, 1), value(&shown, 2)],
        [(json!("a"), json!(false)), (json!(null), json!(false)), (json!(null), json!(false))]
    );
    assert_eq!(value(&choose("provider", json!("b")).await, 0), (json!("b"), json!(true)));
    assert_eq!(value(&choose("depth", json!(2.5)).await, 1), (json!(2.5), json!(true)));
    // Of another tenant nothing is seen here.
    let other = world.log("setup").await;
    let body = json!({"verb": "SEARCH", "name": "depth", "value": 9}).to_string();
    other.client().request("stage7.command.other.setting.set", body.into()).await.unwrap();
    let shown = world.read(json!({"plugin": "SEARCH"})).await["plugin"]["settings"].clone();
    assert_eq!(value(&shown, 1), (json!(2.5), json!(true)));
    let cleared = order(&world, "setting.clear", json!({"verb": "SEARCH", "name": "provider"})).await;
    assert_eq!(value(&cleared, 0), (json!("a"), json!(false)));

    for (verb, name, value, wanted, at) in [
        ("SEARCH", "provider", json!("c"), "invalid_setting", "/value"),
        ("SEARCH", "depth", json!("2"), "invalid_setting", "/value"),
        ("SEARCH", "key", json!("in clear"), "secret_setting", "/name"),
        ("SEARCH", "colour", json!("red"), "unknown_setting", "/name"),
        ("PLAIN", "colour", json!("red"), "unknown_setting", "/name"),
        ("NOWHERE", "colour", json!("red"), "unknown_plugin", "/verb"),
    ] {
        let answer = order(&world, "setting.set", json!({"verb": verb, "name": name, "value": value})).await;
        assert_eq!((code(&answer), answer["error"]["at"].as_str().unwrap()), (wanted, at), "{verb} {name}: {answer}");
    }
    let said = world.log("capability").await.load_from("REGISTRY", ">", 0).await.unwrap();
    assert!(!said.iter().any(|word| String::from_utf8_lossy(&word.payload).contains("in clear")));
}
