//! One child process from start to end: fed, listened to, bounded, and killed when it must be.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStderr, Command},
};
use tokio_util::sync::CancellationToken;

/// Bytes of one log line that are passed on.
const LINE: usize = 4 * 1024;
/// Bytes of log lines of one run that are passed on.
const LINES: usize = 1024 * 1024;
/// How JavaScript's engine begins its last words; a page of addresses follows.
const FATAL: &str = "FATAL ERROR: ";
/// How long the pipes of a killed process may take to close.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// Where a process is stopped.
pub struct Bounds {
    pub time: Duration,
    /// Bytes on stdout.
    pub output: u64,
}

/// A process that ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    /// The last line on stderr that is not blank: where programs say what went wrong.
    pub last_line: String,
}

/// Why a process did not end by itself. None of it is left.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    #[error("cancelled")]
    Cancelled,
    #[error("time is up")]
    TimedOut,
    #[error("too much output")]
    TooMuch,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs `command` with `input` on stdin; what it says on stderr goes to `log` line by line.
///
/// # Errors
/// It had to be stopped, or could not be started.
pub async fn run(
    mut command: Command,
    input: Vec<u8>,
    bounds: &Bounds,
    cancel: &CancellationToken,
    log: &(dyn Fn(&str) + Send + Sync),
) -> Result<Ended, Stopped> {
    if cancel.is_cancelled() {
        return Err(Stopped::Cancelled);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A group of its own: what a terminal sends to ours (Ctrl-C) must not end it behind our back.
    let mut child = command.process_group(0).spawn()?;
    let (mut stdin, mut stdout, mut stderr) = match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
        (Some(stdin), Some(stdout), Some(stderr)) => (stdin, stdout, stderr),
        _ => return Err(io::Error::other("the process has no pipes").into()),
    };
    let feed = async move {
        // A process may end without having read all: then its answer counts, not the broken pipe.
        let _ = stdin.write_all(&input).await;
        let _ = stdin.shutdown().await;
    };
    let answer = async {
        let mut bytes = Vec::new();
        (&mut stdout).take(bounds.output + 1).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 > bounds.output { Err(Stopped::TooMuch) } else { Ok(bytes) }
    };
    let talk = async { Ok(listen(&mut stderr, log).await?) };
    let life = async {
        let ((), stdout, last_line) = tokio::try_join!(
            async {
                feed.await;
                Ok(())
            },
            answer,
            talk
        )?;
        Ok((stdout, last_line, child.wait().await?))
    };
    let ended = tokio::select! {
        ended = life => ended,
        () = cancel.cancelled() => Err(Stopped::Cancelled),
        () = tokio::time::sleep(bounds.time) => Err(Stopped::TimedOut),
    };
    match ended {
        Ok((stdout, last_line, status)) => Ok(Ended { status, stdout, last_line }),
        Err(why) => {
            child.start_kill().ok();
            child.wait().await?;
            // Its children hold the pipes: closed pipes mean that they are gone, too.
            let closed = async {
                let mut rest = [0; 4096];
                while stdout.read(&mut rest).await.is_ok_and(|n| n > 0) {}
                while stderr.read(&mut rest).await.is_ok_and(|n| n > 0) {}
            };
            if tokio::time::timeout(LAST_BREATH, closed).await.is_err() {
                tracing::warn!("processes of a stopped plugin still hold its pipes");
            }
            Err(why)
        }
    }
}

/// Passes lines on, and gives back the last that is not blank.
async fn listen(stderr: &mut ChildStderr, log: &(dyn Fn(&str) + Send + Sync)) -> io::Result<String> {
    let (mut line, mut last, mut passed) = (Vec::new(), String::new(), 0);
    let mut chunk = [0; 8 * 1024];
    loop {
        let read = stderr.read(&mut chunk).await?;
        for &byte in &chunk[..read] {
            match byte {
                b'\n' => say(&mut line, &mut last, &mut passed, log),
                _ if line.len() < LINE => line.push(byte),
                _ => {}
            }
        }
        if read == 0 {
            say(&mut line, &mut last, &mut passed, log);
            return Ok(last);
        }
    }
}

fn say(line: &mut Vec<u8>, last: &mut String, passed: &mut usize, log: &(dyn Fn(&str) + Send + Sync)) {
    // Control characters could drive the terminal of whoever reads along.
    let text: String = String::from_utf8_lossy(line).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.clear();
    let text = text.trim_end();
    if text.is_empty() {
        return;
    }
    let before = *passed;
    *passed += text.len();
    if *passed <= LINES {
        log(text);
    } else if before <= LINES {
        log("… further lines are left out");
    }
    if !last.starts_with(FATAL) {
        text.clone_into(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    async fn sh(script: &str, input: &str, seconds: f64, output: u64) -> (Result<Ended, Stopped>, Vec<String>) {
        let lines = Mutex::new(Vec::new());
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let bounds = Bounds { time: Duration::from_secs_f64(seconds), output };
        let log = |line: &str| lines.lock().expect("not poisoned").push(line.to_owned());
        let ended = run(command, input.into(), &bounds, &CancellationToken::new(), &log).await;
        (ended, lines.into_inner().expect("not poisoned"))
    }

    #[tokio::test]
    async fn input_output_and_lines_go_their_ways() {
        let (ended, lines) = sh("cat; printf 'a\\n\\n\\033[1mb\\r\\nlast' >&2; exit 3", "hello", 5.0, 100).await;
        let ended = ended.expect("it ends");
        assert_eq!(
            (ended.status.code(), ended.stdout.as_slice(), ended.last_line.as_str()),
            (Some(3), &b"hello"[..], "last")
        );
        assert_eq!(lines, ["a", " [1mb", "last"]);
    }

    #[tokio::test]
    async fn unread_input_does_no_harm() {
        let (ended, _) = sh("echo ok", &"x".repeat(1 << 20), 5.0, 100).await;
        assert_eq!(ended.expect("it ends").stdout, b"ok\n");
    }

    #[tokio::test]
    async fn time_and_output_are_bounded() {
        assert!(matches!(sh("exec sleep 30", "", 0.2, 100).await.0, Err(Stopped::TimedOut)));
        assert!(matches!(sh("exec yes", "", 5.0, 1000).await.0, Err(Stopped::TooMuch)));
        assert_eq!(sh("printf 1234", "", 5.0, 4).await.0.expect("just fits").stdout, b"1234");
    }

    #[tokio::test]
    async fn a_flood_of_lines_is_cut() {
        let (ended, lines) =
            sh("head -c 3000000 /dev/zero | tr '\\0' x >&2; yes abcdefghi | head -n 200000 >&2", "", 20.0, 1).await;
        assert!(ended.expect("it ends").status.success());
        assert_eq!(lines[0].len(), LINE);
        assert!(lines.iter().map(String::len).sum::<usize>() <= LINES + 100);
        assert_eq!(lines.last().map(String::as_str), Some("… further lines are left out"));
    }
}
