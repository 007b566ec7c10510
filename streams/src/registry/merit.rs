//! How models do, as all instances of the brain see it, and what people think of their answers.

use super::parse;
use crate::record::{Record, decode_header};
use schemas::{EventId, MissionId, Tenant, Writer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `noun.verb` of each word; its key is [`super::health::key`].
pub const MEASURED: &str = "model.measured";
/// A person's.
pub const RATED: &str = "model.rated";

/// So many answers of a model that people rated count, the newest ones.
const RATINGS: usize = 20;
/// What the newest of them counts, as much as three calls do.
const NEWEST: f64 = 0.3;

/// How a model did lately: the data of `model.measured`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// From 0 to 1, the last calls counting most.
    pub success: f64,
    /// Milliseconds for a token of its answers; the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<f64>,
}

impl Default for Measured {
    fn default() -> Self {
        Self { success: 1.0, pace: None }
    }
}

/// What a person thinks of an answer: the data of `model.rated`. The last word on an answer counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rated {
    pub tenant: Tenant,
    pub mission: MissionId,
    pub call: EventId,
    pub good: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The words, folded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Merit {
    measured: BTreeMap<String, Measured>,
    /// The oldest first.
    rated: BTreeMap<String, Vec<(EventId, bool)>>,
}

impl Merit {
    /// Folds one record, in the order of the stream; what it does not know changes nothing. Gives the model of
    /// which something new was measured.
    pub fn evolve(&mut self, record: &Record) -> Option<String> {
        let (writer, kind, Some(key)) = parse(&record.subject)? else { return None };
        let model = decode_header(key);
        match (writer, kind.as_str()) {
            (Writer::Brain, MEASURED) => {
                let measured: Measured = serde_json::from_slice(&record.payload).ok()?;
                let is_right = (0.0..=1.0).contains(&measured.success) && measured.pace.is_none_or(|pace| pace >= 0.0);
                is_right.then(|| self.measured.insert(model.clone(), measured))?;
                Some(model)
            }
            (Writer::User, RATED) => {
                let Rated { call, good, .. } = serde_json::from_slice(&record.payload).ok()?;
                let rated = self.rated.entry(model).or_default();
                rated.retain(|(other, _)| *other != call);
                rated.push((call, good));
                rated.drain(..rated.len().saturating_sub(RATINGS));
                None
            }
            _ => None,
        }
    }

    /// How a model did lately.
    pub fn measured(&self, model: &str) -> Option<Measured> {
        self.measured.get(model).copied()
    }

    /// What people think of a model's answers, from -1 to 1.
    pub fn feedback(&self, model: &str) -> f64 {
        let rated = self.rated.get(model).into_iter().flatten();
        rated.fold(0.0, |all, (_, good)| all + (if *good { 1.0 } else { -1.0 } - all) * NEWEST)
    }

    /// All of which something is known.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let all: std::collections::BTreeSet<_> = self.measured.keys().chain(self.rated.keys()).collect();
        all.into_iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{health::key, record};
    use schemas::Time;
    use serde_json::{Value, json};
    use uuid::Uuid;

    const MODEL: &str = "openrouter/meta/llama-3.1:free";

    fn word(writer: Writer, kind: &str, data: &Value) -> Record {
        record(writer, kind, Some(&key(MODEL)), data.to_string().into_bytes(), Time(0), 0)
    }

    fn rated(call: u128, good: bool) -> Record {
        let mission = MissionId(Uuid::from_u128(1));
        let rated =
            Rated { tenant: Tenant::default(), mission, call: EventId(Uuid::from_u128(call)), good, note: None };
        word(Writer::User, RATED, &json!(rated))
    }

    #[test]
    fn the_last_word_on_an_answer_counts_and_old_ones_are_forgotten() {
        let mut merit = Merit::default();
        let mut feedback = |words: &[(u128, bool)]| {
            words.iter().for_each(|(call, good)| drop(merit.evolve(&rated(*call, *good))));
            (merit.feedback(MODEL) * 1e3).round() / 1e3
        };
        assert_eq!(feedback(&[]), 0.0);
        assert_eq!(feedback(&[(1, false)]), -0.3);
        assert_eq!(feedback(&[(1, false), (1, false)]), -0.3, "said again is no more than said");
        assert_eq!(feedback(&[(2, false), (3, false)]), -0.657);
        assert_eq!(feedback(&[(1, true)]), -0.057, "somebody thinks better of it");
        let many: Vec<_> = (10..60).map(|call| (call, true)).collect();
        assert!((0.99..=1.0).contains(&feedback(&many)));
    }

    #[test]
    fn each_says_its_own_words_only_and_what_can_not_be_is_passed_over() {
        let mut merit = Merit::default();
        let measured = |success: f64| json!({"success": success, "pace": 12.5});
        assert_eq!(merit.evolve(&word(Writer::Brain, MEASURED, &measured(0.5))).as_deref(), Some(MODEL));
        for (writer, kind, data) in [
            (Writer::User, MEASURED, measured(0.1)),
            (Writer::Brain, MEASURED, measured(7.0)),
            (Writer::Brain, MEASURED, json!({"success": 0.1, "pace": -1})),
            (Writer::Brain, MEASURED, json!("well")),
            (Writer::Brain, RATED, json!({"good": true})),
            (Writer::User, RATED, json!({"good": true})),
        ] {
            assert_eq!(merit.evolve(&word(writer, kind, &data)), None, "{writer:?} {kind} {data}");
        }
        assert_eq!(merit.measured(MODEL), Some(Measured { success: 0.5, pace: Some(12.5) }));
        assert_eq!((merit.feedback(MODEL), merit.models().collect::<Vec<_>>()), (0.0, vec![MODEL]));
    }
}
