//! A mission that a model plans and writes, with all that goes wrong on the way.

use crate::{
    canary::KEY,
    openai::{MODEL, Reply, Server, TOKENS},
    stage7::{Layout, Stage7},
};
use model_servers::{ApiError, Dialect, Fault, Setup};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

const POEM: &str = "Rösti,\n\"golden\" {brown} 🥔\n";

fn plan(source: &str) -> String {
    json!({"steps": [
        {"id": "rows", "verb": "DATA_TOOLKIT", "inputs": {"operation": {"value": "query"}, "data": {"value": [3, 1, 2]}, "query": {"value": "sort"}},
            "outputs": {"data": {"type": "array", "deliverable": "rows.json"}}},
        {"id": "poem", "verb": "THINK", "description": "Write it",
            "inputs": {"prompt": {"value": "A poem about {rows}"}, "rows": {"from": source, "output": "data"}},
            "outputs": {"text": {"type": "string", "deliverable": "poem.md"}}},
    ]}).to_string()
}

/// What the model says, the nth time it is asked for a plan.
fn planned(nth: usize) -> Reply {
    match nth {
        0 => Reply::Error(429, "Retry-After: 1\r\n", "slow down".into()),
        1 => Reply::Error(500, "", "out of order".into()),
        2 => Reply::Text("Let me think about that: first, potatoes.".into()),
        // Well-formed, but from a step that is not there.
        3 => Reply::Text(plan("columns")),
        _ => Reply::Text(format!("Here you are:\n```json\n{}\n```\nGood luck!", plan("rows"))),
    }
}

#[test]
fn a_model_plans_and_writes_a_mission() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |chat| {
        let text = chat.text();
        if text.contains("locked garden") {
            // Some servers say which key it was, or show its ends.
            let shown = format!("{}********{}", &KEY[..8], &KEY[KEY.len() - 4..]);
            return Reply::Error(401, "", format!("Incorrect API key provided: {KEY}, or {shown}"));
        }
        match chat.body["response_format"]["type"].as_str() {
            Some(_) => planned(asked.fetch_add(1, Ordering::Relaxed)),
            None => Reply::Text(POEM.into()),
        }
    });
    let stage7 = Stage7::start_with(
        Layout::One,
        &[("OPENAI_API_URL", &server.url), ("OPENAI_API_KEY", KEY), ("STAGE7_BACKOFF", "0.2")],
    );
    let user = stage7.user();
    let live = user.listen("stage7.live.default.>");
    let out = stage7.path("out").display().to_string();
    let lines =
        stage7.cli(&["run", "Sort some numbers and write a poem about them", "--json", "--out", &out]).code(0).lines();
    let mission = lines[0]["mission"].as_str().unwrap().to_string();
    assert!(
        lines.iter().any(|line| line["kind"] == "plan_rejected" && line["faults"].to_string().contains("columns")),
        "{lines:?}"
    );
    let folder = Path::new(&out).join(&mission);
    assert_eq!(fs::read_to_string(folder.join("poem.md")).unwrap(), POEM);
    assert_eq!(fs::read_to_string(folder.join("rows.json")).unwrap(), "[\n  1,\n  2,\n  3\n]\n");

    let chats = server.chats.lock().unwrap().clone();
    assert_eq!(chats.len(), 6, "five for the plan, one for the poem");
    for chat in &chats {
        assert_eq!(chat.authorization, format!("Bearer {KEY}"));
        assert_eq!((&chat.body["model"], &chat.body["stream"]), (&json!(MODEL), &json!(true)));
    }
    assert!(chats[3].text().contains("not JSON"), "the model is told what was wrong: {}", chats[3].text());
    assert!(chats[4].text().contains("columns"), "so it is of a plan that was rejected: {}", chats[4].text());
    assert!(chats[5].text().contains("A poem about [1,2,3]"), "{}", chats[5].text());

    let state = stage7.show(&mission);
    // Four answers: one that was no JSON, two plans, a poem.
    let tokens = &state["cost"]["tokens"];
    assert_eq!(
        (tokens["input"].as_u64(), tokens["output"].as_u64()),
        (Some(4 * TOKENS.0), Some(4 * TOKENS.1)),
        "{}",
        state["cost"]
    );
    let calls = state["calls"].as_array().unwrap();
    assert!(
        calls.iter().any(|call| call["step"] == "poem" && call["model"] == MODEL && call["status"] == "completed"),
        "{calls:?}"
    );
    let log = stage7.export(&mission);
    log.has_nothing_twice();
    // Asked to wait a second, it waited; broken for now, the step was tried again.
    assert_eq!(log.of("llm.failed").len(), 1, "500");
    let tried = |words: &str| {
        log.of("llm.tried").iter().filter(|try_| try_["data"]["error"].to_string().contains(words)).count()
    };
    assert_eq!([tried("asked too often"), tried("overloaded"), tried("not JSON")], [1, 1, 1]);
    assert_eq!(log.of("plan.rejected").len(), 1);
    let poem = log.one_of("llm.requested", "poem")["id"].as_str().unwrap().to_string();
    let heard: Vec<u8> = live
        .lock()
        .unwrap()
        .iter()
        .filter(|(subject, _)| subject.ends_with(&format!("llm.{poem}")))
        .flat_map(|(_, piece)| piece.to_vec())
        .collect();
    assert_eq!(String::from_utf8_lossy(&heard), POEM, "it was heard as it came");

    let refused = stage7.cli(&["run", "Describe the locked garden", "--json"]).code(1);
    let result = refused.lines().pop().unwrap();
    assert!(result["error"].as_str().is_some_and(|error| error.contains("OPENAI_API_KEY")), "{result}");
    stage7.cli(&["mission", "export", result["mission"].as_str().unwrap()]).code(0);
    let settings: Vec<Value> = stage7.cli(&["config", "--json"]).code(0).lines();
    assert!(
        settings.iter().any(|setting| setting["name"] == "openai.api_key"
            && setting["from"].as_str().unwrap().contains("OPENAI_API_KEY"))
    );
}

