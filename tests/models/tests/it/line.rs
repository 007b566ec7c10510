//! The bytes themselves, where a library would hide them.

use model_servers::{ApiError, Dialect, Fault, HUGE, Point, Reply, Server, Setup};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
};

/// A request in its dialect, for one answer on one connection.
fn request(dialect: Dialect, stream: bool) -> (&'static str, &'static str, Value) {
    let messages = json!([{"role": "user", "content": "?"}]);
    let contents = json!([{"role": "user", "parts": [{"text": "?"}]}]);
    let bearer = "Authorization: Bearer k\r\n";
    match dialect {
        Dialect::OpenAi => {
            ("/v1/chat/completions", bearer, json!({"model": "m", "messages": messages, "stream": stream}))
        }
        Dialect::HuggingFace => {
            ("/v1/chat/completions", bearer, json!({"model": "m", "messages": messages, "stream": stream}))
        }
        Dialect::Anthropic => (
            "/v1/messages",
            "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n",
            json!({"model": "m", "max_tokens": 9, "messages": messages, "stream": stream}),
        ),
        Dialect::Gemini if stream => {
            ("/v1beta/models/m:streamGenerateContent?alt=sse&key=k", "", json!({"contents": contents}))
        }
        Dialect::Gemini => ("/v1beta/models/m:generateContent?key=k", "", json!({"contents": contents})),
        Dialect::LlamaCpp => ("/completion", "", json!({"prompt": "?", "stream": stream})),
        Dialect::Tgi if stream => ("/generate_stream", "", json!({"inputs": "?"})),
        Dialect::Tgi => ("/generate", "", json!({"inputs": "?"})),
    }
}

fn send(server: &Server, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut connection = TcpStream::connect(server.origin.trim_start_matches("http://")).unwrap();
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n");
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(body.as_bytes()).unwrap();
    connection
}

fn open(server: &Server, dialect: Dialect, stream: bool) -> TcpStream {
    let (path, headers, body) = request(dialect, stream);
    send(server, path, headers, &body.to_string())
}

/// All that comes until the connection ends.
fn all(mut connection: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A connection that is cut may be reset.
    let _ = connection.read_to_end(&mut bytes);
    bytes
}

fn answer(server: &Server, dialect: Dialect, stream: bool) -> String {
    String::from_utf8(all(open(server, dialect, stream))).unwrap()
}

#[test]
fn what_hangs_ends_with_the_server_and_has_said_no_more() {
    for dialect in Dialect::ALL {
        for (point, stream) in [(Point::Nothing, true), (Point::Headers, true), (Point::Begun, true)] {
            let server = Server::start(dialect, move |_| Fault::Hang(point).into());
            let mut connection = open(&server, dialect, stream);
            let mut begun = Vec::new();
            if point == Point::Nothing {
                while server.calls().is_empty() {
                    thread::yield_now();
                }
            }
            let awaited: &[u8] = match point {
                Point::Nothing => b"",
                Point::Headers => b"\r\n\r\n",
                Point::Begun | Point::Arguments => b"This ",
            };
            while !awaited.is_empty() && !begun.windows(awaited.len()).any(|part| part == awaited) {
                let mut byte = [0];
                connection.read_exact(&mut byte).unwrap();
                begun.push(byte[0]);
            }
            drop(server);
            let rest = String::from_utf8(all(connection)).unwrap();
            assert!(!rest.contains("data:") && !rest.contains("caf"), "{dialect:?} {point:?}: {rest}");
            assert_eq!(point == Point::Nothing, begun.is_empty() && rest.is_empty(), "{dialect:?} {point:?}: {rest}");
        }
    }
}

