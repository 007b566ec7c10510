//! API_CLIENT against an API of things. The wire is HTTP as RFC 9110 has it; no provider is copied.

use crate::support::{answers, examples, granted, named, object, outputs, run, web};
use plugins::{Class, web::Web};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_json, header, method, path, query_param},
};

#[tokio::test]
async fn the_examples_come_true() {
    let server = MockServer::start().await;
    let json = |status, body: Value| ResponseTemplate::new(status).set_body_json(body);
    Mock::given(method("GET"))
        .and(path("/things/1"))
        .and(query_param("fields", "name"))
        .respond_with(json(200, json!({"name": "Ada"})))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/things"))
        .and(header("authorization", "Bearer s3cret"))
        .and(header("content-type", "application/json"))
        .and(body_json(json!({"name": "Alan"})))
        .respond_with(json(201, json!({"id": 2, "name": "Alan"})).insert_header("location", "/things/2"))
        .mount(&server)
        .await;
    let here = [("https://api.example.org", server.uri()), ("EXAMPLE_TOKEN", "KEY".into())];
    for (inputs, wanted) in examples("API_CLIENT", &here.each_ref().map(|(from, to)| (*from, to.as_str()))) {
        let mut asked = object(inputs);
        asked.secrets = granted(&server.address().to_string());
        let mut done = outputs(run("API_CLIENT", &asked, &web(&[&server])).await.expect("it answers"));
        // These are of the local server.
        done["headers"].as_object_mut().expect("headers").retain(|name, _| name != "date" && name != "content-length");
        assert_eq!(done, wanted);
    }
}

