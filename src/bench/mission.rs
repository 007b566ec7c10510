//! Missions: a thousand at once, then one after another.

use super::{
    Size,
    figure::{Key, Of, median, quantile},
    goal,
    system::System,
};
use crate::exit::Error;
use anyhow::{Context, anyhow};
use futures::StreamExt;
use nats::key::TENANT;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const MB: f64 = 1e6;
/// What has started has come to rest by then.
const REST: Duration = Duration::from_secs(1);

pub async fn measure(system: &mut System, size: &Size, into: &mut Of<'_>) -> Result<(), Error> {
    system.up().await?;
    sleep(REST).await;
    if let Some(bytes) = system.memory() {
        into.put(Key::Idle, bytes / MB);
    }
    // What is done once, as fetching the catalogue, is no part of any figure.
    system.missions("warm", 1, 1).await?;
    alone(system, size, into).await?;
    at_once(system, size, into).await
}

async fn at_once(system: &System, size: &Size, into: &mut Of<'_>) -> Result<(), Error> {
    let (words, used, begun) = (system.words().await?, system.used(), Instant::now());
    let ended = system.missions("m", size.missions, size.steps).await?;
    let last = (0..size.missions).find(|n| goal::mission("m", *n) == ended.mission).context("one of these missions")?;
    system.listed(&goal::word("m", last)).await?;
    into.put(Key::Lag, ended.at.elapsed().as_secs_f64() * 1e3);
    let (took, now) = ((ended.at - begun).as_secs_f64(), system.used());
    let steps = (size.missions * size.steps) as f64;
    let words = (system.words().await? - words) as f64;
    into.put(Key::Steps, steps / took);
    into.put(Key::Events, words / took);
    into.put(Key::EventsAMission, words / size.missions as f64);
    into.put(Key::StepCpu, (now.stage7 - used.stage7) / steps * 1e6);
    into.put(Key::StepServerCpu, (now.server - used.server) / steps * 1e6);
    if let Some(bytes) = system.memory() {
        into.put(Key::After, bytes / MB);
    }
    Ok(())
}

async fn alone(system: &System, size: &Size, into: &mut Of<'_>) -> Result<(), Error> {
    let (mut whole, mut first) = (Vec::new(), Vec::new());
    for n in 0..size.alone {
        let mission = goal::mission("alone", n);
        let view = system.user.subscribe(format!("stage7.view.{TENANT}.{mission}.>")).await;
        let mut view = view.context("listening to a mission")?;
        system.user.flush().await.context("listening to a mission")?;
        let begun = Instant::now();
        goal::send_one(&system.user, "alone", n, size.steps).await?;
        let mut requested = None;
        let ended = async {
            while let Some(message) = view.next().await {
                let subject = message.subject.as_str();
                if subject.ends_with(".agent.plugin.requested") {
                    requested.get_or_insert_with(|| begun.elapsed());
                } else if subject.ends_with(".control.mission.completed") {
                    return Ok(begun.elapsed());
                } else if subject.ends_with(".control.mission.failed") {
                    return Err(anyhow!("a mission failed: {}", String::from_utf8_lossy(&message.payload)));
                }
            }
            Err(anyhow!("the connection was closed"))
        };
        let took = timeout(super::system::PATIENCE, ended).await.context("one mission alone")??;
        whole.push(took.as_secs_f64() * 1e3);
        first.push(requested.context("a step was asked for")?.as_secs_f64() * 1e3);
    }
    into.put(Key::Alone, median(&whole));
    into.put(Key::FirstStep50, median(&first));
    into.put(Key::FirstStep99, quantile(&first, 0.99));
    Ok(())
}
