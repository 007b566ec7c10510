//! Start, set-up, supervision, and what can go wrong with them.

use crate::fixture::{Server, binary};
use nats::{
    config::{self, Config, Sync},
    connect, key,
    server::{Error, Managed, Options},
    setup::{self, Change},
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use streams::topology::{CONSUMERS, STREAMS};

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
}

fn runs(pid: u32) -> bool {
    test_kill_process(Pid::from_raw(pid as i32).unwrap()).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_up_twice_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let managed = Managed::start(Options::new(dir.path(), &binary().await)).await.unwrap();
    let admin = managed.connect("setup").await.unwrap();
    let first = setup::ensure(&admin).await.unwrap();
    assert_eq!(first.len(), STREAMS.len() + CONSUMERS.len());
    assert!(first.iter().all(|(_, change)| *change == Change::Created));
    assert_eq!(setup::ensure(&admin).await.unwrap(), vec![]);
    let mut consumers = CONSUMERS;
    consumers[0].max_ack_pending = 1_000;
    let changes = setup::ensure_all(&admin, &STREAMS, &consumers).await.unwrap();
    assert_eq!(changes, vec![(consumers[0].name, Change::Updated)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_does_not_fit_is_said_to_be_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let managed = Managed::start(Options::new(dir.path(), &binary().await)).await.unwrap();
    let admin = managed.connect("setup").await.unwrap();
    let mut streams = STREAMS;
    streams[0].max_bytes = 1 << 40;
    let refused = setup::ensure_all(&admin, &streams, &[]).await;
    assert!(matches!(refused, Err(setup::Error::TooLarge { stream: "MISSIONS", .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_comes_back_on_its_port_with_its_store() {
    let server = Server::start().await;
    let control = server.user("control").await;
    let stored = control.append("stage7.mission.default.0.m.control.mission.created", "x").await;
    assert_eq!(stored, Some(1));
    let mut pids = server.managed.pids();
    for _ in 0..2 {
        let old = server.managed.pid();
        kill(old);
        tokio::time::timeout(Duration::from_secs(20), pids.changed()).await.unwrap().unwrap();
        assert_ne!(server.managed.pid(), old);
    }
    let until = Instant::now() + Duration::from_secs(10);
    let read = "$JS.API.DIRECT.GET.MISSIONS";
    let mut found = None;
    while found.is_none() && Instant::now() < until {
        found = control.ask(read, r#"{"seq":1}"#).await;
    }
    assert_eq!(found.expect("the same connection reads it again").payload, "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_look_into_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let _managed = Managed::start(Options::new(&data, &binary().await)).await.unwrap();
    for made in [&data, &data.join("nats"), &data.join("creds")] {
        assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700, "{made:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_server_has_ended() {
    let server = Server::start().await;
    let pid = server.managed.pid();
    assert!(runs(pid));
    drop(server);
    assert!(!runs(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_owner_left_is_ended_and_its_port_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new(dir.path(), &binary().await);
    let first = Managed::start(options.clone()).await.unwrap();
    let url = first.url().to_string();
    drop(first);
    // What a killed owner leaves is this process, and the note of it.
    let (dir, port) = (dir.path().join("nats"), url.rsplit(':').next().unwrap());
    let mut left = Command::new(&options.binary).args(["-c", "nats-server.conf"]).current_dir(&dir).spawn().unwrap();
    fs::write(dir.join("nats-server.pid"), format!("{} {port}\n", left.id())).unwrap();
    while std::net::TcpStream::connect(("127.0.0.1", port.parse::<u16>().unwrap())).is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let pid = left.id();
    std::thread::spawn(move || left.wait());
    let second = Managed::start(options).await.unwrap();
    assert_ne!(second.pid(), pid);
    assert_eq!(second.url(), url);
    assert!(second.connect("door").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_noted_pid_that_is_another_programs_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    fs::create_dir_all(dir.path().join("nats")).unwrap();
    fs::write(dir.path().join("nats/nats-server.pid"), format!("{} 4222\n", stranger.id())).unwrap();
    let managed = Managed::start(Options::new(dir.path(), &binary().await)).await.unwrap();
    assert!(stranger.try_wait().unwrap().is_none());
    drop(managed);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_prevents_a_start_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let binary = binary().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut options = Options::new(dir.path(), &binary);
    options.port = Some(port);
    let refused = Managed::start(options).await;
    assert!(matches!(refused, Err(Error::PortTaken { port: p }) if p == port), "{refused:?}");

    fs::write(dir.path().join("file"), "").unwrap();
    let refused = Managed::start(Options::new(dir.path().join("file/below"), &binary)).await;
    assert!(matches!(refused, Err(Error::Dir { .. })), "{refused:?}");

    let mut options = Options::new(dir.path().join("a"), &binary);
    options.binary = "/bin/false".into();
    let refused = Managed::start(options).await;
    assert!(matches!(refused, Err(Error::Ended { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_and_a_dead_address_are_told_apart() {
    let server = Server::start().await;
    let stranger = key::Seed::new();
    let refused = connect::connect(server.managed.url(), "door", &stranger).await;
    assert!(matches!(refused, Err(connect::Error::Refused { .. })), "{refused:?}");
    let nobody = connect::connect("nats://127.0.0.1:1", "door", &stranger).await;
    assert!(matches!(nobody, Err(connect::Error::Unreachable { .. })), "{nobody:?}");
}

/// Answers as an old server does, up to the point where the client knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_too_old_is_refused_by_its_version() {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"INFO {\"server_id\":\"x\",\"version\":\"2.9.25\",\"nonce\":\"abc\",\"headers\":true,\"max_payload\":1048576,\"proto\":1}\r\n").unwrap();
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            if line.unwrap().starts_with("PING") {
                stream.write_all(b"PONG\r\n").unwrap();
            }
        }
    });
    let refused = connect::connect(&url, "door", &key::Seed::new()).await;
    assert!(matches!(&refused, Err(connect::Error::TooOld { version, .. }) if version == "2.9.25"), "{refused:?}");
}

fn reference() -> String {
    let keys = BTreeMap::new();
    Config { listen: "127.0.0.1:4222", store_dir: Path::new("./data"), sync: Sync::Always, keys: &keys }.render()
}

#[test]
fn the_reference_configuration_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("nats-server.conf");
    if std::env::var("STAGE7_REGENERATE").is_ok_and(|value| value == "1") {
        fs::write(&path, reference()).unwrap();
    }
    let checked_in = fs::read_to_string(&path).unwrap();
    assert!(
        checked_in == reference(),
        "nats/nats-server.conf is stale: STAGE7_REGENERATE=1 cargo test -p nats reference"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_accepts_the_reference_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let ring = key::Ring::ensure(&dir.path().join("creds")).unwrap();
    fs::write(dir.path().join("nats-server.conf"), reference()).unwrap();
    fs::create_dir(dir.path().join("accounts")).unwrap();
    fs::write(dir.path().join(config::TENANTS_FILE), config::tenants(&config::default_tenant(&ring))).unwrap();
    let mut check = Command::new(binary().await.path);
    check.args(["-t", "-c", "nats-server.conf"]).current_dir(dir.path());
    check
        .envs(config::public_keys(&ring).into_iter().map(|(user, key)| (format!("NKEY_{}", user.to_uppercase()), key)));
    let told = check.output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}