#[tokio::test]
async fn every_status_and_every_body_is_an_answer() {
    let server = MockServer::start().await;
    for (status, media_type, body, wanted, encoding) in [
        (200, "application/json", r#"{"a": [1]}"#.as_bytes(), json!({"a": [1]}), None),
        (404, "application/problem+json", br#"{"title": "no"}"#, json!({"title": "no"}), None),
        (500, "text/html", b"<h1>Oh", json!("<h1>Oh"), None),
        (429, "text/plain; charset=iso-8859-1", b"\xfc", json!("ü"), None),
        (200, "application/json", b"{\"a\": ", json!("{\"a\": "), None),
        (200, "image/png", b"\x89PNG", json!("iVBORw=="), Some("base64")),
        (204, "text/plain", b"", json!(null), None),
    ] {
        server.reset().await;
        answers(&server, "/", ResponseTemplate::new(status).set_body_raw(body, media_type)).await;
        let asked = object(json!({"method": "GET", "url": server.uri()}));
        let done = outputs(run("API_CLIENT", &asked, &web(&[&server])).await.expect("an answer"));
        assert_eq!((&done["status"], &done["body"]), (&json!(status), &wanted), "{media_type}");
        assert_eq!(done.get("encoding").and_then(Value::as_str), encoding, "{media_type}");
    }
}

#[tokio::test]
async fn a_request_is_sent_as_it_was_given() {
    let server = MockServer::start().await;
    answers(&server, "/a", ResponseTemplate::new(200)).await;
    for (body, content_type, sent) in [
        (json!([1, {"b": null}]), "application/json", r#"[1,{"b":null}]"#),
        (json!("a=1&b"), "text/plain; charset=utf-8", "a=1&b"),
        (json!(7), "application/json", "7"),
        (Value::Null, "", ""),
    ] {
        server.reset().await;
        answers(&server, "/a", ResponseTemplate::new(200)).await;
        let asked = object(json!({
            "method": "put", "url": format!("{}/a?x=0", server.uri()), "body": body, "headers": {"X-Number": 3},
            "query": {"x": ["1", 2], "y": "ü &", "z": true},
        }));
        run("API_CLIENT", &asked, &web(&[&server])).await.expect("an answer");
        let received = &server.received_requests().await.expect("recorded")[0];
        assert_eq!(received.method.as_str(), "PUT");
        assert_eq!(received.url.query(), Some("x=0&x=1&x=2&y=%C3%BC+%26&z=true"));
        assert_eq!(String::from_utf8_lossy(&received.body), sent);
        assert_eq!(received.headers["x-number"], "3");
        let told = received.headers.get("content-type").map_or("", |value| value.to_str().expect("text"));
        assert_eq!(told, content_type);
    }
}

#[tokio::test]
async fn a_secret_is_put_where_it_belongs() {
    let server = MockServer::start().await;
    answers(&server, "/", ResponseTemplate::new(200)).await;
    let host = server.address().to_string();
    for (auth, name, wanted) in [
        (json!({"type": "bearer"}), "authorization", "Bearer s3cret"),
        (json!({"type": "basic", "user": "me"}), "authorization", "Basic bWU6czNjcmV0"),
        (json!({"type": "basic"}), "authorization", "Basic czNjcmV0"),
        (json!({"type": "api_key"}), "x-api-key", "s3cret"),
        (json!({"type": "api_key", "name": "X-Key"}), "x-key", "s3cret"),
        (json!({"type": "api_key", "in": "query", "name": "k"}), "k", "s3cret"),
    ] {
        server.reset().await;
        answers(&server, "/", ResponseTemplate::new(200)).await;
        let mut auth = auth;
        auth["secret"] = json!("KEY");
        let mut asked = object(json!({"method": "GET", "url": server.uri(), "auth": auth}));
        asked.secrets = granted(&host);
        let done = run("API_CLIENT", &asked, &web(&[&server])).await.expect("an answer");
        assert!(!outputs(done).to_string().contains("s3cret"));
        let received = &server.received_requests().await.expect("recorded")[0];
        let sent = received.headers.get(name).map(|value| value.to_str().expect("text").to_string());
        let in_query = received.url.query_pairs().find(|(of, _)| of == name).map(|(_, value)| value.into_owned());
        assert_eq!(sent.or(in_query).as_deref(), Some(wanted), "{name}");
    }
}

#[tokio::test]
async fn a_secret_goes_to_its_host_only() {
    let server = MockServer::start().await;
    let port = server.address().port();
    let web = named(&["a.example"], port);
    let at = |host: &str| format!("http://{host}/");
    for (url, granted_for, said) in [
        (at(&format!("a.example:{port}")), None, "may not be sent to"),
        (at(&format!("a.example:{port}")), Some("a.example"), "`stage7 secret grant KEY --for API_CLIENT@a.example:"),
        (at(&format!("a.example:{port}")), Some("b.example"), "may not be sent to"),
        (at("b.example"), Some("b.example"), "for all to read: use https://"),
        (at("x.b.example"), Some("b.example"), "may not be sent to x.b.example"),
        ("https://b.example./".into(), Some("b.example"), "may not be sent to b.example."),
        ("https://b.example.evil.example/".into(), Some("b.example"), "may not be sent to"),
    ] {
        let mut asked = object(json!({"method": "GET", "url": url, "auth": {"type": "bearer", "secret": "KEY"}}));
        asked.secrets = granted("x");
        asked.secrets[0].host = granted_for.map(Into::into);
        let failure = run("API_CLIENT", &asked, &web).await.expect_err(&url);
        assert_eq!(failure.class, Class::InvalidInput);
        assert!(failure.message.contains(said) && !failure.message.contains("s3cret"), "{url}: {failure}");
    }
    let asked =
        object(json!({"method": "GET", "url": "https://api.example/", "auth": {"type": "bearer", "secret": "NONE"}}));
    assert_eq!(
        run("API_CLIENT", &asked, &web).await.expect_err("no such secret").message,
        "API_CLIENT has no secret `NONE` for api.example: it is granted by \
         `stage7 secret set NONE --for API_CLIENT@api.example`"
    );
    assert!(server.received_requests().await.expect("recorded").is_empty());
}

#[tokio::test]
async fn wrong_inputs_say_what_would_be_right() {
    let web = Web::new(Default::default());
    for (wrong, said) in [
        (json!({"url": "example.org"}), "\"example.org\" is no URL (relative URL without a base): give it in full"),
        (json!({"url": "ftp://a.example/"}), "URLs begin with https:// or http://, this one with ftp:"),
        (json!({"url": "https://me:pw@a.example/"}), "the URL of a.example holds a user or password"),
        (json!({"url": "https://me@a.example/"}), "the URL of a.example holds a user or password"),
        (json!({"url": "https://a.example$(b)/"}), "the URL's host \"a.example$(b)\" has characters that no host has"),
        (json!({"method": "GE T"}), "`GE T` is no HTTP method"),
        (json!({"headers": {"Host": "x"}}), "`headers.Host` is set by the client itself"),
        (json!({"headers": {"a b": "x"}}), "`headers.a b` is no name of a header"),
        (json!({"headers": {"a": "x\r\nb: y"}}), "`headers.a` has a value that no header may have"),
        (json!({"headers": {"a": {}}}), "`headers.a` must be a text, a number or a boolean"),
        (json!({"query": {"a": [[]]}}), "`query.a` must be a text"),
        (json!({"auth": {"type": "basic", "secret": "KEY", "user": "a:b"}}), "`auth.user` holds a colon"),
    ] {
        let mut asked = object(json!({"method": "GET", "url": "https://a.example/"}));
        asked.secrets = granted("a.example");
        asked.inputs.extend(object(wrong.clone()).inputs);
        let failure = run("API_CLIENT", &asked, &web).await.expect_err("wrong");
        assert_eq!(failure.class, Class::InvalidInput, "{wrong}");
        assert!(failure.message.starts_with(said), "{wrong}: {failure}");
        assert!(!failure.message.contains("pw"), "{failure}");
    }
}
