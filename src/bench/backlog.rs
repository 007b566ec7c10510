//! A log that is there already, and workers that have yet to see it: each alone, against taking the
//! same messages and doing nothing.

use super::{
    Size,
    figure::{Key, Of},
    system::System,
};
use crate::{
    config::Config,
    exit::Error,
    host::{Say, Worker, Workers},
};
use anyhow::Context;
use nats::{config::Sync, server::Binary, setup, yardstick::drain};
use streams::topology;
use tokio::time::Instant;

/// Missions that fill the log together.
const AT_ONCE: usize = 1_000;

const CATCHING_UP: [(Worker, &str, Key); 3] = [
    (Worker::MissionControl, "mission-control", Key::ControlOfDrain),
    (Worker::Agents, "agent-steps", Key::AgentsOfDrain),
    (Worker::Librarian, "projector", Key::ProjectorOfDrain),
];

pub async fn measure(config: &Config, binary: &Binary, size: &Size, into: &mut Of<'_>, say: &Say) -> Result<(), Error> {
    let mut system = System::start(config, binary, Sync::Default).await?;
    system.up().await?;
    let mut round = 0;
    while system.words().await? < size.backlog {
        system.missions(&format!("b{round}"), AT_ONCE.min(size.missions * 10), size.steps).await?;
        round += 1;
    }
    for (_, consumer, _) in CATCHING_UP {
        system.drained(consumer).await?;
    }
    system.down().await;
    for run in 1..=size.runs {
        say(&format!("run {run} of {}, catching up", size.runs));
        let consumer = topology::consumer("agent-steps").context("the topology has it")?;
        again(&system, "agent-steps").await?;
        let client = system.server.connect("agent").await.context("the agent")?;
        let (taken, took) = drain(&client, consumer).await.context("draining the raw log")?;
        let raw = taken as f64 / took.as_secs_f64();
        into.put(Key::Drain, raw);
        for (worker, consumer, key) in CATCHING_UP {
            again(&system, consumer).await?;
            let own = Config { data: system.dir.path().join(format!("{consumer}-{run}")), ..config.clone() };
            let begun = Instant::now();
            let workers = Workers::start(&[worker], &own, system.server.url(), system.ring())?;
            system.drained(consumer).await?;
            let rate = taken as f64 / begun.elapsed().as_secs_f64();
            workers.stop().await;
            into.put(key, rate / raw);
        }
    }
    system.stop().await;
    Ok(())
}

async fn again(system: &System, consumer: &str) -> Result<(), Error> {
    let consumer = topology::consumer(consumer).context("the topology has it")?;
    Ok(setup::begin_again(&system.setup, std::slice::from_ref(consumer)).await.context("a consumer anew")?)
}
