//! The sandbox for plugin code: bubblewrap.
//!
//! Namespaces of its own for users, mounts, processes, network and ipc; the system's programs
//! read-only; nothing of /home, /etc, /var or the data directory; an empty environment; a system
//! call filter; limits on memory, time, processes and file size.

mod room;

use crate::{
    egress::{self, Route},
    folder, process, seccomp,
};
use room::{BEGIN, Room};
use rustix::process::geteuid;
use schemas::manifest::Limits;
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{net::UnixListener, process::Command};
use tokio_util::sync::CancellationToken;

/// Who plugin code is, inside, and outside too where stage7 runs as root: nobody.
const NOBODY: u32 = 65_534;
const NO_BUBBLEWRAP: &str = "bubblewrap is missing: apt-get install bubblewrap";

/// What a language takes beyond what its programs ask for, MiB.
#[derive(Debug, Clone, Copy)]
pub struct Extra {
    /// Reserved, and never touched.
    pub address_mb: u32,
    /// Of its own.
    pub data_mb: u32,
}

/// The folders of one run, gone when dropped.
pub struct Sandbox {
    folder: TempDir,
    /// Bytes of the files that were placed in its work folder.
    pub placed: u64,
    /// Packages for Python; `/packages` inside, read-only.
    pub packages: Option<PathBuf>,
    /// The hosts it may talk to, and the program that is the bridge to them.
    pub routes: Vec<Route>,
    pub bridge: Option<PathBuf>,
    /// Variables that the run finds set. Their names are plain: the shell sets them.
    pub given: Vec<(String, String)>,
}

impl Sandbox {
    /// Makes the folders.
    ///
    /// # Errors
    /// The temporary directory can't be written.
    pub fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("stage7-run-").tempdir()?;
        let (routes, given) = (Vec::new(), Vec::new());
        let sandbox = Self { folder, placed: 0, packages: None, routes, bridge: None, given };
        fs::create_dir(sandbox.plugin())?;
        fs::create_dir(sandbox.work())?;
        let filter = seccomp::filter().map_err(io::Error::other)?;
        fs::write(sandbox.filter(), filter)?;
        Ok(sandbox)
    }

    /// The plugin's own files; `/plugin` inside, read-only.
    pub fn plugin(&self) -> PathBuf {
        self.folder.path().join("plugin")
    }

    /// The run's files; `/work` inside, and its working directory. Who may write gets a copy, in memory.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Where the gate listens, when there are hosts to talk to.
    ///
    /// # Errors
    /// It can't listen there.
    pub fn gate(&self) -> io::Result<Option<UnixListener>> {
        if self.routes.is_empty() {
            return Ok(None);
        }
        let folder = self.folder.path();
        fs::create_dir(folder.join("egress"))?;
        fs::write(folder.join("hosts"), egress::hosts(&self.routes))?;
        fs::write(folder.join("nsswitch.conf"), "hosts: files\n")?;
        UnixListener::bind(folder.join("egress/gate")).map(Some)
    }

    /// Its work folder, where it may write there.
    pub fn room(&self) -> Room {
        Room::of(self.folder.path())
    }

    fn filter(&self) -> PathBuf {
        self.folder.path().join("filter")
    }

    /// The command that runs `program` inside. Call it when all files are in their places.
    ///
    /// The sandbox dies with the thread that starts it: start it on a thread that stays, as those
    /// of the async runtime do and those for blocking work don't.
    ///
    /// # Errors
    /// The folders can't be handed to the one who runs it.
    pub fn command<S: AsRef<OsStr>>(
        &self,
        program: &[S],
        limits: &Limits,
        extra: Extra,
        write: bool,
    ) -> io::Result<Command> {
        // The shell opens the filter as descriptor 3, what it may tell us as 4, and becomes bubblewrap.
        let mut command = Command::new("/bin/sh");
        let opened = if write { "exec \"$@\" 3<\"$0/filter\" 4>\"$0/info\"" } else { "exec \"$@\" 3<\"$0/filter\"" };
        command.args(["-c", opened]).arg(self.folder.path());
        command.args(["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]);
        // What a shell sets by itself, and may tell of this machine.
        for name in ["OLDPWD", "PWD", "SHLVL", "_"] {
            command.args(["--unsetenv", name]);
        }
        command.args(["--hostname", "sandbox", "--seccomp", "3"]);
        let bridge = self.bridge.as_ref().filter(|_| !self.routes.is_empty());
        if bridge.is_none() {
            command.args(["--uid", "65534", "--gid", "65534"]);
        }
        system(&mut command)?;
        let memory_bytes = u64::from(limits.memory_mb) * 1024 * 1024;
        let memory = memory_bytes.to_string();
        command.args(["--proc", "/proc"]);
        match bridge {
            None => drop(command.args(["--dev", "/dev"])),
            // Devices of bubblewrap's making, or another user, need a user namespace within the first: there
            // nobody may listen on low ports, since the network is the first one's.
            Some(_) => devices(&mut command),
        }
        command.args(["--remount-ro", "/dev"]);
        command.args(["--size", &memory, "--tmpfs", "/dev/shm", "--size", &memory, "--tmpfs", "/tmp"]);
        command.arg("--ro-bind").arg(self.plugin()).arg("/plugin");
        match write {
            true => self.room().mount(&mut command, &self.work(), memory_bytes + self.placed)?,
            false => drop(command.arg("--ro-bind").arg(self.work()).arg("/work")),
        }
        if let Some(packages) = &self.packages {
            command.arg("--ro-bind").arg(packages).args(["/packages", "--setenv", "PYTHONPATH", "/packages"]);
        }
        let mut line: Vec<String> = Vec::new();
        if let Some(bridge) = bridge {
            // To listen on the ports that the hosts have; the bridge gives it up before the plugin starts.
            command.args(["--cap-add", "CAP_NET_BIND_SERVICE", "--ro-bind"]).arg(bridge).arg("/run/bridge");
            for (from, to) in
                [("egress", "/run/egress"), ("hosts", "/etc/hosts"), ("nsswitch.conf", "/etc/nsswitch.conf")]
            {
                command.arg("--ro-bind").arg(self.folder.path().join(from)).arg(to);
            }
            command.args(["--ro-bind-try", "/etc/ssl/certs", "/etc/ssl/certs"]);
            line = egress::line("/run/bridge", &self.routes);
        }
        command.args(["--remount-ro", "/", "--chdir", "/work"]);
        for (name, value) in [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/tmp"), ("LANG", "C.UTF-8")] {
            command.args(["--setenv", name, value]);
        }
        let before = if line.is_empty() { 1 } else { 2 };
        let limited = limited(limits, extra, before);
        let begin = if write { BEGIN } else { "" };
        let shell = format!("{begin}{limited}{}exec \"$@\"", named(&self.given));
        command.arg("--").args(line).args(["/bin/sh", "-c", &shell, "sh"]).args(program);
        // Only what finds bubblewrap; no key of a model in the memory of a process beside plugin code.
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
        // Under names that mean nothing to anybody outside: no argument, which all of the machine could read.
        command.envs(self.given.iter().enumerate().map(|(i, (_, value))| (format!("GIVEN_{i}"), value)));
        if geteuid().is_root() {
            // Nobody may read the plugin, and nobody else than we may change it: what was verified is what
            // is mounted. Only the work folder is the run's own.
            folder::readable(self.folder.path())?;
            hand_over(&self.work())?;
            if write {
                chown(self.room().info, Some(NOBODY), Some(NOBODY))?;
            }
            if !self.routes.is_empty() {
                hand_over(&self.folder.path().join("egress"))?;
            }
            command.uid(NOBODY).gid(NOBODY);
        }
        Ok(command)
    }
}

/// The devices that any program may use.
fn devices(command: &mut Command) {
    command.args(["--tmpfs", "/dev"]);
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let device = format!("/dev/{name}");
        command.args(["--dev-bind", &device, &device]);
    }
    for (name, to) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        command.args(["--symlink", &format!("/proc/self/fd{to}"), &format!("/dev/{name}")]);
    }
    command.args(["--dir", "/dev/shm"]);
}

