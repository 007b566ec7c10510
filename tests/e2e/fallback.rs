//! Several model providers, some of which fail: missions go on, and what fails is left alone.

use crate::{
    canary::KEY,
    plan::goal,
    stage7::{Layout, Stage7},
    wait::eventually,
};
use model_servers::{ApiError, Dialect, Fault, Reply, RetryAfter, Server, Setup};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Calls of a mission.
const CALLS: usize = 10;
/// Model calls at once, as stage7 has it.
const AT_ONCE: usize = 16;

fn missions() -> usize {
    if std::env::var_os("STAGE7_SOAK").is_some() { 200 } else { 20 }
}

/// A server that answers while `well`, and else fails so.
fn server(dialect: Dialect, well: &Arc<AtomicBool>, fault: ApiError) -> Server {
    let well = Arc::clone(well);
    Setup::new(dialect).models(&["m"]).start(move |_| match well.load(Ordering::Relaxed) {
        true => Reply::text("Yes."),
        false => Fault::Error(fault.clone()).into(),
    })
}

/// A mission of so many calls of no particular model.
fn thinking() -> Value {
    let think = |n: usize| {
        json!({"id": format!("t{n}"), "verb": "THINK", "inputs": {"prompt": {"value": format!("Number {n}?")}},
            "outputs": {"text": {"type": "string"}}})
    };
    let mut goal = goal((0..CALLS).map(think).collect());
    goal.as_object_mut().unwrap().remove("model");
    goal
}

#[test]
fn missions_complete_beside_providers_that_fail_and_those_are_left_alone() {
    let (bad, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let first = server(Dialect::OpenAi, &bad, ApiError::Internal);
    let second = server(Dialect::Anthropic, &bad, ApiError::Overloaded);
    let third = server(Dialect::Gemini, &good, ApiError::Internal);
    let mut env = vec![("STAGE7_BACKOFF", "0.2")];
    for (name, server) in [("OPENAI", &first), ("ANTHROPIC", &second), ("GEMINI", &third)] {
        let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        env.push((leak(format!("{name}_API_URL")), leak(server.url.clone())));
        env.push((leak(format!("{name}_API_KEY")), KEY));
        env.push((leak(format!("{name}_MODEL")), "m"));
    }
    let stage7 = Stage7::start_with(Layout::One, &env);
    let user = stage7.user();
    let all: Vec<String> = (0..missions()).map(|_| user.submit(&thinking())).collect();
    let mut tried = 0;
    for mission in &all {
        stage7.until_is(&user, mission, "completed");
        let log = stage7.export(mission);
        log.has_nothing_twice();
        assert_eq!(log.of("llm.completed").len(), CALLS);
        tried += log.of("llm.tried").len();
    }
    let calls = missions() * CALLS;
    assert_eq!(third.count("m"), calls, "no call is paid twice");
    for (name, server) in [("openai", &first), ("anthropic", &second)] {
        let asked = server.count("m");
        println!("{name} failed {asked} times in {calls} calls");
        // Those that were under way when it failed first, and five more.
        assert!((1..=AT_ONCE + 5).contains(&asked), "{name}: {asked}");
    }
    assert!(calls + tried <= calls * 12 / 10 + 2 * AT_ONCE, "{tried} tries too many");
    let failing = stage7.cli(&["model", "list", "--on", "--json"]).code(0).lines();
    let failing: Vec<_> =
        failing.iter().filter(|model| !model["failing"].is_null()).map(|m| &m["failing"]["model"]).collect();
    assert_eq!(failing, ["anthropic/m", "openai/m"]);

    // A person knows better: it is asked at once.
    bad.store(true, Ordering::Relaxed);
    let before = first.count("m");
    stage7.cli(&["model", "reset", "openai/m"]).code(0);
    assert!(stage7.cli(&["model", "reset", "openai/x"]).code(2).stderr.contains("does not fail"));
    eventually(
        "openai is asked again",
        || stage7.logs(),
        || {
            stage7.cli(&["plugin", "run", "THINK", "--input", r#"{"prompt": "And now?"}"#, "--json"]).code(0);
            (first.count("m") > before).then_some(())
        },
    );
}

#[test]
fn a_provider_that_says_for_how_long_is_used_again_after_it() {
    let (well, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let first = server(Dialect::OpenAi, &well, ApiError::RateLimit(RetryAfter::Seconds(2)));
    let second = server(Dialect::LlamaCpp, &good, ApiError::Internal);
    let env = [
        ("OPENAI_API_URL", first.url.as_str()),
        ("OPENAI_API_KEY", KEY),
        ("OPENAI_MODEL", "m"),
        ("LLAMACPP_URL", second.url.as_str()),
        ("LLAMACPP_MODEL", "m"),
    ];
    let stage7 = Stage7::start_with(Layout::One, &env);
    let think = || stage7.cli(&["plugin", "run", "THINK", "--input", r#"{"prompt": "Yes?"}"#, "--json"]).code(0);
    think();
    assert_eq!(first.count("m"), 1, "then the other one answered");
    well.store(true, Ordering::Relaxed);
    let again = std::time::Instant::now();
    eventually(
        "it is asked again",
        || stage7.logs(),
        || {
            think();
            (first.count("m") > 1).then_some(())
        },
    );
    println!("asked again after {:?}", again.elapsed());
    // One call answered: it is one among others again.
    let listed = stage7.until_shown_all(&["model", "list", "--on", "--json"], |models| {
        models.iter().all(|model| model["failing"].is_null())
    });
    assert!(!listed.is_empty());
}
