//! The keys of publishers in the data directory: those that sign here, and those that are only known.
//!
//! `keys/plugins/keys.json` lists them; `{fingerprint}.pub.pem` and, where this is whose it is,
//! `{fingerprint}.pem` lie beside it.

use crate::client::{self, Client};
use anyhow::{Context, bail, ensure};
use capabilities::signature::{Known, PrivateKey, PublicKey};
use schemas::Time;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use streams::registry::market::Trusted;
use tempfile::NamedTempFile;

/// Who signs what somebody adds by hand.
pub const LOCAL: &str = "local";
const LIST: &str = "keys.json";
/// A publisher's name.
const LONGEST: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Signs here.
    Current,
    /// Signed here; what it has signed stays good.
    Retired,
    /// Another's: what it signs is taken.
    Known,
    /// Nothing that it has signed is taken any more.
    Revoked,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub publisher: String,
    pub fingerprint: String,
    pub state: State,
    /// When it came into this state.
    pub since: Time,
}

/// All keys of one data directory.
pub struct Keyring {
    folder: PathBuf,
    pub entries: Vec<Entry>,
}

impl Keyring {
    /// # Errors
    /// The list is there and can't be read.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join("keys/plugins");
        let list = folder.join(LIST);
        let entries = match fs::read(&list) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| list.display().to_string())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| list.display().to_string()),
        };
        Ok(Self { folder, entries })
    }

    /// What plugins are checked with.
    ///
    /// # Errors
    /// A key of the list is gone or broken.
    pub fn known(&self) -> anyhow::Result<Vec<Known>> {
        let known = |entry: &Entry| {
            let (path, text) = self.read(&format!("{}.pub.pem", entry.fingerprint))?;
            let key = PublicKey::from_pem(&text).with_context(|| path.display().to_string())?;
            ensure!(key.fingerprint() == entry.fingerprint, "{} holds another key", path.display());
            let is_revoked = entry.state == State::Revoked;
            Ok(Known { publisher: entry.publisher.clone(), key, is_revoked })
        };
        self.entries.iter().map(known).collect()
    }

    /// The same, as the registry says it: fingerprint, whose, revoked.
    ///
    /// # Errors
    /// A key of the list is gone or broken.
    pub fn words(&self) -> anyhow::Result<Vec<(String, Trusted, bool)>> {
        let word = |Known { publisher, key, is_revoked }: Known| {
            (key.fingerprint(), Trusted { publisher, key: key.to_pem() }, is_revoked)
        };
        Ok(self.known()?.into_iter().map(word).collect())
    }

    /// A publisher's first key.
    ///
    /// # Errors
    /// There is one that signs.
    pub fn generate(&mut self, publisher: &str, now: Time) -> anyhow::Result<Entry> {
        if let Some(current) = self.current(publisher) {
            bail!("`{publisher}` has the key {}; `stage7 keys rotate` makes another", current.fingerprint);
        }
        self.made(publisher, now)
    }

    /// Another key for a publisher; what the last one signed stays good.
    ///
    /// # Errors
    /// There is none that signs.
    pub fn rotate(&mut self, publisher: &str, now: Time) -> anyhow::Result<Entry> {
        let Some(last) = self.current(publisher).map(|entry| entry.fingerprint.clone()) else {
            bail!("`{publisher}` has no key that signs here; `stage7 keys generate` makes one");
        };
        let made = self.made(publisher, now)?;
        self.turn(&last, State::Retired, now)?;
        self.forget(&last)?;
        Ok(made)
    }

    /// Nothing that this key has signed is taken any more. Its first digits will do.
    ///
    /// # Errors
    /// None or several begin so.
    pub fn revoke(&mut self, begins: &str, now: Time) -> anyhow::Result<Entry> {
        let found: Vec<_> = self.entries.iter().filter(|entry| entry.fingerprint.starts_with(begins)).collect();
        let fingerprint = match found.as_slice() {
            [one] if !begins.is_empty() => one.fingerprint.clone(),
            [] => bail!("no key begins with `{begins}`; `stage7 keys list` shows them"),
            _ => bail!("several keys begin with `{begins}`: give more digits"),
        };
        let entry = self.turn(&fingerprint, State::Revoked, now)?;
        self.forget(&fingerprint)?;
        Ok(entry)
    }

    /// Takes what another publisher signs.
    ///
    /// # Errors
    /// It is no key, or is in the list already: one that was revoked stays so.
    pub fn trust(&mut self, publisher: &str, pem: &str, now: Time) -> anyhow::Result<Entry> {
        let key = PublicKey::from_pem(pem)?;
        let fingerprint = key.fingerprint();
        if let Some(entry) = self.entries.iter().find(|entry| entry.fingerprint == fingerprint) {
            let state = serde_json::to_value(entry.state)?;
            bail!(
                "the key {fingerprint} is in the list, as {} of `{}`",
                state.as_str().unwrap_or_default(),
                entry.publisher
            );
        }
        self.add(publisher, &key, State::Known, now)
    }

    /// What signs for a publisher. For what is added by hand one is made when there is none.
    ///
    /// # Errors
    /// There is none.
    pub fn signer(&mut self, publisher: &str, now: Time) -> anyhow::Result<PrivateKey> {
        if publisher == LOCAL && self.current(LOCAL).is_none() {
            self.generate(LOCAL, now)?;
        }
        let Some(current) = self.current(publisher) else {
            bail!(
                "`{publisher}` has no key that signs here: stage7 keys generate --for plugins --publisher {publisher:?}"
            );
        };
        let (path, text) = self.read(&format!("{}.pem", current.fingerprint))?;
        PrivateKey::from_pem(&text).with_context(|| path.display().to_string())
    }

    fn current(&self, publisher: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.publisher == publisher && entry.state == State::Current)
    }

    fn made(&mut self, publisher: &str, now: Time) -> anyhow::Result<Entry> {
        let key = PrivateKey::generate()?;
        let public = key.public();
        self.write(&format!("{}.pem", public.fingerprint()), &key.to_pem(), 0o600)?;
        self.add(publisher, &public, State::Current, now)
    }

    fn add(&mut self, publisher: &str, key: &PublicKey, state: State, now: Time) -> anyhow::Result<Entry> {
        let fits = !publisher.is_empty() && publisher.len() <= LONGEST && !publisher.chars().any(char::is_control);
        ensure!(fits, "a publisher's name has 1 to {LONGEST} bytes, all of them printable");
        let entry = Entry { publisher: publisher.into(), fingerprint: key.fingerprint(), state, since: now };
        self.write(&format!("{}.pub.pem", entry.fingerprint), &key.to_pem(), 0o644)?;
        self.entries.push(entry.clone());
        self.save()?;
        Ok(entry)
    }

    fn turn(&mut self, fingerprint: &str, state: State, now: Time) -> anyhow::Result<Entry> {
        let entry = self.entries.iter_mut().find(|entry| entry.fingerprint == fingerprint);
        let entry = entry.context("the key is in the list")?;
        if entry.state != state {
            (entry.state, entry.since) = (state, now);
        }
        let entry = entry.clone();
        self.save()?;
        Ok(entry)
    }

    /// A key that signs no more need not lie about.
    fn forget(&self, fingerprint: &str) -> anyhow::Result<()> {
        let path = self.folder.join(format!("{fingerprint}.pem"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| path.display().to_string())
            }
            _ => Ok(()),
        }
    }

    fn save(&self) -> anyhow::Result<()> {
        self.write(LIST, &serde_json::to_string_pretty(&self.entries)?, 0o644)
    }

    fn read(&self, name: &str) -> anyhow::Result<(PathBuf, String)> {
        let path = self.folder.join(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok((path, text))
    }

    /// Whole or not at all.
    fn write(&self, name: &str, text: &str, mode: u32) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        let written = || -> io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let aside = NamedTempFile::with_suffix_in(".new", &self.folder)?.into_temp_path();
            fs::remove_file(&aside)?;
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&aside, &path)
        };
        written().with_context(|| path.display().to_string())
    }
}

