//! Secrets as the door sees them: sealed. It checks who may have them, and keeps them.

use crate::{
    Door,
    market::{form, given},
    unread, unwritten,
};
use nats::{
    jetstream::JetStream,
    log::{AppendError, Guard, Log},
};
use schemas::{Fault, Tenant, Value, Writer, manifest::SettingKind};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use streams::{
    secret::{self, ANNOUNCED, Announced, Grant, STREAM, Seal, Secret},
    subject,
    submission::Refusal,
};

/// Characters of what is sealed: a value of 8 KiB, and what names it.
const LONGEST: usize = 16 * 1024;
/// Secrets of a tenant.
const MOST: usize = 1_000;
/// Plugins that may have one secret.
const MOST_GRANTS: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    name: String,
    /// Absent: as before.
    #[serde(default, rename = "for")]
    grants: Option<Vec<Grant>>,
    seal: Seal,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    name: String,
    #[serde(rename = "for")]
    grants: Vec<Grant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

/// Does what somebody asked for; gives what is kept then.
pub async fn order(door: &Door, tenant: &Tenant, what: &str, body: &[u8]) -> Result<Value, Refusal> {
    match what {
        "set" => {
            let Set { name, grants, seal } = given(body)?;
            form("/name", secret::is_name(&name), "is the name of a secret, as API_KEY")?;
            form("/seal/sealed", seal.sealed.len() <= LONGEST, "is of a value of at most 8 KiB")?;
            let key = key(&door.log).await?;
            if seal.to != key {
                let message = format!("it is sealed to another key than {key}, which secrets are opened with now");
                return Err(Refusal::of_faults("another_key", vec![Fault::new("/seal/to", message)]));
            }
            let of = match name.split_once('.') {
                Some((verb, setting)) => Some(vec![of_setting(door, verb, setting).await?]),
                None => None,
            };
            let kept = kept(&door.log, tenant).await?;
            if !kept.contains_key(&name) && kept.len() >= MOST {
                return Err(Refusal::new("too_many_secrets", format!("{MOST} secrets are kept already: remove some")));
            }
            keep(door, tenant, &name, |before| {
                let before = before.filter(|secret| secret.seal.is_some()).map(|secret| secret.grants);
                Ok((of.clone().or_else(|| grants.clone()).or(before).unwrap_or_default(), Some(seal.clone())))
            })
            .await
        }
        "grant" => {
            let Allow { name, grants } = given(body)?;
            form("/name", secret::is_name(&name) && !name.contains('.'), "is the name of a secret, as API_KEY")?;
            keep(door, tenant, &name, |before| match before.and_then(|secret| secret.seal) {
                Some(seal) => Ok((grants.clone(), Some(seal))),
                None => Err(unknown(&name)),
            })
            .await
        }
        "remove" => {
            let Named { name } = given(body)?;
            form("/name", secret::is_name(&name), "is the name of a secret, as API_KEY")?;
            keep(door, tenant, &name, |before| match before.and_then(|secret| secret.seal) {
                Some(_) => Ok((Vec::new(), None)),
                None => Err(unknown(&name)),
            })
            .await
        }
        _ => Err(Refusal::new(
            "unknown_command",
            format!("`secret.{what}` is not one of secret.set, secret.grant, secret.remove"),
        )),
    }
}

/// What is kept for a tenant, and the key to seal to.
pub async fn list(log: &JetStream, tenant: &Tenant) -> Result<Value, Refusal> {
    let kept = kept(log, tenant).await?;
    let all: Vec<_> = kept.iter().map(|(name, secret)| shown(name, secret)).collect();
    Ok(json!({"secrets": all, "key": key(log).await?}))
}

/// The secrets of a tenant that were not removed.
pub async fn kept(log: &JetStream, tenant: &Tenant) -> Result<BTreeMap<String, Secret>, Refusal> {
    let words = log.load_from(STREAM, &secret::all(tenant), 0).await.map_err(unread)?;
    let kept = words.iter().filter_map(secret::read).map(|(_, name, secret)| (name, secret));
    Ok(kept.filter(|(_, secret)| secret.seal.is_some()).collect())
}

fn shown(name: &str, secret: &Secret) -> Value {
    json!({"name": name, "for": secret.grants, "since": secret.since})
}

/// The key that secrets are opened with.
async fn key(log: &JetStream) -> Result<String, Refusal> {
    let word = log.last_from("REGISTRY", &subject::registry(Writer::Capability, ANNOUNCED, None)).await;
    let word = word.map_err(unread)?.and_then(|word| serde_json::from_slice::<Announced>(&word.payload).ok());
    let missing = || Refusal::new("unavailable", "no `capabilities` worker has told its key yet; try again");
    word.map(|word| word.key).ok_or_else(missing)
}

/// The plugin that has such a setting, which is a secret.
async fn of_setting(door: &Door, verb: &str, setting: &str) -> Result<Grant, Refusal> {
    let wrong = |message: String| Refusal::of_faults("unknown_setting", vec![Fault::new("/name", message)]);
    let mut reader = door.registry.lock().await;
    let registry = reader.read(&door.log).await.map_err(unread)?;
    let plugin = registry.plugins().find(|plugin| plugin.verb.name == verb);
    let plugin = plugin.ok_or_else(|| wrong(format!("there is no plugin `{verb}`")))?;
    let secrets = plugin.settings.iter().filter(|setting| setting.kind == SettingKind::Secret);
    let names: Vec<_> = secrets.map(|setting| setting.name.as_str()).collect();
    match names.contains(&setting) {
        true => Ok(Grant { verb: verb.into(), host: None }),
        false if names.is_empty() => Err(wrong(format!("no setting of {verb} is a secret"))),
        false => Err(wrong(format!("`{setting}` is no secret setting of {verb}; there are {}", names.join(", ")))),
    }
}

/// Puts a word in the place of the last one.
async fn keep(
    door: &Door,
    tenant: &Tenant,
    name: &str,
    change: impl Fn(Option<Secret>) -> Result<(Vec<Grant>, Option<Seal>), Refusal>,
) -> Result<Value, Refusal> {
    let filter = secret::subject(tenant, name);
    loop {
        let last = door.log.last_from(STREAM, &filter).await.map_err(unread)?;
        let (seq, before) = last.map_or((0, None), |record| (record.seq, secret::read(&record)));
        let (mut grants, seal) = change(before.map(|(_, _, secret)| secret))?;
        grants.sort_unstable();
        grants.dedup();
        form("/for", grants.len() <= MOST_GRANTS, &format!("names at most {MOST_GRANTS} plugins"))?;
        let secret = Secret { grants, since: door.log.now(), seal };
        let record = secret::record(tenant, name, &secret, seq);
        match door.log.append(&record, &Guard { filter: filter.clone(), last: seq }).await {
            Ok(_) => return Ok(shown(name, &secret)),
            // Somebody else was quicker: what there is now counts.
            Err(AppendError::Conflict) => {}
            Err(error) => return Err(unwritten(error)),
        }
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::of_faults("unknown_secret", vec![Fault::new("/name", format!("there is no secret {name}"))])
}
