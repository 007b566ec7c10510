//! The raw log: the same server, streams and consumers, and none of stage7's work.

use super::{
    Size,
    figure::{Key, Of},
    system::System,
};
use crate::exit::Error;
use anyhow::Context;
use nats::{
    key::TENANT,
    yardstick::{Chain, hops},
};
use schemas::{Event, EventId, MissionId, Tenant, Time, Writer, agent::PluginRequested, fact::Tail};
use serde_json::json;
use streams::{record::Record, subject, topology};

/// Words of one chain alone.
const ALONE: usize = 2_000;

pub async fn measure(system: &System, size: &Size, into: &mut Of<'_>) -> Result<(), Error> {
    let consumer = topology::consumer("agent-steps").context("the topology has it")?;
    let client = system.server.connect("agent").await.context("the agent")?;
    let run = async |chains: Vec<Chain>, words: usize| {
        let took = hops(&client, consumer, &chains, words).await.context("the raw log")?;
        Ok::<f64, Error>(took.as_secs_f64() / words as f64)
    };
    let chains = |from: usize, chains: usize| (from..from + chains).map(|n| chain(n as u128)).collect::<Vec<_>>();
    let before = system.used();
    into.put(Key::Hops, 1.0 / run(chains(0, size.chains), size.hops).await?);
    let after = system.used();
    let hops = (size.hops + size.chains) as f64;
    into.put(Key::HopCpu, (after.own - before.own) / hops * 1e6);
    into.put(Key::HopServerCpu, (after.server - before.server) / hops * 1e6);
    let bare = chains(size.chains, size.chains).into_iter().map(|chain| Chain {
        word: Record { headers: Vec::new(), payload: vec![b'.'; 128].into(), ..chain.word },
        filter: chain.filter,
    });
    into.put(Key::BareHops, 1.0 / run(bare.collect(), size.hops).await?);
    into.put(Key::HopAlone, 1e6 * run(chains(2 * size.chains, 1), ALONE.min(size.hops)).await?);
    Ok(())
}

/// A chain of requests like those of a mission's steps.
fn chain(n: u128) -> Chain {
    let tenant: Tenant = TENANT.parse().expect("a tenant");
    // The last digits are the shard's: all of them take part.
    let mission = MissionId(uuid::Uuid::from_u128(n | 1 << 100));
    let id = |n: u128| EventId(uuid::Uuid::from_u128(n | 1 << 101));
    let asked = PluginRequested {
        step: "s1".into(),
        attempt: 1,
        agent: "executor-1".into(),
        verb: "TEXT_ANALYSIS".into(),
        version: "1.0.0".into(),
        inputs: [("text".to_string(), json!("word")), ("keywords".to_string(), json!(0))].into(),
        templates: Vec::new(),
        files: Default::default(),
    };
    let event = Event {
        seq: 0,
        id: id(n),
        time: Time(1_700_000_000_123),
        tenant: tenant.clone(),
        mission,
        writer: Writer::Agent,
        tail: Tail::Bare,
        fact: asked.into(),
        causation: Some(id(n + 1)),
        basis: Some(1_000_000),
        part: Some(schemas::event::Part { k: 1, n: 1 }),
        worker_version: "0a1b2c3d".into(),
        traceparent: None,
        authid: None,
    };
    Chain { word: Record::encode(&event), filter: subject::family(&tenant, mission, Writer::Agent) }
}
