//! What is kept for plugins and nobody reads in passing: secrets, sealed to the key of the worker
//! that needs them. The `SECRETS` stream holds the last word on each, and forgets those before.

use crate::{record::Record, registry};
use schemas::{
    Tenant, Time,
    manifest::{is_host, is_secret, is_verb},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The stream.
pub const STREAM: &str = "SECRETS";
/// `noun.verb` of a [`Secret`].
pub const KEPT: &str = "secret.kept";
/// `noun.verb` in the registry: the public key that a worker opens secrets with; it has no key.
pub const ANNOUNCED: &str = "sealing.announced";

/// The data of `sealing.announced`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// An NKey for sealing, `X…`.
    pub key: String,
}

/// The last word on a secret: the data of `secret.kept`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Who may have it.
    #[serde(rename = "for")]
    pub grants: Vec<Grant>,
    pub since: Time,
    /// None: it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
}

/// Bytes that only the holder of one key can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The public key that it is sealed to, `X…`.
    pub to: String,
    /// The public key of whoever sealed it, made for this once.
    pub from: String,
    /// As NKeys of version 1 seal (`xkv1`: X25519, XSalsa20, Poly1305), base64.
    pub sealed: String,
}

/// What is sealed: a value that can't be given out under another name.
#[derive(Serialize, Deserialize)]
pub struct Content {
    pub tenant: Tenant,
    pub name: String,
    pub value: String,
}

/// A plugin that may have a secret; with a host, to send it there and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Grant {
    pub verb: String,
    pub host: Option<String>,
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (verb, host) = text.split_once('@').map_or((text, None), |(verb, host)| (verb, Some(host)));
        match is_verb(verb) && host.is_none_or(is_host) {
            true => Ok(Self { verb: verb.into(), host: host.map(Into::into) }),
            false => Err(format!("`{text}` is neither VERB nor VERB@HOST, as API_CLIENT@api.example.org")),
        }
    }
}

impl TryFrom<String> for Grant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{}@{host}", self.verb),
            None => f.write_str(&self.verb),
        }
    }
}

/// The name under which a plugin's setting of type `secret` is kept.
pub fn of_setting(verb: &str, setting: &str) -> String {
    format!("{verb}.{setting}")
}

/// `NAME`, or a plugin's setting as `VERB.setting`.
pub fn is_name(name: &str) -> bool {
    match name.split_once('.') {
        Some((verb, setting)) => is_verb(verb) && schemas::manifest::is_setting(setting),
        None => is_secret(name),
    }
}

/// All secrets of a tenant.
pub fn all(tenant: &Tenant) -> String {
    format!("stage7.secret.{tenant}.>")
}

pub fn subject(tenant: &Tenant, name: &str) -> String {
    format!("stage7.secret.{tenant}.{name}")
}

/// Whose secret a record is about, and what it says.
pub fn read(record: &Record) -> Option<(Tenant, String, Secret)> {
    let (tenant, name) = record.subject.strip_prefix("stage7.secret.")?.split_once('.')?;
    Some((tenant.parse().ok()?, name.into(), serde_json::from_slice(&record.payload).ok()?))
}

/// The record of a word about a secret; `last` is the sequence of the one that it takes the place of.
pub fn record(tenant: &Tenant, name: &str, secret: &Secret, last: u64) -> Record {
    let data = serde_json::to_vec(secret).expect("a secret is plain data");
    registry::word(subject(tenant, name), KEPT, "/stage7/user", name, data, secret.since, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_and_shown_alike() {
        for text in ["SEARCH", "API_CLIENT@api.example.org", "API_CLIENT@api.example.org:8443", "X@localhost:80"] {
            assert_eq!(text.parse::<Grant>().map(|grant| grant.to_string()), Ok(text.into()));
        }
        for text in
            ["", "search", "X@", "X@Example.org", "X@*", "X@http://a.example", "@a.example", "X@a.example@b.example"]
        {
            assert!(text.parse::<Grant>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_record_says_whose_it_is() {
        let tenant: Tenant = "acme".parse().expect("a tenant");
        let secret = Secret { grants: vec!["X".parse().expect("a grant")], since: Time(7), seal: None };
        for name in ["API_KEY", "SEARCH.brave_key"] {
            assert!(is_name(name), "{name}");
            let record = record(&tenant, name, &secret, 0);
            assert_eq!(read(&record), Some((tenant.clone(), name.into(), secret.clone())));
        }
        assert!(!["", "api_key", "A.B", "SEARCH.", ".x", "A.b.c", "A B", "*", ">"].into_iter().any(is_name));
    }
}
