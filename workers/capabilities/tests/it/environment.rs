//! Python plugins with packages, from the index that pip is set up for.

use crate::TRIAL;
use capabilities::{Failure, Host, Plugin, environment::LOCK};
use plugins::{Done, Run};
use schemas::Class;
use std::{fs, os::unix::fs::PermissionsExt, sync::Mutex, time::Duration};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const REST: &str = r#"
runtime = "python"
entry = "main.py"
output = { type = "object" }
limits = { seconds = 10, memory_mb = 256, processes = 4, output_kb = 64 }
"#;
const CODE: &str = "import json, idna, sys\njson.dump({'out': idna.encode('bücher.example').decode()}, sys.stdout)";

/// With 0o755 plugin code can look into it, as nobody.
fn folder(mode: u32) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("it is ours");
    folder
}

async fn run(host: &Host, lock: &str, lines: &Mutex<Vec<String>>) -> Result<Done, Failure> {
    let files = vec![("main.py".into(), CODE.into()), (LOCK.into(), lock.into())];
    let plugin = Plugin::new(&format!("{TRIAL}{REST}"), files).expect("nothing is wrong with it");
    let log = |line: &str| lines.lock().expect("not poisoned").push(line.to_owned());
    host.run(&plugin, Run::default(), &CancellationToken::new(), &log).await
}

#[tokio::test]
async fn packages_are_locked_installed_once_and_mounted() {
    let (dir, lines) = (folder(0o755), Mutex::default());
    let host = Host::new("/nonexistent", dir.path());
    let wanted = dir.path().join("requirements.txt");
    fs::write(&wanted, "idna>=3,<4\n").expect("it is written");
    let lock = host.environments().lock(&wanted, &|_| {}).await.expect("the index answers");
    assert!(lock.starts_with("idna==3.") && lock.contains(" --hash=sha256:") && lock.lines().count() == 1, "{lock}");

    // Two at once make one environment.
    let (one, other) = tokio::join!(run(&host, &lock, &lines), run(&host, &lock, &lines));
    for done in [one, other] {
        assert_eq!(done.expect("it runs").outputs["out"], "xn--bcher-kva.example");
    }
    let installed = |lines: &Mutex<Vec<String>>| {
        lines.lock().expect("not poisoned").iter().filter(|line| *line == "installing its packages").count()
    };
    assert_eq!(installed(&lines), 1);
    // Another process finds it, though no index answers any more.
    let later = Host::new("/nonexistent", dir.path());
    assert_eq!(run(&later, &lock, &lines).await.expect("it runs").outputs["out"], "xn--bcher-kva.example");
    assert_eq!(installed(&lines), 1);
    let left: Vec<_> = fs::read_dir(dir.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".new-")), "{left:?}");
}

#[tokio::test]
async fn packages_that_are_not_what_was_locked_are_refused() {
    let (dir, lines) = (folder(0o755), Mutex::default());
    let host = Host::new("/nonexistent", dir.path());
    let zeros = "0".repeat(64);
    for (lock, said) in [
        (format!("idna==3.7 --hash=sha256:{zeros}\n"), "HASHES"),
        (format!("stage7-has-no-such-package==1.0 --hash=sha256:{zeros}\n"), "No matching distribution found"),
    ] {
        let failure = tokio::time::timeout(Duration::from_secs(120), run(&host, &lock, &lines)).await;
        let failure = failure.expect("in time").expect_err(said);
        assert_eq!(failure.class, Class::Permanent, "{failure}");
        assert!(failure.message.contains(said), "{failure}");
    }
    if rustix::process::geteuid().is_root() {
        let hidden = folder(0o700);
        let hides = Host::new("/nonexistent", hidden.path().join("packages"));
        let failure = run(&hides, &format!("idna==3.7 --hash=sha256:{zeros}\n"), &lines).await.expect_err("hidden");
        let said = format!("who may not look into {}", hidden.path().display());
        assert!(failure.message.contains(&said), "{failure}");
    }
    let wrong = Host::new("/nonexistent", "/proc/nowhere");
    let failure = run(&wrong, &format!("idna==3.7 --hash=sha256:{zeros}\n"), &lines).await.expect_err("nowhere");
    assert!(failure.message.starts_with("packages can't be installed into /proc/nowhere: "), "{failure}");
}

#[tokio::test]
async fn a_run_that_is_cancelled_does_not_wait_for_its_packages() {
    let (dir, cancel) = (folder(0o755), CancellationToken::new());
    let host = Host::new("/nonexistent", dir.path());
    let lock = format!("idna==3.7 --hash=sha256:{}\n", "0".repeat(64));
    let files = vec![("main.py".into(), CODE.into()), (LOCK.into(), lock.into())];
    let plugin = Plugin::new(&format!("{TRIAL}{REST}"), files).expect("nothing is wrong with it");
    let log = |line: &str| {
        assert_eq!(line, "installing its packages");
        cancel.cancel();
    };
    let ended = host.run(&plugin, Run::default(), &cancel, &log).await;
    assert_eq!(ended, Err(Failure::new(Class::NotStarted, "TRIAL was stopped")));
}
