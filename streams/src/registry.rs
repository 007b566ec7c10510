//! What the `REGISTRY` stream adds up to: the verbs there are, and whether they can be used.
//!
//! Each writer registers its verbs one by one and then lists them; only what is on its last list
//! counts. So nobody plans with half a catalogue while a worker starts, and a verb that a worker
//! no longer has disappears.

pub mod health;
pub mod market;
pub mod merit;
pub mod setting;

use crate::{
    record::{Record, encode_header},
    subject,
};
use schemas::{
    EventId, Time, Writer,
    catalogue::{Catalogue, Role, Runner, Verb},
    fact::ce_type,
    manifest::Setting,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// `noun.verb` of a [`Plugin`]; its key is the verb.
pub const REGISTERED: &str = "plugin.registered";
/// `noun.verb` of a [`Listed`]; it has no key.
pub const LISTED: &str = "plugin.listed";
/// The words that [`Registry`] folds: of archived missions there may be hundreds of thousands.
pub const PLUGINS: &str = "stage7.registry.*.plugin.>";

/// The writers who bring verbs. A catalogue is whole when each of them has listed its own.
const BRINGERS: [Writer; 2] = [Writer::Agent, Writer::Capability];

/// Can the verb be used?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Enabled,
    /// The machine lacks something that it needs, or nobody vouches for it any more.
    Unavailable,
    /// Somebody switched it off.
    Disabled,
}

/// A verb, and whether it can be used: the data of `plugin.registered`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plugin {
    pub verb: Verb,
    /// SHA-256 over manifest and files, lower-case hex.
    pub digest: String,
    pub state: State,
    /// Why it cannot be used, and what would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a tenant may choose for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Setting>,
}

/// All verbs of one writer: the data of `plugin.listed`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Listed {
    pub verbs: BTreeSet<String>,
}

/// The stream, folded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Registry {
    plugins: BTreeMap<(String, Writer), Plugin>,
    listed: BTreeMap<Writer, BTreeSet<String>>,
}

impl Registry {
    /// Folds one record, in the order of the stream; what it does not know changes nothing.
    pub fn evolve(&mut self, record: &Record) {
        let Some((writer, kind, key)) = parse(&record.subject) else { return };
        match (kind.as_str(), key) {
            (REGISTERED, Some(key)) => {
                let plugin = serde_json::from_slice::<Plugin>(&record.payload);
                if let Some(plugin) = plugin.ok().filter(|plugin| plugin.verb.name == key && brings(writer, plugin)) {
                    self.plugins.insert((key.to_string(), writer), plugin);
                }
            }
            (LISTED, None) => {
                if let Ok(listed) = serde_json::from_slice::<Listed>(&record.payload) {
                    self.listed.insert(writer, listed.verbs);
                }
            }
            _ => {}
        }
    }

    /// The verbs on the lists, by name. No two writers bring the same: what an agent does itself
    /// is no plugin.
    pub fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        let mut last = None;
        self.plugins.iter().filter_map(move |((verb, writer), plugin)| {
            let listed = self.listed.get(writer).is_some_and(|verbs| verbs.contains(verb));
            let shown = listed && last != Some(verb);
            if shown {
                last = Some(verb);
            }
            shown.then_some(plugin)
        })
    }

    /// The writers who have not listed their verbs yet.
    pub fn awaited(&self) -> Vec<Writer> {
        BRINGERS.into_iter().filter(|writer| !self.listed.contains_key(writer)).collect()
    }

    /// What a mission may use that is created now.
    pub fn catalogue(&self, roles: &BTreeMap<String, Role>) -> Catalogue {
        let enabled = self.plugins().filter(|plugin| plugin.state == State::Enabled);
        Catalogue {
            verbs: enabled.map(|plugin| (plugin.verb.name.clone(), plugin.verb.clone())).collect(),
            roles: roles.clone(),
        }
    }
}

/// Agents register what they do themselves, others what is run for them.
fn brings(writer: Writer, plugin: &Plugin) -> bool {
    (writer == Writer::Agent) == (plugin.verb.runner == Runner::Agent)
}