/// Tells what runs which signatures are taken here, and which are not any more.
///
/// # Errors
/// Nobody answers. A key that the other side refuses is no matter: it knows better.
pub async fn told(ring: &Keyring, client: &Client) -> anyhow::Result<()> {
    for (fingerprint, Trusted { publisher, key }, is_revoked) in ring.words()? {
        let trust = json!({"fingerprint": fingerprint, "publisher": publisher, "key": key});
        let told = match is_revoked {
            true => client.order("key.revoke", &json!({"fingerprint": fingerprint})).await,
            false => client.order("key.trust", &trust).await,
        };
        match told {
            Err(client::Error::Refused(refusal)) => {
                tracing::debug!(fingerprint, code = refusal.error.code, "a key was refused");
            }
            told => drop(told.context("telling which keys count")?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_come_and_go_and_what_they_have_signed_stays_good_until_they_are_revoked() {
        let data = tempfile::tempdir().expect("a folder");
        let ring = || Keyring::open(data.path()).expect("it opens");
        let states = || ring().entries.iter().map(|entry| (entry.publisher.clone(), entry.state)).collect::<Vec<_>>();
        let first = ring().generate("ada", Time(1)).expect("made");
        assert!(ring().generate("ada", Time(1)).is_err() && ring().rotate("bob", Time(1)).is_err());
        let file = |entry: &Entry| data.path().join(format!("keys/plugins/{}.pem", entry.fingerprint));
        let mode = fs::metadata(file(&first)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let signed = ring().signer("ada", Time(2)).expect("a key").sign("ada", "x").expect("signed");
        let second = ring().rotate("ada", Time(3)).expect("made");
        assert!(!file(&first).exists() && file(&second).exists());
        assert_eq!(states(), [("ada".into(), State::Retired), ("ada".into(), State::Current)]);
        let judged = || capabilities::signature::verify("ada", "x", Some(&signed), &ring().known().expect("keys"));
        assert_eq!(judged(), Ok(()));

        assert!(ring().revoke("", Time(4)).is_err() && ring().revoke("zz", Time(4)).is_err());
        ring().revoke(&first.fingerprint[..8], Time(4)).expect("revoked");
        assert!(judged().is_err());
        let public = data.path().join(format!("keys/plugins/{}.pub.pem", first.fingerprint));
        let pem = fs::read_to_string(public).expect("it is there");
        let refused = ring().trust("ada", &pem, Time(5)).expect_err("it stays revoked").to_string();
        assert!(refused.ends_with("is in the list, as revoked of `ada`"), "{refused}");
        ring().signer(LOCAL, Time(6)).expect("made when it is needed");
        assert!(ring().signer("bob", Time(6)).is_err());
        assert_eq!(states()[2], (LOCAL.into(), State::Current));
    }
}
