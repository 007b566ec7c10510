//! Files in and out.

use crate::fixture::{World, code};
use schemas::value::sha256;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_out_as_it_went_in() {
    let world = World::start().await;
    let bytes: Vec<u8> = (0..1_048_577_u32).map(|i| (i % 251) as u8).collect();
    let sha = sha256(&bytes);
    for _ in 0..2 {
        for (n, chunk) in bytes.chunks(128 * 1024).enumerate() {
            assert_eq!(
                world.ask_raw(&format!("stage7.put.default.{sha}.{n}"), chunk).await,
                json!({"ok": true}),
                "{n}"
            );
        }
    }
    let mut out = Vec::new();
    for n in 0..9 {
        let got = world.person.client().request(format!("stage7.get.default.{sha}.{n}"), "".into()).await.unwrap();
        assert!(got.headers.is_none(), "{:?}", got.headers);
        out.extend_from_slice(&got.payload);
    }
    assert_eq!(sha256(&out), sha);
    let missing = world.person.client().request(format!("stage7.get.default.{sha}.9"), "".into()).await.unwrap();
    assert_eq!(missing.headers.unwrap().get(post_office::ERROR_HEADER).unwrap().as_str(), "unknown_file");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_cannot_be_are_refused() {
    let world = World::start().await;
    let sha = sha256(b"x");
    assert_eq!(world.ask_raw(&format!("stage7.put.default.{sha}.0"), "x").await, json!({"ok": true}));
    for (place, body, wanted) in [
        (format!("{sha}.0"), vec![b'y'], "conflict"),
        (format!("{sha}.1"), vec![], "empty_chunk"),
        (format!("{sha}.1"), vec![0; 128 * 1024 + 1], "too_large"),
        (format!("{sha}.512"), vec![0], "too_large"),
        (format!("{sha}.00"), vec![0], "invalid_subject"),
        (format!("{sha}.x"), vec![0], "invalid_subject"),
        (format!("{sha}.-1"), vec![0], "invalid_subject"),
        (format!("{}.0", sha.to_uppercase()), vec![0], "invalid_subject"),
        ("abc.0".into(), vec![0], "invalid_subject"),
    ] {
        let answer = world.ask_raw(&format!("stage7.put.default.{place}"), body).await;
        assert_eq!(code(&answer), wanted, "{place}: {answer}");
    }
}
