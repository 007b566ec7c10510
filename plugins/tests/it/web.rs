//! The guard around what native plugins ask.

use crate::support::{answers, granted, named, object, outputs, redirect, run, web};
use flate2::{Compression, write::GzEncoder};
use plugins::{
    Class,
    web::{Hosts, Request, Web},
};
use serde_json::json;
use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wiremock::{MockServer, ResponseTemplate};

fn get(url: &str) -> Request {
    Request::get(url.parse().expect("a URL"))
}

/// A server that hangs up after these bytes, or never says anything.
async fn raw(answer: Option<&'static str>) -> (String, Web) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).await.expect("written"),
                None => std::future::pending().await,
            }
        }
    });
    let web = Web::new(address.parse().expect("a host"));
    (format!("http://{address}/"), web)
}

#[tokio::test]
async fn addresses_of_the_machine_and_its_networks_are_refused() {
    let server = MockServer::start().await;
    let port = server.address().port();
    let web = Web::new(Hosts::default());
    for (host, address) in [
        ("127.0.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("localhost", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("169.254.169.254", "169.254.169.254"),
        ("10.0.0.1", "10.0.0.1"),
    ] {
        let failure = web.fetch(get(&format!("http://{host}:{port}/"))).await.expect_err(host);
        assert_eq!(failure.class, Class::Permanent, "{failure}");
        let is_named = failure.message.contains(address) || host == "localhost" && failure.message.contains("::1");
        assert!(is_named && failure.message.contains("STAGE7_PRIVATE_HOSTS="), "{failure}");
    }
    assert!(server.received_requests().await.expect("recorded").is_empty());
}

#[tokio::test]
async fn an_operator_allows_a_host_at_one_port_only() {
    let (one, other) = (MockServer::start().await, MockServer::start().await);
    answers(&one, "/", ResponseTemplate::new(204)).await;
    let web = web(&[&one]);
    assert_eq!(web.fetch(get(&one.uri())).await.expect("allowed").status, 204);
    let failure = web.fetch(get(&other.uri())).await.expect_err("not allowed");
    let host = other.address();
    assert_eq!(
        failure.message,
        format!(
            "{host} is refused: it is an address of this machine or its networks; an operator can allow it: \
             workers.private_hosts (STAGE7_PRIVATE_HOSTS={host})"
        )
    );
}

#[tokio::test]
async fn a_name_is_judged_by_the_addresses_that_are_connected_to() {
    let server = MockServer::start().await;
    answers(&server, "/", ResponseTemplate::new(204)).await;
    let port = server.address().port();
    let (asked, counted) = (Arc::new(AtomicUsize::new(0)), |asked: &AtomicUsize| asked.swap(0, Ordering::SeqCst));
    let lookup = {
        let asked = Arc::clone(&asked);
        // A name that is one address now and another the next moment: there is one look only.
        move |name: String| {
            asked.fetch_add(1, Ordering::SeqCst);
            let found: io::Result<Vec<IpAddr>> = match name.as_str() {
                "home.example" | "home.example." | "allowed.example." | "allowed.example" => {
                    Ok(vec![Ipv4Addr::LOCALHOST.into()])
                }
                "mapped.example" => Ok(vec![Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), Ipv6Addr::LOCALHOST.into()]),
                _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
            };
            Box::pin(async { found }) as _
        }
    };
    let web = Web::with_lookup(format!("allowed.example:{port}").parse().expect("a host"), Arc::new(lookup));
    for (name, class, said) in [
        ("home.example", Class::Permanent, "is refused: it leads to 127.0.0.1, an address of this machine"),
        ("home.example.", Class::Permanent, "is refused: it leads to 127.0.0.1, an address of this machine"),
        // It is allowed by another name.
        ("allowed.example.", Class::Permanent, "is refused: it leads to 127.0.0.1, an address of this machine"),
        ("mapped.example", Class::Permanent, "is refused: it leads to ::ffff:127.0.0.1, an address of this machine"),
        ("gone.example", Class::Transient, "no such name"),
    ] {
        let failure = web.fetch(get(&format!("http://{name}:{port}/?key=k"))).await.expect_err(name);
        assert!(failure.class == class && failure.message.contains(said), "{failure}");
        assert!(!failure.message.contains("key"), "{failure}");
        assert_eq!(counted(&asked), 1, "{name}");
    }
    assert!(server.received_requests().await.expect("recorded").is_empty());
    assert_eq!(web.fetch(get(&format!("http://allowed.example:{port}/"))).await.expect("allowed").status, 204);
    assert_eq!(counted(&asked), 1);
}

