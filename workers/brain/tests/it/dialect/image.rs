//! Images: as each dialect shows them, and what none of them takes.

use crate::speak::{OK, Talk, every, provider, server};
use brain::provider::Kind;
use model_servers::{Dialect, Reply, Setup};
use schemas::{
    agent::{Message, Speaker, ToolCall},
    value::{Form, Ref},
};

const PNG: [u8; 8] = [0x89, b'P', b'N', b'G', 0, 1, 2, 0xff];

/// An image, and the talk with its bytes.
fn shown(media_type: &str, bytes: Vec<u8>) -> (Ref, Talk) {
    let image =
        Ref { sha256: "ab".repeat(32), form: Form::File, size: bytes.len() as u64, media_type: media_type.into() };
    let mut talk = Talk::new("What is that?");
    talk.images.insert(image.sha256.clone(), bytes);
    (image, talk)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_arrives_with_its_type() {
    every("images", async |dialect, name| {
        for media_type in ["image/png", "image/jpeg", "image/gif", "image/webp"] {
            let server = server(dialect, |_| Reply::text("A dot."));
            let (image, mut talk) = shown(media_type, PNG.into());
            talk.messages[1].images = vec![image.clone(), image];
            assert_eq!(talk.well(name, &provider(name, &server)).await.text, "A dot.", "{name}");
            let call = server.calls().pop().unwrap();
            assert_eq!(call.images.len(), 2, "{name}: {}", call.body);
            let told = if dialect == Dialect::LlamaCpp { "" } else { media_type };
            assert!(call.images.iter().all(|image| image.bytes == PNG && image.media_type == told), "{name}");
            assert!(call.text.contains("What is that?"), "{name}");
        }
        OK.into()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_a_tool_gave_arrives_behind_its_result() {
    every("images of tools", async |dialect, name| {
        let server = server(dialect, |_| Reply::text("A dot."));
        let (image, mut talk) = shown("image/png", PNG.into());
        let call =
            |id: &str| ToolCall { id: id.into(), name: "DRAW".into(), input: serde_json::json!({}), signature: None };
        let asks = Message { calls: vec![call("a"), call("b")], ..Message::new(Speaker::Assistant, "") };
        let result = |id: &str| Message { result_of: Some(id.into()), ..Message::new(Speaker::Tool, "drawn") };
        talk.messages.extend([asks, Message { images: vec![image], ..result("a") }, result("b")]);
        assert_eq!(talk.well(name, &provider(name, &server)).await.text, "A dot.", "{name}");
        assert_eq!(server.calls().pop().unwrap().images.len(), 1, "{name}");
        OK.into()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_provider_takes_is_refused_with_what_would_be_right() {
    every("wrong images refused", async |dialect, name| {
        let server = server(dialect, |_| Reply::text("x"));
        let provider = provider(name, &server);
        for (media_type, bytes, said) in [
            ("image/bmp", PNG.to_vec(), "it is `image/bmp`, and models take image/png, "),
            ("image/png", vec![0; (20 << 20) + 1], "it has 20971521 bytes, and may have 20 MiB"),
        ] {
            let (image, mut talk) = shown(media_type, bytes);
            talk.messages[1].images = vec![image];
            let failure = talk.with(&provider).await.0.unwrap_err();
            assert!(failure.kind == Kind::Rejected && failure.message.contains(said), "{name}: {failure:?}");
            talk.images.clear();
            talk.messages[1].images[0].media_type = "image/png".into();
            let failure = talk.with(&provider).await.0.unwrap_err();
            assert!(failure.message.contains("the bytes of abab"), "{name}: {failure:?}");
        }
        OK.into()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_model_is_blind_says_what_it_would_need() {
    let server = Setup::new(Dialect::LlamaCpp).models(&["blind.gguf"]).start(|_| Reply::text("x"));
    let (image, mut talk) = shown("image/png", PNG.into());
    talk.messages[1].images = vec![image];
    let failure = talk.with(&provider("llamacpp", &server)).await.0.unwrap_err();
    assert!(failure.kind == Kind::Rejected && failure.message.contains("`--mmproj`"), "{failure:?}");
}
