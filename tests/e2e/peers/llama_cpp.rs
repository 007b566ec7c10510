//! llama.cpp's own server, with a tiny model of random weights: what it says has no sense, but a form.

use super::{Peer, port, program, run};
use crate::{
    canary::{KEY, OTHER_KEY},
    stage7::{Layout, Stage7},
};
use brain::provider::{Kind, Tool};
use schemas::Value;
use serde_json::json;
use std::process::Command;

/// What it reads and says, together: tokens.
const CONTEXT: usize = 32_768;
const PLAN: &str = include_str!("../../../schemas/json/plan.json");

fn start() -> Peer {
    let (dir, port) = (tempfile::tempdir().unwrap(), port());
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/peers/tiny.py");
    run(&program("STAGE7_PEER_PYTHON"), &[tiny, "tiny.gguf", &CONTEXT.to_string()], dir.path());
    let mut command = Command::new(program("STAGE7_PEER_LLAMA_SERVER"));
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--api-key", KEY, "--model", "tiny.gguf"]);
    // The same words each time.
    command.args(["--ctx-size", &CONTEXT.to_string(), "--parallel", "1", "--seed", "3", "--threads", "2"]);
    Peer::start("llamacpp", dir, port, command)
}

#[test]
fn llama_cpp_speaks_text_and_json_and_its_errors_are_understood() {
    let peer = start();
    let provider = peer.provider("llamacpp", KEY);
    assert_eq!(peer.runtime.block_on(provider.models()).unwrap(), ["tiny.gguf"]);

    let (reply, pieces) = peer.ask(&provider, "tiny.gguf", "Say something, please: äöü 🥔", &[], None);
    let reply = reply.unwrap();
    assert!(!reply.text.is_empty() && pieces > 1, "{pieces} pieces: {reply:?}");
    assert!(reply.usage.input > 40 && reply.usage.output > 1 && !reply.usage.estimated, "{:?}", reply.usage);

    // Bound by the grammar that it makes of the schema of plans: any plan, and one with steps.
    let whole: Value = serde_json::from_str(PLAN).unwrap();
    let mut stepwise = whole.clone();
    stepwise["required"] = json!(["steps"]);
    stepwise["properties"]["steps"]["minItems"] = json!(1);
    for schema in [&whole, &stepwise] {
        let reply = peer.ask(&provider, "tiny.gguf", "Plan something.", &[], Some(schema)).0.unwrap();
        let plan: Value = serde_json::from_str(&reply.text).unwrap_or_else(|error| panic!("{error}: {}", reply.text));
        let faults: Vec<_> =
            jsonschema::validator_for(schema).unwrap().iter_errors(&plan).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}: {plan:#}");
        println!("{} tokens: {plan}", reply.usage.output);
    }

    // Tools by a grammar of ours: a call with inputs that fit, or an answer.
    let input = json!({"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"],
        "additionalProperties": false});
    let tool = Tool { name: "SEARCH".into(), description: "Searches.".into(), input: input.clone() };
    let reply = peer.ask(&provider, "tiny.gguf", "Search for something.", &[tool], None).0.unwrap();
    println!("{reply:?}");
    match reply.calls.as_slice() {
        [] => assert!(!reply.text.is_empty()),
        calls => assert!(calls.iter().all(|call| call.name == "SEARCH" && jsonschema::is_valid(&input, &call.input))),
    }

    // The dialect that it takes from OpenAI.
    let openai = peer.provider("openai", KEY);
    assert_eq!(peer.runtime.block_on(openai.models()).unwrap(), ["tiny.gguf"]);
    let (reply, pieces) = peer.ask(&openai, "tiny.gguf", "Say something, please.", &[], None);
    let reply = reply.unwrap();
    assert!(pieces > 1 && reply.usage.output > 1 && !reply.usage.estimated, "{pieces} pieces: {reply:?}");
    let closed = json!({"type": "object", "properties": {"is_so": {"type": "boolean"}}, "required": ["is_so"],
        "additionalProperties": false});
    let reply = peer.ask(&openai, "tiny.gguf", "Is it so?", &[], Some(&closed)).0.unwrap();
    let said: Value = serde_json::from_str(&reply.text).unwrap_or_else(|error| panic!("{error}: {}", reply.text));
    assert!(said["is_so"].is_boolean(), "{said}");

    for name in ["llamacpp", "openai"] {
        let failed = |key, text: &str| peer.ask(&peer.provider(name, key), "tiny.gguf", text, &[], None).0.unwrap_err();
        let long = failed(KEY, &"word ".repeat(CONTEXT));
        assert_eq!(long.kind, Kind::TooLong, "{name}: {long:?}");
        let refused = failed(OTHER_KEY, "Hello");
        assert_eq!(refused.kind, Kind::Unauthorized, "{name}: {refused:?}");
    }
}

#[test]
fn a_mission_whose_model_makes_no_sense_ends_all_the_same() {
    let peer = start();
    let stage7 = Stage7::start_with(Layout::One, &[("LLAMACPP_URL", peer.url.as_str())]);
    let tried = stage7.cli(&["model", "test", "llamacpp", "--json"]).code(0).line();
    assert_eq!((&tried["provider"], &tried["model"]), (&json!("llamacpp"), &json!("tiny.gguf")));

    // A plan may be an answer alone, which is one to any goal; steps of such a model are none that there are.
    let ended = stage7.cli(&["run", "Sort some numbers", "--model", "llamacpp", "--json"]);
    let lines = ended.lines();
    let log = stage7.export(lines[0]["mission"].as_str().unwrap());
    log.has_nothing_twice();
    // Bound by the grammar, each of them could be read.
    assert!(!log.of("llm.completed").is_empty() && log.of("llm.tried").is_empty(), "{lines:#?}");
    for rejected in log.of("plan.rejected") {
        assert!(rejected["data"]["faults"].as_array().is_some_and(|faults| !faults.is_empty()), "{rejected}");
    }
    let last = lines.last().unwrap();
    println!("{last}");
    match ended.code {
        Some(0) => assert_eq!(last["status"], "completed", "{last}"),
        _ => {
            ended.code(1);
            assert!(last["error"].as_str().is_some_and(|error| error.contains("plan")), "{last}");
        }
    }
}
