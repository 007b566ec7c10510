//! What people have said about plugins: which were added, which count, whose signatures are taken.

use super::parse;
use crate::record::Record;
use schemas::Writer;
use semver::Version;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// `noun.verb` of each word, and what its key is.
pub const TRUSTED: &str = "key.trusted"; // fingerprint
pub const REVOKED: &str = "key.revoked"; // fingerprint
pub const ADDED: &str = "plugin.added"; // digest
pub const REMOVED: &str = "plugin.removed"; // digest
pub const ENABLED: &str = "plugin.enabled"; // verb
pub const DISABLED: &str = "plugin.disabled"; // verb
pub const PINNED: &str = "plugin.pinned"; // verb

/// All of them.
pub const KINDS: [&str; 7] = [TRUSTED, REVOKED, ADDED, REMOVED, ENABLED, DISABLED, PINNED];

/// What [`Market`] folds.
pub const WORDS: [&str; 2] = ["stage7.registry.user.key.>", "stage7.registry.user.plugin.>"];

/// A publisher's public key: the data of `key.trusted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    pub publisher: String,
    /// PEM.
    pub key: String,
}

/// A version of a plugin: the data of `plugin.added`. The package itself lies in `ARTIFACTS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    pub verb: String,
    pub version: String,
    pub publisher: String,
    /// SHA-256 of its statement, lower-case hex.
    pub digest: String,
    /// SHA-256 of the archive, and its size in bytes.
    pub sha256: String,
    pub size: u64,
    /// Whose artifact it is.
    pub tenant: String,
}

/// The data of `plugin.pinned`; without a version it is pinned no more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pinned {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A key, and whether it still counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub trusted: Trusted,
    pub is_revoked: bool,
}

/// The words, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Market {
    keys: BTreeMap<String, Key>,
    added: BTreeMap<String, Added>,
    disabled: BTreeSet<String>,
    pinned: BTreeMap<String, String>,
    revoked: BTreeSet<String>,
    /// Every version there ever was, by its digest.
    ever: BTreeSet<String>,
}

impl Market {
    /// Folds one record, in the order of the stream; what it does not know changes nothing.
    pub fn evolve(&mut self, record: &Record) {
        let Some((Writer::User, kind, Some(key))) = parse(&record.subject) else { return };
        let key = key.to_string();
        match kind.as_str() {
            TRUSTED => {
                if let Ok(trusted) = serde_json::from_slice::<Trusted>(&record.payload) {
                    // Revoked is for good, whichever came first.
                    let is_revoked = self.revoked.contains(&key);
                    self.keys.entry(key).or_insert(Key { trusted, is_revoked });
                }
            }
            REVOKED => {
                if let Some(known) = self.keys.get_mut(&key) {
                    known.is_revoked = true;
                }
                self.revoked.insert(key);
            }
            ADDED => {
                if let Ok(added) = serde_json::from_slice::<Added>(&record.payload)
                    && added.digest == key
                {
                    self.ever.insert(key.clone());
                    self.added.insert(key, added);
                }
            }
            REMOVED => drop(self.added.remove(&key)),
            ENABLED => drop(self.disabled.remove(&key)),
            DISABLED => drop(self.disabled.insert(key)),
            PINNED => match serde_json::from_slice::<Pinned>(&record.payload) {
                Ok(Pinned { version: Some(version) }) => drop(self.pinned.insert(key, version)),
                Ok(Pinned { version: None }) => drop(self.pinned.remove(&key)),
                Err(_) => {}
            },
            _ => {}
        }
    }

