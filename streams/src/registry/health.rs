//! Which models are not to be asked for now, as all instances of the brain see it.

use super::parse;
use crate::record::{Record, decode_header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemas::{Time, Writer};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// `noun.verb` of each word; its key is [`key`].
pub const FAILED: &str = "model.failed";
pub const RECOVERED: &str = "model.recovered";
/// A person's: forget what was said.
pub const RESET: &str = "model.reset";

/// What [`Health`] folds.
pub const WORDS: [&str; 2] = ["stage7.registry.brain.model.>", "stage7.registry.user.model.>"];

/// How long a model is left alone after its first failure, and at the most; in between it doubles.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(86_400);

/// A model failed: the data of `model.failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub reason: String,
    /// How often in a row, each time after it was left alone.
    pub times: u32,
    /// None: until a person resets it, or a brain starts anew, maybe with another key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// A model as part of a subject.
pub fn key(model: &str) -> String {
    const TOKEN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
    utf8_percent_encode(model, TOKEN).to_string()
}

/// The words, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health(BTreeMap<String, Failed>);

impl Health {
    /// Folds one record, in the order of the stream; what it does not know changes nothing.
    pub fn evolve(&mut self, record: &Record) {
        let Some((writer, kind, Some(key))) = parse(&record.subject) else { return };
        let model = decode_header(key);
        match (writer, kind.as_str()) {
            (Writer::Brain, FAILED) => {
                if let Ok(failed) = serde_json::from_slice(&record.payload) {
                    self.0.insert(model, failed);
                }
            }
            (Writer::Brain, RECOVERED) | (Writer::User, RESET) => drop(self.0.remove(&model)),
            _ => {}
        }
    }

    /// The failure that a model has not recovered from.
    pub fn of(&self, model: &str) -> Option<&Failed> {
        self.0.get(model)
    }

    /// Counts a word before the log has it.
    pub fn note(&mut self, model: &str, failed: Failed) {
        self.0.insert(model.into(), failed);
    }

    /// The same of one that says it recovered; `true` when it had failed.
    pub fn forget(&mut self, model: &str) -> bool {
        self.0.remove(model).is_some()
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &Failed)> {
        self.0.iter().map(|(model, failed)| (model.as_str(), failed))
    }

    /// What is to be said of a failure now; nothing while the model is left alone already: what fails
    /// then was under way.
    pub fn failed(&self, model: &str, reason: &str, wait: Wait, now: Time) -> Option<Failed> {
        let before = self.of(model);
        if before.is_some_and(|failed| failed.until.is_none_or(|until| until > now)) {
            return None;
        }
        let times = before.map_or(0, |failed| failed.times).saturating_add(1);
        let until = match wait {
            Wait::Grow => Some(pause(times)),
            Wait::For(pause) => Some(pause.clamp(Duration::from_secs(1), LONGEST)),
            Wait::Reset => None,
        };
        Some(Failed { reason: reason.into(), times, until: until.map(|pause| now.after_seconds(pause.as_secs_f64())) })
    }
}

/// The model that a person has reset by this word.
pub fn reset(record: &Record) -> Option<String> {
    let (writer, kind, key) = parse(&record.subject)?;
    (writer == Writer::User && kind == RESET).then(|| key.map(decode_header)).flatten()
}

/// For how long a model is to be left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Longer each time.
    Grow,
    /// As its provider says.
    For(Duration),
    /// Until a person does something.
    Reset,
}

fn pause(times: u32) -> Duration {
    FIRST.saturating_mul(1 << times.saturating_sub(1).min(20)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::record;
    use serde_json::{Value, json};

    fn word(writer: Writer, kind: &str, model: &str, data: &Value) -> Record {
        record(writer, kind, Some(&key(model)), data.to_string().into_bytes(), Time(0), 0)
    }

    #[test]
    fn a_model_is_left_alone_for_longer_each_time() {
        let (mut health, model) = (Health::default(), "openrouter/meta/llama-3.1:free");
        let mut now = Time(0);
        for minutes in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440] {
            let failed = health.failed(model, "overloaded", Wait::Grow, now).expect("it is asked");
            let until = failed.until.expect("it passes");
            assert_eq!(until, now.after_seconds(f64::from(minutes) * 60.0), "{failed:?}");
            health.evolve(&word(Writer::Brain, FAILED, model, &json!(failed)));
            assert_eq!(health.failed(model, "overloaded", Wait::Grow, now), None, "it was under way");
            now = until;
        }
        health.evolve(&word(Writer::Brain, RECOVERED, model, &json!({})));
        assert_eq!(health.failed(model, "x", Wait::Grow, now).map(|failed| failed.times), Some(1));
    }

    #[test]
    fn its_provider_or_a_person_may_say_how_long() {
        let mut health = Health::default();
        let now = Time(5_000);
        let asked = health.failed("a/b", "rate limit", Wait::For(Duration::from_secs(7)), now).expect("said");
        assert_eq!(asked.until, Some(now.after_seconds(7.0)));
        let refused = health.failed("a/b", "key refused", Wait::Reset, now).expect("said");
        assert_eq!(refused.until, None);
        health.evolve(&word(Writer::Brain, FAILED, "a/b", &json!(refused)));
        assert_eq!(health.failed("a/b", "x", Wait::Grow, now.after_seconds(1e9)), None);
        health.evolve(&word(Writer::Brain, RESET, "a/b", &json!({})));
        health.evolve(&word(Writer::User, FAILED, "c/d", &json!(refused)));
        assert_eq!(health.all().map(|(model, _)| model).collect::<Vec<_>>(), ["a/b"], "each says its own words only");
        health.evolve(&word(Writer::User, RESET, "a/b", &json!({})));
        assert_eq!(health.of("a/b"), None);
    }
}
