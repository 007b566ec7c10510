//! A mission's events, as `mission export` writes them.

use schemas::Time;
use serde_json::Value;

pub struct Log(pub Vec<Value>);

impl Log {
    /// Every line of an export.
    pub fn of_lines(text: &str) -> Self {
        let lines =
            text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
        let log = Self(lines.collect());
        for event in &log.0 {
            assert_eq!(event["specversion"], "1.0", "{event}");
            assert!(event["id"].is_string() && event["source"].is_string(), "{event}");
        }
        log
    }

    /// All events of a kind (`step.completed`), in the log's order.
    pub fn of<'a>(&'a self, kind: &str) -> Vec<&'a Value> {
        let ty = format!("io.stage7.{kind}.v1");
        self.0.iter().filter(|event| event["type"] == ty).collect()
    }

    /// Those of one step.
    pub fn of_step<'a>(&'a self, kind: &str, step: &str) -> Vec<&'a Value> {
        self.of(kind).into_iter().filter(|event| event["data"]["step"] == step).collect()
    }

    /// The only event of a kind.
    #[track_caller]
    pub fn one(&self, kind: &str) -> &Value {
        let all = self.of(kind);
        assert_eq!(all.len(), 1, "{kind}: {all:?}");
        all[0]
    }

    /// The only event of a kind and step.
    #[track_caller]
    pub fn one_of(&self, kind: &str, step: &str) -> &Value {
        let all = self.of_step(kind, step);
        assert_eq!(all.len(), 1, "{kind} of {step}: {all:?}");
        all[0]
    }

    /// When a step's run began and ended, in milliseconds: what the run itself took, up to its answer.
    pub fn span(&self, step: &str) -> (i64, i64) {
        let event = self.one_of("plugin.completed", step);
        let end = time(event).0;
        (end - event["data"]["ms"].as_i64().unwrap(), end)
    }

    /// No run was answered twice, and no step completed twice.
    #[track_caller]
    pub fn has_nothing_twice(&self) {
        let mut answered: Vec<&Value> =
            ["plugin.completed", "plugin.failed", "llm.completed", "llm.failed", "timer.fired"]
                .iter()
                .flat_map(|kind| self.of(kind))
                .map(|event| &event["request"])
                .collect();
        let all = answered.len();
        answered.sort_by_key(|id| id.to_string());
        answered.dedup();
        assert_eq!(all, answered.len(), "a request was answered twice");
        let mut done: Vec<String> =
            self.of("step.completed").iter().map(|event| event["data"]["step"].to_string()).collect();
        let all = done.len();
        done.sort();
        done.dedup();
        assert_eq!(all, done.len(), "a step was completed twice");
    }
}

/// An event's place in the log.
pub fn seq(event: &Value) -> u64 {
    event["sequence"].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no sequence: {event}"))
}

pub fn time(event: &Value) -> Time {
    event["time"].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no time: {event}"))
}
