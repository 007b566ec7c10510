//! Everything that goes wrong, at every provider: each has one meaning, whoever says it how.

use crate::speak::{DIALECTS, KEY, MODEL, Talk, asked, provider};
use brain::provider::Kind;
use model_servers::{ApiError, Fault, Filter, HUGE, Point, Reply, RetryAfter, Setup, Tool};
use std::time::Duration;

/// What goes wrong, and what it means; where a dialect can't tell it from another, both.
fn table() -> Vec<(&'static str, Reply, Vec<&'static str>)> {
    let error = |error: ApiError| Reply::from(Fault::Error(error));
    let late = |error: ApiError| Reply::from(Fault::Late(error));
    vec![
        ("401", error(ApiError::Authentication), vec!["key refused"]),
        ("403", error(ApiError::Permission), vec!["key refused"]),
        ("404 model", error(ApiError::UnknownModel), vec!["unknown model"]),
        ("408", error(ApiError::Gateway(408)), vec!["timeout"]),
        ("409", error(ApiError::Conflict), vec!["overloaded"]),
        ("413", error(ApiError::TooLarge), vec!["context too long"]),
        ("429", error(ApiError::RateLimit(RetryAfter::Unsaid)), vec!["rate limit"]),
        ("429, 7 s", error(ApiError::RateLimit(RetryAfter::Seconds(7))), vec!["rate limit"]),
        ("400 context", error(ApiError::ContextLength), vec!["context too long"]),
        ("400 schema", error(ApiError::Schema), vec!["bad request"]),
        ("quota", error(ApiError::Quota), vec!["quota used up", "rate limit"]),
        ("402", error(ApiError::Payment), vec!["quota used up"]),
        ("filter, 400", error(ApiError::Filtered), vec!["content filter"]),
        ("filter, prompt", Reply::refused(Filter::Prompt), vec!["content filter"]),
        ("filter, answer", Reply::refused(Filter::Answer), vec!["content filter"]),
        ("token limit", Reply::cut("so far"), vec!["token limit"]),
        ("500", error(ApiError::Internal), vec!["overloaded"]),
        ("502", error(ApiError::Gateway(502)), vec!["overloaded"]),
        ("503", error(ApiError::Overloaded), vec!["overloaded", "rate limit"]),
        ("529", error(ApiError::Gateway(529)), vec!["overloaded"]),
        ("late 503", late(ApiError::Overloaded), vec!["overloaded", "rate limit"]),
        ("late 429", late(ApiError::RateLimit(RetryAfter::Unsaid)), vec!["rate limit", "overloaded"]),
        ("hang, headers", Fault::Hang(Point::Nothing).into(), vec!["timeout"]),
        ("hang, body", Fault::Hang(Point::Headers).into(), vec!["timeout"]),
        ("hang, middle", Fault::Hang(Point::Begun).into(), vec!["timeout"]),
        ("cut, headers", Fault::Cut(Point::Nothing).into(), vec!["unreachable"]),
        ("cut, middle", Fault::Cut(Point::Begun).into(), vec!["unreachable", "garbled"]),
        // Where the server is asked about itself first, that breaks off.
        ("end, middle", Fault::Short(Point::Begun).into(), vec!["garbled", "unreachable"]),
        ("hang, arguments", Fault::Hang(Point::Arguments).into(), vec!["timeout"]),
        ("cut, arguments", Fault::Cut(Point::Arguments).into(), vec!["unreachable", "garbled"]),
        ("end, arguments", Fault::Short(Point::Arguments).into(), vec!["garbled", "unreachable"]),
        // A call with what it wrote, so that it can be told.
        ("bad arguments", Reply::tools("", vec![Tool::garbled("SEARCH", "{no")]), vec!["a call", "garbled"]),
        ("wrong type", Fault::WrongType.into(), vec!["garbled"]),
        ("half a character", Fault::HalfCharacter.into(), vec!["garbled", "unreachable"]),
        ("50 MB", Fault::Huge(HUGE).into(), vec!["token limit"]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_every_provider_has_its_meaning_and_tells_no_key() {
    let mut wrong = Vec::new();
    println!("{:<18}{}", "", DIALECTS.map(|(_, name)| format!("{name:<18}")).concat());
    for (fault, reply, meanings) in table() {
        let mut row = format!("{fault:<18}");
        let each = DIALECTS.map(|(dialect, name)| {
            let reply = reply.clone();
            async move {
                let server = Setup::new(dialect).models(&[MODEL]).start(move |_| reply.clone());
                let provider = provider(name, &server);
                let mut talk = Talk::new("Go");
                if fault.ends_with("arguments") {
                    let input = serde_json::json!({"type": "object"});
                    talk.tools =
                        vec![brain::provider::Tool { name: "SEARCH".into(), description: "Finds.".into(), input }];
                }
                let ended = tokio::time::timeout(Duration::from_secs(60), talk.with(&provider)).await;
                ended.unwrap_or_else(|_| panic!("{fault} at {name} does not end")).0
            }
        });
        for ((_, name), ended) in DIALECTS.into_iter().zip(futures::future::join_all(each).await) {
            let (meaning, message) = match ended {
                Ok(reply) if reply.calls.iter().any(|call| call.input == "{no") => ("a call", "{no".into()),
                Ok(reply) => ("an answer", reply.text.chars().take(80).collect()),
                Err(failure) => (failure.kind.as_str(), failure.message),
            };
            row.push_str(&format!("{meaning:<18}"));
            // Servers of one's own have no filter: what a filter would say comes as something else.
            let is_own = ["llamacpp", "tgi"].contains(&name);
            let other = is_own && fault.starts_with("filter") && ["bad request", "an answer"].contains(&meaning);
            let is_told = message.is_empty() || message.contains(KEY) || message.contains("never-to-be");
            if is_told || !other && !meanings.contains(&meaning) {
                wrong.push(format!("{fault} at {name}: {meaning}, not {}: {message}", meanings.join(" or ")));
            }
        }
        println!("{row}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_to_wait_is_what_the_provider_says() {
    for (dialect, name) in DIALECTS.into_iter().filter(|(_, name)| !["llamacpp", "tgi"].contains(name)) {
        let limited = Reply::from(Fault::Error(ApiError::RateLimit(RetryAfter::Seconds(7))));
        let server = Setup::new(dialect).models(&[MODEL]).start(move |_| limited.clone());
        let (ended, _) = asked(&provider(name, &server), "Go", None).await;
        let kind = ended.unwrap_err().kind;
        assert_eq!(kind, Kind::RateLimited(Some(Duration::from_secs(7))), "{name}");
    }
}
