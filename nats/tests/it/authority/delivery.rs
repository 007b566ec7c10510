//! What is on its way to one worker is nobody else's to take, to acknowledge or to hold.

use super::{
    M,
    attempt::{Attempt, Tally},
    wire::{Said, Wire},
    world::World,
};
use std::time::Duration;
use streams::topology::{CONSUMERS, PIN_GROUP, access};

/// Takes one message and leaves it unacknowledged; gives where its acknowledgement goes.
fn take(wire: &mut Wire, inbox: &str, stream: &str, consumer: &str, pinned: bool) -> String {
    let of = wire.subscribe(&format!("{inbox}.{consumer}"), None);
    let group = if pinned { format!(r#","group":"{PIN_GROUP}""#) } else { String::new() };
    let body = format!(r#"{{"batch":1,"expires":5000000000{group}}}"#);
    let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
    wire.publish(&subject, &format!("{inbox}.{consumer}"), "", body.as_bytes());
    loop {
        match wire.next(Duration::from_secs(30)) {
            Some(Said::Message(message)) if message.of == of => {
                return message.reply.unwrap_or_else(|| panic!("{consumer}: {}", message.headers));
            }
            Some(_) => {}
            None => panic!("nothing came from {consumer}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_acknowledges_or_returns_what_another_has_taken() {
    let world = World::start().await;
    let mut setup = world.wire("setup");
    for word in ["agent.llm.requested", "agent.plugin.requested", "agent.timer.set"] {
        setup.ask(&format!("{M}.{word}"), "x");
    }
    setup.ask("stage7.goal.default", "x");
    setup.ask("stage7.timer.due.default.0.m1.agent.t1", "x");
    let mut taken = Vec::new();
    for consumer in &CONSUMERS {
        let taker = access::USERS.iter().find(|u| u.consumers.contains(&consumer.name)).unwrap();
        let mut wire = world.wire(taker.name);
        let ack = take(&mut wire, &taker.inbox(), consumer.stream, consumer.name, consumer.is_pinned());
        let plain = format!("$JS.ACK.{}.{}.", consumer.stream, consumer.name);
        let rest =
            ack.strip_prefix(&plain).unwrap_or_else(|| panic!("acknowledgements go to {plain}…: {ack}")).to_string();
        let longer = format!("$JS.ACK._.LOG.{}.{}.{rest}", consumer.stream, consumer.name);
        taken.push((taker.name, consumer, wire, [ack, longer]));
    }
    let mut tally = Tally::default();
    let bodies = ["+ACK", "-NAK", "+TERM", "+WPI", "+NXT", ""];
    let acks: Vec<_> = taken.iter().map(|(taker, .., acks)| (*taker, acks.clone())).collect();
    // Within the 5 s in which they count as taken.
    world.all_kept_out(&mut tally, |name| {
        let others = acks.iter().filter(|(taker, _)| *taker != name).flat_map(|(_, acks)| acks);
        others.flat_map(|ack| bodies.iter().map(move |body| Attempt::on(ack).with(*body))).collect()
    });
    for (taker, consumer, wire, [ack, _]) in &mut taken {
        wire.publish(ack, "", "", b"+ACK");
        let (_, refused) = wire.fence();
        assert!(refused.is_empty(), "{taker}: {refused:?}");
        let info = format!("$JS.API.CONSUMER.INFO.{}.{}", consumer.stream, consumer.name);
        let acknowledged = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            setup.ask(&info, "").json()["num_ack_pending"] == 0
        });
        assert!(acknowledged, "{taker} acknowledges what it took from {}", consumer.name);
    }
    tally.print("deliveries", 900);
}
