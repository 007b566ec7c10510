//! The figures as people and programs read them, and whether they are what they must be.

use super::{
    Figures, Size,
    figure::{Key, median, name, number},
    machine::Machine,
};
use nats::config::Sync;
use schemas::Value;
use serde_json::json;
use std::fmt::Write;

pub struct Report {
    pub machine: Machine,
    pub size: Size,
    pub figures: Figures,
}

impl Report {
    /// Those figures that are not what they must be.
    pub fn failing(&self) -> Vec<String> {
        let wrong = self.figures.all().filter_map(|(key, sync, values)| {
            let must = key.bounds(sync).0.filter(|must| !must.holds(median(values)))?;
            let kind = key.kind();
            let unit = kind.unit;
            Some(format!(
                "{} ({}) is {} {unit}, must be {}",
                kind.title,
                name(sync),
                number(median(values)),
                must.text()
            ))
        });
        wrong.collect()
    }

    pub fn to_json(&self) -> Value {
        let figures = self.figures.all().map(|(key, sync, values)| {
            let (kind, (must, goal)) = (key.kind(), key.bounds(sync));
            json!({
                "name": kind.name, "about": kind.title, "unit": kind.unit, "sync": short(sync),
                "median": median(values), "runs": values,
                "must": must.map(|must| must.text()), "holds": must.map(|must| must.holds(median(values))),
                "goal": goal.map(|goal| goal.text()), "reached": goal.map(|goal| goal.holds(median(values))),
            })
        });
        json!({
            "kind": "bench", "version": crate::host::WORKER_VERSION, "machine": self.machine, "runs": self.size.runs,
            "missions": self.size.missions, "backlog": self.size.backlog,
            "figures": figures.collect::<Vec<_>>(), "failing": self.failing(),
        })
    }

    /// A table that is both readable on a terminal and a document.
    pub fn to_markdown(&self) -> String {
        let Machine { processor, cores, memory_gb, system, nats_server, build, load } = &self.machine;
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{processor}, {cores} cores, {memory_gb:.0} GB, {system}; nats-server {nats_server}; {build} build \
             {}; load {load:.1} at the beginning; median of {} (lowest to highest).\n",
            crate::host::WORKER_VERSION,
            self.size.runs
        );
        let _ = writeln!(out, "| figure | unit | default sync | `sync_interval: always` | must | goal |");
        let _ = writeln!(out, "|---|---|---|---|---|---|");
        let mut all: Vec<(Key, Sync, &[f64])> = self.figures.all().collect();
        all.dedup_by_key(|(key, ..)| *key);
        for (key, ..) in all {
            let kind = key.kind();
            let cell = |wanted: Sync| {
                let found = self.figures.all().find(|(k, sync, _)| *k == key && *sync == wanted);
                found.map_or_else(|| "–".to_string(), |(_, _, values)| spread(values))
            };
            let bounds = |of: fn((Option<_>, Option<_>)) -> Option<super::figure::Bound>| {
                let [default, always] = [Sync::Default, Sync::Always].map(|sync| of(key.bounds(sync)));
                match (default, always) {
                    (Some(default), Some(always)) if default == always => default.text(),
                    (Some(default), Some(always)) => format!("{}, {}", default.text(), always.text()),
                    _ => String::new(),
                }
            };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} |",
                kind.title,
                kind.unit,
                cell(Sync::Default),
                cell(Sync::Always),
                bounds(|(must, _)| must),
                bounds(|(_, goal)| goal),
            );
        }
        out
    }
}

const fn short(sync: Sync) -> &'static str {
    match sync {
        Sync::Default => "default",
        Sync::Always => "always",
    }
}

fn spread(values: &[f64]) -> String {
    let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(least, most), v| (least.min(*v), most.max(*v)));
    match values {
        [one] => number(*one),
        _ => format!("**{}** ({}–{})", number(median(values)), number(least), number(most)),
    }
}
