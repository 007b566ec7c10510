//! `stage7 setup`: keys and configuration for a server of one's own, then its streams and consumers.

use crate::{
    cli,
    config::Config,
    exit::{Code, Error},
    host::{creds, set_up},
    progress::{out, say},
};
use anyhow::Context;
use nats::{
    config::{self as server, TENANTS_FILE},
    key::Ring,
    setup::Change,
};
use serde_json::json;
use std::{fs, path::Path};

pub async fn run(config: &Config, asked: &cli::Setup, json: bool) -> Result<Code, Error> {
    if config.nats_url.is_none() && asked.write.is_none() {
        return Err(Error::usage(
            "say what to set up: --nats URL --creds DIR for a running server, or --write DIR --creds DIR for the configuration of one",
        ));
    }
    let ring = Ring::ensure(creds(config)?).context("the keys")?;
    if !json {
        out!("keys: {}", ring.dir().display());
    }
    if let Some(dir) = &asked.write {
        let file = write(dir, &ring).with_context(|| format!("the configuration in {}", dir.display()))?;
        match json {
            true => say(&json!({"kind": "configuration", "path": file, "creds": ring.dir()})),
            false => out!("configuration: {file}\nstart it with: nats-server -c {file}"),
        }
    }
    if let Some(url) = &config.nats_url {
        let changes = set_up(url, &ring, &super::note(json)).await?;
        let named = |wanted: Change| {
            changes.iter().filter(move |(_, change)| *change == wanted).map(|(name, _)| *name).collect::<Vec<_>>()
        };
        let (created, updated) = (named(Change::Created), named(Change::Updated));
        match json {
            true => say(
                &json!({"kind": "setup", "nats_url": url, "created": created, "updated": updated, "creds": ring.dir()}),
            ),
            false if changes.is_empty() => out!("streams and consumers are as they should be"),
            false => out!("created: {}\nupdated: {}", list(&created), list(&updated)),
        }
    }
    Ok(Code::Completed)
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

/// Public keys only; the seeds stay where they are.
fn write(dir: &Path, ring: &Ring) -> anyhow::Result<String> {
    fs::create_dir_all(dir.join("accounts"))?;
    let dir = dir.canonicalize()?;
    let store_dir = dir.join("store");
    let keys = server::public_keys(ring);
    let text =
        server::Config { listen: "127.0.0.1:4222", store_dir: &store_dir, sync: server::Sync::Always, keys: &keys }
            .render();
    fs::write(dir.join(TENANTS_FILE), server::tenants(&server::default_tenant(ring)))?;
    let path = dir.join("nats-server.conf");
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}
