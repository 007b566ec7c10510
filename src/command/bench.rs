//! `stage7 bench`: how fast this is here, and whether it is as fast as it must be.

use super::note;
use crate::{
    bench::{self, Part, Size},
    cli,
    config::Config,
    exit::{Code, Error},
    progress::{out, say},
};
use anyhow::Context;
use clap::ValueEnum;

pub async fn run(config: &Config, asked: &cli::Bench, json: bool) -> Result<Code, Error> {
    let size = if asked.quick { Size::quick() } else { Size::full(asked.runs.get()) };
    let parts = if asked.only.is_empty() { Part::value_variants() } else { &asked.only };
    let report = bench::run(config, &size, parts, &note(false)).await?;
    if let Some(path) = &asked.save {
        let text = format!("{:#}\n", report.to_json());
        std::fs::write(path, text).with_context(|| format!("{} can't be written", path.display()))?;
    }
    if json {
        say(&report.to_json());
    } else {
        out!("{}", report.to_markdown());
    }
    // Of a debug build, or of a short look, nothing is asked but that it works.
    let failing = if asked.quick || cfg!(debug_assertions) { Vec::new() } else { report.failing() };
    failing.iter().for_each(|what| crate::progress::err!("{what}"));
    Ok(if failing.is_empty() { Code::Completed } else { Code::Failed })
}
