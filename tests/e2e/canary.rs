//! What is only for a provider of models, and must be found in nothing that a stage7 leaves.
//!
//! The harness gives it to every stage7 with a provider that is on, and searches all of its files
//! when it has ended: the log on disk, the services' logs, what each command printed.

use crate::{
    openai::{Reply, Server},
    stage7::{Layout, Stage7},
};
use aho_corasick::AhoCorasick;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

pub const KEY: &str = "sk-kX7Qm2vT9w-canary-Zr4hB8nD";
/// Of another instance.
pub const OTHER_KEY: &str = "sk-pL3Wd6yR1c-canary-Gm5tJ9sF";
/// In an address.
pub const PASSWORD: &str = "hN8bV4xK-canary-Qe2jU7zA";
/// In a header.
const HEADER: &str = "fC6gY3pM-canary-Wd9rL5kT";
const ALL: [&str; 4] = [KEY, OTHER_KEY, PASSWORD, HEADER];
/// Characters that providers show of a key that they don't know, and that stand nowhere by chance.
const END: usize = 8;

/// An environment with a canary for each provider that it turns on, and whether it turns one on.
pub fn given(env: &[(&str, &str)]) -> (Vec<(String, String)>, bool) {
    let mut all: Vec<_> = env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    checked(env);
    for known in &brain::KNOWN {
        let of = |setting: &str| format!("{}_{setting}", known.name.to_uppercase());
        let is_on = ["API_KEY", "API_URL", "URL"].map(of);
        if env.iter().any(|(name, _)| is_on.iter().any(|on| on == name)) {
            let given = [(of("API_KEY"), KEY.into()), (of("HEADERS"), format!("X-Canary: {HEADER}"))];
            let given: Vec<_> = given.into_iter().filter(|(name, _)| !env.iter().any(|(n, _)| n == name)).collect();
            all.extend(given);
        }
    }
    let is_on = all.iter().any(|(_, value)| ALL.iter().any(|secret| value.contains(secret)));
    (all, is_on)
}

/// A key that is none of these would not be searched for.
pub fn checked(env: &[(&str, &str)]) {
    for (name, value) in env.iter().filter(|(name, _)| name.ends_with("_API_KEY")) {
        assert!(ALL.contains(value), "{name}: a test's keys are those of canary.rs");
    }
}

/// Where a canary is in the files of a folder: the file, and what is around it.
pub fn found(folder: &Path) -> BTreeSet<String> {
    let search = AhoCorasick::new(ALL.iter().flat_map(|secret| forms(secret))).unwrap();
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        // What ends while it is looked at, as a socket does, holds nothing.
        let Ok(about) = path.symlink_metadata() else { continue };
        if about.is_dir() {
            open.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if about.is_file() {
            let all = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.extend(search.find_iter(&all).map(|hit| {
                let around = &all[hit.start().saturating_sub(60)..all.len().min(hit.end() + 60)];
                format!("{}: {}", path.display(), around.escape_ascii())
            }));
        }
    }
    found
}

/// A secret as it would be written: its beginning and its end, and its middle in base64, of which what
/// comes before decides.
fn forms(secret: &str) -> Vec<String> {
    let encoded = (0..3).map(|before| {
        let text = STANDARD.encode(format!("{}{secret}", "x".repeat(before)));
        text[4..text.len() - 4].trim_end_matches('=').to_string()
    });
    [&secret[..END], &secret[secret.len() - END..]].map(String::from).into_iter().chain(encoded).collect()
}

/// What a test is told when this stage7 has ended.
fn told(stage7: Stage7) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(stage7))).expect_err("the test is told");
    *panic.downcast::<String>().unwrap()
}

#[test]
fn a_canary_is_found_wherever_it_is_and_fails_its_test() {
    let server = Server::start(|chat| Reply::Text(chat.text()));
    let stage7 = Stage7::start_with(Layout::One, &[("OPENAI_API_URL", &server.url)]);
    // In an event and an answer, in a form that servers show, and in one that goes over the line.
    let shown = format!("{}*******{}", &HEADER[..4], &HEADER[HEADER.len() - END..]);
    let basic = STANDARD.encode(format!("somebody:{PASSWORD}"));
    for planted in [KEY, &shown, &basic] {
        let input = format!(r#"{{"prompt": "{planted}"}}"#);
        stage7.cli(&["plugin", "run", "THINK", "--input", &input, "--json"]).code(0);
    }
    assert_eq!(server.chats.lock().unwrap()[0].authorization, format!("Bearer {KEY}"));
    let told = told(stage7);
    for (planted, of) in [(KEY, &KEY[..END]), (&shown, &shown), (&basic, &basic[..40])] {
        for file in ["MISSIONS/msgs/", "/log-"] {
            let is_told = |line: &str| line.contains(file) && line.contains(of);
            assert!(told.lines().any(is_told), "{planted} in {file}: {told}");
        }
    }
}

#[test]
fn a_canary_in_a_file_of_a_provider_that_is_on_fails_its_test() {
    let prepared = || Stage7::prepared(Layout::One, &[("LLAMACPP_URL", "http://127.0.0.1:1")]);
    for secret in ALL {
        for form in forms(secret) {
            let stage7 = prepared();
            stage7.file("deep/below.bin", [b"\xff\0", form.as_bytes()].concat());
            let told = told(stage7);
            assert!(told.contains("deep/below.bin: ") && told.contains(&form), "{form}: {told}");
        }
    }
    prepared().file("deep/below.txt", "nothing");
}
