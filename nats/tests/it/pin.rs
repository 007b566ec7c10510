//! Pinned consumers: one instance has everything, the others stand by.

use crate::fixture::Server;
use futures::StreamExt;
use std::time::Duration;
use streams::topology::PIN_GROUP;

const M: &str = "stage7.mission.default.0.m1";

#[tokio::test(flavor = "multi_thread")]
async fn pinned_consumers_give_one_instance_everything_in_order() {
    use async_nats::jetstream::{self, consumer::PullConsumer};
    let server = Server::start().await;
    let (control, agent) = (server.user("control").await, server.user("agent").await);
    server.user("default").await.append("stage7.goal.default", "goal").await.unwrap();
    for n in 0..500 {
        control.append(&format!("{M}.control.plan.noted"), &n.to_string()).await.unwrap();
    }
    for (user, stream, consumer, count) in [
        (&control, "MISSIONS", "mission-control", 500),
        (&control, "GOALS", "goals", 1),
        (&agent, "MISSIONS", "agent-steps", 500),
        (&server.user("librarian").await, "MISSIONS", "projector", 500),
    ] {
        let js = jetstream::new(user.client.clone());
        let taken: PullConsumer = js.get_consumer_from_stream(consumer, stream).await.unwrap();
        let open = |taken: PullConsumer| async move {
            let stream =
                taken.stream().group(PIN_GROUP).max_messages_per_batch(200).expires(Duration::from_secs(1)).messages();
            stream.await.unwrap()
        };
        let mut mine = open(taken.clone()).await;
        let mut last = None;
        for n in 0..count {
            let message = tokio::time::timeout(Duration::from_secs(5), mine.next()).await.unwrap().unwrap().unwrap();
            assert_eq!(message.info().unwrap().consumer_sequence, n + 1);
            last = Some(message);
        }
        last.unwrap().ack().await.unwrap();
        let mut standby = open(taken.clone()).await;
        let idle = tokio::time::timeout(Duration::from_millis(300), standby.next()).await;
        assert!(idle.is_err(), "{consumer}: the second instance stands by");
        for verb in ["UNPIN", "RESET"] {
            let done = user
                .ask(&format!("$JS.API.CONSUMER.{verb}.{stream}.{consumer}"), &format!(r#"{{"group":"{PIN_GROUP}"}}"#))
                .await;
            assert!(!String::from_utf8_lossy(&done.unwrap().payload).contains("error"), "{verb} {consumer}");
        }
    }
}
