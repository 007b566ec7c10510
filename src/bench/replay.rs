//! Folding what has happened: from memory, and from the log.

use super::{
    figure::{Key, Of},
    system::System,
};
use crate::exit::Error;
use anyhow::Context;
use nats::{key::TENANT, log::Log};
use replay::{History, show};
use std::{collections::BTreeSet, hint::black_box};
use streams::{decide::Decider, subject::Subject};
use tokio::time::Instant;

pub async fn measure(system: &System, into: &mut Of<'_>) -> Result<(), Error> {
    let (log, tenant) = (system.log().await?, TENANT.parse().context("a tenant")?);
    let records = log.load("stage7.mission.>", 0).await.context("the log")?;
    let missions: BTreeSet<_> =
        records.iter().filter_map(|record| Some(Subject::parse(&record.subject).ok()?.mission)).collect();
    let (begun, mut histories) = (Instant::now(), Vec::new());
    for mission in missions {
        let history = History::read(&log, &tenant, mission).await.context("a mission's log")?;
        black_box(show(&history, None));
        histories.push(history);
    }
    let events = histories.iter().map(|history| history.entries.len()).sum::<usize>() as f64;
    into.put(Key::FromLog, events / begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    for history in &histories {
        black_box(show(history, None));
    }
    into.put(Key::FoldOverview, events / begun.elapsed().as_secs_f64());
    into.put(Key::FoldControl, fold::<mission_control::Control>(&histories));
    into.put(Key::FoldAgents, fold::<agents::Agents>(&histories));
    Ok(())
}

/// Events a second that a decider gets through, those it only counts among them.
fn fold<D: Decider>(histories: &[History]) -> f64 {
    let (begun, mut events) = (Instant::now(), 0);
    for history in histories {
        let mut state = D::State::default();
        for event in history.events() {
            events += 1;
            if D::folds(event.writer, event.fact.kind(), &event.tail) {
                D::evolve(&mut state, event);
            } else {
                D::pass(&mut state);
            }
        }
        black_box(state);
    }
    f64::from(events) / begun.elapsed().as_secs_f64()
}
