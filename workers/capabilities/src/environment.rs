//! Python packages of plugins: installed once for each lock file, and mounted read-only.
//!
//! Only wheels, each with its hash: nothing of a package runs while it is installed, and what was
//! locked is what is mounted.

use crate::{
    folder,
    plugin::Files,
    process::{self, Bounds},
    runtime::Failure,
};
use rustix::process::geteuid;
use schemas::{Class, Fault, value::sha256};
use serde_json::Value;
use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{process::Command, sync::OnceCell};
use tokio_util::sync::CancellationToken;

/// What a plugin wants, in the words of its maker, and exactly.
pub const WANTED: &str = "requirements.txt";
pub const LOCK: &str = "requirements.lock";
/// What pip says where the next time would give the same.
const NEVER: [&str; 4] =
    ["No matching distribution", "DO NOT MATCH THE HASHES", "Invalid requirement", "Hashes are required"];
/// How long an installation may take.
const TIME: Duration = Duration::from_secs(600);
/// Bytes of what pip says on stdout.
const SAID: u64 = 64 << 20;
/// The programs that the sandbox finds, too: packages fit one version of Python.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// What of our environment the installer may see, by how it begins: where packages come from.
const SEEN: [&str; 8] =
    ["PIP_", "HOME", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "SSL_CERT_", "REQUESTS_CA"];

/// Where the environments are.
///
/// Plugin code runs as nobody where stage7 runs as root: then they can't be in root's own folders.
pub fn folder(data: &Path) -> PathBuf {
    if geteuid().is_root() { "/var/cache/stage7/environments".into() } else { data.join("environments") }
}

/// The environments of this machine.
pub struct Environments {
    folder: PathBuf,
    /// Those that are there or being made, by their key.
    known: Mutex<HashMap<String, Arc<OnceCell<PathBuf>>>>,
    /// Which Python the sandbox finds.
    python: OnceCell<String>,
}

