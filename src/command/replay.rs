//! `stage7 replay …`: what a mission was, from its log alone.

use super::mission::{export, show};
use crate::{
    cli::Replay,
    config::Config,
    exit::{Code, Error},
    home,
    mission::resolve,
    progress::{clean, out, say},
};
use replay::{History, Report};
use serde_json::json;
use std::{fs, path::Path};

pub async fn run(config: &Config, asked: Replay, json: bool) -> Result<Code, Error> {
    match asked {
        Replay::Show { mission, at } => {
            let now = replay::show(&history(config, &mission, json).await?, at);
            if now.id.is_none() {
                return Err(Error::usage(format!("--at {}: the mission begins later", at.unwrap_or_default())));
            }
            match json {
                true => say(&json!(now)),
                false => show::print(&now),
            }
            Ok(Code::Completed)
        }
        Replay::Check { mission } => {
            let reports = replay::check_all(&history(config, &mission, json).await?);
            reports.iter().for_each(|report| tell(report, json));
            let differs = reports.iter().any(|report| !report.differences.is_empty());
            Ok(if differs { Code::Failed } else { Code::Completed })
        }
    }
}

fn tell(report: &Report, json: bool) {
    let Report { decider, decisions, events, differences } = report;
    if json {
        say(&json!(report));
        return;
    }
    out!("{decider}: {decisions} decisions, {events} events, {} differences", differences.len());
    for difference in differences {
        out!("  at {} (basis {}): {}", difference.at, difference.basis, clean(&difference.message));
        out!("    recorded {}\n    decided  {}", difference.recorded, difference.decided);
    }
}

/// From a file that is there, else of the mission that the text means.
async fn history(config: &Config, mission: &str, json: bool) -> Result<History, Error> {
    let path = Path::new(mission);
    let text = if path.exists() {
        fs::read_to_string(path).map_err(|error| Error::usage(format!("{mission}: {error}")))?
    } else {
        let home = home::find(config, &super::note(json)).await?;
        let mut text = String::new();
        export::lines(&home.client, resolve(&home.client, mission).await?, |line| text.push_str(&format!("{line}\n")))
            .await?;
        text
    };
    let history = History::parse(&text).map_err(|error| Error::usage(format!("{mission}: {error}")))?;
    if history.entries.is_empty() {
        return Err(Error::usage(format!("{mission}: holds no events of a mission")));
    }
    Ok(history)
}
