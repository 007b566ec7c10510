//! Ways out over a network: there is none, or only the one that was granted.

use super::{
    Attempt, UNCHANGED, all_are_refused, is_well,
    language::LANGUAGES,
    leftovers,
    server::{http, local, moved, named, ok, tcp, udp, unseen},
    shared,
};
use crate::stage7::{Layout, Stage7};
use serde_json::{Value, json};
use std::fs;

const CLOSED: &[&str] = &["ECONNREFUSED", "ENETUNREACH"];

#[test]
fn there_is_no_network() {
    let stage7 = shared();
    let ((stream, heard), (datagram, packets), (names, asked)) = (tcp(), udp(|_| b"hello".to_vec()), udp(named));
    let (place, name) = (stage7.path("client/socket"), format!("stage7-escape-{}", std::process::id()));
    let (files, unseen) = (local(&place), unseen(&name));
    let attempts = [
        Attempt::same("tcp", json!({"port": stream}), CLOSED),
        Attempt::same("udp", json!({"port": datagram}), CLOSED),
        Attempt::same("dns", json!({"port": names}), CLOSED),
        Attempt::same("local", json!({"path": place}), &["ENOENT"]),
        Attempt::same("local", json!({"path": format!("\0{name}")}), CLOSED),
        // The log itself, which greets whoever connects.
        Attempt::same("tcp", json!({"port": log(&stage7)}), CLOSED),
    ];
    all_are_refused(&stage7, "ESCAPE", &attempts, |language, given| language.outside(&stage7, &[], given));
    // Each was asked from outside, once in each language, and from nowhere else.
    let all = [heard, packets, asked, files, unseen].map(|count| count.get());
    assert_eq!(all, [LANGUAGES.len(); 5]);
    is_well(&stage7);
}

/// The port of the log.
fn log(stage7: &Stage7) -> u16 {
    stage7.address().0.rsplit_once(':').unwrap().1.parse().unwrap()
}

#[test]
fn only_what_was_granted_is_reached() {
    let (_dir, temporary) = leftovers();
    let stage7 = Stage7::prepared(Layout::One, &[("TMPDIR", &temporary)]);
    // A name that leads to the wide world while it is granted, and home from then on.
    let hosts = stage7.file("hosts", "127.0.0.1 localhost\n203.0.113.1 rebound.example\n");
    stage7.run_within("bwrap", &["--dev-bind", "/", "/", "--bind", &hosts, "/etc/hosts", "--die-with-parent", "--"]);
    stage7.ready();
    let ((good, reached), (other, unasked)) = (http(ok("hello")), http(ok("secret")));
    let (near, turned) = http(moved(&format!("http://localhost:{other}/")));
    let (far, sent) = http(moved("http://127.0.0.1/"));
    let (unknown, sent_on) = http(moved("http://elsewhere.example/"));
    let ports = [good, near, far, unknown].map(|port| format!("\"localhost:{port}\""));
    let granted = format!("[permissions]\nnetwork = [{}, \"rebound.example:{other}\"]\n\n[limits]", ports.join(", "));
    for language in &LANGUAGES {
        language.folder(&stage7, "ESCAPE", UNCHANGED);
        language.add(&stage7, "GRANTED", ("[limits]", &granted));
    }
    fs::write(&hosts, "127.0.0.1 localhost\n127.0.0.1 rebound.example\n").unwrap();

    for language in &LANGUAGES {
        let run = |given: Value| {
            let args = ["plugin", "run", &language.verb("GRANTED"), "--input", &given.to_string(), "--json"];
            let ended = stage7.cli(&args).code(0);
            (ended.line(), ended.stderr)
        };
        let url = |host: &str, port: u16| json!({"attempt": "fetch", "url": format!("http://{host}:{port}/")});
        let (told, lines) = run(url("localhost", good));
        assert_eq!(told, json!({"escaped": true, "how": "hello"}), "a granted host is reached");
        assert!(lines.contains(&format!("network: localhost:{good}")), "{lines}");
        for (given, how) in [
            (url("localhost", other), CLOSED),
            (url("127.0.0.1", other), CLOSED),
            (url("localhost", near), CLOSED),
            (url("localhost", far), CLOSED),
            (url("localhost", unknown), &["Name or service not known", "ENOTFOUND"]),
            (json!({"attempt": "tcp", "port": log(&stage7)}), CLOSED),
            (json!({"attempt": "tcp", "host": "rebound.example", "port": other}), &["ECONNRESET"]),
        ] {
            let (told, lines) = run(given.clone());
            let said = told["how"].as_str().unwrap();
            assert!(told["escaped"] == false && how.iter().any(|how| said.contains(how)), "{given}: {told}\n{lines}");
            let why = format!(
                "rebound.example:{other}: refused, for its address is the machine's or its network's (127.0.0.1)"
            );
            assert_eq!(lines.contains(&why), given["host"] == "rebound.example", "{lines}");
        }
        // The same attempts beside the sandbox; there the redirect leads to what was not granted.
        for (given, said) in [(url("localhost", other), "secret"), (url("localhost", near), "secret")] {
            assert_eq!(language.outside(&stage7, &[], &given), json!({"escaped": true, "how": said}));
        }
    }
    let languages = LANGUAGES.len();
    assert_eq!([&reached, &sent, &sent_on].map(|count| count.get()), [languages; 3], "each once from inside");
    assert_eq!(
        [&turned, &unasked].map(|count| count.get()),
        [2 * languages; 2],
        "from outside only, but for the redirect"
    );
    is_well(&stage7);
}
