//! Prompts that are longer than a model reads.

use crate::world::{World, config, provider};
use model_servers::{ApiError, Dialect, Fault, Reply, Server};
use schemas::Fact;
use serde_json::json;

/// A server that reads so many characters and no more.
fn reader(dialect: Dialect, most: usize, says: &'static str) -> Server {
    Server::start(dialect, move |call| match call.text.chars().count() > most {
        true => Fault::Error(ApiError::ContextLength).into(),
        false => Reply::text(says),
    })
}

fn rows(length: usize) -> serde_json::Value {
    json!({"messages": [
        {"role": "system", "text": "You answer briefly."},
        {"role": "user", "text": "Sum up {rows}, in one word"},
    ], "inputs": {"rows": "r".repeat(length)}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_says_too_long_is_asked_again_with_less_and_told_so() {
    let world = World::start().await;
    let small = reader(Dialect::OpenAi, 6_000, "Short.");
    let brain = world.brain(config(vec![provider("openai", &small, "m")], "")).await;
    let answer = world.completed("rows", rows(15_000)).await;
    assert_eq!(answer.answer, json!("Short."));
    let calls = small.calls();
    let texts: Vec<&str> = calls.iter().map(|call| call.text.as_str()).collect();
    assert_eq!(texts.len(), 3, "the whole, a half, a quarter");
    for text in &texts[1..] {
        assert!(
            text.contains("You answer briefly.") && text.contains("Sum up rrr") && text.contains("rrr, in one word")
        );
        assert!(text.contains(" characters are left out here …]"), "{text}");
    }
    let tries: Vec<_> = world.tries().await.into_iter().filter_map(|tried| tried.error).collect();
    assert_eq!(tries.len(), 2);
    assert!(tries.iter().all(|error| error.contains("context too long") && error.contains("; asked again without ")));

    // What somebody wrote is left as it is: this can't be shortened.
    let failed = world.ask(&"w".repeat(15_000), json!({})).await;
    let Fact::LlmFailed(failed) = failed else { panic!("{failed:?}") };
    assert!(failed.message.contains("context too long"), "{}", failed.message);
    assert_eq!(small.calls().len(), 4);
    brain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn then_one_is_asked_that_reads_more_and_gets_all_of_it() {
    let world = World::start().await;
    let small = reader(Dialect::OpenAi, 1_000, "Small.");
    let other = reader(Dialect::LlamaCpp, 1_000, "Other.");
    let large = reader(Dialect::Anthropic, 100_000, "Large.");
    let model = |provider: &str, context: u32, price: u32| {
        format!(
            "[[model]]\nprovider = \"{provider}\"\nname = \"m\"\ncontext = {context}\nprices = [{{ input = {price}, output = {price} }}]\n"
        )
    };
    // It says of the first that it reads more than it does.
    let models = [model("openai", 8_000, 1), model("llamacpp", 8_000, 2), model("anthropic", 50_000, 9)].concat();
    let on = [("openai", &small), ("llamacpp", &other), ("anthropic", &large)];
    let providers = on.map(|(name, server)| provider(name, server, "m")).into();
    let brain = world.brain(config(providers, &models)).await;
    let answer = world.completed("rows", rows(20_000)).await;
    assert_eq!((answer.answer, answer.provider.as_str()), (json!("Large."), "anthropic"));
    assert_eq!((small.count("m"), other.calls().len(), large.count("m")), (3, 0, 1));
    assert!(large.calls()[0].text.contains(&"r".repeat(20_000)), "all of it");
    let routing = answer.routing.unwrap();
    assert_eq!(routing.ranked[1].model, "llamacpp/m", "what reads no more than the first comes last");
    brain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_to_be_too_long_is_shortened_at_once_where_no_model_reads_all_of_it() {
    let world = World::start().await;
    let small = reader(Dialect::OpenAi, 8_000, "Short.");
    let models = "[[model]]\nprovider = \"openai\"\nname = \"m\"\ncontext = 2_000\n";
    let brain = world.brain(config(vec![provider("openai", &small, "m")], models)).await;
    let answer = world.completed("rows", rows(30_000)).await;
    assert_eq!((small.calls().len(), world.tries().await.len()), (1, 0), "it was never asked in vain");
    let text = &small.calls()[0].text;
    assert!(text.chars().count() <= 7_010 && text.contains("Sum up rrr"), "{}", text.len());
    let reasons = answer.routing.expect("why is said, though nothing was chosen").ranked[0].reasons.join(", ");
    assert!(reasons.contains("the prompt is shortened from about 75"), "{reasons}");
    // Where what is written alone is too long, it is told as before.
    let Fact::LlmFailed(failed) = world.ask(&"w".repeat(10_000), json!({})).await else { panic!("it can't be read") };
    assert!(failed.message.contains("reads 2000 tokens, these are about 250"), "{}", failed.message);
    brain.stop().await;
}