impl Environments {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), known: Mutex::default(), python: OnceCell::new() }
    }

    /// The folder with the packages of a plugin, made if it is not there yet; none when it wants none.
    ///
    /// # Errors
    /// They can't be had: `transient` when the next time may do, else `permanent`.
    pub async fn of(&self, files: &Files, log: &(dyn Fn(&str) + Send + Sync)) -> Result<Option<PathBuf>, Failure> {
        let Some(lock) = text(files, LOCK).filter(|lock| !requirements(lock).is_empty()) else { return Ok(None) };
        let python = self.python.get_or_try_init(python).await?;
        let key = sha256(format!("{python}\n{lock}").as_bytes());
        let known =
            Arc::clone(self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default());
        known.get_or_try_init(|| self.make(&key, lock, log)).await.map(|made| Some(made.clone()))
    }

    /// Nobody, who runs plugin code where we are root, must get there.
    fn seen(&self) -> Result<(), Failure> {
        let hides = |path: &&Path| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o001 == 0);
        match self.folder.ancestors().find(hides).filter(|_| geteuid().is_root()) {
            None => Ok(()),
            Some(hidden) => Err(Failure::new(
                Class::Permanent,
                format!(
                    "its packages can't be installed into {}: plugin code runs as nobody, who may not look into {}; \
                     set workers.packages (STAGE7_PACKAGES) to another folder",
                    self.folder.display(),
                    hidden.display()
                ),
            )),
        }
    }

    async fn make(&self, key: &str, lock: &str, log: &(dyn Fn(&str) + Send + Sync)) -> Result<PathBuf, Failure> {
        self.seen()?;
        let made = self.folder.join(key);
        if made.is_dir() {
            return Ok(made);
        }
        log("installing its packages");
        let unwritable = |e: io::Error| {
            let place = self.folder.display();
            Failure::new(Class::Permanent, format!("packages can't be installed into {place}: {e}"))
        };
        fs::create_dir_all(&self.folder).map_err(unwritable)?;
        // Made aside and renamed: a half made one is never taken for whole.
        let aside = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.folder).map_err(unwritable)?;
        let (to, list) = (aside.path().join("packages"), aside.path().join(LOCK));
        fs::write(&list, lock).map_err(unwritable)?;
        let mut pip = self.pip(log).await?;
        pip.args(["install", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target"]);
        pip.arg(&to).arg("--requirement").arg(&list);
        ran(pip, log).await?;
        folder::readable(&to).map_err(unwritable)?;
        match fs::rename(&to, &made) {
            // Another process was quicker.
            Err(_) if made.is_dir() => Ok(made),
            renamed => renamed.map(|()| made).map_err(unwritable),
        }
    }

    /// What a lock file would say of these requirements today.
    ///
    /// # Errors
    /// A failure as above.
    pub async fn lock(&self, wanted: &Path, log: &(dyn Fn(&str) + Send + Sync)) -> Result<String, Failure> {
        let mut pip = self.pip(log).await?;
        pip.args(["install", "--dry-run", "--ignore-installed", "--only-binary", ":all:", "--report", "-"]);
        pip.arg("--requirement").arg(wanted);
        let report = ran(pip, log).await?;
        let odd = || Failure::new(Class::Permanent, "pip's report can't be read: is it older than 23?");
        let report: Value = serde_json::from_slice(&report).map_err(|_| odd())?;
        let line = |package: &Value| {
            let (about, from) = (&package["metadata"], &package["download_info"]["archive_info"]["hashes"]);
            let (name, version) = (about["name"].as_str()?, about["version"].as_str()?);
            Some(format!("{name}=={version} --hash=sha256:{}\n", from["sha256"].as_str()?))
        };
        let lines = report["install"].as_array().into_iter().flatten().map(line).collect::<Option<Vec<_>>>();
        let mut lines = lines.ok_or_else(odd)?;
        lines.sort();
        Ok(lines.concat())
    }

    /// A pip of our own, for the Python that the sandbox finds.
    async fn pip(&self, log: &(dyn Fn(&str) + Send + Sync)) -> Result<Command, Failure> {
        let python = self.python.get_or_try_init(python).await?;
        let home = self.folder.join(format!("pip-{}", &sha256(python.as_bytes())[..12]));
        if !home.is_dir() {
            let failed = |e: io::Error| {
                Failure::new(Class::Permanent, format!("{} can't be written: {e}", self.folder.display()))
            };
            fs::create_dir_all(&self.folder).map_err(failed)?;
            let aside = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.folder).map_err(failed)?;
            let mut venv = command("python3");
            venv.args(["-m", "venv"]).arg(aside.path().join("pip"));
            let missing = |failure: Failure| {
                Failure::new(Class::Permanent, format!("pip is missing: apt-get install python3-venv ({failure})"))
            };
            ran(venv, log).await.map_err(missing)?;
            if let Err(error) = fs::rename(aside.path().join("pip"), &home)
                && !home.is_dir()
            {
                return Err(failed(error));
            }
        }
        let mut pip = command(home.join("bin/python"));
        // Its scripts name the folder in which it was made; the module does not.
        pip.args(["-m", "pip", "--no-input", "--disable-pip-version-check", "--quiet"]);
        Ok(pip)
    }
}

fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    let seen = |name: &str| SEEN.iter().any(|begin| name.starts_with(begin));
    command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8");
    command.envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(seen)));
    command
}

/// Runs a program of the installer; gives what it said on stdout.
async fn ran(command: Command, log: &(dyn Fn(&str) + Send + Sync)) -> Result<Vec<u8>, Failure> {
    let bounds = Bounds { time: TIME, output: SAID };
    let why = Mutex::new(None);
    let listen = |line: &str| {
        if NEVER.iter().any(|words| line.contains(words)) {
            why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| line.to_string());
        }
        log(line);
    };
    let failed = |class, why: &str| {
        let why = why.trim_start_matches("ERROR: ");
        Failure::new(class, format!("its packages can't be installed: {why}"))
    };
    let ended = process::run(command, Vec::new(), &bounds, &CancellationToken::new(), &listen).await;
    let ended = ended.map_err(|error| failed(Class::Transient, &error.to_string()))?;
    if ended.status.success() {
        return Ok(ended.stdout);
    }
    match why.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(why) => Err(failed(Class::Permanent, &why)),
        None => Err(failed(Class::Transient, &ended.last_line)),
    }
}

/// Which Python the sandbox finds, on what machine.
async fn python() -> Result<String, Failure> {
    let mut python = command("python3");
    python.args(["-c", "import sys, sysconfig; print(sys.version, sysconfig.get_platform())"]);
    let said = ran(python, &|_| {}).await;
    let said = said.map_err(|_| Failure::new(Class::Permanent, "python3 is missing: apt-get install python3"))?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn text<'f>(files: &'f Files, name: &str) -> Option<&'f str> {
    files.iter().find(|(path, _)| path == name).and_then(|(_, bytes)| std::str::from_utf8(bytes).ok())
}