#[test]
fn what_is_cut_has_no_end() {
    for dialect in Dialect::ALL {
        for stream in [false, true] {
            let cut = |point| answer(&Server::start(dialect, move |_| Fault::Cut(point).into()), dialect, stream);
            assert_eq!(cut(Point::Nothing), "");
            let headers = cut(Point::Headers);
            assert!(headers.starts_with("HTTP/1.1 200") && headers.ends_with("\r\n\r\n"), "{dialect:?}: {headers}");
            assert_eq!(headers.matches("\r\n\r\n").count(), 1, "{dialect:?}: {headers}");
            let begun = cut(Point::Begun);
            let body = begun.split_once("\r\n\r\n").unwrap().1;
            assert!(!body.is_empty() && !begun.ends_with("\r\n0\r\n\r\n"), "{dialect:?}: {begun}");
            if stream {
                assert!(body.contains("This ") && !body.contains("to its end"), "{dialect:?}: {begun}");
            } else {
                let length = begun.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap();
                assert_eq!(body.len(), length.parse::<usize>().unwrap() / 2, "{dialect:?}: {begun}");
            }
        }
    }
}

/// A reader must not take what it has for characters before it has all of them.
#[test]
fn a_character_may_come_in_two_pieces() {
    for dialect in Dialect::ALL {
        let server = Server::start(dialect, |_| Reply::text("é"));
        let bytes = all(open(&server, dialect, true));
        let first = "é".as_bytes()[0];
        assert!(bytes.windows(3).any(|part| part == [first, b'\r', b'\n']), "{dialect:?}: a chunk ends inside of it");
    }
}

#[test]
fn fifty_megabytes_come_whole_and_in_pieces() {
    for dialect in Dialect::ALL {
        for stream in [false, true] {
            let server = Server::start(dialect, |_| Fault::Huge(HUGE).into());
            let mut connection = open(&server, dialect, stream);
            let (mut length, mut buffer) = (0, vec![0; 1 << 20]);
            loop {
                match connection.read(&mut buffer).unwrap() {
                    0 => break,
                    read => length += read,
                }
            }
            assert!(length >= HUGE, "{dialect:?} {stream}: {length}");
        }
    }
}

#[test]
fn what_is_no_request_of_the_dialect_is_refused() {
    for dialect in Dialect::ALL {
        let server = Server::start(dialect, |_| Reply::text("never"));
        let (path, headers, body) = request(dialect, false);
        let status = |path: &str, headers: &str, body: &str| {
            let answer = String::from_utf8(all(send(&server, path, headers, body))).unwrap();
            answer.split(' ').nth(1).unwrap_or_default().to_owned()
        };
        let bad = if dialect == Dialect::Tgi { "422" } else { "400" };
        assert_eq!(status(path, headers, "{"), bad, "{dialect:?}: no JSON");
        assert_eq!(status(path, headers, "{}"), bad, "{dialect:?}: nothing is said");
        assert_eq!(status("/nowhere", headers, &body.to_string()), "404", "{dialect:?}");
        assert!(server.calls().is_empty());
        if dialect != Dialect::LlamaCpp && dialect != Dialect::Tgi {
            let keyless = headers.replace("Authorization: Bearer k\r\n", "").replace("x-api-key: k\r\n", "");
            let denied = if dialect == Dialect::Gemini { "403" } else { "401" };
            assert_eq!(status(&path.replace("&key=k", "").replace("?key=k", ""), &keyless, &body.to_string()), denied);
        }
    }
}