    /// Every key, by its fingerprint.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &Key)> {
        self.keys.iter().map(|(fingerprint, key)| (fingerprint.as_str(), key))
    }

    /// Was this key revoked, though it may never have been known?
    pub fn is_revoked(&self, fingerprint: &str) -> bool {
        self.revoked.contains(fingerprint)
    }

    /// Every version that was added and not removed.
    pub fn added(&self) -> impl Iterator<Item = &Added> {
        self.added.values()
    }

    /// Was this version added once, though it may be gone?
    pub fn knew(&self, digest: &str) -> bool {
        self.ever.contains(digest)
    }

    /// The versions of a verb, oldest first.
    pub fn versions(&self, verb: &str) -> Vec<&Added> {
        let mut versions: Vec<_> = self.added.values().filter(|added| added.verb == verb).collect();
        versions.sort_by_cached_key(|added| Version::parse(&added.version).ok());
        versions
    }

    /// The version that a new mission gets: the one that is pinned, else the newest.
    pub fn current(&self, verb: &str) -> Option<&Added> {
        let versions = self.versions(verb);
        let pinned = self.pinned.get(verb);
        let pinned = versions.iter().find(|added| Some(&added.version) == pinned).copied();
        pinned.or(versions.last().copied())
    }

    pub fn pinned(&self, verb: &str) -> Option<&str> {
        self.pinned.get(verb).map(String::as_str)
    }

    pub fn is_disabled(&self, verb: &str) -> bool {
        self.disabled.contains(verb)
    }

    /// The verbs that were added, in order.
    pub fn verbs(&self) -> BTreeSet<&str> {
        self.added.values().map(|added| added.verb.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::record;
    use schemas::Time;
    use serde_json::{Value, json};

    fn folded(words: &[(Writer, &str, &str, Value)]) -> Market {
        let mut market = Market::default();
        for (writer, kind, key, data) in words {
            market.evolve(&record(*writer, kind, Some(key), data.to_string().into_bytes(), Time(0), 0));
        }
        market
    }

    fn added(version: &str) -> (Writer, &'static str, &str, Value) {
        let data = json!({"verb": "X", "version": version, "publisher": "local", "digest": version.replace('.', "-"),
            "sha256": "", "size": 1, "tenant": "default"});
        (Writer::User, ADDED, version, data)
    }

    #[test]
    fn the_newest_version_counts_unless_one_is_pinned() {
        let digest = |version: &str| version.replace('.', "-");
        let (old, new, newest) = (digest("1.9.0"), digest("1.10.0"), digest("2.0.0-beta.1"));
        let mut words = vec![
            (Writer::User, ADDED, new.as_str(), added("1.10.0").3),
            (Writer::User, ADDED, old.as_str(), added("1.9.0").3),
        ];
        let current = |words: &[(Writer, &str, &str, Value)]| folded(words).current("X").map(|x| x.version.clone());
        assert_eq!(current(&words).as_deref(), Some("1.10.0"));
        words.push((Writer::User, ADDED, newest.as_str(), added("2.0.0-beta.1").3));
        assert_eq!(current(&words).as_deref(), Some("2.0.0-beta.1"));
        words.push((Writer::User, PINNED, "X", json!({"version": "1.9.0"})));
        assert_eq!(current(&words).as_deref(), Some("1.9.0"));
        words.push((Writer::User, REMOVED, old.as_str(), json!({})));
        assert_eq!(current(&words).as_deref(), Some("2.0.0-beta.1"));
        words.push((Writer::User, PINNED, "X", json!({})));
        assert_eq!(folded(&words).pinned("X"), None);
        assert_eq!(folded(&words).versions("X").len(), 2);
    }

    #[test]
    fn what_was_revoked_stays_so_and_only_people_say_so() {
        let key = |publisher: &str| json!({"publisher": publisher, "key": "pem"});
        let market = folded(&[
            (Writer::User, REVOKED, "aa", json!({})),
            (Writer::User, TRUSTED, "aa", key("ada")),
            (Writer::User, TRUSTED, "bb", key("bob")),
            (Writer::User, TRUSTED, "bb", key("eve")),
            (Writer::Capability, TRUSTED, "cc", key("capability")),
            (Writer::Capability, DISABLED, "X", json!({})),
            (Writer::User, DISABLED, "Y", json!({})),
            (Writer::User, DISABLED, "Z", json!({})),
            (Writer::User, ENABLED, "Z", json!({})),
            (Writer::User, ADDED, "forged", added("1.0.0").3),
        ]);
        let keys: Vec<_> =
            market.keys().map(|(id, key)| (id, key.trusted.publisher.as_str(), key.is_revoked)).collect();
        assert_eq!(keys, [("aa", "ada", true), ("bb", "bob", false)]);
        assert_eq!(["X", "Y", "Z"].map(|verb| market.is_disabled(verb)), [false, true, false]);
        assert_eq!(market.added().count(), 0, "a word names what it is about");
    }
}
