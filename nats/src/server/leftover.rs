//! Ends a server that a killed process left behind on the same data directory.

use super::{Error, life::signal};
use rustix::process::Signal;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// What the managed server is started with; its working directory says which one it is.
pub(super) const ARGUMENTS: [&str; 2] = ["-c", "nats-server.conf"];
const PID_FILE: &str = "nats-server.pid";

/// Notes the pid of the server that runs in `dir`, and its port.
pub(super) fn note(dir: &Path, pid: u32, port: i32) -> std::io::Result<()> {
    let aside = dir.join(format!("{PID_FILE}.new"));
    fs::write(&aside, format!("{pid} {port}\n"))?;
    fs::rename(aside, dir.join(PID_FILE))
}

/// The port of the server that ran here last.
pub(super) fn last_port(dir: &Path) -> Option<u16> {
    read(dir)?.1
}

fn read(dir: &Path) -> Option<(u32, Option<u16>)> {
    let text = fs::read_to_string(dir.join(PID_FILE)).ok()?;
    let (pid, port) = text.trim().split_once(' ')?;
    Some((pid.parse().ok()?, port.parse().ok()))
}

/// Ends the server noted in `dir`, if it is still that server: a pid may long be another program's.
#[expect(clippy::disallowed_methods, reason = "how long to wait for a process is no decision")]
pub(super) fn end(dir: &Path) -> Result<(), Error> {
    let Some((pid, _)) = read(dir).filter(|(pid, _)| is_ours(dir, *pid)) else {
        return Ok(());
    };
    tracing::info!(pid, "ending the nats-server that was left over");
    for (with, patience) in [(Signal::TERM, 15), (Signal::KILL, 5)] {
        signal(pid, with);
        let until = Instant::now() + Duration::from_secs(patience);
        while Instant::now() < until {
            if !is_ours(dir, pid) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
    Err(Error::Leftover { pid })
}

/// Does the process run a server of ours in this directory? Asked by inode: the directory may have
/// been moved since. A dead process has no working directory.
fn is_ours(dir: &Path, pid: u32) -> bool {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let arguments: Vec<&[u8]> = arguments.split(|b| *b == 0).collect();
    let ours = arguments.get(1..3).is_some_and(|a| a == ARGUMENTS.map(str::as_bytes));
    let same = || match (fs::metadata(format!("/proc/{pid}/cwd")), fs::metadata(dir)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    };
    ours && same()
}
