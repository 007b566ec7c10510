//! Where histories come from: files, folders of them, and the running system.

use crate::{
    command::mission::{export, rows},
    config::Config,
    exit::Error,
    home::{self, Home},
    mission::resolve,
};
use replay::{History, Report, check_all};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// A mission whose log does not move for so long will not move while it is looked at.
const QUIET: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(300);

pub struct Source<'a> {
    config: &'a Config,
    json: bool,
    /// Asked for only once something of it is wanted.
    home: Option<Home>,
}

impl<'a> Source<'a> {
    pub fn new(config: &'a Config, json: bool) -> Self {
        Self { config, json, home: None }
    }

    async fn home(&mut self) -> Result<&Home, Error> {
        if self.home.is_none() {
            self.home = Some(home::find(self.config, &crate::command::note(self.json)).await?);
        }
        Ok(self.home.as_ref().expect("it was set just now"))
    }

    /// From a file that is there, else of the mission that the text means.
    pub async fn history(&mut self, mission: &str) -> Result<History, Error> {
        let path = Path::new(mission);
        if path.is_dir() {
            return Err(Error::usage(format!("{mission} is a folder: name one of the files in it")));
        }
        if path.exists() {
            return file(path);
        }
        if mission.contains(['/', '.']) {
            return Err(Error::usage(format!(
                "{mission}: there is no such file, and a mission's id has only hexadecimal digits"
            )));
        }
        let client = &self.home().await?.client;
        let mut text = String::new();
        let id = resolve(client, mission).await?;
        export::lines(client, id, |line| text.push_str(&format!("{line}\n"))).await?;
        parse(mission, &text)
    }

    /// A mission of the running system, checked. Where something is due in it, it may be on its way.
    pub async fn checked(&mut self, mission: &str) -> Result<(History, Vec<Report>), Error> {
        let mut moved = (0, Instant::now());
        loop {
            let history = self.history(mission).await?;
            let reports = check_all(&history);
            let last = history.entries.last().map_or(0, replay::Entry::seq);
            if last > moved.0 {
                moved = (last, Instant::now());
            }
            let open = reports.iter().any(Report::is_under_way)
                && reports.iter().all(|report| report.is_same() || report.is_under_way());
            if !open || moved.1.elapsed() > QUIET {
                return Ok((history, reports));
            }
            sleep(LOOK).await;
        }
    }

    /// The ids of all missions.
    pub async fn live(&mut self) -> Result<Vec<String>, Error> {
        let rows = rows(&self.home().await?.client, json!({}), usize::MAX).await?;
        let ids = rows.iter().filter_map(|row| row["id"].as_str().map(String::from)).rev();
        Ok(ids.collect())
    }
}

/// # Errors
/// It can't be read, or is no export.
pub fn file(path: &Path) -> Result<History, Error> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| Error::usage(format!("{name}: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::usage(format!("{name}: line {line}: not UTF-8, as JSON must be"))
    })?;
    parse(&name, &text)
}

fn parse(name: &str, text: &str) -> Result<History, Error> {
    let history = History::parse(text).map_err(|error| Error::usage(format!("{name}: {error}")))?;
    if history.events().next().is_none() {
        return Err(Error::usage(format!(
            "{name}: holds no events of a mission, as `stage7 mission export` writes them"
        )));
    }
    Ok(history)
}

/// Every export below a folder, by name.
///
/// # Errors
/// A folder can't be read, or there is none.
pub fn exports(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = open.pop() {
        let told = |error: std::io::Error| Error::usage(format!("{}: {error}", folder.display()));
        for entry in fs::read_dir(&folder).map_err(told)? {
            let entry = entry.map_err(told)?;
            // Whoever links a folder into itself is not followed.
            if entry.file_type().map_err(told)?.is_dir() {
                open.push(entry.path());
            } else if entry.path().extension().is_some_and(|ending| ending == "jsonl") {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(Error::usage(format!("{}: there is no .jsonl file in it", folder.display())));
    }
    Ok(found)
}
