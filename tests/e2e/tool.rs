//! A model that looks at an image, uses tools and asks the person before it answers, within one step.

use crate::{
    canary::KEY,
    plan::{after, goal, read},
    stage7::{Layout, Stage7},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use model_servers::{Dialect, Reply, Server, Setup};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

const TOOLS: [&str; 3] = ["TEXT_ANALYSIS", "FILE_OPS", "ASK_USER_QUESTION"];
/// One red dot.
const DOT: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

/// A model that counts words, writes a note, asks for a colour, and answers.
fn server(dialect: Dialect) -> Server {
    let asked = AtomicUsize::new(0);
    Setup::new(dialect).models(&["m"]).start(move |call| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::tool("TEXT_ANALYSIS", json!({"text": "one {two} three"})),
        1 => Reply::tool("FILE_OPS", json!({"operation": "write", "path": "note.md", "content": "Three {words}."})),
        2 => Reply::tool("ASK_USER_QUESTION", json!({"question": "In which {colour}?"})),
        _ => Reply::text(format!("Three words, in {}.", if call.text.contains("mauve") { "mauve" } else { "none" })),
    })
}

fn thinks(tools: &[&str]) -> Value {
    json!({"id": "look", "verb": "THINK",
        "inputs": {"prompt": {"value": "How many words, and in which colour?"}, "tools": {"value": tools}, "images": {"value": ["dot.png"]}},
        "outputs": {"text": {"type": "string", "deliverable": "answer.md"}}})
}

#[test]
fn a_model_uses_tools_and_asks_the_person_before_it_answers() {
    for (dialect, name) in [(Dialect::OpenAi, "OPENAI"), (Dialect::Anthropic, "ANTHROPIC"), (Dialect::Gemini, "GEMINI")]
    {
        let server = server(dialect);
        let (url, key, model) = (format!("{name}_API_URL"), format!("{name}_API_KEY"), format!("{name}_MODEL"));
        let stage7 = Stage7::start_with(Layout::One, &[(&url, &server.url), (&key, KEY), (&model, "m")]);
        let user = stage7.user();
        let note = after(read("note", "note.md"), &["look"]);
        let mut goal = goal(vec![thinks(&TOOLS), note]);
        goal["model"] = json!(name.to_lowercase());
        goal["files"] = json!([{"name": "dot.png", "data_base64": DOT}]);
        let mission = user.submit(&goal);
        let state = stage7.until_is(&user, &mission, "waiting");
        assert_eq!(state["questions"][0]["text"], "In which {colour}?", "{name}");
        stage7.cli(&["mission", "answer", &mission, "mauve"]).code(0);
        let state = stage7.until_is(&user, &mission, "completed");
        assert_eq!(user.deliverable(&state, "answer.md"), b"Three words, in mauve.", "{name}");
        assert_eq!(user.deliverable(&state, "note.md"), b"Three {words}.", "{name}");
        assert_eq!(state["steps"][1]["outputs"]["content"], "Three {words}.", "{name}: the next step reads it");

        let log = stage7.export(&mission);
        log.has_nothing_twice();
        assert_eq!(log.of_step("llm.requested", "look").len(), 4, "{name}");
        assert_eq!(log.of_step("plugin.requested", "look").len(), 2, "{name}");
        let calls = server.calls();
        for call in calls.iter().filter(|call| !call.tools.is_empty()) {
            assert_eq!(call.tools, TOOLS, "{name}");
            let dot = BASE64_STANDARD.decode(DOT).unwrap();
            assert_eq!(call.images.iter().map(|image| &image.bytes).collect::<Vec<_>>(), [&dot], "{name}");
        }
        let last = &calls.last().unwrap().text;
        for heard in ["one {two} three", "word", "files written: note.md (14 bytes)", "mauve"] {
            assert!(last.contains(heard), "{name}: {heard:?} is not in {last}");
        }
        // What was decided can be decided again, and a look at a model's turn says what it wanted.
        stage7.cli(&["replay", "check", &mission]).code(0);
        let told = stage7.cli(&["mission", "watch", &mission, "--json"]).code(0).lines();
        let told: Vec<_> = told.iter().filter(|line| line["kind"] == "tools").map(|line| &line["tools"][0]).collect();
        assert_eq!(told, [TOOLS[0], TOOLS[1], TOOLS[2]], "{name}");
        let shown = stage7.cli(&["mission", "show", &mission]).code(0).stdout;
        assert!(shown.contains(&format!("      used {}", TOOLS.join(", "))), "{name}: {shown}");
        let tools: Vec<_> = state["calls"].as_array().unwrap().iter().map(|call| &call["tools"][0]).collect();
        assert_eq!(tools[..3], [&json!(TOOLS[0]), &json!(TOOLS[1]), &json!(TOOLS[2])], "{name}");
    }
}

#[test]
fn a_model_that_goes_round_in_circles_ends_its_step() {
    let server =
        Setup::new(Dialect::OpenAi).models(&["m"]).start(|_| Reply::tool("TEXT_ANALYSIS", json!({"text": "again"})));
    let stage7 = Stage7::start_with(Layout::One, &[("OPENAI_API_URL", &server.url), ("OPENAI_MODEL", "m")]);
    let input = json!({"prompt": "Count", "tools": ["TEXT_ANALYSIS"]}).to_string();
    let ended = stage7.cli(&["plugin", "run", "THINK", "--input", &input, "--json"]).code(1);
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("TEXT_ANALYSIS three times with the same input"), "{said}");
    assert_eq!(server.calls().iter().filter(|call| !call.tools.is_empty()).count(), 3);
}
