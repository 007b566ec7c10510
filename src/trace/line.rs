//! One line of a log: as JSON in the files, as text for a person.

use crate::progress::clean;
use clap::ValueEnum;
use schemas::{Time, Value};
use serde::{Deserialize, Serialize};
use serde_json::Map;

/// The most severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }

    /// For terminals.
    const fn colour(self) -> &'static str {
        match self {
            Self::Error => "\u{1b}[31m",
            Self::Warn => "\u{1b}[33m",
            Self::Info => "\u{1b}[32m",
            Self::Debug => "\u{1b}[34m",
            Self::Trace => "\u{1b}[35m",
        }
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

/// What was logged at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub time: Time,
    pub level: Level,
    /// Who: a worker, `nats-server`, or the process where it was none of its workers.
    pub worker: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mission: Option<String>,
    /// The id of the event that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    pub message: String,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What a person need not see in every line.
const HIDDEN: [&str; 2] = ["target", "pid"];
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

impl Line {
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers serialise")
    }

    /// A line that nats-server wrote: `[7] 2026/11/25 20:34:30.123456 [INF] Server is ready`.
    pub fn of_nats_server(text: &str) -> Option<Self> {
        let (pid, rest) = text.strip_prefix('[')?.split_once("] ")?;
        let (date, rest) = rest.split_once(' ')?;
        let (clock, rest) = rest.split_once(' ')?;
        let (level, message) = rest.strip_prefix('[')?.split_once("] ")?;
        let level = match level {
            "FTL" | "ERR" => Level::Error,
            "WRN" => Level::Warn,
            "DBG" => Level::Debug,
            "TRC" => Level::Trace,
            _ => Level::Info,
        };
        let more = Map::from_iter([("pid".to_string(), Value::from(pid.parse::<u32>().ok()?))]);
        Some(Self {
            time: format!("{}T{clock}Z", date.replace('/', "-")).parse().ok()?,
            level,
            worker: "nats-server".into(),
            mission: None,
            event: None,
            message: message.into(),
            more,
        })
    }

    /// For a person; what others wrote can't move the cursor.
    pub fn pretty(&self, coloured: bool) -> String {
        let [level, dim, plain] = if coloured { [self.level.colour(), DIM, PLAIN] } else { [""; 3] };
        let mut text = format!(
            "{dim}{}{plain} {level}{:<5}{plain} {:<15} {:<8} {}",
            self.time,
            self.level.name(),
            clean(&self.worker),
            self.mission.as_deref().unwrap_or("-").chars().take(8).collect::<String>(),
            one_line(&self.message)
        );
        let event = self.event.as_ref().map(|event| ("event", Value::from(event.chars().take(8).collect::<String>())));
        let more = self
            .more
            .iter()
            .filter(|(name, _)| !HIDDEN.contains(&name.as_str()))
            .map(|(name, value)| (name.as_str(), value.clone()));
        for (name, value) in event.into_iter().chain(more) {
            let value = value.as_str().map_or_else(|| value.to_string(), String::from);
            text.push_str(&format!(" {dim}{}={}{plain}", clean(name), one_line(&value)));
        }
        text
    }
}

fn one_line(text: &str) -> String {
    clean(text).replace('\n', "⏎")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_is_the_same_after_it_was_written() {
        let text = r#"{"time":"2026-11-25T20:34:30.123Z","level":"WARN","worker":"brain","mission":"5f1b7c3a00","message":"trying again","seq":7,"target":"nats"}"#;
        let line = Line::parse(text).unwrap();
        assert_eq!(line.to_json(), text);
        assert_eq!(line.pretty(false), "2026-11-25T20:34:30.123Z WARN  brain           5f1b7c3a trying again seq=7");
        assert!(line.pretty(true).contains("\u{1b}[33mWARN"));
        assert!(Line::parse("no JSON").is_none() && Line::parse("{}").is_none());
    }

    #[test]
    fn a_line_of_nats_server_is_one_of_ours() {
        let line = Line::of_nats_server("[412] 2026/11/25 20:34:30.123456 [ERR] it [broke] down").unwrap();
        assert_eq!(
            (line.time.to_string().as_str(), line.level, line.message.as_str(), &line.more["pid"]),
            ("2026-11-25T20:34:30.123Z", Level::Error, "it [broke] down", &json!(412))
        );
        assert!(Line::of_nats_server("goroutine 1 [running]:").is_none());
    }

    #[test]
    fn nobody_moves_the_cursor_or_begins_a_line() {
        let mut line = Line::of_nats_server("[1] 2026/11/25 20:34:30.123456 [INF] a\u{1b}[2J").unwrap();
        line.more.insert("why".into(), json!("b\nc"));
        assert!(line.pretty(false).ends_with("a\u{fffd}[2J why=b⏎c"), "{}", line.pretty(false));
    }
}
