//! The plugins of this instance: those that are shipped, and those that people have added, each
//! checked before every run.

use crate::{
    Host, State,
    package::{self, Package},
    plugin::Plugin,
    runtime::Failure,
    signature::{self, Known, PublicKey, Refused},
};
use nats::{
    jetstream::JetStream,
    log::{Log, ReadError},
};
use schemas::{Class, Tenant, manifest::Manifest};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use streams::registry::{
    self,
    market::{Added, Market, WORDS},
};

/// All plugins that can be asked for here.
pub struct Shelf {
    shipped: BTreeMap<String, Arc<Plugin>>,
    said: Mutex<Said>,
}

/// What people have said, as far as it was heard.
#[derive(Default)]
struct Said {
    market: Market,
    /// How far each of [`WORDS`] was read.
    after: [u64; WORDS.len()],
    known: Arc<[Known]>,
    /// By digest; or why it can't be used.
    packages: BTreeMap<String, Result<Arc<Package>, String>>,
}

impl Shelf {
    pub fn new(shipped: Vec<Plugin>) -> Self {
        let shipped = shipped.into_iter().map(|plugin| (plugin.manifest.name.clone(), Arc::new(plugin))).collect();
        Self { shipped, said: Mutex::default() }
    }

    /// Takes in what people have said since; `true` when that was anything.
    ///
    /// # Errors
    /// The log does not answer.
    pub async fn refresh(&self, log: &JetStream) -> Result<bool, ReadError> {
        let after = self.said().after;
        let mut words = Vec::new();
        for (filter, after) in WORDS.iter().zip(after) {
            words.push(log.load_from("REGISTRY", filter, after).await?);
        }
        {
            let mut said = self.said();
            // Two may have read at once: each word counts once.
            let Said { market, after, known, .. } = &mut *said;
            for (words, after) in words.iter().zip(after.iter_mut()) {
                for word in words.iter().filter(|word| word.seq > *after) {
                    market.evolve(word);
                }
                *after = words.last().map_or(*after, |last| last.seq.max(*after));
            }
            *known = market.keys().filter_map(|(fingerprint, key)| known_of(fingerprint, key)).collect();
        }
        self.fetch(log).await?;
        Ok(words.iter().any(|words| !words.is_empty()))
    }

