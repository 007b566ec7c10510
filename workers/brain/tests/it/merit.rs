//! What is known of how models do: it shifts the choice, survives a restart, and is shared.

use crate::world::{World, config, provider};
use brain::Config;
use model_servers::{Dialect, Reply, Server};
use schemas::{EventId, Fact, MissionId, Tenant, Writer};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use streams::registry::{
    health::key,
    merit::{MEASURED, Measured, RATED, Rated},
};
use uuid::Uuid;

/// Two models, the first said to be the better one; its JSON is right while `well`.
struct Two {
    well: Arc<AtomicBool>,
    first: Server,
    second: Server,
}

impl Two {
    fn start() -> Self {
        let well = Arc::new(AtomicBool::new(true));
        let is_well = Arc::clone(&well);
        let says = move |_: &model_servers::Call| match is_well.load(Ordering::Relaxed) {
            true => Reply::text("7"),
            false => Reply::text("\"seven\""),
        };
        let second = Server::start(Dialect::LlamaCpp, |_| Reply::text("7"));
        Self { well, first: Server::start(Dialect::OpenAi, says), second }
    }

    fn config(&self) -> Config {
        let scored = |provider: &str, accuracy: u32| {
            format!("[[model]]\nprovider = \"{provider}\"\nname = \"m\"\nscores = {{ accuracy = {accuracy} }}\n")
        };
        let models = [scored("openai", 80), scored("llamacpp", 60)].concat();
        config(vec![provider("openai", &self.first, "m"), provider("llamacpp", &self.second, "m")], &models)
    }

    /// So many calls of the first one by name.
    async fn calls(&self, world: &World, many: usize, well: bool) {
        self.well.store(well, Ordering::Relaxed);
        for _ in 0..many {
            let answer = world.ask("Seven?", json!({"model": "openai/m", "schema": {"type": "integer"}})).await;
            assert_eq!(matches!(answer, Fact::LlmCompleted(_)), well, "{answer:?}");
        }
        self.well.store(true, Ordering::Relaxed);
    }
}

/// Who is ranked first, by accuracy.
async fn best(world: &World) -> String {
    let answer = world.completed("Seven?", json!({"optimize": "accuracy"})).await;
    answer.routing.unwrap().ranked.remove(0).model
}

async fn until_best(world: &World, wanted: &str) {
    for _ in 0..200 {
        if best(world).await == wanted {
            return;
        }
    }
    panic!("{wanted} is not ranked first");
}

async fn words(world: &World, kind: &str) -> usize {
    let filter = format!("stage7.registry.*.model.{kind}.>");
    world.log("door").await.load_from("REGISTRY", &filter, 0).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_calls_shift_the_choice_of_all_brains_and_the_next_ones_until_good_calls_shift_it_back() {
    let (world, two) = (World::start().await, Two::start());
    let brain = world.brain(two.config()).await;
    assert_eq!(best(&world).await, "openai/m");
    two.calls(&world, 20, false).await;
    assert_eq!(best(&world).await, "llamacpp/m");
    // It says the whole of it as it stops.
    brain.stop().await;
    let next = world.brain(two.config()).await;
    assert_eq!(best(&world).await, "llamacpp/m", "it survives a restart");
    let said = words(&world, "measured").await;
    assert!((3..=6).contains(&said), "{said} words of two models, 22 calls and a stop");
    two.calls(&world, 30, true).await;
    assert_eq!(best(&world).await, "openai/m", "it recovered");
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_hears_what_another_one_measures() {
    let (world, two) = (World::start().await, Two::start());
    let brain = world.brain(two.config()).await;
    assert_eq!(best(&world).await, "openai/m");
    let other = world.log("brain").await;
    for (success, wanted) in [(0.2, "llamacpp/m"), (1.0, "openai/m")] {
        let measured = Measured { success, pace: None };
        nats::registry::say(&other, Writer::Brain, MEASURED, Some(&key("openai/m")), &measured).await.unwrap();
        until_best(&world, wanted).await;
    }
    brain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_think_of_answers_shifts_the_choice() {
    let (world, two) = (World::start().await, Two::start());
    let brain = world.brain(two.config()).await;
    assert_eq!(best(&world).await, "openai/m");
    let door = world.log("door").await;
    let rate = async |good: bool| {
        for call in 0..3 {
            let (mission, call) = (MissionId(Uuid::from_u128(1)), EventId(Uuid::from_u128(call)));
            let rated = Rated { tenant: Tenant::default(), mission, call, good, note: None };
            nats::registry::say(&door, Writer::User, RATED, Some(&key("openai/m")), &rated).await.unwrap();
        }
    };
    rate(false).await;
    until_best(&world, "llamacpp/m").await;
    let answer = world.completed("Seven?", json!({"optimize": "accuracy"})).await;
    let last = answer.routing.unwrap().ranked.pop().unwrap();
    assert!(last.reasons.contains(&"people: -0.66".to_string()), "{last:?}");
    rate(true).await;
    until_best(&world, "openai/m").await;
    brain.stop().await;
}
