//! SCRAPE against sites of its own: HTML as the living standard reads it, `robots.txt` as RFC 9309.

use crate::support::{answers, examples, object, outputs, page, redirect, run, web};
use plugins::{Class, Failure};
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

async fn scraped(server: &MockServer, inputs: Value) -> Result<Value, Failure> {
    let mut asked = object(inputs);
    let path = asked.inputs["url"].as_str().expect("a path").to_string();
    asked.inputs.insert("url".into(), format!("{}{path}", server.uri()).into());
    run("SCRAPE", &asked, &web(&[server])).await.map(outputs)
}

#[tokio::test]
async fn the_examples_come_true() {
    let server = MockServer::start().await;
    let html = "<title>News of the day</title><h1>News</h1>\
                <article><h2>Rain</h2><p>It <a href=/rain>rains</a>.</article>\
                <article><h2>Sun</h2><p>It <a href=sun>shines</a>.</article>";
    page(&server, "/", html).await;
    for (inputs, wanted) in examples("SCRAPE", &[("https://news.example.org", &server.uri())]) {
        assert_eq!(outputs(run("SCRAPE", &object(inputs), &web(&[&server])).await.expect("a page")), wanted);
    }
}

#[tokio::test]
async fn links_come_in_full() {
    let server = MockServer::start().await;
    page(&server, "/a/b", "<a href=c>1</a><a>2</a><a href='//other.example/d'>3</a><a href='?q'>4</a><img src=i.png>")
        .await;
    page(&server, "/base", "<base href='https://base.example/x/'><a href=y title=t>1</a>").await;
    let at = server.uri();
    for (url, selector, attribute, wanted) in [
        ("/a/b", "a", "href", json!([format!("{at}/a/c"), "http://other.example/d", format!("{at}/a/b?q")])),
        ("/a/b", "img", "SRC", json!([format!("{at}/a/i.png")])),
        ("/base", "a", "href", json!(["https://base.example/x/y"])),
        ("/base", "a", "title", json!(["t"])),
    ] {
        let done = scraped(&server, json!({"url": url, "selector": selector, "attribute": attribute})).await;
        assert_eq!(done.expect("a page")["items"], wanted, "{url}");
    }
}

#[tokio::test]
async fn a_site_says_what_may_be_read() {
    for (robots, path, allowed) in [
        (ResponseTemplate::new(404), "/x", Ok(())),
        (ResponseTemplate::new(403), "/x", Ok(())),
        (ResponseTemplate::new(200).set_body_string("User-agent: *\nDisallow: /x"), "/y", Ok(())),
        (ResponseTemplate::new(200).set_body_string("User-agent: *\nDisallow: /x"), "/x", Err(Class::Permanent)),
        (ResponseTemplate::new(200).set_body_string("User-agent: stage7\nDisallow: /"), "/x", Err(Class::Permanent)),
        (ResponseTemplate::new(200).set_body_string("User-agent: *\nDisallow: /x"), "/to-x", Err(Class::Permanent)),
        (ResponseTemplate::new(503), "/x", Err(Class::Transient)),
        (redirect(302, "/elsewhere"), "/x", Err(Class::Permanent)),
        // What comes after 500 KiB is not read.
        (
            ResponseTemplate::new(200)
                .set_body_string(format!("{}User-agent: *\nDisallow: /", "# filler\n".repeat(60_000))),
            "/x",
            Ok(()),
        ),
    ] {
        let server = MockServer::start().await;
        answers(&server, "/robots.txt", robots).await;
        answers(&server, "/elsewhere", ResponseTemplate::new(200).set_body_string("User-agent: *\nDisallow: /")).await;
        answers(&server, "/to-x", redirect(301, "/x")).await;
        page(&server, "/x", "read").await;
        page(&server, "/y", "read").await;
        let done = scraped(&server, json!({"url": path})).await;
        assert_eq!(done.as_ref().map(|_| ()).map_err(|failure| failure.class), allowed, "{path}: {done:?}");
        let received = server.received_requests().await.expect("recorded");
        let was_read = received.iter().any(|request| ["/x", "/y"].contains(&request.url.path()));
        assert_eq!(was_read, allowed.is_ok(), "{path}");
    }
}

#[tokio::test]
async fn pages_are_read_in_their_encoding() {
    let server = MockServer::start().await;
    for (at, media_type, body) in [
        ("/header", "text/html; charset=windows-1252", b"<title>\x80</title>".as_slice()),
        ("/meta", "text/html", b"<meta charset=windows-1252><title>\x80</title>"),
        ("/utf-8", "text/html", "<title>€</title>".as_bytes()),
        ("/wrong", "text/html; charset=utf-8", b"<title>\x80</title>"),
    ] {
        answers(&server, at, ResponseTemplate::new(200).set_body_raw(body, media_type)).await;
        let done = scraped(&server, json!({"url": at})).await.expect("a page");
        assert_eq!(done["title"], if at == "/wrong" { "\u{fffd}" } else { "€" }, "{at}");
    }
}

#[tokio::test]
async fn what_is_no_page_is_text_or_refused() {
    let server = MockServer::start().await;
    answers(&server, "/t", ResponseTemplate::new(200).set_body_raw("a <b>", "text/plain")).await;
    answers(&server, "/p", ResponseTemplate::new(200).set_body_raw("%PDF", "application/pdf")).await;
    answers(&server, "/busy", ResponseTemplate::new(503)).await;
    answers(&server, "/locked", ResponseTemplate::new(401)).await;
    page(&server, "/deep", &"<div>".repeat(100_000)).await;
    page(&server, "/long", &"long".repeat(2 << 20)).await;
    page(&server, "/again", &("<div>".repeat(400) + &"again ".repeat(40_000))).await;
    assert_eq!(scraped(&server, json!({"url": "/t"})).await.expect("text")["text"], "a <b>");
    for (inputs, class, said) in [
        (json!({"url": "/t", "selector": "p"}), Class::InvalidInput, "is text/plain: without elements"),
        (json!({"url": "/p"}), Class::Permanent, "is application/pdf, which is no page: API_CLIENT gets it"),
        (json!({"url": "/gone"}), Class::InvalidInput, "there is no page at"),
        (json!({"url": "/busy"}), Class::Transient, "answered 503"),
        (json!({"url": "/locked"}), Class::Permanent, "answered 401"),
        (json!({"url": "/deep"}), Class::Permanent, "its elements lie more than 512 deep"),
        (json!({"url": "/long"}), Class::Permanent, "is longer than 5 MiB"),
        (
            json!({"url": "/t", "selector": "p::x"}),
            Class::InvalidInput,
            "`selector`: `p::x` is no selector: of what begins",
        ),
        (json!({"url": "/again", "selector": "*"}), Class::InvalidInput, "`selector` finds more than 8 MiB: narrow it"),
        (json!({"url": "/t", "attribute": "href"}), Class::InvalidInput, "`attribute` needs a `selector`"),
    ] {
        let failure = scraped(&server, inputs.clone()).await.expect_err("no page");
        assert_eq!(failure.class, class, "{inputs}: {failure}");
        assert!(failure.message.contains(said), "{inputs}: {failure}");
    }
}
