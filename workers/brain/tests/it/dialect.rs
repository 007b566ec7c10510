//! Each dialect as the brain speaks it: text, JSON, what it took, and its beginning before its end. With
//! `--nocapture` each test prints its row of what which dialect has.

mod image;
mod tool;
mod vector;

use crate::speak::{DIALECTS, KEY, MODEL, OK, Talk, asked, every, provider, server};
use brain::{
    Key, ProviderConfig,
    provider::{Ask, Known, Provider},
};
use model_servers::{Dialect, Reply, Usage};
use schemas::{
    Value,
    agent::{Message, Speaker},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

const POEM: &str = "Rösti,\n\"golden\" {brown} 🥔\n";

#[tokio::test(flavor = "multi_thread")]
async fn every_dialect_gives_its_text_in_pieces_and_what_it_took() {
    every("text, usage", async |dialect, name| {
        let server = server(dialect, |_| Reply::text(POEM));
        server.takes(Usage { input: 321, output: 45, cached: 0 });
        let (reply, pieces) = asked(&provider(name, &server), "A poem, please: ünïcödé", None).await;
        let reply = reply.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert_eq!((reply.text.as_str(), pieces.concat().as_str()), (POEM, POEM), "{name}");
        assert!(pieces.len() > 1, "{name}: it came in {} piece", pieces.len());
        assert_eq!((reply.usage.input, reply.usage.output, reply.usage.estimated), (321, 45, false), "{name}");
        let calls = server.calls();
        let call = calls.last().unwrap();
        assert!(call.text.contains("You answer briefly.") && call.text.contains("ünïcödé"), "{name}: {}", call.text);
        assert!(call.streams, "{name}");
        assert!(call.key.is_none() || call.key.as_deref() == Some(KEY), "{name}");
        OK.into()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_asked_for_as_each_dialect_can() {
    let closed = json!({"type": "object", "additionalProperties": false, "required": ["n"], "properties": {"n": {"type": "integer"}}});
    // As plans are: free keys, which no strict dialect knows.
    let open = json!({"type": "object", "additionalProperties": {"type": "integer"}});
    every("JSON", async |dialect, name| {
        for (schema, is_open) in [(&closed, false), (&open, true)] {
            let server = server(dialect, |call| match call.tools.first() {
                Some(tool) => Reply::tool(tool, json!({"n": 7})),
                None => Reply::text("{\"n\": 7}"),
            });
            let (reply, _) = asked(&provider(name, &server), "Seven, as JSON", Some(schema)).await;
            let reply = reply.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
            assert_eq!(serde_json::from_str::<Value>(&reply.text).unwrap(), json!({"n": 7}), "{name}");
            let call = server.calls().pop().unwrap();
            let native = call.schema.is_some() || !call.tools.is_empty() || call.body["response_format"].is_object();
            assert!(native, "{name}: {}", call.body);
            let is_held = call.schema.as_ref() == Some(schema);
            let is_mode = is_open && ["openai", "anthropic", "huggingface"].contains(&name);
            assert_eq!(is_held, !is_mode, "{name}: {}", call.body);
        }
        OK.into()
    })
    .await;
}

/// OpenAI's schemas and JSON of any shape are objects.
#[tokio::test(flavor = "multi_thread")]
async fn json_that_is_no_object_is_asked_for_as_well() {
    let list = json!({"type": "array", "items": {"$ref": "#/$defs/N"}, "$defs": {"N": {"type": "integer"}}});
    every("JSON, a list", async |dialect, name| {
        let server = server(dialect, |call| match call.tools.first() {
            Some(tool) => Reply::tool(tool, json!({"answer": [7]})),
            None => Reply::text("[7]"),
        });
        let (reply, _) = asked(&provider(name, &server), "Seven, as a list", Some(&list)).await;
        let reply = reply.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert_eq!(reply.text, "[7]", "{name}");
        let call = server.calls().pop().unwrap();
        assert_eq!(call.schema.is_none(), call.tools == ["answer"], "{name}: {}", call.body);
        OK.into()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_beginning_is_heard_while_the_end_is_held_back() {
    every("pieces as they come", async |dialect, name| {
        let server = server(dialect, |_| Reply::text("first and last"));
        let held = server.hold();
        let provider = provider(name, &server);
        let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
        let asking = tokio::spawn(async move {
            let live = move |piece: String| {
                let _ = heard.send(piece);
                Box::pin(async {}) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
            };
            let messages = [Message::new(Speaker::User, "Go")];
            let stop = tokio_util::sync::CancellationToken::new();
            let ask = Ask {
                model: MODEL,
                messages: &messages,
                images: &Default::default(),
                tools: &[],
                schema: None,
                stop: &stop,
                live: &live,
            };
            provider.ask(&ask).await
        });
        let first = tokio::time::timeout(Duration::from_secs(1), hear.recv()).await;
        let first = first.unwrap_or_else(|_| panic!("{name}: nothing is heard")).unwrap();
        assert!("first and last".starts_with(&first) && !asking.is_finished(), "{name}: {first}");
        drop(held);
        assert_eq!(asking.await.unwrap().unwrap().text, "first and last", "{name}");
        OK.into()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_which_models_it_has() {
    every("models listed", async |dialect, name| {
        let server = server(dialect, |_| Reply::text("x"));
        let models = provider(name, &server).models().await.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert!(models.iter().any(|model| model.contains(MODEL)), "{name}: {models:?}");
        OK.into()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_model_said_nothing_in_can_be_said_to_it_again() {
    for (dialect, name) in DIALECTS {
        let server = server(dialect, |_| Reply::text("Sorry."));
        let mut talk = Talk::new("Go");
        talk.messages.push(Message::new(Speaker::Assistant, ""));
        talk.messages.push(Message::new(Speaker::User, "That was empty."));
        assert_eq!(talk.well(name, &provider(name, &server)).await.text, "Sorry.", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_gets_no_more_calls_at_once_than_it_may() {
    let server = server(Dialect::OpenAi, |_| Reply::text("first and last"));
    let held = server.hold();
    let config = ProviderConfig {
        key: Some(Key::new(KEY)),
        url: Some(server.url.clone()),
        parallel: Some(2),
        ..ProviderConfig::new(Known::find("openai").unwrap())
    };
    let provider = Arc::new(Provider::new(&config).unwrap());
    let all: Vec<_> = (0..10)
        .map(|_| {
            let provider = Arc::clone(&provider);
            tokio::spawn(async move {
                let stop = tokio_util::sync::CancellationToken::new();
                let _place = provider.enter(&stop, Duration::from_secs(60)).await?;
                asked(&provider, "Go", None).await.0
            })
        })
        .collect();
    while server.calls().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The others have time enough to come, if they may.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.calls().len(), 2);
    drop(held);
    for one in all {
        assert_eq!(one.await.unwrap().unwrap().text, "first and last");
    }
    assert_eq!(server.calls().len(), 10);
}
