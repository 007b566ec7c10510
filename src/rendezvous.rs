//! Where a running `up` is found: one lock a data directory, and `up.json` in it.

use crate::exit;
use nats::key::Seed;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a lock is tried: whoever only looks whether it is free holds it for a moment.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// Who serves a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Host {
    #[default]
    Up,
    /// A `run` that found nobody: it goes when its mission has ended.
    Run,
}

/// `up.json`: all that a client needs.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Up {
    pub pid: u32,
    /// Absent where the server is not stage7's own.
    pub nats_pid: Option<u32>,
    pub nats_url: String,
    /// Of a client with a user's rights.
    pub nkey_seed: String,
    #[serde(default)]
    pub host: Host,
}

impl Up {
    pub fn seed(&self) -> Option<Seed> {
        Seed::parse(&self.nkey_seed)
    }

    /// Does the process still run?
    pub fn is_alive(&self) -> bool {
        Path::new(&format!("/proc/{}", self.pid)).exists()
    }

    fn path(data: &Path) -> PathBuf {
        data.join("up.json")
    }

    /// What stands there, if anything does that can be read.
    pub fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(Self::path(data)).ok()?).ok()
    }

    /// Writes it whole or not at all, for nobody else's eyes.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        let aside = data.join(format!("up.json.{}", std::process::id()));
        let _ = fs::remove_file(&aside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")?;
        fs::rename(aside, Self::path(data))
    }

    pub fn remove(data: &Path) {
        let _ = fs::remove_file(Self::path(data));
    }
}

/// The right to serve a data directory; it ends with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    /// Who has it, or why the directory can't be used.
    pub fn take(data: &Path) -> Result<Self, exit::Error> {
        let unusable = |error: io::Error| {
            exit::Error::failed(format!("the data directory {} can't be used: {error}", data.display()))
        };
        fs::create_dir_all(data).map_err(unusable)?;
        let path = data.join("lock");
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(unusable)?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => {
                    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(unusable)?;
                    return Ok(Self { _file: file });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
            }
        }
        let holder = fs::read_to_string(&path).unwrap_or_default();
        let holder =
            if holder.trim().is_empty() { "another process".into() } else { format!("process {}", holder.trim()) };
        Err(exit::Error::failed(format!(
            "the data directory {} is in use by {holder}: stop that, or use another with --data",
            data.display()
        )))
    }

    /// Does anybody have it?
    pub fn is_taken(data: &Path) -> bool {
        let Ok(file) = File::open(data.join("lock")) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_at_a_time_and_the_second_is_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        assert!(!Lock::is_taken(&data));
        let first = Lock::take(&data).unwrap();
        assert!(Lock::is_taken(&data));
        let refused = Lock::take(&data).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        drop(first);
        assert!(!Lock::is_taken(&data));
        Lock::take(&data).unwrap();
    }

    #[test]
    fn up_json_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let seed = Seed::new();
        let up = Up {
            pid: std::process::id(),
            nats_pid: None,
            nats_url: "nats://x".into(),
            nkey_seed: seed.reveal().into(),
            host: Host::Run,
        };
        up.write(dir.path()).unwrap();
        up.write(dir.path()).unwrap();
        let mode = fs::metadata(dir.path().join("up.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = Up::read(dir.path()).unwrap();
        assert!(read == up && read.is_alive());
        assert_eq!(read.seed().unwrap().public(), seed.public());
        Up::remove(dir.path());
        assert!(Up::read(dir.path()).is_none());
    }

    #[test]
    fn what_is_half_written_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("up.json"), "{\"pid\": 1").unwrap();
        assert!(Up::read(dir.path()).is_none());
    }
}
