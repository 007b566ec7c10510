//! Whether the server can still write its store.
//!
//! One whose disk was full gives up on the stream for good: it answers reads, takes no word and says
//! nothing to whoever waits, even when there is room again. So the disk is watched from here, and a
//! server that has given up is started again as soon as it can write.

use rustix::fs::statvfs;
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// With less (bytes) the next message may not fit.
const FULL: u64 = 1 << 20;
/// With so much (bytes) it is worth trying again.
const ROOM: u64 = 8 << 20;
/// How the server says in its log that it has given up on a stream.
const GAVE_UP: &str = "ritical write error";

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Nothing,
    /// To be told to a person, once: so many bytes are left.
    Tell {
        left: u64,
    },
    /// The server has given up, and could write now.
    Restart,
}

/// What is known of one server's disk.
pub(super) struct Disk {
    store: PathBuf,
    log: PathBuf,
    /// How far its log has been read.
    read: u64,
    /// Since the server was started: the disk was seen full, or the server gave up.
    full: bool,
    told: bool,
}

impl Disk {
    /// Of a server that is about to be started.
    pub fn new(store: &Path, log: &Path) -> Self {
        let mut disk = Self { store: store.into(), log: log.into(), read: 0, full: false, told: false };
        disk.started();
        disk
    }

    pub fn store(&self) -> &Path {
        &self.store
    }

    /// The server was started again: what it said before counts no more.
    pub fn started(&mut self) {
        self.read = fs::metadata(&self.log).map_or(0, |log| log.len());
        (self.full, self.told) = (false, false);
    }

    /// Looks at the disk and at the server's log.
    pub fn look(&mut self) -> Verdict {
        let gave_up = self.gave_up();
        let Ok(found) = statvfs(&self.store) else { return Verdict::Nothing };
        self.judge(found.f_bavail * found.f_frsize, gave_up)
    }

    fn judge(&mut self, left: u64, gave_up: bool) -> Verdict {
        self.full |= gave_up || left < FULL;
        if self.full && left >= ROOM {
            return Verdict::Restart;
        }
        if self.full && !self.told {
            self.told = true;
            return Verdict::Tell { left };
        }
        Verdict::Nothing
    }

    /// Has it said so since the last look? On a full disk its log may be missing the line.
    fn gave_up(&mut self) -> bool {
        let mut said = Vec::new();
        let read = File::open(&self.log).and_then(|mut log| {
            log.seek(SeekFrom::Start(self.read))?;
            log.read_to_end(&mut said)
        });
        self.read += read.unwrap_or(0) as u64;
        String::from_utf8_lossy(&said).contains(GAVE_UP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_gave_up_is_started_again_once_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        fs::write(&log, "Critical write error of the run before\n").unwrap();
        let mut disk = Disk::new(dir.path(), &log);
        assert_eq!(disk.look(), Verdict::Nothing, "what was said before counts no more");
        assert_eq!(disk.judge(FULL - 1, false), Verdict::Tell { left: FULL - 1 });
        assert_eq!(disk.judge(0, false), Verdict::Nothing, "a person is told once");
        assert_eq!(disk.judge(ROOM - 1, false), Verdict::Nothing, "a little room is full again at once");
        assert_eq!(disk.judge(ROOM, false), Verdict::Restart);
        disk.started();
        assert_eq!(disk.judge(ROOM, false), Verdict::Nothing);
        fs::write(&log, format!("{}\n[ERR] Filestore [X] Critical write error: no space left", "x".repeat(200)))
            .unwrap();
        assert_eq!(disk.look(), Verdict::Restart, "it was full between two looks");
    }
}
