//! `stage7 plugin sign`, `verify` and `pack`: who vouches for a plugin. Nothing needs to run for them.

use crate::{
    config::Config,
    exit::{Code, Error},
    keyring::Keyring,
    progress::{out, say},
};
use anyhow::{Context, anyhow};
use capabilities::{
    package::{self, Package},
    signature,
};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

pub fn sign(config: &Config, dir: &Path, json: bool) -> Result<Code, Error> {
    let package = signed(config, dir)?;
    let signature = package.signature.as_ref().context("it was signed just now")?;
    let path = dir.join(signature::FILE);
    fs::write(&path, package::sealed(signature)).with_context(|| path.display().to_string())?;
    told(&package, &format!("signed by `{}`", signature.publisher), json);
    Ok(Code::Completed)
}

pub fn verify(config: &Config, path: &Path, json: bool) -> Result<Code, Error> {
    let package = opened(path)?;
    let known = Keyring::open(&config.data)?.known()?;
    let (manifest, statement) = (&package.plugin.manifest, package.plugin.statement());
    signature::verify(&manifest.publisher, &statement, package.signature.as_ref(), &known)
        .map_err(|why| told_refused(&package, &why))?;
    told(&package, &format!("is what `{}` signed", manifest.publisher), json);
    Ok(Code::Completed)
}

pub fn pack(config: &Config, dir: &Path, to: Option<PathBuf>, json: bool) -> Result<Code, Error> {
    let package = signed(config, dir)?;
    let manifest = &package.plugin.manifest;
    let name = manifest.name.to_lowercase().replace('_', "-");
    let to = to.unwrap_or_else(|| format!("{name}-{}.tar.gz", manifest.version).into());
    fs::write(&to, package.archive()).with_context(|| to.display().to_string())?;
    match json {
        true => say(
            &json!({"verb": manifest.name, "version": manifest.version, "digest": package.plugin.digest(), "file": to}),
        ),
        false => out!("{} {}, signed by `{}`: {}", manifest.name, manifest.version, manifest.publisher, to.display()),
    }
    Ok(Code::Completed)
}

/// A folder's plugin, signed anew.
fn signed(config: &Config, dir: &Path) -> Result<Package, Error> {
    let mut package = opened(dir)?;
    let publisher = &package.plugin.manifest.publisher;
    let signer = Keyring::open(&config.data)?.signer(publisher, crate::command::now());
    let signer = signer.map_err(|error| Error::usage(format!("{error:#}")))?;
    let signature = signer.sign(publisher, &package.plugin.statement());
    package.signature = Some(signature.map_err(|error| anyhow!(error))?);
    Ok(package)
}

/// A plugin's folder or archive.
pub fn opened(path: &Path) -> Result<Package, Error> {
    package::open(path).map_err(|error| match error {
        package::Error::Io(..) => Error::from(anyhow!(error)),
        error => Error::failed(format!("{}: {error}", path.display())),
    })
}

pub fn told_refused(package: &Package, why: &signature::Refused) -> Error {
    let manifest = &package.plugin.manifest;
    Error::refused(format!("{} {}: {why}", manifest.name, manifest.version))
}

fn told(package: &Package, what: &str, json: bool) {
    let (manifest, digest) = (&package.plugin.manifest, package.plugin.digest());
    match json {
        true => say(&json!({
            "verb": manifest.name, "version": manifest.version, "publisher": manifest.publisher,
            "digest": digest, "key": package.signature.as_ref().map(|signature| &signature.key),
        })),
        false => out!("{} {} {what} ({})", manifest.name, manifest.version, &digest[..12]),
    }
}
