//! What people say about plugins and their publishers: checked against what was said before, then
//! put into the registry. The capabilities heed it.

use crate::{Door, unread, unwritten};
use nats::{jetstream::JetStream, key::TENANT, registry};
use schemas::{Fault, Tenant, Value, Writer, goal::is_sha256, manifest::is_verb};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use streams::{
    registry::market::{
        ADDED, Added, DISABLED, ENABLED, Market, PINNED, Pinned, REMOVED, REVOKED, TRUSTED, Trusted, WORDS,
    },
    submission::Refusal,
};

/// Bytes of a public key.
const KEY: usize = 8 * 1024;
/// Versions of one verb that are kept side by side.
const MOST_VERSIONS: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trust {
    fingerprint: String,
    publisher: String,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    fingerprint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    verb: String,
    version: String,
    publisher: String,
    digest: String,
    sha256: String,
    size: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    verb: String,
    #[serde(default)]
    version: Option<String>,
}

/// Does what somebody asked for; gives what it came to.
pub async fn order(door: &Door, tenant: &Tenant, what: &str, body: &[u8]) -> Result<Value, Refusal> {
    if tenant.as_str() != TENANT {
        let message = format!("plugins and keys are for all tenants: they are the operator's, tenant `{TENANT}`");
        return Err(Refusal::new("not_yours", message));
    }
    let market = read(&door.log).await?;
    let say = async |kind: &str, key: &str, data: Value| {
        registry::say(&door.log, Writer::User, kind, Some(key), &data).await.map_err(unwritten)
    };
    match what {
        "key.trust" => {
            let Trust { fingerprint, publisher, key } = given(body)?;
            form("/fingerprint", is_hex(&fingerprint, 32), "has 32 hex digits")?;
            form("/publisher", (1..=200).contains(&publisher.len()), "has 1 to 200 bytes")?;
            form("/key", key.len() <= KEY && key.contains("PUBLIC KEY"), "is a public key, PEM, of at most 8 KiB")?;
            let known = market.keys().find(|(id, _)| *id == fingerprint).map(|(_, key)| key);
            if market.is_revoked(&fingerprint) {
                return Err(Refusal::new("revoked_key", format!("the key {fingerprint} was revoked, for good")));
            }
            if let Some(known) = known {
                let whose = &known.trusted.publisher;
                return match *whose == publisher {
                    true => Ok(json!({"fingerprint": fingerprint})),
                    false => Err(Refusal::new("known_key", format!("the key {fingerprint} is known, as `{whose}`'s"))),
                };
            }
            say(TRUSTED, &fingerprint, json!(Trusted { publisher, key })).await?;
            Ok(json!({"fingerprint": fingerprint}))
        }
        "key.revoke" => {
            let Revoke { fingerprint } = given(body)?;
            form("/fingerprint", is_hex(&fingerprint, 32), "has 32 hex digits")?;
            if !market.is_revoked(&fingerprint) {
                say(REVOKED, &fingerprint, json!({})).await?;
            }
            Ok(json!({"fingerprint": fingerprint}))
        }
        "plugin.add" => {
            let Add { verb, version, publisher, digest, sha256, size } = given(body)?;
            form("/verb", is_verb(&verb), "is the name of a verb, as COUNT_WORDS")?;
            form("/version", semver::Version::parse(&version).is_ok(), "is a semantic version, as 1.0.0")?;
            form("/digest", is_sha256(&digest), "is a SHA-256 in hex")?;
            form("/sha256", is_sha256(&sha256), "is a SHA-256 in hex")?;
            is_free(door, &market, &verb).await?;
            let versions = market.versions(&verb);
            match versions.iter().find(|added| added.version == version) {
                Some(added) if added.digest != digest => {
                    let message = format!("{verb} {version} is there, with other bytes: raise the version");
                    return Err(Refusal::of_faults("taken_version", vec![Fault::new("/version", message)]));
                }
                Some(_) => {}
                None if versions.len() >= MOST_VERSIONS => {
                    let message = format!("{verb} has {MOST_VERSIONS} versions: remove some");
                    return Err(Refusal::new("too_many_versions", message));
                }
                None => {
                    let tenant = tenant.to_string();
                    let added =
                        Added { verb: verb.clone(), version: version.clone(), publisher, digest, sha256, size, tenant };
                    say(ADDED, &added.digest, json!(added)).await?;
                }
            }
            Ok(
                json!({"verb": verb, "version": version, "current": read(&door.log).await?.current(&verb).map(|added| &added.version)}),
            )
        }
        "plugin.remove" => {
            let Which { verb, version } = given(body)?;
            let versions = market.versions(&verb);
            let chosen = |added: &&&Added| version.as_ref().is_none_or(|version| added.version == *version);
            let gone: Vec<_> = versions.iter().filter(chosen).collect();
            if gone.is_empty() {
                return Err(unknown(&market, &verb, version.as_deref()));
            }
            for added in &gone {
                say(REMOVED, &added.digest, json!({})).await?;
            }
            Ok(json!({"verb": verb, "removed": gone.iter().map(|added| &added.version).collect::<Vec<_>>()}))
        }
        "plugin.enable" | "plugin.disable" => {
            let Which { verb, .. } = given(body)?;
            let disable = what == "plugin.disable";
            is_ours(door, &verb).await?;
            if market.is_disabled(&verb) != disable {
                say(if disable { DISABLED } else { ENABLED }, &verb, json!({})).await?;
            }
            Ok(json!({"verb": verb, "enabled": !disable}))
        }
        "plugin.pin" => {
            let Which { verb, version } = given(body)?;
            let there = market.versions(&verb).iter().any(|added| Some(&added.version) == version.as_ref());
            if version.is_some() && !there {
                return Err(unknown(&market, &verb, version.as_deref()));
            }
            say(PINNED, &verb, json!(Pinned { version })).await?;
            Ok(json!({"verb": verb, "current": read(&door.log).await?.current(&verb).map(|added| &added.version)}))
        }
        "plugin.rollback" => {
            let Which { verb, .. } = given(body)?;
            let (versions, current) = (market.versions(&verb), market.current(&verb));
            let at = versions.iter().position(|added| Some(*added) == current);
            let Some(before) = at.and_then(|at| at.checked_sub(1)).map(|at| versions[at].version.clone()) else {
                return match current {
                    None => Err(unknown(&market, &verb, None)),
                    Some(added) => {
                        Err(Refusal::new("no_version", format!("{verb} {} is the oldest there is", added.version)))
                    }
                };
            };
            say(PINNED, &verb, json!(Pinned { version: Some(before.clone()) })).await?;
            Ok(json!({"verb": verb, "current": before}))
        }
        _ => Err(Refusal::new(
            "unknown_command",
            format!(
                "`{what}` is not one of key.trust, key.revoke, plugin.add, plugin.remove, plugin.enable, \
                 plugin.disable, plugin.pin, plugin.rollback"
            ),
        )),
    }
}