/// `stage7.registry.{writer}.{noun}.{verb}[.{key}]`, taken apart.
fn parse(subject: &str) -> Option<(Writer, String, Option<&str>)> {
    let mut parts = subject.strip_prefix("stage7.registry.")?.split('.');
    let writer = parts.next()?.parse().ok()?;
    let kind = format!("{}.{}", parts.next()?, parts.next()?);
    let key = parts.next();
    parts.next().is_none().then_some((writer, kind, key))
}

/// The record of a registry word; `last` is the sequence of the word that it takes the place of.
pub fn record(writer: Writer, kind: &str, key: Option<&str>, data: Vec<u8>, time: Time, last: u64) -> Record {
    let subject = subject::registry(writer, kind, key);
    word(subject, kind, &format!("/stage7/{writer}"), key.unwrap_or_default(), data, time, last)
}

/// The same of any word that is not about a mission: what it is about is its `key`.
pub(crate) fn word(
    subject: String,
    kind: &str,
    source: &str,
    key: &str,
    data: Vec<u8>,
    time: Time,
    last: u64,
) -> Record {
    let id = EventId(Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{subject}/{last}").as_bytes()));
    let headers = [
        ("ce-specversion", "1.0".into()),
        ("ce-id", id.to_string()),
        ("ce-type", ce_type(kind)),
        ("ce-source", source.into()),
        ("ce-time", time.to_string()),
        ("ce-subject", encode_header(key)),
    ];
    let headers =
        headers.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_string(), value));
    Record { seq: 0, subject, headers: headers.collect(), payload: data.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plugin(verb: &str, runner: &str, state: &str) -> serde_json::Value {
        json!({
            "verb": {"name": verb, "version": "1.0.0", "description": "", "input": {}, "output": {}, "runner": runner, "runtime": "native"},
            "digest": "", "state": state,
        })
    }

    fn folded(words: &[(Writer, &str, Option<&str>, serde_json::Value)]) -> Registry {
        let mut registry = Registry::default();
        for (writer, kind, key, data) in words {
            registry.evolve(&record(*writer, kind, *key, data.to_string().into_bytes(), Time(0), 0));
        }
        registry
    }

    #[test]
    fn only_what_is_listed_and_enabled_is_in_the_catalogue() {
        let registry = folded(&[
            (Writer::Capability, REGISTERED, Some("A"), plugin("A", "capability", "enabled")),
            (Writer::Capability, REGISTERED, Some("B"), plugin("B", "capability", "unavailable")),
            (Writer::Capability, REGISTERED, Some("C"), plugin("C", "capability", "enabled")),
            (Writer::Capability, LISTED, None, json!({"verbs": ["A", "B"]})),
        ]);
        assert_eq!(registry.plugins().map(|p| p.verb.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(registry.catalogue(&BTreeMap::new()).verbs.into_keys().collect::<Vec<_>>(), ["A"]);
        assert_eq!(registry.awaited(), [Writer::Agent]);
    }

    #[test]
    fn nobody_registers_anothers_verbs() {
        let registry = folded(&[
            (Writer::Agent, REGISTERED, Some("THINK"), plugin("THINK", "agent", "enabled")),
            (Writer::Agent, LISTED, None, json!({"verbs": ["THINK"]})),
            (Writer::Capability, REGISTERED, Some("THINK"), plugin("THINK", "agent", "unavailable")),
            (Writer::Capability, REGISTERED, Some("X"), plugin("Y", "capability", "enabled")),
            (Writer::Capability, REGISTERED, Some("Z"), json!({"verb": 1})),
            (Writer::Capability, LISTED, None, json!({"verbs": ["THINK", "X", "Y", "Z"]})),
        ]);
        let catalogue = registry.catalogue(&BTreeMap::new());
        assert_eq!(catalogue.verbs.into_keys().collect::<Vec<_>>(), ["THINK"]);
        assert!(registry.awaited().is_empty());
    }
}
