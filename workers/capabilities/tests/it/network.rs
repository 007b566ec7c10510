//! Plugins that may talk to some hosts: to these, and to no others.

use crate::TRIAL;
use capabilities::{Failure, Host, Plugin};
use plugins::{Done, Run};
use schemas::value::Value;
use std::{
    io::{Read, Write},
    net::{TcpListener, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tokio_util::sync::CancellationToken;

const REST: &str = r#"
output = { type = "object", properties = { out = {} } }
limits = { seconds = 20, memory_mb = 256, processes = 24, output_kb = 64 }
"#;

/// An HTTP server on a port of this machine: its port, and how often it was asked.
fn served(answer: String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (port, asked) = (listener.local_addr().expect("bound").port(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    (port, asked)
}

fn ok(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len())
}

async fn run(runtime: &str, granted: &[String], code: &str) -> (Result<Done, Failure>, Vec<String>) {
    let (entry, prelude) = match runtime {
        "python" => (
            "main.py",
            "import json, sys, socket, urllib.request\ndef give(out): json.dump({'out': out}, sys.stdout)\n",
        ),
        _ => ("main.mjs", "const give = out => process.stdout.write(JSON.stringify({out}));\n"),
    };
    let manifest =
        format!("runtime = \"{runtime}\"\nentry = \"{entry}\"\npermissions.network = {granted:?}\n{TRIAL}{REST}");
    let files = vec![(entry.to_owned(), format!("{prelude}{code}").into_bytes())];
    let plugin = Plugin::new(&manifest, files).expect("the manifest is right");
    let lines = Mutex::new(Vec::new());
    let log = |line: &str| lines.lock().expect("not poisoned").push(line.to_owned());
    let host = Host::new(env!("CARGO_BIN_EXE_native-child"), "/nonexistent");
    let done = host.run(&plugin, Run::default(), &CancellationToken::new(), &log).await;
    (done, lines.into_inner().expect("not poisoned"))
}

fn out((done, lines): (Result<Done, Failure>, Vec<String>)) -> (Value, Vec<String>) {
    (done.unwrap_or_else(|e| panic!("{e}: {lines:#?}")).outputs["out"].clone(), lines)
}

#[tokio::test]
async fn a_granted_host_is_talked_to_and_no_other() {
    let ((port, asked), (other, unasked)) = (served(ok("hello")), served(ok("secret")));
    let granted = [format!("localhost:{port}")];
    let (python, node) = (
        format!("give(urllib.request.urlopen('http://localhost:{port}/').read().decode())"),
        format!("give(await (await fetch('http://localhost:{port}/')).text())"),
    );
    for (runtime, code) in [("python", &python), ("javascript", &node)] {
        let (said, lines) = out(run(runtime, &granted, code).await);
        assert_eq!(said, "hello", "{runtime}");
        assert_eq!(lines, [format!("network: localhost:{port}")]);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);

    let tries = format!(
        "def tried(f):\n  try: return str(f())\n  except Exception as e: return type(e).__name__ + ': ' + str(e)\n\
         def udp():\n  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.sendto(b'x', ('1.1.1.1', 53)); return s.recv(9)\n\
         give([tried(f) for f in [\n\
         lambda: socket.create_connection(('127.0.0.1', {other}), 2),\n\
         lambda: socket.create_connection(('localhost', {other}), 2),\n\
         lambda: socket.create_connection(('1.1.1.1', 443), 2),\n\
         lambda: socket.getaddrinfo('example.org', 443),\n\
         udp,\n\
         lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW),\n\
         lambda: socket.socket().bind(('127.0.0.1', 81))]])"
    );
    let (said, _) = out(run("python", &granted, &tries).await);
    let said: Vec<&str> = said.as_array().expect("a list").iter().map(|one| one.as_str().expect("text")).collect();
    let wanted =
        ["refused", "refused", "unreachable", "Name or service not known", "unreachable", "not ", "Permission denied"];
    for (said, wanted) in said.iter().zip(wanted) {
        assert!(said.contains(wanted), "{said}, not {wanted}");
    }

    // Whoever finds the gate can ask it for no more.
    let gate = format!(
        "s = socket.socket(socket.AF_UNIX); s.connect('/run/egress/gate'); s.sendall(b'127.0.0.1:{other}\\n'); give(s.recv(9).decode())"
    );
    let (said, lines) = out(run("python", &granted, &gate).await);
    assert_eq!((said, lines), (Value::from(""), vec![format!("network: \"127.0.0.1:{other}\" is not granted")]));
    assert_eq!(unasked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_leads_nowhere_else() {
    let (other, unasked) = served(ok("secret"));
    for to in [format!("http://127.0.0.1:{other}/"), format!("http://localhost:{other}/"), "http://example.org/".into()]
    {
        let (port, _) =
            served(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        let granted = [format!("localhost:{port}")];
        let code = format!("give(urllib.request.urlopen('http://localhost:{port}/').read().decode())");
        let (done, lines) = run("python", &granted, &code).await;
        let failure = done.expect_err("it leads nowhere").message;
        assert!(failure.contains("refused") || failure.contains("Name or service not known"), "{failure}");
        assert!(lines.contains(&format!("network: localhost:{port}")), "{lines:?}");
    }
    assert_eq!(unasked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_host_that_can_not_be_had_is_told_in_a_line() {
    // A name that nobody has (RFC 6761), and a port where nobody listens.
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let _busy = UdpSocket::bind(("127.0.0.1", closed));
    for (host, port, why) in [("nobody.invalid", 443, "its address: "), ("localhost", closed, "refused")] {
        let code =
            format!("s = socket.create_connection(('{host}', {port}), 5); s.settimeout(15); give(s.recv(9).decode())");
        let (said, lines) = out(run("python", &[format!("{host}:{port}")], &code).await);
        assert_eq!(said, "", "the connection is closed");
        assert!(lines[0].starts_with(&format!("network: {host}:{port}: ")) && lines[0].contains(why), "{lines:?}");
    }
}
