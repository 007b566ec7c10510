//! What goes well, in every dialect.

use crate::sdk::{ask, ask_then, chat};
use base64::{Engine, prelude::BASE64_STANDARD};
use model_servers::{Dialect, Filter, Purpose, Reply, Server, Setup, Usage};
use serde_json::{Value, json};

/// Every case for every dialect that has it.
macro_rules! suite {
    ($($module:ident $dialect:ident { $($case:ident)* })*) => {$(
        mod $module {
            use model_servers::Dialect;
            $(
                #[test]
                fn $case() {
                    super::$case(Dialect::$dialect);
                }
            )*
        }
    )*};
}

suite! {
    openai OpenAi {
        a_text_comes_whole_and_in_pieces a_tool_is_called_and_its_result_is_read calls_come_with_text_and_all_at_once
        each_result_answers_a_call_of_the_turn_before json_follows_a_schema
        an_image_arrives tokens_are_told the_first_piece_comes_while_the_last_is_held_back
        a_text_that_was_cut_says_so a_refusal_is_told texts_become_vectors models_are_listed a_key_is_needed
    }
    anthropic Anthropic {
        a_text_comes_whole_and_in_pieces a_tool_is_called_and_its_result_is_read calls_come_with_text_and_all_at_once
        each_result_answers_a_call_of_the_turn_before json_follows_a_schema
        an_image_arrives tokens_are_told the_first_piece_comes_while_the_last_is_held_back
        a_text_that_was_cut_says_so a_refusal_is_told a_signature_comes_back_with_its_call models_are_listed
    }
    gemini Gemini {
        a_text_comes_whole_and_in_pieces a_tool_is_called_and_its_result_is_read calls_come_with_text_and_all_at_once
        each_result_answers_a_call_of_the_turn_before json_follows_a_schema
        an_image_arrives tokens_are_told the_first_piece_comes_while_the_last_is_held_back
        a_text_that_was_cut_says_so a_refusal_is_told texts_become_vectors
        a_signature_comes_back_with_its_call models_are_listed
    }
    hugging_face HuggingFace {
        a_text_comes_whole_and_in_pieces a_tool_is_called_and_its_result_is_read calls_come_with_text_and_all_at_once
        each_result_answers_a_call_of_the_turn_before json_follows_a_schema
        an_image_arrives tokens_are_told the_first_piece_comes_while_the_last_is_held_back
        a_text_that_was_cut_says_so a_refusal_is_told texts_become_vectors
    }
    llama_cpp LlamaCpp {
        a_text_comes_whole_and_in_pieces json_follows_a_schema an_image_arrives tokens_are_told
        the_first_piece_comes_while_the_last_is_held_back a_text_that_was_cut_says_so texts_become_vectors
        models_are_listed
    }
    tgi Tgi {
        a_text_comes_whole_and_in_pieces json_follows_a_schema an_image_arrives tokens_are_told
        the_first_piece_comes_while_the_last_is_held_back a_text_that_was_cut_says_so models_are_listed
    }
}

mod tool;

use tool::{
    a_signature_comes_back_with_its_call, a_tool_is_called_and_its_result_is_read,
    calls_come_with_text_and_all_at_once, each_result_answers_a_call_of_the_turn_before,
};

const TEXT: &str = "Ein Café für 3 €, \"naïve\" 🦀\nand a new line";

/// Dialects in which a conversation has roles, tools and a model's name.
fn talks(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::LlamaCpp | Dialect::Tgi)
}

