//! A connection so busy that nothing more goes into it for a moment.

use crate::fixture::Server;
use futures::FutureExt;
use nats::{jetstream::JetStream, log::Log};
use std::time::Duration;

const M: &str = "stage7.mission.default.0.m1";

/// Whoever followed lost its pin by this: nothing was asked for until three seconds later, and then
/// thousands of missions were read again.
#[tokio::test]
async fn a_pull_request_that_waits_for_its_turn_is_not_lost_when_its_waiting_is_given_up() {
    let server = Server::start().await;
    let control = server.user("control").await;
    control.append(&format!("{M}.control.plan.noted"), "x").await.unwrap();
    let seed = server.managed.ring().seed("agent").unwrap();
    let client = nats::connect::options("agent", seed).client_capacity(16).connect(server.managed.url()).await.unwrap();
    let mut deliveries = JetStream::new(client.clone()).follow("agent-steps").await.unwrap();
    client.flush().await.unwrap();
    // This thread runs the connection, too: nothing leaves while it is not awaited.
    let publish = || client.publish("stage7.live.default.m1.line", "x".into());
    while publish().now_or_never().is_some() {}
    assert!(deliveries.next().now_or_never().is_none());
    client.flush().await.unwrap();
    let came = tokio::time::timeout(Duration::from_secs(10), deliveries.next()).await;
    assert!(matches!(came, Ok(Ok(Some(_)))), "it was asked for");
}
