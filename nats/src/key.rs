//! NKeys: one key pair a user, its seed in a file of its own that only the owner may read.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use streams::topology::access;

/// The tenant that exists from the first start; its key is its owner's.
pub const TENANT: &str = "default";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the key file {path} can't be {what}")]
    File { path: PathBuf, what: &'static str, source: io::Error },
    #[error("{path} holds no NKey seed of a user (58 characters, SU…)")]
    NoSeed { path: PathBuf },
}

/// A user's secret. Shown as `SU…` wherever it might be logged.
#[derive(Clone)]
pub struct Seed(String);

impl Seed {
    pub fn new() -> Self {
        Self(nkeys::KeyPair::new_user().seed().expect("a new pair has its seed"))
    }

    /// The seed in clear, to connect with or to hand to a client. Never to be logged.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The public key, `U…`.
    pub fn public(&self) -> String {
        nkeys::KeyPair::from_seed(&self.0).expect("checked when made").public_key()
    }

    /// From the text of a key file; white space around it doesn't matter.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let pair = nkeys::KeyPair::from_seed(text).ok()?;
        pair.public_key().starts_with('U').then(|| Self(text.into()))
    }

    /// Reads a key file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text =
            fs::read_to_string(path).map_err(|source| Error::File { path: path.into(), what: "read", source })?;
        Self::parse(&text).ok_or_else(|| Error::NoSeed { path: path.into() })
    }
}

impl Default for Seed {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SU…")
    }
}

/// The seeds of all users, as found in one folder of `{user}.nk` files.
#[derive(Debug, Clone)]
pub struct Ring {
    dir: PathBuf,
    seeds: BTreeMap<String, Seed>,
}

impl Ring {
    /// Every user who needs a key: those of the topology and the tenant's owner.
    pub fn users() -> impl Iterator<Item = &'static str> {
        access::USERS.iter().map(|u| u.name).chain([TENANT])
    }

    /// Reads the folder's keys and makes those that are missing.
    pub fn ensure(dir: &Path) -> Result<Self, Error> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|source| Error::File {
            path: dir.into(),
            what: "made",
            source,
        })?;
        for user in Self::users() {
            let path = file(dir, user);
            if !path.exists() {
                write(&path, &Seed::new()).map_err(|source| Error::File { path, what: "written", source })?;
            }
        }
        Self::load(dir)
    }

    /// Reads the keys that are there. A worker's own folder needs no more than that worker's key.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let mut seeds = BTreeMap::new();
        for user in Self::users() {
            let path = file(dir, user);
            if path.exists() {
                seeds.insert(user.to_string(), Seed::read(&path)?);
            }
        }
        Ok(Self { dir: dir.into(), seeds })
    }

    /// The user's seed, or where it was looked for in vain.
    pub fn seed(&self, user: &str) -> Result<&Seed, Error> {
        self.seeds.get(user).ok_or_else(|| {
            let source = io::Error::from(io::ErrorKind::NotFound);
            Error::File { path: file(&self.dir, user), what: "read", source }
        })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

fn file(dir: &Path, user: &str) -> PathBuf {
    dir.join(format!("{user}.nk"))
}

/// Whole or not at all: a crash leaves no empty key file, and a key that is already there stays.
/// No line end after the seed, which some NATS clients would take as part of it.
fn write(path: &Path, seed: &Seed) -> io::Result<()> {
    let aside = path.with_extension(format!("nk.{}", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(seed.reveal().as_bytes())?;
    file.sync_all()?;
    let linked = match fs::hard_link(&aside, path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    };
    fs::remove_file(&aside)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_made_once_and_readable_by_their_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let creds = dir.path().join("creds");
        let first = Ring::ensure(&creds).unwrap();
        let again = Ring::ensure(&creds).unwrap();
        for user in Ring::users() {
            assert_eq!(first.seed(user).unwrap().public(), again.seed(user).unwrap().public());
            let mode = fs::metadata(file(&creds, user)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{user}");
        }
        assert_eq!(fs::read_dir(&creds).unwrap().count(), Ring::users().count(), "nothing else is left there");
    }

    #[test]
    fn a_seed_never_shows() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Ring::ensure(dir.path()).unwrap();
        let shown = format!("{ring:?}");
        assert!(Ring::users().all(|u| !shown.contains(ring.seed(u).unwrap().reveal())));
    }

    #[test]
    fn what_is_no_seed_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(file(dir.path(), "door"), "SUnonsense").unwrap();
        assert!(matches!(Ring::load(dir.path()), Err(Error::NoSeed { .. })));
        let account = nkeys::KeyPair::new_account().seed().unwrap();
        assert!(Seed::parse(&account).is_none(), "an account's seed is not a user's");
    }
}
