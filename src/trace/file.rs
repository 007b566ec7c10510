//! The files of a data directory's logs: one that grows, and a few older ones. Any number of
//! processes write into the same; whoever finds it full puts it aside.

use schemas::Time;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// What grows, until it has so many bytes.
const CURRENT: &str = "stage7.jsonl";
const FULL: u64 = 8 * 1024 * 1024;
/// Older ones that are kept.
const KEPT: usize = 7;

/// Where the logs of a data directory are.
pub fn dir(data: &Path) -> PathBuf {
    data.join("logs")
}

/// The files whose name begins with `stem` (`stage7`, `nats-server`), the oldest first.
pub fn files(dir: &Path, stem: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(stem)))
        .collect();
    // What grows has the shortest name, and is the newest.
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_os_string();
    let shortest = found.iter().map(|path| name(path).len()).min();
    found.sort_by_key(|path| (Some(name(path).len()) == shortest, name(path)));
    found
}

/// The file that grows.
pub struct Log {
    dir: PathBuf,
    file: File,
    full: u64,
}

impl Log {
    /// # Errors
    /// The folder or the file can't be made.
    pub fn open(dir: &Path) -> io::Result<Self> {
        made(dir)?;
        Ok(Self { dir: dir.into(), file: open(&dir.join(CURRENT))?, full: FULL })
    }

    /// Appends a line. One that can't be written is lost: nothing else may suffer from a full disk.
    pub fn write(&mut self, line: &str) {
        // In one piece: others append too.
        let _ = self.settle().and_then(|()| self.file.write_all(format!("{line}\n").as_bytes()));
    }

    /// Sees that what is written goes into the file that grows, and that there is room.
    fn settle(&mut self) -> io::Result<()> {
        let path = self.dir.join(CURRENT);
        let mine = self.file.metadata()?;
        if !fs::metadata(&path).is_ok_and(|now| now.ino() == mine.ino()) {
            // Another process put it aside, or somebody removed it.
            made(&self.dir)?;
            self.file = open(&path)?;
        } else if mine.len() >= self.full {
            self.put_aside(&path)?;
            self.file = open(&path)?;
        }
        Ok(())
    }

    fn put_aside(&self, path: &Path) -> io::Result<()> {
        // Only one of those who find it full.
        self.file.lock()?;
        let still = fs::metadata(path).is_ok_and(|now| self.file.metadata().is_ok_and(|mine| mine.ino() == now.ino()));
        let done = if still { fs::rename(path, self.aside()) } else { Ok(()) };
        self.file.unlock()?;
        let older = files(&self.dir, "stage7-");
        for old in older.iter().take(older.len().saturating_sub(KEPT)) {
            let _ = fs::remove_file(old);
        }
        done
    }

    /// A name that sorts by time.
    fn aside(&self) -> PathBuf {
        let time = now().to_string().replace(':', "");
        let names = (0..).map(|n| self.dir.join(format!("stage7-{time}-{n:03}.jsonl")));
        names.into_iter().find(|path| !path.exists()).expect("there are numbers enough")
    }
}

/// What missions are about is nobody else's business.
fn made(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// Now, for what is logged.
#[expect(clippy::disallowed_methods, reason = "the edge: a log has the time of its lines")]
pub fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_who_write_at_once_lose_nothing_and_keep_to_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let mut log = Log { full: 2_000, ..Log::open(dir.path()).unwrap() };
                std::thread::spawn(move || (0..200).for_each(|n| log.write(&format!("writer {writer} line {n:04}"))))
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let all = files(dir.path(), "stage7");
        assert_eq!(all.last().unwrap().file_name().unwrap(), CURRENT);
        let text: String = all.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        assert_eq!(text.lines().count(), 400, "{all:?}");
        for writer in 0..2 {
            let its: Vec<&str> = text.lines().filter(|line| line.starts_with(&format!("writer {writer}"))).collect();
            assert!(its.is_sorted(), "each one's lines are in their order");
        }
        // Much more, and the oldest go.
        let mut log = Log { full: 2_000, ..Log::open(dir.path()).unwrap() };
        (0..2_000).for_each(|n| log.write(&format!("line {n:04} {}", "x".repeat(40))));
        let all = files(dir.path(), "stage7");
        assert_eq!(all.len(), KEPT + 1);
        assert!(all.iter().all(|path| fs::metadata(path).unwrap().len() < 2_100));
    }

    #[test]
    fn a_folder_that_is_removed_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        let mut log = Log::open(&logs).unwrap();
        log.write("one");
        fs::remove_dir_all(&logs).unwrap();
        log.write("two");
        assert_eq!(fs::read_to_string(logs.join(CURRENT)).unwrap(), "two\n");
    }
}
