//! `stage7 logs`: what the services of a data directory logged, in the order of time.

mod tail;

use super::Signals;
use crate::{
    cli,
    config::Config,
    exit::{Code, Error},
    mission::{check_beginning, pick},
    progress::err,
    trace::{self, Level, Line},
};
use schemas::{MissionId, Time};
use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Write},
    time::Duration,
};
use tail::Tail;

/// Between two looks for what is new.
const LOOK: Duration = Duration::from_millis(200);
/// What is shown of the past when only the future is asked for.
const BEFORE: usize = 20;

pub async fn run(config: &Config, asked: &cli::Logs, json: bool) -> Result<Code, Error> {
    let dir = trace::dir(&config.data);
    let mut tail = Tail::new(&dir);
    let mut lines = tail.next();
    if lines.is_empty() && !asked.follow {
        return Err(Error::failed(format!(
            "there are no logs in {}: `stage7 up`, `run` and `worker` write them there; name another data directory with --data",
            dir.display()
        )));
    }
    let filter = Filter::new(asked, &lines)?;
    lines.retain(|line| filter.fits(line));
    let most = asked.lines.unwrap_or(if asked.follow { BEFORE } else { usize::MAX });
    let mut screen = Screen { json, coloured: !json && io::stdout().is_terminal() };
    let mut open = screen.show(&lines[lines.len().saturating_sub(most)..]);
    if lines.is_empty() && !asked.follow && !json {
        err!("nothing in {} fits", dir.display());
    }
    if !asked.follow {
        return Ok(Code::Completed);
    }
    let mut signals = Signals::new()?;
    while open {
        tokio::select! {
            () = signals.next() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
        let mut lines = tail.next();
        lines.retain(|line| filter.fits(line));
        open = screen.show(&lines);
    }
    Ok(Code::Completed)
}

/// Which lines are wanted.
struct Filter {
    mission: Option<String>,
    worker: Option<String>,
    level: Level,
    since: Time,
}

impl Filter {
    /// # Errors
    /// A mission or worker that is not to be found in `lines`.
    fn new(asked: &cli::Logs, lines: &[Line]) -> Result<Self, Error> {
        let since = asked.since.map(|since| trace::now().after_seconds(-since.as_secs_f64()));
        let mission = asked.mission.as_deref().map(|text| mission(text, lines)).transpose()?;
        if let Some(worker) = asked.worker.as_ref().filter(|_| !asked.follow) {
            let known: BTreeSet<&str> = lines.iter().map(|line| line.worker.as_str()).collect();
            if !known.contains(worker.as_str()) {
                let known = known.into_iter().collect::<Vec<_>>().join(", ");
                return Err(Error::usage(format!(
                    "there is no line of a worker `{worker}`; there are some of {known}"
                )));
            }
        }
        Ok(Self {
            mission,
            worker: asked.worker.clone(),
            level: asked.level.unwrap_or(Level::Trace),
            since: since.unwrap_or(Time(i64::MIN)),
        })
    }

    fn fits(&self, line: &Line) -> bool {
        line.level <= self.level
            && line.time >= self.since
            && self.mission.as_ref().is_none_or(|mission| line.mission.as_ref() == Some(mission))
            && self.worker.as_ref().is_none_or(|worker| line.worker == *worker)
    }
}

/// The mission that an id, or the beginning of one in the lines, means: nobody need serve to tell.
fn mission(text: &str, lines: &[Line]) -> Result<String, Error> {
    let text = text.to_ascii_lowercase();
    if text.parse::<MissionId>().is_ok() {
        return Ok(text);
    }
    check_beginning(&text)?;
    let found = lines.iter().filter_map(|line| line.mission.as_deref()).filter(|id| id.starts_with(&text));
    let found: BTreeSet<&str> = found.collect();
    pick(&text, &found.into_iter().collect::<Vec<_>>()).map(String::from)
}

/// Standard output.
struct Screen {
    json: bool,
    coloured: bool,
}

impl Screen {
    /// Shows lines; `false` when nobody reads any more.
    fn show(&mut self, lines: &[Line]) -> bool {
        let mut out = io::stdout().lock();
        let shown = lines.iter().try_for_each(|line| match self.json {
            true => writeln!(out, "{}", line.to_json()),
            false => writeln!(out, "{}", line.pretty(self.coloured)),
        });
        shown.and_then(|()| out.flush()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(mission: &str, level: &str, worker: &str) -> Line {
        Line::parse(&format!(
            r#"{{"time":"2026-01-02T03:04:05.678Z","level":"{level}","worker":"{worker}","mission":"{mission}","message":"x"}}"#
        ))
        .unwrap()
    }

    #[test]
    fn lines_are_chosen_by_mission_worker_and_level() {
        let lines = [
            line("5f1b0000000000000000000000000000", "INFO", "brain"),
            line("5f1b0000000000000000000000000001", "WARN", "agents"),
            line("aaaa0000000000000000000000000002", "DEBUG", "brain"),
        ];
        let asked = |mission: Option<&str>, worker: Option<&str>, level| cli::Logs {
            mission: mission.map(String::from),
            worker: worker.map(String::from),
            level,
            since: None,
            follow: false,
            lines: None,
        };
        let fitting = |asked: cli::Logs| {
            let filter = Filter::new(&asked, &lines).map_err(|error| error.to_string())?;
            Ok::<_, String>(lines.iter().map(|line| filter.fits(line)).collect::<Vec<_>>())
        };
        assert_eq!(fitting(asked(Some("AAAA"), None, None)), Ok(vec![false, false, true]));
        assert_eq!(fitting(asked(None, Some("brain"), Some(Level::Info))), Ok(vec![true, false, false]));
        assert_eq!(fitting(asked(Some(&"0".repeat(32)), None, None)), Ok(vec![false; 3]));
        assert!(fitting(asked(Some("5f1b"), None, None)).unwrap_err().contains("may be any of"));
        assert!(fitting(asked(Some("bbbb"), None, None)).unwrap_err().contains("no mission bbbb"));
        assert!(fitting(asked(Some("tea"), None, None)).unwrap_err().contains("is no mission"));
        assert!(fitting(asked(None, Some("baker"), None)).unwrap_err().contains("agents, brain"));
        let recent = cli::Logs { since: Some(Duration::from_secs(60)), ..asked(None, None, None) };
        assert_eq!(fitting(recent), Ok(vec![false; 3]));
    }
}
