//! What people think of models' answers.

use crate::fixture::World;
use schemas::{EventId, Fact, Value, Writer};
use serde_json::json;
use uuid::Uuid;

const CALL: EventId = EventId(Uuid::from_u128(11));
const OTHER: EventId = EventId(Uuid::from_u128(12));
const FAILED: EventId = EventId(Uuid::from_u128(13));

fn completed(provider: &str, model: &str, ranked: &[&str]) -> Fact {
    let ranked: Vec<_> = ranked.iter().map(|model| json!({"model": model, "score": 1.0, "reasons": []})).collect();
    let data = json!({"step": "s", "attempt": 1, "provider": provider, "model": model, "answer": "x",
        "usage": {"input": 1, "output": 1}, "cost_usd": 0.0, "ms": 1, "routing": {"ranked": ranked}});
    Fact::LlmCompleted(serde_json::from_value(data).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_rated_and_its_model_is_heard_of_it() {
    let world = World::start().await.with_intake().await;
    let mission = world.mission("m1", json!({"goal": "x"})).await;
    let failed = json!({"step": "s", "attempt": 1, "class": "permanent", "message": "no", "usage": {"input": 0, "output": 0}, "cost_usd": 0.0, "ms": 1});
    world.said(&mission, Writer::Brain, completed("openai", "m", &["openai/m"]), Some(CALL)).await;
    world.said(&mission, Writer::Brain, completed("tgi", "what-it-has", &["tgi/*"]), Some(OTHER)).await;
    world.said(&mission, Writer::Brain, Fact::LlmFailed(serde_json::from_value(failed).unwrap()), Some(FAILED)).await;
    let rate = |call: EventId, more: Value| {
        let mut rating = json!({"mission": mission, "call": call, "good": false});
        rating.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.ask("stage7.command.default.model.rate", rating)
    };
    assert_eq!(rate(CALL, json!({"note": "Not what the file says."})).await["model"], "openai/m");
    assert_eq!(rate(OTHER, json!({"good": true})).await["model"], "tgi/*", "as it is ranked");
    let feedback = || async {
        let listed = world.read(json!({"models": true})).await;
        let all = listed["measured"].as_array().unwrap().clone();
        all.into_iter()
            .map(|one| (one["model"].as_str().unwrap().to_string(), one["feedback"].as_f64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(feedback().await, [("openai/m".to_string(), -0.3), ("tgi/*".to_string(), 0.3)]);
    // Somebody thinks again.
    rate(CALL, json!({"good": true})).await;
    assert_eq!(feedback().await[0].1, 0.3);

    let refused = |answer: Value, code: &str, said: &str| {
        let error = &answer["error"];
        assert!(error["code"] == code && error.to_string().contains(said), "{code}: {answer}");
    };
    refused(rate(FAILED, json!({})).await, "unanswered", "it failed");
    refused(rate(EventId(Uuid::from_u128(99)), json!({})).await, "unknown_call", "has no answered model call");
    refused(rate(CALL, json!({"good": "very"})).await, "invalid_json", "expected a boolean");
    refused(rate(CALL, json!({"note": "x".repeat(501)})).await, "invalid_order", "note has 1 to 500 characters");
    refused(rate(CALL, json!({"stars": 5})).await, "invalid_json", "unknown field `stars`");
    refused(rate(CALL, json!({"mission": "nobody's"})).await, "unknown_mission", "");
    refused(world.ask("stage7.command.default.model.praise", json!({})).await, "unknown_command", "model.rate");
    assert_eq!(feedback().await[0].1, 0.3, "what is refused counts for nothing");
}