/// Says of keys what was not said yet: whose they are, and which were revoked.
///
/// # Errors
/// The log does not take it.
pub async fn know(log: &JetStream, keys: &[(String, Trusted, bool)]) -> Result<(), Refusal> {
    let market = read(log).await?;
    for (fingerprint, trusted, is_revoked) in keys {
        let is_known = market.keys().any(|(id, _)| id == fingerprint);
        if *is_revoked && !market.is_revoked(fingerprint) {
            registry::say(log, Writer::User, REVOKED, Some(fingerprint), &json!({})).await.map_err(unwritten)?;
        } else if !is_revoked && !is_known && !market.is_revoked(fingerprint) {
            registry::say(log, Writer::User, TRUSTED, Some(fingerprint), trusted).await.map_err(unwritten)?;
        }
    }
    Ok(())
}

/// What was said so far.
pub async fn read(log: &JetStream) -> Result<Market, Refusal> {
    let mut market = Market::default();
    for filter in WORDS {
        log.load_from("REGISTRY", filter, 0).await.map_err(unread)?.iter().for_each(|word| market.evolve(word));
    }
    Ok(market)
}

/// The versions of a verb that was added, and which one counts.
pub fn versions(market: &Market, verb: &str) -> Value {
    let all = market.versions(verb);
    let version =
        |added: &&Added| json!({"version": added.version, "digest": added.digest, "publisher": added.publisher});
    json!({
        "versions": all.iter().map(version).collect::<Vec<_>>(),
        "current": market.current(verb).map(|added| &added.version),
        "pinned": market.pinned(verb),
    })
}

/// Nobody takes the place of a verb that is shipped.
async fn is_free(door: &Door, market: &Market, verb: &str) -> Result<(), Refusal> {
    let mut reader = door.registry.lock().await;
    let registry = reader.read(&door.log).await.map_err(unread)?;
    let shipped = registry.plugins().any(|plugin| plugin.verb.name == verb && !market.knew(&plugin.digest));
    let message = format!("{verb} comes with stage7: choose another name");
    if shipped { Err(Refusal::of_faults("taken_verb", vec![Fault::new("/verb", message)])) } else { Ok(()) }
}

/// It is there, and a plugin.
async fn is_ours(door: &Door, verb: &str) -> Result<(), Refusal> {
    let mut reader = door.registry.lock().await;
    let registry = reader.read(&door.log).await.map_err(unread)?;
    let Some(plugin) = registry.plugins().find(|plugin| plugin.verb.name == verb) else {
        let message = format!("there is no plugin `{verb}`");
        return Err(Refusal::of_faults("unknown_plugin", vec![Fault::new("/verb", message)]));
    };
    match plugin.verb.runner {
        schemas::catalogue::Runner::Agent => {
            Err(Refusal::new("agents_verb", format!("{verb} is what agents do themselves: it can't be switched off")))
        }
        _ => Ok(()),
    }
}

fn unknown(market: &Market, verb: &str, version: Option<&str>) -> Refusal {
    let versions: Vec<_> = market.versions(verb).iter().map(|added| added.version.as_str()).collect();
    let message = match (versions.is_empty(), version) {
        (true, _) => format!("no plugin `{verb}` was added"),
        (false, version) => {
            format!("there is no {verb} {}; there are {}", version.unwrap_or_default(), versions.join(", "))
        }
    };
    Refusal::of_faults("unknown_plugin", vec![Fault::new("/verb", message)])
}

pub fn given<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|e| Refusal::new("invalid_json", format!("what was given is wrong: {e}")))
}

pub fn form(at: &str, is_right: bool, right: &str) -> Result<(), Refusal> {
    let fault = || Fault::new(at, format!("{} {right}", at.trim_start_matches('/')));
    if is_right { Ok(()) } else { Err(Refusal::of_faults("invalid_order", vec![fault()])) }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
