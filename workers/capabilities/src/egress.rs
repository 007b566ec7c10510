//! The way out for plugins that may talk to hosts: to those in the manifest, and to no others.
//!
//! A sandbox has no network but its own loopback. For each granted host a name in its `/etc/hosts`
//! leads to an address of that loopback, where the bridge listens: this program, as the first process
//! inside. It passes every connection through a socket file to the gate outside, which looks the name
//! up itself and connects, or refuses. So any program works as it is; a redirect leads to a name that
//! nobody knows; and a granted name that turns into an address of the machine or its network is
//! refused at the moment it is used.

use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use plugins::web::address::is_public;
use std::{
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixListener, UnixStream, lookup_host},
    process::Command,
    sync::OnceCell,
    time::timeout,
};

/// The first argument of the bridge.
const BRIDGE: &str = "run-behind-the-bridge";
/// Where the gate is, inside.
pub const SOCKET: &str = "/run/egress/gate";
/// How the gate is asked, and how long it may take to be asked and to connect.
const ASKED: Duration = Duration::from_secs(10);
const CONNECTED: Duration = Duration::from_secs(30);
const LONGEST: u64 = 512;
/// Connections of one run at once.
const MOST: usize = 64;
/// Where no port is granted by number.
const PORTS: [u16; 2] = [443, 80];
const LOCALHOST: &str = "localhost";

/// One host and port that a run may talk to, and where the sandbox finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub host: String,
    pub port: u16,
    inside: SocketAddr,
}

/// The routes of what a manifest grants (`host` or `host:port`, checked when it was read).
pub fn routes(granted: &[String]) -> Vec<Route> {
    let mut all = Vec::new();
    for (granted, n) in granted.iter().zip(1..) {
        let (host, port) = match granted.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (granted.as_str(), None),
        };
        let address = if host == LOCALHOST { Ipv4Addr::LOCALHOST } else { Ipv4Addr::new(127, 1, 0, n) };
        for port in port.map_or(PORTS.to_vec(), |port| vec![port]) {
            all.push(Route { host: host.into(), port, inside: (address, port).into() });
        }
    }
    all
}

