//! The tenants' file: an account a tenant, named exactly as the tenant.

use super::{block, list};
use crate::key::{Ring, TENANT};
use schemas::Tenant;
use std::{collections::BTreeMap, fmt::Write};
use streams::topology::{
    MAX_PAYLOAD,
    access::{TENANT_REQUESTS, TENANT_STREAMS, Zone},
};

/// Not what may stand in the tenants' file; says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct Malformed {
    pub text: String,
    pub expected: &'static str,
}

/// A tenant's users by their public keys. What is in here can be written into a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct People {
    owner: String,
    others: BTreeMap<String, String>,
}

impl People {
    /// The owner alone. It has the plain inbox, so that any client works without settings.
    ///
    /// # Errors
    /// When the key is no user's public key.
    pub fn of(owner: &str) -> Result<Self, Malformed> {
        Ok(Self { owner: public(owner)?, others: BTreeMap::new() })
    }

    /// One more, whose answers arrive at `_INBOX_{name}.>`: nobody reads another's.
    ///
    /// # Errors
    /// When the name can't be part of a subject, or the key is no user's public key.
    pub fn with(mut self, name: &str, key: &str) -> Result<Self, Malformed> {
        // The same form as a tenant's: lower case, no dot, no wildcard.
        let expected = "a user's name: a-z, 0-9 and -, at most 63 of them";
        let name = name.parse::<Tenant>().map_err(|_| Malformed { text: name.into(), expected })?;
        self.others.insert(name.to_string(), public(key)?);
        Ok(self)
    }
}

fn public(key: &str) -> Result<String, Malformed> {
    let pair = nkeys::KeyPair::from_public_key(key).ok().filter(|_| key.starts_with('U'));
    let expected = "the public key of a user (56 characters, U…)";
    pair.map(|pair| pair.public_key()).ok_or_else(|| Malformed { text: key.into(), expected })
}

/// The text of the tenants' file. It takes no variables: an included file doesn't see those of the
/// file that includes it.
pub fn tenants(all: &BTreeMap<Tenant, People>) -> String {
    let mut out = String::from("# Written by stage7: one account a tenant, named exactly as the tenant.\n");
    for (tenant, people) in all {
        out.push_str(&account(tenant, people));
    }
    out
}

/// The tenants of a ring: only `default` so far.
pub fn default_tenant(ring: &Ring) -> BTreeMap<Tenant, People> {
    let people = |seed: &crate::key::Seed| People::of(&seed.public()).expect("a seed's public key is one");
    ring.seed(TENANT).map(|seed| (Tenant::default(), people(seed))).into_iter().collect()
}

fn account(tenant: &Tenant, people: &People) -> String {
    let name = tenant.to_string();
    let requests: Vec<(String, bool)> =
        TENANT_REQUESTS.iter().map(|(verb, rest, share)| (format!("stage7.{verb}.{tenant}{rest}"), *share)).collect();
    let heard: Vec<(Zone, String)> =
        TENANT_STREAMS.iter().map(|(zone, family, rest)| (*zone, format!("stage7.{family}.{tenant}{rest}"))).collect();
    let publish: Vec<String> = requests.iter().map(|(subject, _)| subject.clone()).collect();
    let mut subscribe: Vec<String> = heard.iter().map(|(_, subject)| subject.clone()).collect();
    // Live lines come from two accounts under one subject.
    subscribe.dedup();
    let user = |about: &str, key: &str, inbox: &str| {
        let subscribe: Vec<_> = [format!("{inbox}.>")].into_iter().chain(subscribe.clone()).collect();
        format!(
            "# {about}\n      {{ nkey: {key}, permissions: {{\n        publish: {}\n        subscribe: {} }} }}",
            list(&publish, "          "),
            list(&subscribe, "          ")
        )
    };
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{name:?}: {{\n    limits: {{ max_connections: 64, max_subscriptions: 1000, max_payload: {MAX_PAYLOAD} }}"
    );
    let others = people.others.iter().map(|(name, key)| user(name, key, &format!("_INBOX_{name}")));
    block(&mut out, "users", [user("the owner", &people.owner, "_INBOX")].into_iter().chain(others));
    let share = |share| if share { ", share: true" } else { "" };
    let imported =
        requests.iter().map(|(s, told)| format!("{{ service: {{ account: LOG, subject: {s:?} }}{} }}", share(*told)));
    let streamed =
        heard.iter().map(|(zone, s)| format!("{{ stream: {{ account: {}, subject: {s:?} }} }}", zone.account()));
    block(&mut out, "imports", imported.chain(streamed));
    out.push_str("}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Seed;

    #[test]
    fn what_would_break_out_of_its_place_is_no_name_and_no_key() {
        let key = Seed::new().public();
        for name in ["", "X", "a.b", "a.>", "*", "a\" ] } }", "a b", "-a", "ä"] {
            assert!(People::of(&key).unwrap().with(name, &key).is_err(), "{name}");
        }
        let account = nkeys::KeyPair::new_account().public_key();
        for key in ["", "U", "$NKEY_SYS", &account, &format!("{key} }}"), &key.to_lowercase()] {
            assert!(People::of(key).is_err(), "{key}");
        }
    }

    #[test]
    fn each_user_has_an_inbox_of_its_own() {
        let (owner, bob) = (Seed::new().public(), Seed::new().public());
        let people = People::of(&owner).unwrap().with("bob", &bob).unwrap();
        let text = tenants(&[("acme".parse().unwrap(), people)].into());
        let of = |key: &str| text.split("nkey: ").find(|user| user.starts_with(key)).unwrap().to_string();
        assert!(of(&owner).contains("\"_INBOX.>\"") && of(&bob).contains("\"_INBOX_bob.>\""), "{text}");
        assert!(!of(&bob).contains("\"_INBOX.>\""), "{text}");
    }
}