#[tokio::test]
async fn a_redirect_to_the_machine_is_refused() {
    let (one, inner) = (MockServer::start().await, MockServer::start().await);
    answers(&one, "/", redirect(302, &inner.uri())).await;
    answers(&one, "/name", redirect(301, &format!("http://localhost:{}/", inner.address().port()))).await;
    answers(&one, "/file", redirect(302, "file:///etc/passwd")).await;
    let web = web(&[&one]);
    for (path, said) in [
        ("/", "is refused: it is an address of this machine"),
        ("/name", "is refused: it leads to"),
        ("/file", "redirects wrongly: URLs begin with https:// or http://"),
    ] {
        let failure = web.fetch(get(&format!("{}{path}", one.uri()))).await.expect_err(path);
        assert!(failure.class == Class::Permanent && failure.message.contains(said), "{failure}");
    }
    assert!(inner.received_requests().await.expect("recorded").is_empty());
}

#[tokio::test]
async fn redirects_come_to_an_end() {
    let server = MockServer::start().await;
    answers(&server, "/a", redirect(302, "/b")).await;
    answers(&server, "/b", redirect(302, "/a")).await;
    let failure = web(&[&server]).fetch(get(&format!("{}/a", server.uri()))).await.expect_err("a loop");
    assert_eq!(failure.message, format!("{}/a redirects more than 10 times", server.uri()));
    assert_eq!(server.received_requests().await.expect("recorded").len(), 11);
}

#[tokio::test]
async fn a_secret_does_not_follow_a_redirect_to_another_host() {
    let server = MockServer::start().await;
    let port = server.address().port();
    answers(&server, "/here", redirect(307, "/there")).await;
    answers(&server, "/there", redirect(307, &format!("http://b.example:{port}/end"))).await;
    answers(&server, "/end", ResponseTemplate::new(200)).await;
    let mut asked = object(json!({
        "method": "GET", "url": format!("http://a.example:{port}/here"),
        "headers": {"Cookie": "c=1", "X-Token": "t", "Accept": "text/plain"},
        "auth": {"type": "bearer", "secret": "KEY"},
    }));
    asked.secrets = granted(&format!("a.example:{port}"));
    let done = run("API_CLIENT", &asked, &named(&["a.example", "b.example"], port)).await.expect("it ends well");
    assert_eq!(outputs(done)["status"], 200);
    let received = server.received_requests().await.expect("recorded");
    let told: Vec<_> = received
        .iter()
        .map(|request| ["authorization", "cookie", "x-token", "accept"].map(|name| request.headers.contains_key(name)))
        .collect();
    assert_eq!(told, [[true; 4], [true; 4], [false, false, false, true]]);
    assert_eq!(received[0].headers["user-agent"], "stage7");
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_taken() {
    let server = MockServer::start().await;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![b'x'; 64 << 20]).expect("packed");
    let bomb = packed.finish().expect("packed");
    assert!(bomb.len() < 1 << 20);
    let gzip = ResponseTemplate::new(200).insert_header("content-encoding", "gzip");
    answers(&server, "/bomb", gzip.set_body_bytes(bomb)).await;
    answers(&server, "/long", ResponseTemplate::new(200).set_body_bytes(vec![0; (8 << 20) + 1])).await;
    answers(&server, "/fits", ResponseTemplate::new(200).set_body_bytes(vec![0; 8 << 20])).await;
    let web = web(&[&server]);
    for path in ["/bomb", "/long"] {
        let failure = web.fetch(get(&format!("{}{path}", server.uri()))).await.expect_err(path);
        assert_eq!(failure.class, Class::Permanent);
        assert_eq!(failure.message, format!("the answer of {}{path} is longer than 8 MiB", server.uri()));
    }
    assert_eq!(web.fetch(get(&format!("{}/fits", server.uri()))).await.expect("fits").body.len(), 8 << 20);
}

#[tokio::test]
async fn broken_answers_may_be_better_later() {
    for answer in [
        "this is no HTTP\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
        "",
    ] {
        let (url, web) = raw(Some(answer)).await;
        let failure = web.fetch(get(&format!("{url}x?key=k"))).await.expect_err(answer);
        assert_eq!(failure.class, Class::Transient, "{answer:?}: {failure}");
        assert!(failure.message.contains("/x can't be reached: ") && !failure.message.contains("key"), "{failure}");
    }
    let (url, web) = raw(Some("no TLS")).await;
    let failure = web.fetch(get(&url.replace("http:", "https:"))).await.expect_err("no TLS");
    assert_eq!(failure.class, Class::Transient, "{failure}");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_for_ever() {
    let (url, web) = raw(None).await;
    let failure = web.fetch(get(&url)).await.expect_err("it says nothing");
    assert_eq!((failure.class, failure.message), (Class::Transient, format!("{url} did not answer in time")));
}
