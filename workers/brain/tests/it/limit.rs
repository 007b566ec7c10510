//! How many calls a provider gets, of one brain and of several.

use crate::{
    redis::Redis,
    world::{MISSION, World, completed, config, provider},
};
use ::redis::cmd;
use brain::{Config, Key, ProviderConfig};
use model_servers::{Dialect, Reply, Server, Setup};
use schemas::{Class, EventId, Fact, Tenant, brain::LlmCompleted};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

fn server(dialect: Dialect) -> Server {
    Setup::new(dialect).models(&["m"]).start(|_| Reply::text("first and last"))
}

fn shared(providers: Vec<ProviderConfig>, redis: &Redis) -> Config {
    Config { redis: Some(Key::new(redis.url())), ..config(providers, "") }
}

/// So many requests at once.
async fn requests(world: &World, many: usize) -> Vec<EventId> {
    let mut all = Vec::new();
    for n in 0..many {
        all.push(world.request(&format!("Number {n}?"), json!({})).await);
    }
    all
}

async fn answers(world: &World, requests: &[EventId]) -> Vec<LlmCompleted> {
    let mut all = Vec::new();
    for request in requests {
        all.push(completed(world.answer(&Tenant::default(), *request).await));
    }
    all
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_more_than_a_provider_gets_in_a_minute_another_answers() {
    let world = World::start().await;
    let (first, second) = (server(Dialect::OpenAi), server(Dialect::LlamaCpp));
    let capped = ProviderConfig { per_minute: Some(2), ..provider("openai", &first, "m") };
    let brain = world.brain(config(vec![capped, provider("llamacpp", &second, "m")], "")).await;
    let all = answers(&world, &requests(&world, 5).await).await;
    assert_eq!((first.count("m"), second.calls().len()), (2, 3));
    let tries: Vec<_> = world.tries().await.into_iter().filter_map(|tried| tried.error).collect();
    let said = "it may be asked 2 a minute (OPENAI_PER_MINUTE), and there is no place within 30 s";
    assert!(tries.len() == 3 && tries.iter().all(|error| error.contains(said)), "{tries:?}");
    // It does not fail: it is ranked as before, for all brains.
    for answer in &all {
        assert_eq!(answer.routing.as_ref().unwrap().ranked[0].model, "openai/m");
    }
    brain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_over_all_brains_that_share_a_redis() {
    let (world, redis) = (World::start().await, Redis::start());
    let (first, second) = (server(Dialect::OpenAi), server(Dialect::LlamaCpp));
    let capped = || ProviderConfig { per_minute: Some(3), ..provider("openai", &first, "m") };
    let few = || ProviderConfig { parallel: Some(2), ..provider("llamacpp", &second, "m") };
    // Neither takes more than half of the calls.
    let half = || Config { parallel: 4, ..shared(vec![capped(), few()], &redis) };
    let brains = [world.brain(half()).await, world.brain(half()).await];
    let held = second.hold();
    let all = requests(&world, 8).await;
    until("each is asked as often as may be", || first.count("m") == 3 && second.calls().len() == 2).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!((first.count("m"), second.calls().len()), (3, 2), "the others wait, in either brain");
    drop(held);
    answers(&world, &all).await;
    let places: usize = redis.ask(cmd("ZCARD").arg("stage7:{llamacpp}:places"));
    assert_eq!((first.count("m"), second.calls().len(), places), (3, 5, 0));
    for brain in brains {
        brain.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_place_of_a_brain_that_was_killed_is_free_again() {
    let (world, redis) = (World::start().await, Redis::start());
    let server = server(Dialect::OpenAi);
    let (seconds, _): (u64, u64) = redis.ask(&cmd("TIME"));
    let until = (seconds + 3) * 1_000;
    let _: () = redis.ask(cmd("ZADD").arg("stage7:{openai}:places").arg(until).arg("of a dead brain"));
    let alone = ProviderConfig { parallel: Some(1), ..provider("openai", &server, "m") };
    let brain = world.brain(shared(vec![alone], &redis)).await;
    world.completed("Now?", json!({})).await;
    let (seconds, _): (u64, u64) = redis.ask(&cmd("TIME"));
    assert!(seconds * 1_000 >= until, "not before the dead one's time was up");
    brain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_redis_a_brain_goes_by_its_own_counts_until_it_is_back() {
    let (world, mut redis) = (World::start().await, Redis::start());
    let (first, second) = (server(Dialect::OpenAi), server(Dialect::LlamaCpp));
    let capped = ProviderConfig { per_minute: Some(3), ..provider("openai", &first, "m") };
    let many = ProviderConfig { per_minute: Some(1_000), ..provider("llamacpp", &second, "m") };
    let brain = world.brain(shared(vec![capped, many], &redis)).await;
    let counted = |redis: &Redis, name: &str| redis.ask::<usize>(cmd("ZCARD").arg(format!("stage7:{{{name}}}:minute")));
    world.completed("One?", json!({})).await;
    assert_eq!(counted(&redis, "openai"), 1);
    redis.end();
    answers(&world, &requests(&world, 3).await).await;
    assert_eq!((first.count("m"), second.calls().len()), (3, 1), "the one from before counts");
    redis.begin();
    let end = Instant::now() + Duration::from_secs(20);
    while counted(&redis, "llamacpp") == 0 {
        assert!(Instant::now() < end, "Redis is asked again");
        world.completed("And now?", json!({})).await;
    }
    assert_eq!(first.count("m"), 3, "it knows nothing, but this brain still does");
    brain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_a_place_can_be_called_off() {
    let world = World::start().await;
    let server = server(Dialect::OpenAi);
    let held = server.hold();
    let alone = ProviderConfig { parallel: Some(1), ..provider("openai", &server, "m") };
    let brain = world.brain(config(vec![alone], "")).await;
    let first = world.request("First?", json!({})).await;
    until("it is asked", || server.calls().len() == 1).await;
    let waiting = world.request("Second?", json!({"step": "t"})).await;
    sleep(Duration::from_millis(200)).await;
    world.cancel("t").await;
    let failed = world.answer(&Tenant::default(), waiting).await;
    let Fact::LlmFailed(failed) = failed else { panic!("{MISSION}: {failed:?}") };
    assert_eq!((failed.class, server.calls().len()), (Class::NotStarted, 1));
    drop(held);
    completed(world.answer(&Tenant::default(), first).await);
    brain.stop().await;
}
