//! The work folder of a run that may write: in memory, so that all its files together have a bound.
//!
//! Such a folder is gone with the sandbox, unless somebody holds it. So the run waits, before it begins,
//! until we do.

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use std::{
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{io::AsyncWriteExt, net::unix::pipe, process::Command};

/// How the shell inside begins: with a copy of what was placed, and then as it is told to.
pub const BEGIN: &str = "cp -R /run/placed/. /work && read -r _ </run/begin && ";
/// Between two looks whether the sandbox has come so far.
const LOOK: Duration = Duration::from_millis(1);

pub struct Room {
    /// Where bubblewrap says which process is the first one inside.
    pub info: PathBuf,
    begin: PathBuf,
}

impl Room {
    /// That of the run with this folder.
    pub fn of(folder: &Path) -> Self {
        Self { info: folder.join("info"), begin: folder.join("begin") }
    }

    /// Has `command` mount it; it holds `size` bytes.
    ///
    /// # Errors
    /// What it needs can't be made.
    pub fn mount(&self, command: &mut Command, placed: &Path, size: u64) -> io::Result<()> {
        File::create(&self.info)?;
        mknodat(CWD, &self.begin, FileType::Fifo, Mode::from_raw_mode(0o644), 0)?;
        command.args(["--info-fd", "4", "--size", &size.to_string(), "--tmpfs", "/work"]);
        command.arg("--ro-bind").arg(placed).arg("/run/placed").arg("--ro-bind").arg(&self.begin).arg("/run/begin");
        Ok(())
    }

    /// Waits until it is there, holds it, and lets the run begin.
    ///
    /// # Errors
    /// It can't be reached.
    pub async fn held(&self) -> io::Result<OwnedFd> {
        let mut begin = loop {
            match pipe::OpenOptions::new().open_sender(&self.begin) {
                Ok(begin) => break begin,
                // Nobody reads yet.
                Err(error) if error.raw_os_error() == Some(libc::ENXIO) => tokio::time::sleep(LOOK).await,
                Err(error) => return Err(error),
            }
        };
        let info: serde_json::Value = serde_json::from_slice(&fs::read(&self.info)?)?;
        let work = format!("/proc/{}/root/work", info["child-pid"]);
        let held = open(work, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        begin.write_all(b"\n").await?;
        Ok(held)
    }
}