#[test]
fn what_is_known_of_models_is_shown_and_counts() {
    let server = Server::start(|_| Reply::Text("Yes.".into()));
    let own = tempfile::tempdir().unwrap();
    let file = own.path().join("models.toml");
    let text =
        format!("[[model]]\nprovider = \"openai\"\nname = \"{MODEL}\"\nprices = [{{ input = 10, output = 100 }}]\n");
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let stage7 = Stage7::start_with(
        Layout::One,
        &[("OPENAI_API_URL", &server.url), ("OPENAI_MODEL", MODEL), ("STAGE7_MODELS", &file)],
    );
    let listed = stage7.cli(&["model", "list", "--on", "--json"]).code(0).lines();
    assert!(listed.iter().all(|model| model["provider"] == "openai" && model["on"] == true), "{listed:?}");
    assert!(listed.iter().any(|model| model["name"] == MODEL) && listed.len() > 3);
    let all = stage7.cli(&["model", "list"]).code(0).stdout;
    assert!(all.contains("anthropic/claude-haiku-5-5") && all.contains(" off "), "{all}");
    let shown = stage7.cli(&["model", "show", "anthropic/claude-haiku-5-5"]).code(0).stdout;
    assert!(shown.contains("https://"), "where its price is from: {shown}");
    assert!(stage7.cli(&["model", "show", "acme/x"]).code(2).stderr.contains("known are anthropic/"));

    // 100 tokens in, 10 out.
    let tried = stage7.cli(&["model", "test", "--json"]).code(0).line();
    assert_eq!((&tried["model"], &tried["answer"], &tried["cost_usd"]), (&json!(MODEL), &json!("Yes."), &json!(0.002)));
    assert!(stage7.cli(&["model", "test", "anthropic"]).code(1).stderr.contains("ANTHROPIC_API_KEY"));
    let prompt = r#"{"prompt": "Are you there?"}"#;
    let ended = stage7.cli(&["plugin", "run", "THINK", "--input", prompt, "--json"]).code(0);
    assert_eq!(ended.line()["text"], "Yes.");
    let mission = stage7.cli(&["mission", "list", "--json"]).code(0).lines()[0]["id"].as_str().unwrap().to_string();
    assert_eq!(stage7.show(&mission)["cost"]["usd"], 0.002);
    // A model that costs something is not asked where nothing may be spent, though it is the only one.
    let before = server.chats.lock().unwrap().len();
    let dear = stage7.cli(&["run", "Write a poem", "--max-cost", "0", "--json", "--timeout", "20"]);
    assert!(dear.code != Some(0) && dear.stdout.contains("costs about"), "{}", dear.stdout);
    assert_eq!(server.chats.lock().unwrap().len(), before);
}

