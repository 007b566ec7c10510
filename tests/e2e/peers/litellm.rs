//! LiteLLM's proxy, with answers of its own and no model behind it.

use super::{Peer, port, program, write};
use crate::{
    canary::{KEY, OTHER_KEY},
    stage7::{Layout, Stage7},
};
use brain::provider::Kind;
use serde_json::json;
use std::process::Command;

const POEM: &str = "The sea is wide,\nand nobody has counted it.";

/// Its configuration: a model that answers, and one for each thing that goes wrong.
fn config() -> String {
    let model = |name: &str, answer: &str| json!({"model_name": name, "litellm_params": {"model": format!("openai/{name}"), "api_key": "none", "mock_response": answer}});
    let all = [
        model("poet", POEM),
        model("hurried", "litellm.RateLimitError"),
        model("forgetful", "litellm.ContextWindowExceededError"),
        model("broken", "litellm.InternalServerError"),
    ];
    // JSON is YAML.
    let router = json!({"num_retries": 0, "disable_cooldowns": true});
    json!({"model_list": all, "general_settings": {"master_key": KEY}, "router_settings": router}).to_string()
}

#[test]
fn litellms_proxy_answers_a_mission_and_its_errors_are_understood() {
    let (dir, port) = (tempfile::tempdir().unwrap(), port());
    let config = write(&dir, "config.yaml", &config());
    let mut command = Command::new(program("STAGE7_PEER_LITELLM"));
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--config", &config, "--telemetry", "False"]);
    // It would fetch its table of prices.
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    let peer = Peer::start("openai", dir, port, command);
    let provider = peer.provider("openai", KEY);

    let listed = peer.runtime.block_on(provider.models()).unwrap();
    assert_eq!(listed, ["poet", "hurried", "forgetful", "broken"]);
    let (reply, pieces) = peer.ask(&provider, "poet", "A poem, please.", &[], None);
    let reply = reply.unwrap();
    assert_eq!(reply.text, POEM);
    assert!(pieces > 1, "it came in {pieces} pieces");
    assert!(reply.usage.input > 0 && reply.usage.output > 0 && !reply.usage.estimated, "{:?}", reply.usage);

    let kind = |by, model| peer.ask(by, model, "A poem, please.", &[], None).0.unwrap_err().kind;
    assert!(matches!(kind(&provider, "hurried"), Kind::RateLimited(_)));
    assert_eq!(kind(&provider, "forgetful"), Kind::TooLong);
    assert!(matches!(kind(&provider, "broken"), Kind::Overloaded(_)));
    let wrong = peer.provider("openai", OTHER_KEY);
    let refused = peer.ask(&wrong, "poet", "A poem, please.", &[], None).0.unwrap_err();
    assert_eq!(refused.kind, Kind::Unauthorized, "{refused:?}");
    // It shows the end of a key that it refuses.
    assert!(!refused.message.contains(&OTHER_KEY[OTHER_KEY.len() - 4..]), "{refused:?}");

    let env = [("OPENAI_API_URL", peer.url.as_str()), ("OPENAI_MODEL", "poet")];
    let stage7 = Stage7::start_with(Layout::One, &env);
    let steps = json!({"steps": [{"id": "poem", "verb": "THINK", "inputs": {"prompt": {"value": "A poem, please."}},
        "outputs": {"text": {"type": "string", "deliverable": "poem.md"}}}]});
    let plan = stage7.file("plan.json", steps.to_string());
    let out = stage7.path("out");
    let args = ["run", "Write a poem", "--plan", &plan, "--json", "--out", out.to_str().unwrap()];
    let lines = stage7.cli(&args).code(0).lines();
    let mission = lines[0]["mission"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(out.join(mission).join("poem.md")).unwrap(), POEM);
    let log = stage7.export(mission);
    let completed = &log.one("llm.completed")["data"];
    assert_eq!((&completed["provider"], &completed["model"]), (&json!("openai"), &json!("poet")));
    assert_eq!(log.of("llm.tried").len(), 0);

    // With its key refused, the mission says which setting to look at.
    let env = [("OPENAI_API_URL", peer.url.as_str()), ("OPENAI_MODEL", "poet"), ("OPENAI_API_KEY", OTHER_KEY)];
    let stage7 = Stage7::start_with(Layout::One, &env);
    let plan = stage7.file("plan.json", steps.to_string());
    let failed = stage7.cli(&["run", "Write a poem", "--plan", &plan, "--json"]).code(1).lines();
    let error = failed.last().unwrap()["error"].as_str().unwrap();
    assert!(error.contains("refuses the key: check OPENAI_API_KEY"), "{error}");
}