/// Each of these has been taken by some server, and not by the one that it was meant for.
#[test]
fn what_the_provider_would_not_take_is_not_taken() {
    let user = json!({"role": "user", "content": "?"});
    let anthropic = |more: Value| {
        let mut body = json!({"model": "m", "max_tokens": 9, "messages": [user]});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let old = "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n";
    let new = "Authorization: Bearer k\r\nanthropic-version: 2026-10-21\r\n";
    let openai = "Authorization: Bearer k\r\n";
    for (dialect, headers, body, status) in [
        (Dialect::Anthropic, old, anthropic(json!({"temperature": 0.5})), 200),
        (Dialect::Anthropic, new, anthropic(json!({})), 200),
        (Dialect::Anthropic, new, anthropic(json!({"temperature": 0.5})), 400),
        (Dialect::Anthropic, "x-api-key: k\r\nanthropic-version: 2024\r\n", anthropic(json!({})), 400),
        (Dialect::Anthropic, "x-api-key: k\r\n", anthropic(json!({})), 400),
        (Dialect::Anthropic, old, anthropic(json!({"max_tokens": null})), 400),
        (Dialect::Anthropic, old, anthropic(json!({"tools": [{"name": "t", "parameters": {}}]})), 400),
        (Dialect::Anthropic, old, anthropic(json!({"messages": [{"role": "system", "content": "?"}]})), 400),
        (Dialect::OpenAi, openai, json!({"model": "m", "messages": [user], "tool_choice": "auto"}), 400),
        (Dialect::OpenAi, openai, json!({"model": "m", "messages": [user], "stream_options": {}}), 400),
        (Dialect::OpenAi, openai, json!({"model": "m", "messages": [{"role": "tool", "content": "?"}]}), 400),
        (Dialect::OpenAi, openai, json!({"model": "m", "messages": [{"role": "human", "content": "?"}]}), 400),
        (Dialect::OpenAi, openai, json!({"messages": [user]}), 400),
        (Dialect::Gemini, "x-goog-api-key: k\r\n", json!({"contents": [{"role": "system", "parts": []}]}), 400),
        (
            Dialect::Gemini,
            "x-goog-api-key: k\r\n",
            json!({"contents": [{"parts": [{"text": "?"}]}],
                "generationConfig": {"responseSchema": {"type": "OBJECT"}}}),
            400,
        ),
        (
            Dialect::Gemini,
            "x-goog-api-key: k\r\n",
            json!({"contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": "AA=="}}]}]}),
            200,
        ),
        (Dialect::LlamaCpp, "", json!({"prompt": {"prompt_string": "no marker", "multimodal_data": ["AA=="]}}), 400),
        (Dialect::Tgi, "", json!({"inputs": "?", "parameters": {"grammar": {"type": "yaml", "value": ""}}}), 422),
    ] {
        let server = Server::start(dialect, |_| Reply::text("fine"));
        let path = request(dialect, false).0;
        let answer = String::from_utf8(all(send(&server, path, headers, &body.to_string()))).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{dialect:?} {body}: {answer}");
    }
}

#[test]
fn a_server_may_stand_elsewhere_and_want_no_key() {
    let server = Setup::new(Dialect::OpenAi).at("/api/v1").keyless().start(|_| Reply::text("at home"));
    assert!(server.url.ends_with("/api/v1"));
    let body = request(Dialect::OpenAi, false).2.to_string();
    let answer = |path| String::from_utf8(all(send(&server, path, "", &body))).unwrap();
    assert!(answer("/api/v1/chat/completions").contains("at home"));
    assert!(answer("/v1/chat/completions").starts_with("HTTP/1.1 404 "));
}

/// The library asks for many at once only.
#[test]
fn gemini_makes_one_vector_as_well() {
    let server = Server::start(Dialect::Gemini, |_| Reply::text("of no account"));
    let body = json!({"model": "models/e", "content": {"parts": [{"text": "?"}]}, "outputDimensionality": 3});
    let bytes = all(send(&server, "/v1beta/models/e:embedContent?key=k", "", &body.to_string()));
    let answer = String::from_utf8(bytes).unwrap();
    let vector: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(vector["embedding"]["values"].as_array().map(Vec::len), Some(3), "{answer}");
    assert_eq!(server.count("e"), 1);
}

#[test]
fn an_error_of_a_stream_has_the_dialects_form() {
    for (dialect, event) in [
        (Dialect::OpenAi, "data: {\"error\":{\"message\":"),
        (Dialect::Anthropic, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\","),
        (Dialect::Gemini, "data: {\"error\":{\"code\":429,"),
        (Dialect::LlamaCpp, "data: {\"error\":{\"code\":500,"),
        (Dialect::Tgi, "data:{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}"),
    ] {
        let late = Fault::Late(ApiError::RateLimit(model_servers::RetryAfter::Unsaid));
        let server = Server::start(dialect, move |_| late.clone().into());
        let answer = answer(&server, dialect, true);
        assert!(answer.contains("This ") && answer.contains(event), "{dialect:?}: {answer}");
        assert!(answer.ends_with("\r\n0\r\n\r\n") && !answer.contains("[DONE]"), "{dialect:?}: {answer}");
    }
}
