//! A child process that two threads hold: one waits for its end, the other may have to bring it about.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::{
    process::Child,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What the owner of a server shares with its supervisor.
#[derive(Debug, Default)]
pub(super) struct Life(Mutex<Held>);

#[derive(Debug, Default)]
pub(super) struct Held {
    /// The owner has gone: nothing is started any more.
    pub stopping: bool,
    /// There while the process is not yet reaped, so that no signal can hit a stranger.
    pub pid: Option<u32>,
}

impl Life {
    pub fn hold(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_stopping(&self) -> bool {
        self.hold().stopping
    }

    pub fn signal(&self, with: Signal) {
        if let Some(pid) = self.hold().pid {
            signal(pid, with);
        }
    }

    /// Waits for the end first and reaps under the lock: in between the pid stays the child's.
    pub fn reap(&self, child: &mut Child) -> String {
        wait(child.id(), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let mut held = self.hold();
        held.pid = None;
        child.wait().map_or_else(|e| e.to_string(), |status| status.to_string())
    }
}

pub(super) fn has_ended(child: &Child) -> bool {
    wait(child.id(), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG)
}

pub(super) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The only failure left is that it has just ended, which is what was wanted.
        let _ = kill_process(pid, signal);
    }
}

fn wait(pid: u32, how: WaitIdOptions) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return true;
    };
    loop {
        match waitid(WaitId::Pid(pid), how) {
            Ok(status) => return status.is_some(),
            Err(rustix::io::Errno::INTR) => (),
            Err(_) => return true,
        }
    }
}
