//! The librarian against a real nats-server.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and it sees the clock and the environment"
)]

mod archive;
mod dead;
mod fixture;

use fixture::{Server, goals, mission};
use schemas::control::{MissionPausing, MissionWaiting};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_searches_are_fresh_and_a_tenants_own() {
    let server = Server::start().await;
    let librarian = server.librarian("a").await;
    assert_eq!(server.ask("default", json!({"list": {}})).await, json!({"missions": []}), "an empty log is listed too");
    let first = server.mission("default", 1, "count the words of README.md").await;
    // The first delivery brings the pin, and takes its time.
    server.listed("default", 1).await;
    for n in 2..20 {
        server.mission("default", n, &format!("translate page {n}")).await;
        let took = server.listed("default", n as usize).await;
        assert!(took < Duration::from_millis(500), "listed after {took:?}");
    }
    server.mission("other", 20, "count in secret").await;
    server.listed("other", 1).await;
    assert_eq!(server.goals("other", json!({"search": {"text": "translate"}})).await, [""; 0]);
    assert_eq!(
        server.goals("default", json!({"search": {"text": "COUNT wor"}})).await,
        ["count the words of README.md"]
    );
    assert_eq!(
        server.goals("default", json!({"search": {"text": "page 7 OR \"*"}})).await,
        [""; 0],
        "nothing in a text is an operator"
    );
    server.say("default", first, MissionPausing {}.into()).await;
    for _ in 0..200 {
        if server.goals("default", json!({"list": {"status": "pausing"}})).await.len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let listed = server.ask("default", json!({"list": {"status": "pausing"}})).await;
    assert_eq!(
        (&listed["missions"][0]["id"], &listed["missions"][0]["status"]),
        (&json!(first.to_string()), &json!("pausing"))
    );
    librarian.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_where_the_last_ended_and_wrong_questions_are_told() {
    let server = Server::start().await;
    let librarian = server.librarian("a").await;
    for n in 1..=7 {
        server.mission("default", n, &format!("goal {n}")).await;
    }
    // Eight of these are a page.
    for n in 8..=20 {
        server.mission("default", n, &"ä".repeat(20_000)).await;
    }
    let found = server.pages(20).await;
    assert_eq!(found, 2, "a page ends at 512 KiB");
    let first = server.ask("default", json!({"list": {"limit": 3, "after": mission(8).to_string()}})).await;
    assert_eq!(goals(&first), ["goal 7", "goal 6", "goal 5"]);
    let second = server.ask("default", json!({"list": {"limit": 4, "after": first["next"]}})).await;
    assert_eq!((goals(&second).len(), second.get("next")), (4, None), "the last page says so");
    for (wrong, code) in [
        (json!({}), "invalid_request"),
        (json!({"list": {"colour": 1}}), "invalid_request"),
        (json!({"list": {"status": "lost"}}), "invalid_request"),
        (json!({"list": {"limit": 0}}), "invalid_request"),
        (json!({"list": {"after": mission(99).to_string()}}), "invalid_request"),
        (json!({"search": {"text": " \n"}}), "invalid_request"),
        (json!({"cost": {"by": "colour"}}), "invalid_request"),
        (json!({"cost": {"since": "yesterday"}}), "invalid_request"),
        (json!({"cost": {"mission": mission(99).to_string()}}), "unknown_mission"),
    ] {
        assert_eq!(server.ask("default", wrong.clone()).await["error"]["code"], json!(code), "{wrong}");
    }
    librarian.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_librarian_goes_on_from_its_own_position() {
    let server = Server::start().await;
    let librarian = server.librarian("a").await;
    server.mission("default", 1, "one").await;
    server.listed("default", 1).await;
    librarian.stop().await;
    // Nothing new comes, so nobody gets the pin: whoever is there answers.
    let librarian = server.librarian("a").await;
    assert_eq!(server.goals("default", json!({"list": {}})).await, ["one"]);
    librarian.kill();
    server.mission("default", 2, "two").await;
    let librarian = server.librarian("a").await;
    server.listed("default", 2).await;
    librarian.stop().await;

    let file = server.rows("a").join(librarian::FILE);
    std::fs::write(&file, "no database at all, but long enough to be taken for one".repeat(100)).unwrap();
    let librarian = server.librarian("a").await;
    assert_eq!(server.goals("default", json!({"list": {}})).await, ["two", "one"], "rows are made again from the log");
    librarian.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_another_log_are_thrown_away() {
    let (old, new) = (Server::start().await, Server::start().await);
    old.mission("default", 1, "of the old log").await;
    let librarian = old.librarian("a").await;
    old.listed("default", 1).await;
    librarian.stop().await;
    std::fs::create_dir(new.rows("a")).unwrap();
    std::fs::copy(old.rows("a").join(librarian::FILE), new.rows("a").join(librarian::FILE)).unwrap();
    let librarian = new.librarian("a").await;
    assert_eq!(new.ask("default", json!({"list": {}})).await, json!({"missions": []}));
    assert_eq!(new.goals("default", json!({"search": {"text": "old"}})).await, [""; 0]);
    librarian.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_takes_over_and_only_one_answers() {
    let server = Server::start().await;
    let first = server.librarian("a").await;
    server.mission("default", 1, "one").await;
    server.listed("default", 1).await;
    let second = server.librarian("b").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for n in 2..30 {
        server.mission("default", n, "more").await;
        let took = server.listed("default", n as usize).await;
        assert!(took < Duration::from_millis(500), "listed after {took:?}");
        for _ in 0..5 {
            assert_eq!(
                server.goals("default", json!({"list": {}})).await.len(),
                n as usize,
                "one that stands by answers nothing"
            );
        }
    }
    first.kill();
    for n in 30..40 {
        server
            .say(
                "default",
                server.mission("default", n, "after the kill").await,
                MissionWaiting { questions: vec![] }.into(),
            )
            .await;
    }
    server.listed("default", 39).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_made_is_named() {
    let server = Server::start().await;
    std::fs::write(server.rows("file"), "").unwrap();
    let refused = server.librarian("file/below").await.end().await;
    assert!(matches!(&refused, Err(librarian::Error::Dir { path, .. }) if path.ends_with("file/below")), "{refused:?}");
}