    /// Fetches the packages that are wanted and not here, and lets those go that are not.
    async fn fetch(&self, log: &JetStream) -> Result<(), ReadError> {
        let missing: Vec<Added> = {
            let mut said = self.said();
            let Said { market, packages, .. } = &mut *said;
            packages.retain(|digest, _| market.added().any(|added| added.digest == *digest));
            market.added().filter(|added| !packages.contains_key(&added.digest)).cloned().collect()
        };
        for added in missing {
            let package = match brought(log, &added).await {
                Ok(package) => Ok(Arc::new(package)),
                Err(Unbrought::Log(error)) => return Err(error),
                Err(Unbrought::Never(why)) => Err(why),
            };
            self.said().packages.insert(added.digest, package);
        }
        Ok(())
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A plugin that is in the binary.
    pub fn shipped(&self, verb: &str) -> Option<&Arc<Plugin>> {
        self.shipped.get(verb)
    }

    /// The plugin for a run, if it may be run now: signed by somebody whose key counts, unchanged,
    /// and not switched off.
    ///
    /// # Errors
    /// Why not.
    pub fn take(&self, verb: &str, version: &str) -> Result<Arc<Plugin>, Failure> {
        let never = |why: String| Failure::new(Class::Permanent, why);
        let said = self.said();
        if said.market.is_disabled(verb) {
            return Err(never(format!("{verb} was disabled: `stage7 plugin enable {verb}` undoes that")));
        }
        if let Some(plugin) = self.shipped.get(verb) {
            let here = &plugin.manifest.version;
            return match here == version {
                true => Ok(Arc::clone(plugin)),
                false => Err(never(format!("{verb} is here in version {here}, not in {version}"))),
            };
        }
        let versions = said.market.versions(verb);
        let Some(added) = versions.iter().find(|added| added.version == version) else {
            let here: Vec<_> = versions.iter().map(|added| added.version.as_str()).collect();
            return Err(never(match here.is_empty() {
                true => format!("there is no plugin for `{verb}`"),
                false => format!("{verb} {version} was removed; there are {}", here.join(", ")),
            }));
        };
        let claim = said.claim(added);
        // Packages may be large: nobody waits while one is checked.
        drop(said);
        let usable = claim.and_then(Claim::checked);
        usable.map_err(|why| never(format!("{verb} {version} is refused: {why}")))
    }

    /// What the registry is to say of each plugin: the version that new missions get.
    pub async fn registered(&self, host: &Host) -> Vec<registry::Plugin> {
        let mut all = Vec::new();
        for plugin in self.shipped.values() {
            all.push(entry(plugin, host).await);
        }
        let added: Vec<_> = {
            let said = self.said();
            let current = said.market.verbs().into_iter().filter_map(|verb| said.market.current(verb));
            let all = current.filter(|added| !self.shipped.contains_key(&added.verb));
            all.filter_map(|added| said.claim(added).ok()).collect()
        };
        for claim in added {
            let mut entry = entry(&claim.package.plugin, host).await;
            if let Err(why) = claim.checked() {
                (entry.state, entry.reason) = (registry::State::Unavailable, Some(why));
            }
            all.push(entry);
        }
        let said = self.said();
        for entry in all.iter_mut().filter(|entry| said.market.is_disabled(&entry.verb.name)) {
            entry.state = registry::State::Disabled;
            entry.reason = Some(format!("`stage7 plugin enable {}` undoes that", entry.verb.name));
        }
        all
    }
}

impl Said {
    /// Its package, and what it is to be checked against.
    fn claim(&self, added: &Added) -> Result<Claim, String> {
        let package = match self.packages.get(&added.digest) {
            Some(Ok(package)) => Arc::clone(package),
            Some(Err(why)) => return Err(why.clone()),
            None => return Err("its package is not here yet".into()),
        };
        let is_revoked = package.signature.as_ref().is_some_and(|signature| self.market.is_revoked(&signature.key));
        Ok(Claim { package, known: Arc::clone(&self.known), is_revoked })
    }
}

/// A package that may be run if somebody vouches for it who is to be trusted now.
struct Claim {
    package: Arc<Package>,
    known: Arc<[Known]>,
    /// The key of its signature was revoked, known or not.
    is_revoked: bool,
}

impl Claim {
    fn checked(self) -> Result<Arc<Plugin>, String> {
        let (plugin, signature) = (&self.package.plugin, self.package.signature.as_ref());
        let publisher = &plugin.manifest.publisher;
        let judged = match signature.filter(|_| self.is_revoked) {
            Some(signature) => Err(Refused::Revoked { publisher: publisher.clone(), key: signature.key.clone() }),
            None => signature::verify(publisher, &plugin.statement(), signature, &self.known),
        };
        judged.map(|()| Arc::clone(plugin)).map_err(|why| why.to_string())
    }
}

/// What the registry is to say of one plugin.
pub async fn entry(plugin: &Plugin, host: &Host) -> registry::Plugin {
    let (state, reason) = match host.state(plugin).await {
        State::Enabled => (registry::State::Enabled, None),
        State::Unavailable(reason) => (registry::State::Unavailable, Some(reason)),
    };
    let Manifest { settings, .. } = &plugin.manifest;
    registry::Plugin {
        verb: plugin.manifest.verb(),
        digest: plugin.digest(),
        state,
        reason,
        settings: settings.clone(),
    }
}

/// A key that is the one that it is said to be.
fn known_of(fingerprint: &str, key: &registry::market::Key) -> Option<Known> {
    let public = PublicKey::from_pem(&key.trusted.key).ok().filter(|public| public.fingerprint() == fingerprint)?;
    Some(Known { publisher: key.trusted.publisher.clone(), key: public, is_revoked: key.is_revoked })
}

enum Unbrought {
    /// Later it may be.
    Log(ReadError),
    Never(String),
}

/// Fetches a package, and sees that it is the one that was added.
async fn brought(log: &JetStream, added: &Added) -> Result<Package, Unbrought> {
    let tenant: Tenant = added.tenant.parse().map_err(|e| Unbrought::Never(format!("its tenant: {e}")))?;
    let bytes = match log.get(&tenant, &added.sha256, added.size).await {
        Ok(bytes) => bytes,
        Err(error @ ReadError::Artifact { .. }) => return Err(Unbrought::Never(error.to_string())),
        Err(error) => return Err(Unbrought::Log(error)),
    };
    let package = tokio::task::spawn_blocking(move || package::unpack(bytes.as_ref())).await;
    let package = package.map_err(|e| Unbrought::Never(e.to_string()))?.map_err(|e| Unbrought::Never(e.to_string()))?;
    let manifest = &package.plugin.manifest;
    let is_it = (&manifest.name, &manifest.version) == (&added.verb, &added.version);
    match is_it && package.plugin.digest() == added.digest {
        true => Ok(package),
        false => Err(Unbrought::Never("its package is not the one that was added".into())),
    }
}