fn a_text_comes_whole_and_in_pieces(dialect: Dialect) {
    let server = Server::start(dialect, |_| Reply::text(TEXT));
    let mut asked = json!({"prompt": "Where is the café?"});
    if talks(dialect) {
        asked["system"] = "Be brief.".into();
        asked["model"] = "some-model".into();
    }
    for stream in [false, true] {
        let told = chat(dialect, &server, stream, &asked);
        assert_eq!(told["text"], TEXT, "{told}");
        let pieces: Vec<_> = told["pieces"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert!(!stream || pieces.len() > 5 && pieces.concat() == TEXT, "{told}");
        if talks(dialect) {
            assert_eq!(told["model"], "some-model", "{told}");
        }
    }
    let calls = server.calls();
    assert_eq!(calls.iter().map(|call| call.streams).collect::<Vec<_>>(), [false, true]);
    for call in calls {
        let said = if talks(dialect) { "Be brief.\nWhere is the café?" } else { "Where is the café?" };
        assert_eq!((call.purpose, call.text.as_str()), (Purpose::Chat, said));
        assert!(call.images.is_empty() && call.tools.is_empty() && call.schema.is_none());
    }
    assert_eq!(server.count(if talks(dialect) { "some-model" } else { "" }), 2);
}

fn json_follows_a_schema(dialect: Dialect) {
    let server = Server::start(dialect, |_| Reply::text(r#"{"n":1}"#));
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
        "additionalProperties": false});
    for stream in [false, true] {
        let told = chat(dialect, &server, stream, &json!({"prompt": "How many?", "schema": schema}));
        assert_eq!(told["text"], r#"{"n":1}"#, "{told}");
    }
    for call in server.calls() {
        assert_eq!(call.schema.as_ref(), Some(&schema), "{}", call.body);
    }
}

fn an_image_arrives(dialect: Dialect) {
    let server = Server::start(dialect, |_| Reply::text("A dot."));
    let image = [0x89, b'P', b'N', b'G', 0, 1, 2, 0xff];
    let asked = json!({"prompt": "What is that?", "image": BASE64_STANDARD.encode(image)});
    let told = chat(dialect, &server, false, &asked);
    assert_eq!(told["text"], "A dot.", "{told}");
    let calls = server.calls();
    let [shown] = calls.iter().flat_map(|call| &call.images).collect::<Vec<_>>()[..] else { panic!("{calls:?}") };
    assert_eq!(shown.bytes, image);
    assert_eq!(shown.media_type, if dialect == Dialect::LlamaCpp { "" } else { "image/png" });
}

fn tokens_are_told(dialect: Dialect) {
    let server = Server::start(dialect, |_| Reply::text("three short words"));
    let asked = json!({"prompt": "Say three short words."});
    for (usage, stream) in [(Usage::DEFAULT, false), (Usage { input: 57, output: 3, cached: 40 }, true)] {
        server.takes(usage);
        let told = chat(dialect, &server, stream, &asked);
        let mut used = vec![json!(usage.input), json!(usage.output), json!(usage.cached)];
        match dialect {
            // The library doesn't know of the cache.
            Dialect::HuggingFace => used.truncate(2),
            // How long the prompt was stands in a header, if there is no stream.
            Dialect::Tgi => used = vec![if stream { used[0].clone() } else { Value::Null }, used[1].clone()],
            _ => {}
        }
        assert_eq!(told["usage"], json!(used), "{told}");
    }
}

fn the_first_piece_comes_while_the_last_is_held_back(dialect: Dialect) {
    let server = Server::start(dialect, |_| Reply::text("first and last"));
    let held = server.hold();
    ask_then(dialect, &server, "first", &json!({"prompt": "Say it."}), |told, more| {
        assert_eq!(told["first"], "first", "{told}");
        drop(held);
        assert_eq!(more(&json!({"do": "rest"}))["rest"], json!([" and ", "last"]));
    });
}

fn a_text_that_was_cut_says_so(dialect: Dialect) {
    let server = Server::start(dialect, |_| Reply::cut("too lo"));
    let end = match dialect {
        Dialect::OpenAi | Dialect::HuggingFace | Dialect::Tgi => "length",
        Dialect::Anthropic => "max_tokens",
        Dialect::Gemini => "MAX_TOKENS",
        Dialect::LlamaCpp => "limit",
    };
    for stream in [false, true] {
        let asked = json!({"prompt": "Tell me all.", "stream": stream});
        let told = ask(dialect, &server, "chat", &asked);
        if stream && dialect == Dialect::OpenAi {
            // This library has a class of its own for it.
            assert_eq!(told["raised"], "LengthFinishReasonError", "{told}");
            continue;
        }
        assert_eq!((&told["text"], &told["end"]), (&json!("too lo"), &json!(end)), "{told}");
    }
}

fn a_refusal_is_told(dialect: Dialect) {
    let said = match dialect {
        Dialect::Anthropic => vec![(Filter::Prompt, "refusal"), (Filter::Model, "refusal")],
        Dialect::Gemini => vec![(Filter::Answer, "SAFETY"), (Filter::Model, "PROHIBITED_CONTENT")],
        _ => vec![(Filter::Answer, "content_filter"), (Filter::Model, "stop")],
    };
    for (filter, end) in said {
        let server = Server::start(dialect, move |_| Reply::refused(filter));
        for stream in [false, true] {
            let told = ask(dialect, &server, "chat", &json!({"prompt": "Do evil.", "stream": stream}));
            if (dialect, filter, stream) == (Dialect::OpenAi, Filter::Answer, true) {
                assert_eq!(told["raised"], "ContentFilterFinishReasonError", "{told}");
                continue;
            }
            assert_eq!(told["end"], end, "{told}");
            if dialect == Dialect::Anthropic || (dialect, filter) == (Dialect::OpenAi, Filter::Model) {
                assert!(told["refusal"].is_string(), "{told}");
            }
        }
    }
    if dialect == Dialect::Gemini {
        let server = Server::start(dialect, |_| Reply::refused(Filter::Prompt));
        for stream in [false, true] {
            let told = chat(dialect, &server, stream, &json!({"prompt": "Do evil."}));
            assert_eq!((&told["refusal"], &told["end"]), (&json!("SAFETY"), &Value::Null), "{told}");
        }
    }
}

/// How many texts it takes at once.
fn most_texts(dialect: Dialect) -> Option<usize> {
    match dialect {
        Dialect::OpenAi => Some(2048),
        Dialect::Gemini => Some(100),
        Dialect::HuggingFace => Some(32),
        _ => None,
    }
}

fn texts_become_vectors(dialect: Dialect) {
    let server = Server::start(dialect, |_| Reply::text("of no account"));
    let told = ask(dialect, &server, "embed", &json!({"inputs": ["a cat", "the moon", "a cat"]}));
    let vectors: Vec<Vec<f64>> = serde_json::from_value(told["vectors"].clone()).unwrap_or_else(|_| panic!("{told}"));
    assert_eq!(vectors.len(), 3);
    assert!(vectors[0] == vectors[2] && vectors[0] != vectors[1], "{told}");
    for vector in &vectors {
        assert!((vector.iter().map(|n| n * n).sum::<f64>() - 1.0).abs() < 1e-5, "{told}");
    }
    // Another way to ask for the same gave the same.
    assert_ne!(told["same"], false, "{told}");
    let calls = server.calls();
    assert_eq!((calls[0].purpose, calls.last().unwrap().inputs.len()), (Purpose::Embedding, 3));
    if let Some(most) = most_texts(dialect) {
        let texts = |n: usize| vec!["a cat"; n];
        let told = ask(dialect, &server, "embed", &json!({"inputs": texts(most)}));
        assert_eq!(told["vectors"].as_array().map(Vec::len), Some(most), "{dialect:?}");
        let refused = ask(dialect, &server, "embed", &json!({"inputs": texts(most + 1)}));
        assert!(refused["raised"].is_string() && refused["status"] == 400, "{dialect:?}: {refused}");
    }
    if matches!(dialect, Dialect::OpenAi | Dialect::Gemini) {
        let told = ask(dialect, &server, "embed", &json!({"inputs": ["a cat"], "dimensions": 3}));
        assert_eq!(told["vectors"][0].as_array().map(Vec::len), Some(3), "{told}");
    }
    if dialect == Dialect::OpenAi {
        assert_eq!(told["usage"], Usage::DEFAULT.input);
    }
}

fn models_are_listed(dialect: Dialect) {
    let server = Setup::new(dialect).models(&["one", "two"]).start(|_| Reply::text(""));
    let told = ask(dialect, &server, "models", &json!({}));
    let models = if talks(dialect) { json!(["one", "two"]) } else { json!(["one"]) };
    assert_eq!(told["models"], models, "{told}");
    assert!(server.calls().iter().all(|call| call.purpose == Purpose::Listing));
    assert_eq!(server.count(""), 0);
}

fn a_key_is_needed(dialect: Dialect) {
    let server = Server::start(dialect, |call| Reply::text(call.key.clone().unwrap_or_default()));
    let told = chat(dialect, &server, false, &json!({"prompt": "Who am I?", "key": "sk-me"}));
    assert_eq!(told["text"], "sk-me", "{told}");
}
