//! Looks for a nats-server: the named one, on PATH, in the cache; fetches one otherwise.

use super::{Version, fetch};
use crate::connect::OLDEST;
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::process::Command;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}, named by STAGE7_NATS_SERVER, can't be run as a nats-server")]
    Named { path: PathBuf, source: io::Error },
    #[error("{path}, named by STAGE7_NATS_SERVER, is version {found}; stage7 needs {OLDEST} or newer")]
    NamedTooOld { path: PathBuf, found: Version },
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
}

/// Where to look, in this order, before one is fetched into `cache`.
#[derive(Debug, Clone)]
pub struct Places {
    /// A server that must be taken or refused, never passed over.
    pub named: Option<PathBuf>,
    /// Folders, in the form of the variable PATH.
    pub path: OsString,
    /// Where fetched programs are kept.
    pub cache: PathBuf,
}

impl Places {
    /// From the environment, as the caller reads it: `STAGE7_NATS_SERVER`, `PATH`,
    /// `XDG_CACHE_HOME` or `HOME`.
    pub fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name| var(name).filter(|value| !value.is_empty());
        let home = || PathBuf::from(set("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
        let cache = set("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
        Self {
            named: set("STAGE7_NATS_SERVER").map(PathBuf::from),
            path: set("PATH").unwrap_or_default(),
            cache: cache.join("stage7").join("bin"),
        }
    }

    fn cached(&self) -> PathBuf {
        self.cache.join("nats-server")
    }
}

/// A nats-server that is new enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    pub path: PathBuf,
    pub version: Version,
}

/// Finds a server or fetches one. `progress` gets a line whenever something is passed over or takes
/// time.
pub async fn find(places: &Places, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<Binary, Error> {
    if let Some(path) = &places.named {
        let found = version(path).await.map_err(|source| Error::Named { path: path.clone(), source })?;
        return if found < OLDEST {
            Err(Error::NamedTooOld { path: path.clone(), found })
        } else {
            Ok(Binary { path: path.clone(), version: found })
        };
    }
    if let Some(found) = installed(places, progress).await {
        return Ok(found);
    }
    let _lock = fetch::lock(&places.cache).await?;
    // Another process may have fetched it while we waited for the lock.
    if let Some(found) = usable(&places.cached(), &|_| ()).await {
        return Ok(found);
    }
    let path = fetch::fetch(&places.cache, progress).await?;
    Ok(Binary { path, version: fetch::VERSION })
}

/// The first that is new enough, on PATH or in the cache; nothing is fetched.
pub async fn installed(places: &Places, progress: &(dyn Fn(&str) + Send + Sync)) -> Option<Binary> {
    let on_path = std::env::split_paths(&places.path).map(|dir| dir.join("nats-server"));
    for path in on_path.chain([places.cached()]) {
        if let Some(found) = usable(&path, progress).await {
            return Some(found);
        }
    }
    None
}

async fn usable(path: &Path, progress: &(dyn Fn(&str) + Send + Sync)) -> Option<Binary> {
    if !path.is_file() {
        return None;
    }
    match version(path).await {
        Ok(version) if version >= OLDEST => {
            return Some(Binary { path: path.into(), version });
        }
        Ok(version) => progress(&format!(
            "{} is version {version}, too old (needs {OLDEST} or newer): passed over",
            path.display()
        )),
        Err(e) => progress(&format!("{} can't be run ({e}): passed over", path.display())),
    }
    None
}

/// Asks a program for its version.
pub(super) async fn version(path: &Path) -> io::Result<Version> {
    let asked = Command::new(path).arg("--version").kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(10), asked)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.split_whitespace().last().unwrap_or_default();
    let named = text.starts_with("nats-server");
    last.parse().ok().filter(|_| named).ok_or_else(|| io::Error::other("it doesn't answer as a nats-server does"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt, sync::Mutex};

    fn fake(dir: &Path, version: &str) -> PathBuf {
        fs::create_dir_all(dir).unwrap();
        let path = dir.join("nats-server");
        fs::write(&path, format!("#!/bin/sh\necho 'nats-server: v{version}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn one_that_is_too_old_is_passed_over_with_a_line_saying_so() {
        let dir = tempfile::tempdir().unwrap();
        fake(&dir.path().join("old"), "2.9.25");
        let new = fake(&dir.path().join("new"), "2.14.0");
        let path =
            std::env::join_paths([dir.path().join("none"), dir.path().join("old"), dir.path().join("new")]).unwrap();
        let places = Places { named: None, path, cache: dir.path().join("cache") };
        let lines = Mutex::new(vec![]);
        let found = find(&places, &|line| lines.lock().unwrap().push(line.to_string())).await.unwrap();
        assert_eq!(found.path, new);
        let lines = lines.into_inner().unwrap();
        assert!(lines.len() == 1 && lines[0].contains("2.9.25"), "{lines:?}");
    }

    #[tokio::test]
    async fn the_cache_comes_after_path() {
        let dir = tempfile::tempdir().unwrap();
        let cached = fake(&dir.path().join("cache"), "2.15.1");
        let mut places = Places { named: None, path: OsString::new(), cache: dir.path().join("cache") };
        assert_eq!(find(&places, &|_| ()).await.unwrap().path, cached);
        let on_path = fake(&dir.path().join("bin"), "2.15.0");
        places.path = dir.path().join("bin").into();
        assert_eq!(find(&places, &|_| ()).await.unwrap().path, on_path);
    }

    #[tokio::test]
    async fn a_named_one_is_taken_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let new = fake(&dir.path().join("new"), "2.15.1");
        let named = |path: PathBuf| Places {
            named: Some(path),
            path: dir.path().join("new").into(),
            cache: dir.path().join("cache"),
        };
        let old = fake(&dir.path().join("old"), "2.13.9");
        assert!(matches!(find(&named(old), &|_| ()).await, Err(Error::NamedTooOld { .. })));
        assert!(matches!(find(&named("/nowhere/nats-server".into()), &|_| ()).await, Err(Error::Named { .. })));
        assert!(matches!(find(&named("/bin/true".into()), &|_| ()).await, Err(Error::Named { .. })));
        assert_eq!(find(&named(new.clone()), &|_| ()).await.unwrap().path, new);
    }

    #[test]
    fn the_cache_is_where_the_desktop_says() {
        let places = |vars: &[(&str, &str)]| {
            Places::from_vars(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
        };
        assert_eq!(places(&[("HOME", "/h")]).cache, Path::new("/h/.cache/stage7/bin"));
        assert_eq!(places(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]).cache, Path::new("/c/stage7/bin"));
        assert_eq!(places(&[("STAGE7_NATS_SERVER", "")]).named, None);
    }
}
