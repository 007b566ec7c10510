//! Tools: called, alone and several at once, and what becomes of their results.

use crate::sdk::{self, ask, chat};
use model_servers::{Dialect, Reply, Server, Tool};
use serde_json::{Value, json};

pub fn a_tool_is_called_and_its_result_is_read(dialect: Dialect) {
    let server = Server::start(dialect, |call| {
        assert_eq!(call.tools, ["weather"]);
        if call.text.contains("12 degrees") {
            Reply::text("It is cold.")
        } else {
            Reply::tool("weather", json!({"city": "Zürich", "days": [1, 2]}))
        }
    });
    let mut asked = json!({"prompt": "What is the weather?", "tools": [sdk::tool()]});
    for stream in [false, true] {
        let told = chat(dialect, &server, stream, &asked);
        let tools = json!([{"name": "weather", "arguments": {"city": "Zürich", "days": [1, 2]}}]);
        assert_eq!(told["tools"], tools, "{told}");
    }
    asked["result"] = "12 degrees".into();
    for stream in [false, true] {
        asked["stream"] = stream.into();
        let told = ask(dialect, &server, "tool_round", &asked);
        assert_eq!((&told["text"], &told["tools"]), (&json!("It is cold."), &json!([])), "{told}");
        assert_eq!(server.calls().last().map(|call| call.results), Some(1));
    }
}

/// Two calls of one tool, after a word about them.
fn both() -> Reply {
    let tool = |city: &str| Tool::new("weather", json!({"city": city}));
    Reply::tools("I look.", vec![tool("Bern"), tool("Basel")])
}

pub fn calls_come_with_text_and_all_at_once(dialect: Dialect) {
    let server = Server::start(dialect, |call| if call.results > 0 { Reply::text("Both are cold.") } else { both() });
    let mut asked = json!({"prompt": "What is the weather?", "tools": [sdk::tool()]});
    let call = |city: &str| json!({"name": "weather", "arguments": {"city": city}});
    for stream in [false, true] {
        let told = chat(dialect, &server, stream, &asked);
        assert_eq!(told["tools"], json!([call("Bern"), call("Basel")]), "{told}");
        assert_eq!(told["text"], "I look.", "{told}");
    }
    asked["result"] = "12 degrees".into();
    let told = ask(dialect, &server, "tool_round", &asked);
    assert_eq!(told["text"], "Both are cold.", "{told}");
    assert_eq!(server.calls().last().map(|call| call.results), Some(2));
}

pub fn each_result_answers_a_call_of_the_turn_before(dialect: Dialect) {
    let server = Server::start(dialect, |_| both());
    let asked = |spoil: &str| json!({"prompt": "What is the weather?", "tools": [sdk::tool()], "result": "12 degrees", "spoil": spoil});
    for (spoil, words) in [("missing", missing(dialect)), ("stranger", stranger(dialect))] {
        let told = ask(dialect, &server, "tool_round", &asked(spoil));
        assert_eq!(told["status"], 400, "{spoil}: {told}");
        assert!(told["body"].as_str().is_some_and(|body| body.contains(words)), "{spoil}: no {words} in {told}");
    }
}

fn missing(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "ids were found without `tool_result` blocks immediately after: toolu_2",
        Dialect::Gemini => "number of function response parts is equal",
        _ => "did not have response messages: call_2",
    }
}

fn stranger(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "ids were found without `tool_result` blocks",
        Dialect::Gemini => "number of function response parts is equal",
        _ => "must be a response to a preceeding message with 'tool_calls'",
    }
}

/// Where a model thinks before it calls, it wants what it thought again, unchanged.
pub fn a_signature_comes_back_with_its_call(dialect: Dialect) {
    let (model, words) = match dialect {
        Dialect::Gemini => ("gemini-3-flash", "missing a thought_signature"),
        _ => ("claude-that-thinks", "Expected `thinking`"),
    };
    let server = Server::start(dialect, |call| if call.results > 0 { Reply::text("Cold.") } else { both() });
    let mut asked = json!({"prompt": "What is the weather?", "tools": [sdk::tool()], "result": "12 degrees"});
    asked["model"] = model.into();
    let told = ask(dialect, &server, "tool_round", &asked);
    assert_eq!(told["text"], "Cold.", "{told}");
    asked["spoil"] = "signature".into();
    let told = ask(dialect, &server, "tool_round", &asked);
    assert_eq!((&told["status"], told["raised"].is_string()), (&Value::from(400), true), "{told}");
    assert!(told["body"].as_str().is_some_and(|body| body.contains(words)), "{told}");
}