#[test]
fn a_model_of_embeddings_is_tried_by_a_vector() {
    let server = Setup::new(Dialect::OpenAi).start(|_| model_servers::Reply::text("of no account"));
    server.takes(model_servers::Usage { input: 100, output: 0, cached: 0 });
    let stage7 = Stage7::start_with(Layout::One, &[("OPENAI_API_URL", &server.url), ("OPENAI_API_KEY", KEY)]);
    let tried = stage7.cli(&["model", "test", "openai/text-embedding-3-small", "--json"]).code(0).line();
    assert_eq!((&tried["dimensions"], &tried["cost_usd"]), (&json!(8), &json!(0.000_002)), "{tried}");
    assert!(tried["ms"].is_u64() && tried["answer"].is_null(), "{tried}");
    let tried = stage7.cli(&["model", "test", "openai/text-embedding-3-large"]).code(0).stdout;
    assert!(tried.contains("openai/text-embedding-3-large makes vectors of 8 dimensions"), "{tried}");
    assert!(tried.contains(" ms, 100 + 0 tokens, $0.000013"), "{tried}");
}

#[test]
fn where_one_provider_fails_another_answers_and_the_log_says_why() {
    let broken = Setup::new(Dialect::OpenAi).models(&["first"]).start(|_| Fault::Error(ApiError::Internal).into());
    let good = Setup::new(Dialect::LlamaCpp).models(&["second"]).start(|_| model_servers::Reply::text("Here."));
    let env = [
        ("OPENAI_API_URL", broken.url.as_str()),
        ("OPENAI_API_KEY", KEY),
        ("OPENAI_MODEL", "first"),
        ("LLAMACPP_URL", good.url.as_str()),
        ("LLAMACPP_MODEL", "second"),
    ];
    let stage7 = Stage7::start_with(Layout::One, &env);
    let think =
        || stage7.cli(&["plugin", "run", "THINK", "--input", r#"{"prompt": "Are you there?"}"#, "--json"]).code(0);
    assert_eq!(think().line()["text"], "Here.");
    let mission = stage7.cli(&["mission", "list", "--json"]).code(0).lines()[0]["id"].as_str().unwrap().to_string();
    let log = stage7.export(&mission);
    let tried = &log.one("llm.tried")["data"];
    assert_eq!((&tried["provider"], &tried["model"]), (&json!("openai"), &json!("first")));
    assert!(tried["error"].as_str().unwrap().contains("overloaded"), "{tried}");
    let completed = &log.one("llm.completed")["data"];
    assert_eq!((&completed["provider"], &completed["model"]), (&json!("llamacpp"), &json!("second")));
    let ranked: Vec<_> = completed["routing"]["ranked"].as_array().unwrap().iter().map(|one| &one["model"]).collect();
    assert_eq!(ranked, ["openai/first", "llamacpp/second"]);
    let explained = stage7.cli(&["model", "explain", &mission]).code(0).stdout;
    for said in ["llamacpp/second answered", "openai/first: cost unknown × 0.3", "try 1: openai/first: http"] {
        assert!(explained.contains(said), "{said}: {explained}");
    }
    let call = log.one("llm.requested")["id"].as_str().unwrap().to_string();
    let explained = stage7.cli(&["model", "explain", &mission, &call[..6], "--json"]).code(0).line();
    assert_eq!((&explained["routing"], &explained["call"]), (&completed["routing"], &json!(call)));
    assert!(stage7.cli(&["model", "explain", &mission, "x"]).code(2).stderr.contains("no answered call"));
    // A person says what the answer was worth, and all hear of it.
    let rate =
        |call: &str, verdict| stage7.cli(&["model", "feedback", &mission, call, verdict, "--note", "No.", "--json"]);
    assert_eq!(rate(&call[..6], "bad").code(0).line()["model"], "llamacpp/second");
    assert!(rate("x", "bad").code(2).stderr.contains("no answered call") && rate(&call, "so-so").code == Some(2));
    let listed = stage7.cli(&["model", "list", "--json"]).code(0).lines();
    let second = listed.iter().find(|model| model["model"] == "llamacpp/second").unwrap();
    assert_eq!(second["measured"]["feedback"], -0.3, "{second}");
    assert!(stage7.cli(&["model", "list"]).code(0).stdout.contains("people: -0.30"));
    // It is remembered: after some failures the other one is asked first.
    assert_eq!(think().line()["text"], "Here.");
    assert_eq!(
        (broken.count("first"), good.count("")),
        (1, 2),
        "{:?}",
        good.calls().iter().map(|call| &call.model).collect::<Vec<_>>()
    );
}