/// The lines of a lock file that are requirements, with their numbers; a backslash joins lines.
fn requirements(lock: &str) -> Vec<(usize, String)> {
    let (mut all, mut open) = (Vec::<(usize, String)>::new(), false);
    for (line, n) in lock.lines().zip(1..) {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.starts_with('#') || (line.is_empty() && !open) {
            continue;
        }
        let (part, goes_on) = line.strip_suffix('\\').map_or((line, false), |part| (part.trim(), true));
        match all.last_mut().filter(|_| open) {
            Some((_, text)) => *text = format!("{text} {part}"),
            None => all.push((n, part.into())),
        }
        open = goes_on;
    }
    all
}

/// What is wrong with the packages that a plugin asks for.
pub fn faults(files: &Files) -> Vec<Fault> {
    let Some(lock) = text(files, LOCK) else {
        let wants = text(files, WANTED).is_some_and(|wanted| !requirements(wanted).is_empty());
        let unlocked = format!("{WANTED} has no {LOCK} beside it: `stage7 plugin lock` makes one");
        return if wants { vec![Fault::new("", unlocked)] } else { Vec::new() };
    };
    let wrong = |(n, line): (usize, String)| {
        let right = "must be name==version --hash=sha256:…, as `stage7 plugin lock` writes it";
        (!is_locked(&line)).then(|| Fault::new("", format!("{LOCK}:{n}: `{line}` {right}")))
    };
    requirements(lock).into_iter().filter_map(wrong).collect()
}

/// Options, addresses and paths are none: they would have other things installed, or run.
fn is_locked(line: &str) -> bool {
    let (requirement, hashes) = line.split_once(" --hash").unwrap_or((line, ""));
    let requirement = requirement.split(';').next().unwrap_or_default().trim();
    let named = requirement.split_once("==").is_some_and(|(name, version)| {
        let (name, extras) = name.split_once('[').map_or((name, ""), |(name, rest)| (name, rest));
        let plain = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
        let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        begins
            && plain(name.trim(), "-_.")
            && plain(extras.trim(), "-_.,] ")
            && !version.trim().is_empty()
            && plain(version.trim(), ".+!-_")
    });
    let hashed = |one: &str| {
        let hash = one.trim().trim_start_matches("--hash=sha256:").trim_start_matches("=sha256:");
        hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit())
    };
    named && !hashes.is_empty() && hashes.split_whitespace().all(hashed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_holds_versions_and_hashes_and_nothing_else() {
        let hash = "a".repeat(64);
        for (line, right) in [
            (format!("idna==3.7 --hash=sha256:{hash}"), true),
            (format!("idna==3.7 \\\n    --hash=sha256:{hash} \\\n    --hash=sha256:{hash}  # why"), true),
            (format!("httpx[http2, cli]==0.27.0 ; python_version >= \"3.9\" --hash=sha256:{hash}"), true),
            ("# only words\n\n".into(), true),
            ("idna==3.7".into(), false),
            (format!("idna>=3.7 --hash=sha256:{hash}"), false),
            ("idna==3.7 --hash=md5:0123".into(), false),
            (format!("idna==3.7 --hash=sha256:{hash} --index-url=http://example.org"), false),
            ("--index-url http://example.org".into(), false),
            (format!("-e git+https://example.org/x==1 --hash=sha256:{hash}"), false),
            (format!("idna @ https://example.org/idna==1.whl --hash=sha256:{hash}"), false),
            (format!("./idna==3.7 --hash=sha256:{hash}"), false),
        ] {
            let found = faults(&vec![(LOCK.into(), line.clone().into_bytes())]);
            assert_eq!(found.is_empty(), right, "{line}: {found:?}");
        }
        let wanted = vec![(WANTED.to_string(), b"idna\n".to_vec())];
        assert!(faults(&wanted)[0].message.contains("`stage7 plugin lock` makes one"));
        let found = faults(&vec![(LOCK.into(), b"# a\nidna\n".to_vec())]);
        assert!(found[0].message.starts_with("requirements.lock:2: `idna` must be"), "{found:?}");
    }
}