/// The machine's programs and libraries, and the little of /etc that they need.
fn system(command: &mut Command) -> io::Result<()> {
    command.args(["--ro-bind", "/usr", "/usr"]);
    for place in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
        match fs::symlink_metadata(place) {
            Ok(found) if found.is_symlink() => {
                command.arg("--symlink").arg(fs::read_link(place)?).arg(place);
            }
            Ok(_) => {
                command.args(["--ro-bind", place, place]);
            }
            Err(_) => {}
        }
    }
    for place in ["/etc/alternatives", "/etc/ld.so.cache"] {
        command.args(["--ro-bind-try", place, place]);
    }
    Ok(())
}

/// The beginning of a shell line: it sets the limits. So many processes are there before it.
fn limited(limits: &Limits, extra: Extra, before: u32) -> String {
    let Limits { seconds, memory_mb, processes, output_kb } = limits;
    let memory = |extra: u32| (u64::from(*memory_mb) + u64::from(extra)) * 1024;
    let (address, data) = (memory(extra.address_mb), memory(extra.data_mb));
    let blocks = u64::from(*output_kb) * 2;
    let mut line = format!(
        "ulimit -c 0 && ulimit -n 256 && ulimit -v {address} && ulimit -d {data} && ulimit -t {seconds} && ulimit -f {blocks} && "
    );
    if counts_processes_by_namespace() {
        // More for bubblewrap itself, and the bridge. Bash calls it -u, dash and busybox -p.
        let count = processes + before;
        line.push_str(&format!("{{ (ulimit -u {count}) 2>/dev/null && ulimit -u {count} || ulimit -p {count}; }} && "));
    }
    line
}

/// The same: it gives variables the names that they have inside.
fn named(given: &[(String, String)]) -> String {
    let one =
        |(i, (name, _)): (usize, &(String, String))| format!("export {name}=\"$GIVEN_{i}\" && unset GIVEN_{i} && ");
    given.iter().enumerate().map(one).collect()
}

