//! Answers that are given again.

use crate::{
    redis::Redis,
    world::{World, completed, config, provider},
};
use ::redis::cmd;
use brain::{Config, Key};
use model_servers::{ApiError, Dialect, Fault, Reply, Server};
use schemas::{Fact, Tenant, brain::Usage};
use serde_json::json;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// A server that answers with how often it was asked.
fn counting() -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(Dialect::OpenAi, move |_| Reply::text(format!("{}", asked.fetch_add(1, Ordering::Relaxed) + 1)))
}

fn keeping(server: &Server, redis: Option<&Redis>) -> Config {
    let (cache, redis) = (Some(Duration::from_secs(3_600)), redis.map(|redis| Key::new(redis.url())));
    Config { cache, redis, ..config(vec![provider("openai", server, "m")], PRICED) }
}

const PRICED: &str = "[[model]]\nprovider = \"openai\"\nname = \"m\"\nprices = [{ input = 10, output = 10 }]\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_has_the_same_answer_for_nothing_and_another_one_has_not() {
    let (world, server) = (World::start().await, counting());
    let brain = world.brain(keeping(&server, None)).await;
    let first = world.completed("Why?", json!({})).await;
    assert!(!first.cached && first.cost_usd > 0.0);
    let again = world.completed("Why?", json!({"step": "other", "agent": "writer-2"})).await;
    assert_eq!((again.answer, again.cached, again.cost_usd, again.usage), (first.answer, true, 0.0, Usage::default()));
    assert_eq!((again.provider.as_str(), again.model.as_str(), server.count("m")), ("openai", "m", 1));
    for (text, more) in [
        ("Why not?", json!({})),
        ("Why?", json!({"model": "openai/n"})),
        ("Why?", json!({"schema": {"type": "integer"}})),
        ("Why?", json!({"attempt": 2})),
    ] {
        let before = server.calls().len();
        let other = world.completed(text, more.clone()).await;
        assert!(!other.cached && server.calls().len() == before + 1, "{text} {more}");
    }
    let other: Tenant = "other".parse().unwrap();
    world.mission(&other).await;
    let theirs = world.request_of(&other, "Why?", json!({})).await;
    assert!(!completed(world.answer(&other, theirs).await).cached, "another tenant's");
    // A step that was tried again has left the newer answer.
    assert_eq!(world.completed("Why?", json!({})).await.answer, json!("5"));
    brain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_nothing_is_given_again() {
    let (world, server) = (World::start().await, counting());
    let brain = world.brain(Config { cache: None, ..keeping(&server, None) }).await;
    assert_eq!(world.completed("Why?", json!({})).await.answer, json!("1"));
    assert_eq!(world.completed("Why?", json!({})).await.answer, json!("2"));
    brain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_and_answers_that_were_not_wanted_are_not_kept() {
    let world = World::start().await;
    let asked = AtomicUsize::new(0);
    let server = Server::start(Dialect::OpenAi, move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Fault::Error(ApiError::Filtered).into(),
        1..=3 => Reply::text("{\"n\": 1}"),
        _ => Reply::text("{\"m\": 1}"),
    });
    let redis = Redis::start();
    let brain = world.brain(keeping(&server, Some(&redis))).await;
    let wanted = json!({"schema": {"type": "object", "required": ["m"]}});
    for _ in 0..2 {
        let failed = world.ask("Why?", wanted.clone()).await;
        assert!(matches!(failed, Fact::LlmFailed(_)), "{failed:?}");
        assert_eq!(redis.ask::<usize>(&cmd("DBSIZE")), 0);
    }
    assert!(!world.completed("Why?", wanted.clone()).await.cached);
    assert!(world.completed("Why?", wanted).await.cached);
    brain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brains_share_answers_through_redis_for_as_long_as_is_set() {
    let (world, server, redis) = (World::start().await, counting(), Redis::start());
    let brain = world.brain(keeping(&server, Some(&redis))).await;
    assert_eq!(world.completed("Why?", json!({})).await.answer, json!("1"));
    brain.stop().await;
    let other = world.brain(keeping(&server, Some(&redis))).await;
    let shared = world.completed("Why?", json!({})).await;
    assert_eq!((shared.answer, shared.cached), (json!("1"), true));
    let keys: Vec<String> = redis.ask(cmd("KEYS").arg("stage7:answer:*"));
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    let life: u64 = redis.ask(cmd("PTTL").arg(key));
    assert!((1..=3_600_000).contains(&life), "{life}");
    // Its time is up.
    let _: u64 = redis.ask(cmd("PEXPIRE").arg(key).arg(1));
    while redis.ask::<u64>(cmd("EXISTS").arg(key)) == 1 {}
    assert_eq!(world.completed("Why?", json!({})).await.answer, json!("2"));
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_in_redis_counts_as_none() {
    let (world, server, redis) = (World::start().await, counting(), Redis::start());
    let brain = world.brain(keeping(&server, Some(&redis))).await;
    let wanted = || json!({"schema": {"type": "integer"}});
    assert_eq!(world.completed("Why?", wanted()).await.answer, json!(1));
    let key = redis.ask::<Vec<String>>(cmd("KEYS").arg("*")).pop().unwrap();
    let put = |value: &[u8]| redis.ask::<String>(cmd("SET").arg(&key).arg(value));
    for (n, garbled) in
        [&b"\xff\x00"[..], b"{", b"{\"text\": \"1\"}", b"{\"model\": \"m\", \"text\": \"one\"}"].iter().enumerate()
    {
        put(garbled);
        let answer = world.completed("Why?", wanted()).await;
        assert_eq!((answer.answer, answer.cached), (json!(n + 2), false), "{garbled:?}");
    }
    // Another kind of value.
    let _: u64 = redis.ask(cmd("DEL").arg(&key));
    let _: u64 = redis.ask(cmd("LPUSH").arg(&key).arg("x"));
    assert!(!world.completed("Why?", wanted()).await.cached);
    assert!(world.completed("Why?", wanted()).await.cached);
    brain.stop().await;
}
