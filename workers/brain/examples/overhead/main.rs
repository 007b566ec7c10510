//! What a model call costs beside the bare client of its dialect, and what many at once hold in memory, in one
//! run on one machine: `make bench-brain`.
//!
//! The model is a server of `tests/models` in a process of its own. Our path is the whole effect: the
//! request taken from a log in memory and its mission looked up there, a model chosen, asked and heard
//! piece by piece, the answer checked and in the log.

#![allow(clippy::disallowed_methods, reason = "it measures time")]

mod mission;
mod model;

use futures::StreamExt;
use genai::{
    Client, ModelIden, ModelSpec, ServiceTarget,
    adapter::AdapterKind,
    chat::{ChatMessage, ChatOptions, ChatRequest, ChatStreamEvent},
    resolver::{AuthData, Endpoint},
};
use mission::{Brains, Mission};
use model::{ANSWER, KEY, Model, NAME, PROMPT};
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

/// Each with a log of its own: one in memory is searched from its end to its beginning.
const ROUNDS: usize = 10;
const CALLS: usize = 60;
const WARM_UP: usize = 20;
const AT_ONCE: usize = 500;
/// Above the bare call at the median, and of the process with so many streams open.
const MUST: (Duration, f64) = (Duration::from_millis(1), 100.0);

/// The bare call: the same words, heard to their end.
async fn bare(client: &Client, url: &str) -> Duration {
    let target = ServiceTarget {
        endpoint: Endpoint::from_owned(format!("{url}/")),
        auth: AuthData::from_single(KEY),
        model: ModelIden::new(AdapterKind::OpenAI, NAME),
    };
    let options = ChatOptions::default().with_capture_usage(true);
    let begun = Instant::now();
    let chat = ChatRequest::new(vec![ChatMessage::user(PROMPT)]);
    let stream = client.exec_chat_stream(ModelSpec::from_target(target), chat, Some(&options)).await;
    let (mut stream, mut text) = (stream.expect("it answers").stream, String::new());
    while let Some(event) = stream.next().await {
        if let ChatStreamEvent::Chunk(piece) = event.expect("it goes on") {
            text.push_str(&piece.content);
        }
    }
    let took = begun.elapsed();
    assert_eq!(text, ANSWER);
    took
}

/// So many of a hundred are at most as long.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

/// Resident memory of this process, MB: now, and at its most.
fn memory() -> (f64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("kilobytes") * 1024.0 / 1e6
    };
    (of("VmRSS:"), of("VmHWM:"))
}

// One thread: nothing that the log in memory says falls between looking and listening.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(model::SERVE) {
        return model::serve();
    }
    let mut model = Model::start();
    let brains = Brains::start(&model.url).await;
    let client = Client::new().expect("a client");

    let (mut alone, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mission = Mission::begin(brains.brain(1)).await;
        for n in 0..WARM_UP + CALLS {
            let pair = (bare(&client, &model.url).await, mission.call(n).await);
            if n >= WARM_UP {
                alone.push(pair.0);
                ours.push(pair.1);
            }
        }
    }
    alone.sort();
    ours.sort();
    let of = |percent| (percentile(&alone, percent), percentile(&ours, percent));
    let ((alone, ours), (alone_99, ours_99)) = (of(50), of(99));
    let above = ours.saturating_sub(alone);
    println!(
        "{} calls each, in turns: bare p50 {alone:?}, p99 {alone_99:?}; ours p50 {ours:?}, p99 {ours_99:?}",
        ROUNDS * CALLS
    );
    println!("above the bare call: p50 {above:?} (must: {:?}), p99 {:?}", MUST.0, ours_99.saturating_sub(alone_99));

    let before = memory().0;
    let mission = Mission::begin(brains.brain(AT_ONCE)).await;
    let asked = model.say("hold") + AT_ONCE;
    let all = mission.ask_all(AT_ONCE).await;
    while model.say("count") < asked {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Until what has been said of each is heard.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let held = memory().0;
    model.say("release");
    mission.answered(&all).await;
    println!(
        "{AT_ONCE} streams open at once: {held:.1} MB, before {before:.1} MB (must: {} MB); at its most {:.1} MB",
        MUST.1,
        memory().1
    );
    if above < MUST.0 && held < MUST.1 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