/// Since Linux 5.14 the limit on processes counts those in the sandbox; before, all of the user's.
fn counts_processes_by_namespace() -> bool {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(5), Some(14))
}

/// Gives everything in a folder to the one who runs plugin code.
fn hand_over(folder: &Path) -> io::Result<()> {
    chown(folder, Some(NOBODY), Some(NOBODY))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { hand_over(&path)? } else { chown(&path, Some(NOBODY), Some(NOBODY))? }
    }
    Ok(())
}

/// Why the sandbox itself failed, if that is what this end of a process means.
pub fn refusal(ended: &process::Ended) -> Option<String> {
    let line = &ended.last_line;
    match ended.status.code() {
        Some(127) if line.contains("bwrap") => Some(NO_BUBBLEWRAP.into()),
        Some(1) => line.strip_prefix("bwrap: ").map(|why| {
            format!(
                "bubblewrap can't make a sandbox here: {why}; do user.max_user_namespaces, kernel.unprivileged_userns_clone \
                 and kernel.apparmor_restrict_unprivileged_userns allow user namespaces? See: sysctl -a"
            )
        }),
        _ => None,
    }
}

/// What keeps plugin code in, each tried from inside: its name, and whether it holds here.
///
/// # Errors
/// A sentence: there is no sandbox at all.
pub async fn guards() -> Result<Vec<(&'static str, bool)>, String> {
    const TRIED: &str = "cat /proc/self/status; echo \"Pid1: $(ls -d /proc/[0-9]* | wc -l)\"; \
        echo \"Links: $(tail -n +3 /proc/net/dev | wc -l)\"; touch /usr/x 2>/dev/null && echo Written: 1; \
        ls /home /root /var /sys >/dev/null 2>&1 && echo Seen: 1; echo \"Address: $(ulimit -v)\"";
    let sandbox = Sandbox::new().map_err(|e| format!("the temporary directory can't be used: {e}"))?;
    let limits = Limits { seconds: 20, memory_mb: 256, ..Limits::default() };
    let extra = Extra { address_mb: 0, data_mb: 0 };
    let command = sandbox.command(&["/bin/sh", "-c", TRIED], &limits, extra, false).map_err(|e| e.to_string())?;
    let bounds = process::Bounds { time: Duration::from_secs(20), output: 64 * 1024 };
    let ended = process::run(command, Vec::new(), &bounds, &CancellationToken::new(), &|_| {}).await;
    let ended = ended.map_err(|e| e.to_string())?;
    if let Some(why) = refusal(&ended) {
        return Err(why);
    }
    let said = String::from_utf8_lossy(&ended.stdout);
    let of = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim().to_string())
    };
    let is = |name: &str, value: &str| of(name).as_deref() == Some(value);
    let few = of("Pid1").and_then(|n| n.parse::<u32>().ok()).is_some_and(|n| n < 10);
    Ok(vec![
        ("processes of its own only", few),
        ("no network", is("Links", "1")),
        ("a read-only system", of("Written").is_none()),
        ("nothing of the host's data", of("Seen").is_none()),
        ("no capabilities", is("CapEff", "0000000000000000")),
        ("no new privileges", is("NoNewPrivs", "1")),
        ("a system call filter", is("Seccomp", "2")),
        ("limits on each process", is("Address", "262144")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal_of(script: &str) -> Option<String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env("PATH", "/nonexistent");
        let bounds = process::Bounds { time: std::time::Duration::from_secs(5), output: 100 };
        let ended = process::run(command, Vec::new(), &bounds, &CancellationToken::new(), &|_| {}).await;
        refusal(&ended.expect("it ends"))
    }

    #[tokio::test]
    async fn what_is_missing_is_told_with_the_command_that_gets_it() {
        assert_eq!(refusal_of("exec bwrap --version 3</dev/null").await.as_deref(), Some(NO_BUBBLEWRAP));
        let denied = refusal_of("echo 'bwrap: No permissions to create new namespace' >&2; exit 1").await;
        assert!(denied.is_some_and(|why| why.starts_with("bubblewrap can't make a sandbox here: No permissions")));
        assert_eq!(refusal_of("exec python3").await, None);
        assert_eq!(refusal_of("echo oops >&2; exit 1").await, None);
    }

    #[tokio::test]
    async fn every_guard_holds_here() {
        let guards = guards().await.expect("there is a sandbox");
        let missing: Vec<_> = guards.iter().filter(|(_, holds)| !holds).collect();
        assert!(missing.is_empty() && guards.len() == 8, "{missing:?}");
    }

    #[test]
    fn the_limits_are_a_shell_line() {
        let extra = Extra { address_mb: 1, data_mb: 2 };
        let line = limited(&Limits { seconds: 5, memory_mb: 2, processes: 3, output_kb: 4 }, extra, 1);
        assert!(
            line.starts_with(
                "ulimit -c 0 && ulimit -n 256 && ulimit -v 3072 && ulimit -d 4096 && ulimit -t 5 && ulimit -f 8 && "
            ),
            "{line}"
        );
        assert!(line.ends_with(" && "), "{line}");
    }
}
