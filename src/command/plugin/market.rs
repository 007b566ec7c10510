//! `stage7 plugin add`, `remove`, `enable`, `disable`, `pin` and `rollback`: which plugins there are.

use super::publish::{opened, told_refused};
use crate::{
    client::{self, Client},
    config::Config,
    exit::{Code, Error},
    home::{self, Home},
    keyring::{self, Keyring},
    progress::{clean, out, say},
};
use anyhow::{Context, anyhow};
use capabilities::{package::Package, signature};
use schemas::Value;
use serde_json::json;
use std::{path::Path, time::Duration};
use tokio::time::{Instant, sleep};

/// How long what was said may take to be heeded.
const HEEDED: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// What is done with a verb that is there.
pub enum Deed {
    Remove(Option<String>),
    Enable,
    Disable,
    Pin(Option<String>),
    Rollback,
}

/// Adds a folder, signing it, or an archive that somebody known has signed.
pub async fn add(config: &Config, path: &Path, json: bool) -> Result<Code, Error> {
    let package = vouched(config, path)?;
    let home = home::find_or_start(config, &crate::command::note(json)).await?;
    let added = added(config, &home, &package).await;
    home.close().await;
    shown(&added?, json)
}

pub async fn change(config: &Config, verb: &str, deed: Deed, json: bool) -> Result<Code, Error> {
    let home = home::find_or_start(config, &crate::command::note(json)).await?;
    let changed = changed(&home.client, verb, deed).await;
    home.close().await;
    shown(&changed?, json)
}

/// Signed by its publisher's key where that is here, and by somebody known in any case.
fn vouched(config: &Config, path: &Path) -> Result<Package, Error> {
    let mut package = opened(path)?;
    let mut ring = Keyring::open(&config.data)?;
    let publisher = package.plugin.manifest.publisher.clone();
    if path.is_dir() && (package.signature.is_none() || publisher == keyring::LOCAL) {
        let signer = ring.signer(&publisher, crate::command::now());
        let signer = signer.map_err(|error| Error::usage(format!("{error:#}")))?;
        let signed = signer.sign(&publisher, &package.plugin.statement()).map_err(|error| anyhow!(error))?;
        package.signature = Some(signed);
    }
    let statement = package.plugin.statement();
    signature::verify(&publisher, &statement, package.signature.as_ref(), &ring.known()?)
        .map_err(|why| told_refused(&package, &why))?;
    Ok(package)
}

async fn added(config: &Config, home: &Home, package: &Package) -> Result<Value, Error> {
    let client = &home.client;
    keyring::told(&Keyring::open(&config.data)?, client).await?;
    let stored = client.put_bytes(package.archive().into()).await?;
    let (manifest, digest) = (&package.plugin.manifest, package.plugin.digest());
    let order = json!({
        "verb": manifest.name, "version": manifest.version, "publisher": manifest.publisher, "digest": digest,
        "sha256": stored.sha256, "size": stored.size,
    });
    let answer = client.order("plugin.add", &order).await?;
    let current = answer["current"].as_str().context("the door says which version counts")?.to_string();
    let is_heeded = |plugin: &Value| plugin["version"] == current.as_str();
    let mut plugin = heeded(client, &manifest.name, is_heeded).await?;
    plugin["added"]["this"] = json!(manifest.version);
    Ok(plugin)
}

async fn changed(client: &Client, verb: &str, deed: Deed) -> Result<Value, Error> {
    let named = |what: &'static str, version: Option<String>| (what, json!({"verb": verb, "version": version}));
    let (what, order) = match deed {
        Deed::Remove(version) => named("plugin.remove", version),
        Deed::Enable => named("plugin.enable", None),
        Deed::Disable => named("plugin.disable", None),
        Deed::Pin(version) => named("plugin.pin", version),
        Deed::Rollback => named("plugin.rollback", None),
    };
    let answer = client.order(what, &order).await?;
    match what {
        "plugin.remove" => {
            let removed = answer["removed"].clone();
            heeded(client, verb, |plugin| !removed.as_array().is_some_and(|all| all.contains(&plugin["version"]))).await
        }
        "plugin.enable" => heeded(client, verb, |plugin| plugin["state"] != "disabled").await,
        "plugin.disable" => heeded(client, verb, |plugin| plugin["state"] == "disabled").await,
        _ => heeded(client, verb, |plugin| plugin["version"] == answer["current"]).await,
    }
}

/// The plugin, once it is as it was ordered; `null` is one that is gone.
async fn heeded(client: &Client, verb: &str, holds: impl Fn(&Value) -> bool) -> Result<Value, Error> {
    let until = Instant::now() + HEEDED;
    loop {
        let read = client.read(&json!({"plugin": verb})).await;
        match read {
            Ok(mut answer) if holds(&answer["plugin"]) => return Ok(answer["plugin"].take()),
            Err(client::Error::Refused(refusal)) if refusal.error.code == "unknown_plugin" && holds(&Value::Null) => {
                return Ok(json!({"verb": verb, "version": null, "state": "removed"}));
            }
            Err(error) if Instant::now() > until => return Err(error.into()),
            _ if Instant::now() > until => {
                return Err(Error::failed(format!(
                    "{verb}: it was noted, and no worker heeds it; does a `capabilities` worker run?"
                )));
            }
            _ => sleep(LOOK).await,
        }
    }
}

fn shown(plugin: &Value, json: bool) -> Result<Code, Error> {
    match json {
        true => say(plugin),
        false => {
            let text = |field: &str| clean(plugin[field].as_str().unwrap_or_default());
            let reason = if text("reason").is_empty() { String::new() } else { format!(": {}", text("reason")) };
            let words = [text("verb"), text("version"), text("state")];
            out!(
                "{}{reason}",
                words.iter().filter(|word| !word.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
            );
            let (this, pinned) = (&plugin["added"]["this"], &plugin["added"]["pinned"]);
            if this.is_string() && *this != plugin["version"] {
                let why = if pinned.is_null() { "is newer" } else { "is pinned" };
                out!("{} is there, too: {} {why}", clean(this.as_str().unwrap_or_default()), text("version"));
            }
        }
    }
    Ok(Code::Completed)
}
