//! What goes wrong on the way: the provider's library notices, each in its way.

use crate::sdk::{ask, tool};
use model_servers::{ApiError, Dialect, Fault, Point, Reply, Server, Tool};
use serde_json::{Value, json};
use std::thread;

fn told(dialect: Dialect, fault: Fault, stream: bool, timeout: f64) -> Value {
    let server = Server::start(dialect, move |_| fault.clone().into());
    ask(dialect, &server, "chat", &json!({"prompt": "?", "stream": stream, "timeout": timeout}))
}

/// Every dialect at once: each has a Python of its own.
fn each(check: impl Fn(Dialect) + Copy + Send + Sync) {
    thread::scope(|scope| Dialect::ALL.map(|dialect| scope.spawn(move || check(dialect))).map(|thread| thread.join()))
        .into_iter()
        .for_each(|ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
}

const POINTS: [(Point, bool); 6] = [
    (Point::Nothing, false),
    (Point::Nothing, true),
    (Point::Headers, false),
    (Point::Headers, true),
    (Point::Begun, false),
    (Point::Begun, true),
];

/// Once a stream has begun, some let the error of the library beneath through.
#[test]
fn silence_is_noticed_at_every_point() {
    each(|dialect| {
        let expected: &[&str] = match dialect {
            Dialect::OpenAi => &["APITimeoutError"],
            Dialect::Anthropic => &["APITimeoutError", "ReadTimeout"],
            Dialect::HuggingFace | Dialect::Tgi => &["InferenceTimeoutError", "ReadTimeout"],
            Dialect::Gemini => &["ReadTimeout"],
            Dialect::LlamaCpp => &["TimeoutError"],
        };
        for (point, stream) in POINTS {
            let told = told(dialect, Fault::Hang(point), stream, 0.2);
            let raised = told["raised"].as_str().unwrap_or_default();
            assert!(expected.contains(&raised), "{dialect:?} {point:?} {stream}: {told}");
        }
    });
}

#[test]
fn a_connection_that_ends_too_early_is_noticed_at_every_point() {
    each(|dialect| {
        let expected: &[&str] = match dialect {
            Dialect::OpenAi => &["APIConnectionError"],
            Dialect::Anthropic => &["APIConnectionError", "RemoteProtocolError"],
            Dialect::LlamaCpp => &["RemoteDisconnected", "IncompleteRead", "EOFError"],
            _ => &["RemoteProtocolError"],
        };
        for (point, stream) in POINTS {
            let told = told(dialect, Fault::Cut(point), stream, 20.0);
            let raised = told["raised"].as_str().unwrap_or_default();
            assert!(expected.contains(&raised), "{dialect:?} {point:?} {stream}: {told}");
        }
    });
}

/// In a stream there is no status any more; who has no class for that raises a general one.
#[test]
fn an_error_in_the_midst_of_a_stream_is_raised() {
    each(|dialect| {
        let (raised, mark) = match dialect {
            Dialect::OpenAi => ("APIError", "overloaded"),
            Dialect::Anthropic => ("APIStatusError", "overloaded_error"),
            Dialect::Gemini => ("ServerError", "UNAVAILABLE"),
            Dialect::HuggingFace | Dialect::Tgi => ("OverloadedError", "Model is overloaded"),
            Dialect::LlamaCpp => ("Failed", "Loading model"),
        };
        let streamed = told(dialect, Fault::Late(ApiError::Overloaded), true, 20.0);
        assert_eq!(streamed["raised"], raised, "{dialect:?}: {streamed}");
        assert!(streamed["message"].as_str().is_some_and(|message| message.contains(mark)), "{dialect:?}: {streamed}");
        // Without a stream it comes in place of the answer.
        let whole = told(dialect, Fault::Late(ApiError::Internal), false, 20.0);
        assert!(whole["status"].as_u64().is_some_and(|status| status >= 424), "{dialect:?}: {whole}");
    });
}

/// None has a class for it; all but one raise what comes first.
#[test]
fn a_page_is_no_answer() {
    each(|dialect| {
        for stream in [false, true] {
            let told = told(dialect, Fault::WrongType, stream, 20.0);
            assert!(told["raised"].is_string(), "{dialect:?} {stream}: {told}");
        }
    });
}

/// Some put a replacement in its place, the others raise.
#[test]
fn half_a_character_is_no_text() {
    each(|dialect| {
        for stream in [false, true] {
            let told = told(dialect, Fault::HalfCharacter, stream, 20.0);
            let text = told["text"].as_str().unwrap_or_default();
            let replaced = text.contains("caf\u{fffd} is") && !text.contains('é');
            assert!(told["raised"] == "UnicodeDecodeError" || replaced, "{dialect:?} {stream}: {told}");
        }
    });
}

/// Whether 50 MB are too many is not for the libraries to say: `line` sends as many. These are 2 MB.
#[test]
fn a_long_answer_has_the_shape_of_a_short_one() {
    const SIZE: usize = 2 << 20;
    each(|dialect| {
        for stream in [false, true] {
            let server = Server::start(dialect, |_| Fault::Huge(SIZE).into());
            let told = ask(dialect, &server, "chat", &json!({"prompt": "?", "stream": stream}));
            let whole = told["text"].as_str().map_or(0, str::len);
            let pieces = told["pieces"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::len);
            assert_eq!(whole.max(pieces.sum()), SIZE, "{dialect:?} {stream}: {:.300}", told.to_string());
        }
    });
}

/// Arguments that end too early, or are none, are no arguments; who knows no end of a stream but its last word
/// notices when that is missing.
#[test]
fn a_call_that_is_cut_or_can_not_be_read_is_noticed() {
    each(|dialect| {
        let asked = json!({"prompt": "?", "stream": true, "tools": [tool()]});
        let told = |reply: Reply| {
            let server = Server::start(dialect, move |_| reply.clone());
            ask(dialect, &server, "chat", &asked)
        };
        if matches!(dialect, Dialect::LlamaCpp | Dialect::Tgi) {
            // They know no tools.
            return;
        }
        let garbled = told(Reply::tools("", vec![Tool::garbled("weather", "{\"city\": Bern}")]));
        assert!(garbled["raised"].is_string() || garbled["end"] == "MALFORMED_FUNCTION_CALL", "{dialect:?}: {garbled}");
        let cut = told(Fault::Cut(Point::Arguments).into());
        assert!(cut["raised"].is_string(), "{dialect:?}: {cut}");
        let short = told(Fault::Short(Point::Arguments).into());
        assert!(short["raised"].is_string() || short["end"].is_null(), "{dialect:?}: {short}");
    });
}
