//! Scheduled messages: set, fired, cleared.

use crate::fixture::{Server, User};
use async_nats::HeaderMap;
use std::time::Duration;

const TIMER: &str = "default.0.m.agent";

async fn set(keeper: &User, timer: &str, seconds: i64) {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Schedule", format!("@at {}", at.strftime("%Y-%m-%dT%H:%M:%SZ")).as_str());
    headers.insert("Nats-Schedule-Target", format!("stage7.timer.due.{TIMER}.{timer}").as_str());
    headers.insert("ce-id", timer);
    let stored = keeper.append_with(&format!("stage7.timer.set.{TIMER}.{timer}"), timer, headers).await;
    assert!(stored.is_some());
}

async fn clear(keeper: &User, timer: &str) {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-TTL", "1s");
    assert!(keeper.append_with(&format!("stage7.timer.set.{TIMER}.{timer}"), "", headers).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_once_unless_it_is_cleared_and_leaves_nothing_behind() {
    let server = Server::start().await;
    let keeper = server.user("timekeeper").await;
    set(&keeper, "past", -60).await;
    set(&keeper, "soon", 2).await;
    set(&keeper, "cleared", 2).await;
    set(&keeper, "later", 3600).await;
    clear(&keeper, "cleared").await;
    let past = keeper.pull("TIMERS", "due").await.expect("what is already past fires at once");
    assert_eq!(past.payload, "past");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let soon = keeper.pull("TIMERS", "due").await.expect("a timer fires");
    assert_eq!(soon.payload, "soon");
    assert_eq!(soon.subject.as_str(), format!("stage7.timer.due.{TIMER}.soon"));
    assert_eq!(soon.headers.unwrap().get("ce-id").unwrap().as_str(), "soon", "headers pass through");
    assert!(keeper.pull("TIMERS", "due").await.is_none(), "neither what was cleared nor what is far off");

    let admin = server.user("setup").await;
    let info = admin.ask("$JS.API.STREAM.INFO.TIMERS", r#"{"subjects_filter":">"}"#).await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
    let left: Vec<_> = info["state"]["subjects"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(left, [format!("stage7.timer.set.{TIMER}.later")]);
}
