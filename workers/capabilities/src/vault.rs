//! What a tenant has chosen for a plugin, and the secrets that it was granted: fetched for each run.

use crate::runtime::Failure;
use nats::{jetstream::JetStream, seal::Opener};
use plugins::Secret;
use schemas::{
    Class, Tenant,
    manifest::{ANY, Manifest, Runtime, SettingKind},
    value::Value,
};
use std::{collections::BTreeMap, sync::Arc};
use streams::{
    registry::setting,
    secret::{self, Content, Grant},
};

/// Where secrets and settings come from.
#[derive(Clone)]
pub struct Vault {
    log: JetStream,
    opener: Arc<Opener>,
}

/// What a run is given beside its inputs.
#[derive(Debug, Default)]
pub struct Given {
    pub settings: BTreeMap<String, Value>,
    pub secrets: Vec<Secret>,
}

impl Vault {
    pub fn new(log: JetStream, opener: Arc<Opener>) -> Self {
        Self { log, opener }
    }

    /// What this plugin is given when it runs for a tenant now.
    ///
    /// # Errors
    /// Something that it needs is not there, was not granted or can't be opened: which, and what to do.
    pub async fn given(&self, tenant: &Tenant, manifest: &Manifest) -> Result<Given, Failure> {
        let mut given = Given::default();
        let (verb, wanted) = (&manifest.name, &manifest.permissions.secrets);
        if manifest.settings.is_empty() && wanted.is_empty() {
            return Ok(given);
        }
        let unread = |error: nats::log::ReadError| Failure::new(Class::Transient, error.to_string());
        if !manifest.settings.is_empty() {
            let words = self.log.load_from("REGISTRY", &setting::all(tenant, verb), 0).await.map_err(unread)?;
            given.settings = setting::folded(&words);
            given.settings.retain(|name, value| {
                manifest.settings.iter().any(|setting| setting.name == *name && setting.fits(value).is_ok())
            });
        }
        let words = self.log.load_from(secret::STREAM, &secret::all(tenant), 0).await.map_err(unread)?;
        let kept: BTreeMap<_, _> = words.iter().filter_map(secret::read).map(|(_, name, kept)| (name, kept)).collect();
        let open = |name: &str| -> Result<Option<(String, &[Grant])>, Failure> {
            let Some((seal, grants)) = kept.get(name).and_then(|kept| Some((kept.seal.as_ref()?, &kept.grants))) else {
                return Ok(None);
            };
            let closed = |why: String| {
                never(format!(
                    "{verb}: the secret {name} can't be opened: {why}; `stage7 secret set {name}` keeps it anew"
                ))
            };
            let bytes = self.opener.open(seal).map_err(|error| closed(error.to_string()))?;
            let content: Content = serde_json::from_slice(&bytes).map_err(|_| closed("it is no secret".into()))?;
            match content.tenant == *tenant && content.name == name {
                true => Ok(Some((content.value, grants.as_slice()))),
                false => Err(closed("it was kept under another name".into())),
            }
        };
        for setting in &manifest.settings {
            let name = &setting.name;
            if setting.kind == SettingKind::Secret
                && let Some((value, _)) = open(&secret::of_setting(verb, name))?
            {
                given.settings.insert(name.clone(), value.into());
            }
        }
        let any = wanted.iter().any(|name| name == ANY);
        let names: Vec<&String> = if any { kept.keys().collect() } else { wanted.iter().collect() };
        for name in names.into_iter().filter(|name| !name.contains('.')) {
            let grants = kept.get(name).map(|kept| kept.grants.as_slice()).unwrap_or_default();
            if any && !grants.iter().any(|grant| grant.verb == *verb) {
                continue;
            }
            let Some((value, grants)) = open(name)? else {
                return Err(never(format!("{verb} needs the secret {name}: `stage7 secret set {name} --for {verb}`")));
            };
            let mine: Vec<_> = grants.iter().filter(|grant| reaches(grant, manifest)).collect();
            if mine.is_empty() {
                return Err(never(format!(
                    "{verb} needs the secret {name}, which is not for it: `stage7 secret grant {name} --for {verb}`"
                )));
            }
            let each = mine.into_iter().map(|grant| grant.host.clone());
            given.secrets.extend(each.map(|host| Secret { name: name.clone(), host, value: value.clone() }));
        }
        Ok(given)
    }
}

/// Is it for this plugin? A program that may talk to other hosts could send a secret there; native
/// plugins see to it themselves.
fn reaches(grant: &Grant, manifest: &Manifest) -> bool {
    let kept_in = |host: &String| manifest.permissions.network.iter().all(|other| other == host);
    let is_native = manifest.runtime == Runtime::Native;
    grant.verb == manifest.name && (is_native || grant.host.as_ref().is_none_or(kept_in))
}

fn never(why: String) -> Failure {
    Failure::new(Class::Permanent, why)
}