/// What stands in the sandbox's `/etc/hosts`.
pub fn hosts(routes: &[Route]) -> String {
    let line = |route: &Route| format!("{} {}\n", route.inside.ip(), route.host);
    let mut lines: Vec<_> = routes.iter().map(line).chain(["127.0.0.1 localhost\n".to_string()]).collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

/// The program that is the bridge, where whoever runs plugin code can read it.
pub struct Bridge {
    program: PathBuf,
    copy: OnceCell<(TempDir, PathBuf)>,
}

impl Bridge {
    pub fn new(program: PathBuf) -> Self {
        Self { program, copy: OnceCell::new() }
    }

    /// Where it lies.
    ///
    /// # Errors
    /// It can't be copied.
    pub async fn path(&self) -> io::Result<&Path> {
        let copy = self.copy.get_or_try_init(async || {
            let folder = tempfile::Builder::new().prefix("stage7-bridge-").tempdir()?;
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
            let path = folder.path().join("bridge");
            fs::copy(&self.program, &path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
            io::Result::Ok((folder, path))
        });
        Ok(&copy.await?.1)
    }
}

/// What comes before a program that is run behind the bridge.
pub fn line(bridge: &str, routes: &[Route]) -> Vec<String> {
    let mut line = vec![bridge.to_string(), BRIDGE.into()];
    line.extend(routes.iter().map(|route| format!("{}={}:{}", route.inside, route.host, route.port)));
    line.push("--".into());
    line
}

/// Lets a run's connections out, as long as it is awaited; every one is told to `log`.
pub async fn gate(listener: &UnixListener, routes: &[Route], log: &(dyn Fn(&str) + Send + Sync)) {
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if open.len() < MOST => match accepted {
                Ok((inside, _)) => open.push(through(inside, routes, log).boxed()),
                Err(error) => {
                    tracing::debug!(%error, "a connection of a plugin is lost");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(()) = open.next() => {}
        }
    }
}

/// One connection, from where it is asked for to its end.
async fn through(inside: UnixStream, routes: &[Route], log: &(dyn Fn(&str) + Send + Sync)) {
    let mut inside = BufReader::new(inside);
    let mut asked = String::new();
    let read = timeout(ASKED, (&mut inside).take(LONGEST).read_line(&mut asked)).await;
    if !matches!(read, Ok(Ok(1..))) {
        return;
    }
    let asked = asked.trim_end();
    let Some(route) = routes.iter().find(|route| format!("{}:{}", route.host, route.port) == asked) else {
        return log(&format!("network: {asked:?} is not granted"));
    };
    match timeout(CONNECTED, connect(route)).await.unwrap_or_else(|_| Err("it does not answer".into())) {
        Err(why) => log(&format!("network: {asked}: {why}")),
        Ok(mut outside) => {
            log(&format!("network: {asked}"));
            // Either end may close it.
            let _ = copy_bidirectional(&mut inside, &mut outside).await;
        }
    }
}

/// Looks the name up and connects to what was found, so that there is nothing to look up again.
async fn connect(route: &Route) -> Result<TcpStream, String> {
    let found = lookup_host((route.host.as_str(), route.port)).await.map_err(|e| format!("its address: {e}"))?;
    let found: Vec<_> = found.collect();
    let may = |address: &&SocketAddr| match route.host == LOCALHOST {
        true => address.ip().is_loopback(),
        false => is_public(address.ip()),
    };
    let allowed: Vec<_> = found.iter().filter(may).copied().collect();
    if allowed.is_empty() {
        let found: Vec<_> = found.iter().map(|address| address.ip().to_string()).collect();
        return Err(format!("refused, for its address is the machine's or its network's ({})", found.join(", ")));
    }
    TcpStream::connect(allowed.as_slice()).await.map_err(|e| e.to_string())
}

/// The bridge. A program calls it before anything else in `main`, and exits with what it gives; none
/// when this process is no bridge.
pub fn bridge() -> Option<ExitCode> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.first()? != BRIDGE {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.map_err(|e| e.to_string()).and_then(|runtime| runtime.block_on(bridged(&args[1..])));
    Some(match ended {
        Ok(code) => code,
        Err(why) => {
            eprintln!("the bridge: {why}");
            ExitCode::FAILURE
        }
    })
}

async fn bridged(args: &[OsString]) -> Result<ExitCode, String> {
    let end = args.iter().position(|arg| arg == "--").ok_or("no program")?;
    let (routes, program) = (&args[..end], &args[end + 1..]);
    for route in routes {
        let route = route.to_str().and_then(|route| route.split_once('=')).ok_or("a route is broken")?;
        let (inside, asked) = (route.0.to_string(), format!("{}\n", route.1));
        let listener = TcpListener::bind(&inside).await.map_err(|e| format!("{inside}: {e}"))?;
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let asked = asked.clone();
                tokio::spawn(async move {
                    let Ok(mut gate) = UnixStream::connect(SOCKET).await else { return };
                    if gate.write_all(asked.as_bytes()).await.is_ok() {
                        let _ = copy_bidirectional(&mut from, &mut gate).await;
                    }
                });
            }
        });
    }
    // Low ports are bound: what comes now may not do that.
    rustix::thread::clear_ambient_capability_set().map_err(|e| e.to_string())?;
    let (name, rest) = program.split_first().ok_or("no program")?;
    let ended = Command::new(name).args(rest).status().await.map_err(|e| e.to_string())?;
    let code = ended.code().or_else(|| ended.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(1).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_home_is_refused_when_it_is_used() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let to = |host: &str| Route { host: host.into(), port, inside: ([127, 1, 0, 1], port).into() };
        let refused = connect(&to("127.0.0.1")).await.expect_err("it leads home");
        assert_eq!(refused, "refused, for its address is the machine's or its network's (127.0.0.1)");
        assert!(connect(&to(LOCALHOST)).await.is_ok(), "granted by that name");
    }

    #[test]
    fn each_granted_host_has_an_address_of_its_own() {
        let routes = routes(&["a.example".into(), "b.example:5432".into(), "localhost:80".into()]);
        let shown: Vec<_> =
            routes.iter().map(|route| format!("{}={}:{}", route.inside, route.host, route.port)).collect();
        assert_eq!(
            shown,
            [
                "127.1.0.1:443=a.example:443",
                "127.1.0.1:80=a.example:80",
                "127.1.0.2:5432=b.example:5432",
                "127.0.0.1:80=localhost:80"
            ]
        );
        assert_eq!(hosts(&routes), "127.0.0.1 localhost\n127.1.0.1 a.example\n127.1.0.2 b.example\n");
    }
}
