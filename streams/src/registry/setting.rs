//! What tenants have chosen for plugins.

use super::{Record, subject};
use schemas::{Tenant, Value, Writer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `noun.verb` of a [`Chosen`]; its key is [`key`].
pub const CHOSEN: &str = "setting.chosen";

/// One setting of one plugin: the data of `setting.chosen`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// None: what was chosen counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// What a choice is filed under.
pub fn key(tenant: &Tenant, verb: &str, setting: &str) -> String {
    format!("{tenant}.{verb}.{setting}")
}

/// Every choice of a tenant for one plugin.
pub fn all(tenant: &Tenant, verb: &str) -> String {
    subject::registry(Writer::User, CHOSEN, Some(&key(tenant, verb, "*")))
}

/// What counts in the end, by the setting's name.
pub fn folded(words: &[Record]) -> BTreeMap<String, Value> {
    let mut chosen = BTreeMap::new();
    for word in words {
        let Some(name) = word.subject.rsplit('.').next() else { continue };
        match serde_json::from_slice::<Chosen>(&word.payload) {
            Ok(Chosen { value: Some(value) }) => drop(chosen.insert(name.to_string(), value)),
            Ok(Chosen { value: None }) => drop(chosen.remove(name)),
            Err(_) => {}
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::record;
    use schemas::Time;
    use serde_json::json;

    #[test]
    fn the_last_choice_counts() {
        let tenant: Tenant = "acme".parse().expect("a tenant");
        let word = |setting: &str, data: Value| {
            record(Writer::User, CHOSEN, Some(&key(&tenant, "X", setting)), data.to_string().into_bytes(), Time(0), 0)
        };
        let words = [
            word("a", json!({"value": 1})),
            word("b", json!({"value": true})),
            word("a", json!({"value": 2})),
            word("b", json!({})),
            word("c", json!(7)),
        ];
        assert_eq!(folded(&words), [("a".to_string(), json!(2))].into());
        assert_eq!(all(&tenant, "X"), "stage7.registry.user.setting.chosen.acme.X.*");
    }
}
