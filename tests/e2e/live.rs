//! An answer is heard as it comes: its beginning while the provider still holds back its end.

use crate::{
    plan::goal,
    stage7::{Layout, Stage7},
    wait::eventually,
};
use model_servers::{Dialect, Reply, Setup};
use serde_json::json;

const POEM: &str = "first, and then the last";
const PROVIDERS: [(Dialect, &str, &str); 6] = [
    (Dialect::OpenAi, "openai", "OPENAI_API_URL"),
    (Dialect::Anthropic, "anthropic", "ANTHROPIC_API_URL"),
    (Dialect::Gemini, "gemini", "GEMINI_API_URL"),
    (Dialect::HuggingFace, "huggingface", "HUGGINGFACE_API_URL"),
    (Dialect::LlamaCpp, "llamacpp", "LLAMACPP_URL"),
    (Dialect::Tgi, "tgi", "TGI_URL"),
];

#[test]
fn the_beginning_of_an_answer_is_heard_while_its_end_is_held_back() {
    let servers = PROVIDERS.map(|(dialect, ..)| Setup::new(dialect).models(&["m"]).start(|_| Reply::text(POEM)));
    let mut env = Vec::new();
    for ((dialect, name, url), server) in PROVIDERS.iter().zip(&servers) {
        let path = if matches!(dialect, Dialect::HuggingFace) { "/v1" } else { "" };
        env.push((url.to_string(), format!("{}{path}", server.url)));
        env.push((format!("{}_MODEL", name.to_uppercase()), "m".into()));
    }
    let env: Vec<_> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let stage7 = Stage7::start_with(Layout::One, &env);
    let user = stage7.user();
    for ((_, name, _), server) in PROVIDERS.iter().zip(&servers) {
        let held = server.hold();
        let mut thinks = goal(vec![json!({"id": "poem", "verb": "THINK",
            "inputs": {"prompt": {"value": "A poem"}}, "outputs": {"text": {"type": "string"}}})]);
        thinks["model"] = json!(name);
        let live = user.listen("stage7.live.default.*.llm.>");
        let mission = user.submit(&thinks);
        let heard = || -> String {
            let pieces = live.lock().unwrap();
            let own = pieces.iter().filter(|(subject, _)| subject.contains(&mission));
            own.map(|(_, piece)| String::from_utf8_lossy(piece).into_owned()).collect()
        };
        let first =
            eventually(&format!("{name}: a piece"), || stage7.logs(), || Some(heard()).filter(|all| !all.is_empty()));
        assert!(POEM.starts_with(&first) && first.len() < POEM.len(), "{name}: {first:?}");
        assert!(stage7.export(&mission).of("llm.completed").is_empty(), "{name}: it has an end");
        drop(held);
        let state = stage7.until_is(&user, &mission, "completed");
        assert_eq!(state["steps"][0]["outputs"]["text"], POEM, "{name}");
        assert_eq!(heard(), POEM, "{name}");
    }
}
