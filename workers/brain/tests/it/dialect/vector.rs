//! Embeddings: a vector for each text, however many there are.

use crate::speak::{KEY, OK, every, provider, server};
use brain::provider::Kind;
use model_servers::{ApiError, Dialect, Fault, Purpose, Reply, RetryAfter, Usage};

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_become_vectors_in_their_order() {
    every("embeddings", async |dialect, name| {
        let server = server(dialect, |_| Reply::text("of no account"));
        server.takes(Usage { input: 9, output: 0, cached: 0 });
        let provider = provider(name, &server);
        let (vectors, usage) = match provider.embed("embedding-1", &texts(&["a cat", "the moon", "a cat"])).await {
            Ok(made) => made,
            Err(failure) => {
                assert!(matches!(dialect, Dialect::Anthropic | Dialect::Tgi), "{name}: {failure:?}");
                assert!(failure.kind == Kind::Rejected && server.calls().is_empty(), "{name}: {failure:?}");
                let (_, why) = failure.message.split_once(" has no embeddings: ").expect("it says so");
                return format!("has none: {why}");
            }
        };
        assert_eq!(vectors.len(), 3, "{name}");
        assert!(vectors[0] == vectors[2] && vectors[0] != vectors[1] && vectors[0].len() == vectors[1].len(), "{name}");
        // The others don't count.
        let counted = if dialect == Dialect::OpenAi { (9, false) } else { (5, true) };
        assert_eq!((usage.input, usage.estimated, usage.output), (counted.0, counted.1, 0), "{name}");
        let call = server.calls().pop().unwrap();
        assert_eq!((call.purpose, call.inputs.len()), (Purpose::Embedding, 3), "{name}");
        assert!(call.key.as_deref() == Some(KEY) && ["embedding-1", ""].contains(&call.model.as_str()), "{name}");
        OK.into()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_texts_than_a_provider_takes_at_once_are_asked_for_in_parts() {
    every("many embeddings", async |dialect, name| {
        let most = match dialect {
            Dialect::OpenAi => 2048,
            Dialect::Gemini => 100,
            Dialect::HuggingFace => 32,
            Dialect::LlamaCpp => 64,
            Dialect::Anthropic | Dialect::Tgi => return "has none: it has no embeddings".into(),
        };
        let server = server(dialect, |_| Reply::text("of no account"));
        let provider = provider(name, &server);
        let all: Vec<_> = (0..=most).map(|n| format!("text {n}")).collect();
        let (vectors, _) = provider.embed("embedding-1", &all).await.unwrap_or_else(|f| panic!("{name}: {f:?}"));
        let sizes: Vec<_> = server.calls().iter().map(|call| call.inputs.len()).collect();
        assert_eq!((vectors.len(), sizes), (most + 1, vec![most, 1]), "{name}");
        for n in [0, most - 1, most] {
            let (one, _) = provider.embed("embedding-1", &all[n..=n]).await.unwrap();
            assert_eq!(one[0], vectors[n], "{name}: text {n}");
        }
        OK.into()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_has_its_meaning_there_too() {
    every("faults of embeddings", async |dialect, name| {
        if matches!(dialect, Dialect::Anthropic | Dialect::Tgi) {
            return "has none: it has no embeddings".into();
        }
        for (fault, kinds) in [
            (Fault::Error(ApiError::Authentication), vec!["key refused"]),
            (Fault::Error(ApiError::RateLimit(RetryAfter::Unsaid)), vec!["rate limit"]),
            (Fault::Error(ApiError::Overloaded), vec!["overloaded", "rate limit"]),
            (Fault::Hang(model_servers::Point::Nothing), vec!["timeout"]),
            (Fault::Cut(model_servers::Point::Nothing), vec!["unreachable"]),
            (Fault::WrongType, vec!["garbled"]),
        ] {
            let said = fault.clone();
            let server = server(dialect, move |_| said.clone().into());
            let failure = provider(name, &server).embed("embedding-1", &texts(&["a"])).await.unwrap_err();
            assert!(kinds.contains(&failure.kind.as_str()), "{fault:?} at {name}: {failure:?}");
            assert!(!failure.message.contains(KEY), "{name}: {failure:?}");
        }
        OK.into()
    })
    .await;
}
