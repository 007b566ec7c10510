//! SEARCH against servers in the shapes of the providers: SearXNG's and Brave's as their documents
//! show them, Google's as its reference of Custom Search has it, DuckDuckGo's as its page for browsers
//! without scripts is built. Texts are made up.

use crate::support::{answers, defaults, examples, object, outputs, run, web, with_settings};
use plugins::{Class, Failure, web::Web};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path, query_param},
};

const DUCKDUCKGO: &str = r##"<!DOCTYPE html><html><body><form id="search_form" action="/html/" method="post"></form>
<div class="serp__results"><div id="links" class="results">
<div class="result results_links results_links_deep result--ad"><div class="links_main links_deep result__body">
<h2 class="result__title"><a rel="nofollow" class="result__a" href="https://duckduckgo.com/y.js?ad_domain=shop.example">Buy NATS</a></h2>
<a class="result__snippet" href="https://duckduckgo.com/y.js">Cheap.</a></div></div>
<div class="result results_links results_links_deep web-result "><div class="links_main links_deep result__body">
<h2 class="result__title"><a rel="nofollow" class="result__a" href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fdocs.nats.io%2Fnats%2Dconcepts%2Fjetstream&amp;rut=0a1b">JetStream | NATS Docs</a></h2>
<div class="result__extras"><div class="result__extras__url"><a class="result__url" href="//duckduckgo.com/l/?uddg=x">docs.nats.io/nats-concepts/jetstream</a></div></div>
<a class="result__snippet" href="//duckduckgo.com/l/?uddg=x"><b>NATS</b> has a built-in persistence engine called <b>JetStream</b>.</a><div class="clear"></div></div></div>
<div class="result results_links results_links_deep web-result "><div class="links_main links_deep result__body">
<h2 class="result__title"><a rel="nofollow" class="result__a" href="https://github.com/nats-io/nats-server">nats-io/nats-server</a></h2>
<a class="result__snippet" href="https://github.com/nats-io/nats-server">High-performance server for <b>NATS</b> &amp; <b>JetStream</b>.</a></div></div>
</div></div></body></html>"##;
const NOTHING: &str = r#"<html><body><form id="search_form"></form><div class="results"><div class="result results_links
results_links_deep result--no-result"><div class="no-results">No  results.</div></div></div></body></html>"#;
const PUZZLE: &str = r#"<html><body><form id="challenge-form" action="//duckduckgo.com/anomaly.js" method="POST">
<div class="anomaly-modal__mask"><div class="anomaly-modal__modal"><div class="anomaly-modal__title">Unfortunately, bots
use DuckDuckGo too.</div></div></div></form></body></html>"#;

/// The provider is asked at a server of ours.
async fn searched(server: &MockServer, provider: &str, more: Value) -> Result<Value, Failure> {
    let mut settings = json!({"provider": provider, format!("{provider}_url"): format!("{}/search", server.uri())});
    if provider == "searxng" {
        settings["searxng_url"] = json!(server.uri());
    }
    for (name, value) in more.as_object().expect("settings") {
        settings[name] = value.clone();
    }
    let asked = with_settings(object(json!({"query": "nats & jetstream", "limit": 12})), settings);
    run("SEARCH", &asked, &web(&[server])).await.map(outputs)
}

#[tokio::test]
async fn the_examples_come_true() {
    let server = MockServer::start().await;
    let html = ResponseTemplate::new(200).set_body_raw(DUCKDUCKGO, "text/html; charset=UTF-8");
    let asked = Mock::given(method("GET")).and(path("/html/")).and(query_param("q", "nats jetstream"));
    asked.respond_with(html).mount(&server).await;
    for (inputs, wanted) in examples("SEARCH", &[]) {
        let mut settings = defaults("SEARCH");
        assert_eq!(settings["duckduckgo_url"], "https://html.duckduckgo.com/html/");
        settings["duckduckgo_url"] = json!(format!("{}/html/", server.uri()));
        let asked = with_settings(object(inputs), settings);
        assert_eq!(outputs(run("SEARCH", &asked, &web(&[&server])).await.expect("results")), wanted);
    }
}

#[tokio::test]
async fn each_provider_is_asked_and_read_in_its_own_words() {
    let found = json!([{"title": "A & B", "url": "https://a.example/", "snippet": "one two"}]);
    let server = MockServer::start().await;
    let q = || Mock::given(method("GET")).and(path("/search")).and(query_param("q", "nats & jetstream"));
    let json = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    q().and(query_param("format", "json"))
        .respond_with(json(json!({
            "query": "nats & jetstream", "number_of_results": 0, "answers": [], "corrections": [], "infoboxes": [],
            "suggestions": ["nats"], "unresponsive_engines": [["qwant", "timeout"]],
            "results": [
                {"url": "https://a.example/", "title": "A & B", "content": "one two", "engine": "brave", "score": 1.0},
                {"url": "magnet:?xt=1", "title": "no page", "content": "", "engine": "x"},
            ],
        })))
        .mount(&server)
        .await;
    assert_eq!(searched(&server, "searxng", json!({})).await.expect("results")["results"], found);
    server.reset().await;
    q().and(query_param("count", "12"))
        .and(header("x-subscription-token", "s3cret"))
        .respond_with(json(json!({
            "type": "search", "query": {"original": "nats & jetstream", "more_results_available": true},
            "mixed": {"type": "mixed", "main": [{"type": "web", "index": 0, "all": false}]},
            "web": {"type": "search", "family_friendly": true, "results": [{
                "type": "search_result", "title": "A &amp; B", "url": "https://a.example/",
                "description": "one <strong>two</strong>", "language": "en", "profile": {"name": "A"},
            }]},
        })))
        .mount(&server)
        .await;
    assert_eq!(searched(&server, "brave", json!({"brave_key": "s3cret"})).await.expect("results")["results"], found);
    server.reset().await;
    q().and(query_param("key", "s3cret"))
        .and(query_param("cx", "e1"))
        .and(query_param("num", "10"))
        .respond_with(json(json!({
            "kind": "customsearch#search", "searchInformation": {"totalResults": "1"},
            "items": [{"kind": "customsearch#result", "title": "A & B", "htmlTitle": "A &amp; B",
                       "link": "https://a.example/", "displayLink": "a.example", "snippet": "one two"}],
        })))
        .mount(&server)
        .await;
    let settings = json!({"google_key": "s3cret", "google_engine": "e1"});
    assert_eq!(searched(&server, "google", settings).await.expect("results")["results"], found);
}

#[tokio::test]
async fn what_goes_wrong_says_what_to_do() {
    let template = ResponseTemplate::new;
    let html = |status, body: &str| template(status).set_body_raw(body, "text/html");
    let google = json!({"google_key": "s3cret", "google_engine": "e1"});
    let brave = json!({"brave_key": "s3cret"});
    let quota = json!({"error": {"code": 429, "message": "Quota exceeded for quota metric 'Queries'",
                                 "errors": [{"reason": "rateLimitExceeded"}], "status": "RESOURCE_EXHAUSTED"}});
    let token = json!({"type": "ErrorResponse", "error": {"id": "1", "status": 422,
                       "code": "SUBSCRIPTION_TOKEN_INVALID", "detail": "The provided subscription token is invalid."}});
    for (provider, settings, answer, class, said) in [
        ("searxng", json!({}), template(403), Class::Permanent, "add `json` to `search.formats` in its settings.yml"),
        ("searxng", json!({}), template(429), Class::Transient, "/search answered 429"),
        ("searxng", json!({}), html(200, "<html>"), Class::Transient, "/search did not answer with JSON: "),
        ("duckduckgo", json!({}), html(202, PUZZLE), Class::Transient, "DuckDuckGo wants to see a person"),
        ("duckduckgo", json!({}), html(200, "<p>Hi"), Class::Transient, "is no page of results"),
        ("duckduckgo", json!({}), template(500), Class::Transient, "answered 500"),
        ("brave", brave.clone(), template(429), Class::Transient, "answered 429"),
        ("brave", brave, template(422).set_body_json(token), Class::Permanent, "422: The provided subscription token"),
        ("google", google.clone(), template(429).set_body_json(quota), Class::Transient, "429: Quota exceeded"),
        ("google", google, template(400).set_body_string("?"), Class::Permanent, "/search answered 400"),
    ] {
        let server = MockServer::start().await;
        answers(&server, "/search", answer).await;
        let failure = searched(&server, provider, settings).await.expect_err(provider);
        assert_eq!(failure.class, class, "{provider}: {failure}");
        assert!(failure.message.contains(said) && !failure.message.contains("s3cret"), "{provider}: {failure}");
    }
}

#[tokio::test]
async fn a_setting_that_is_missing_is_named() {
    let web = Web::new(Default::default());
    for (provider, setting) in [("searxng", "searxng_url"), ("brave", "brave_key"), ("google", "google_key")] {
        let failure =
            run("SEARCH", &object(json!({"query": "x", "provider": provider})), &web).await.expect_err("none");
        assert_eq!(failure.class, Class::Permanent);
        let said = format!(
            "SEARCH: the setting `{setting}` is missing: `stage7 plugin set SEARCH {setting} …`, or choose another `provider`"
        );
        assert_eq!(failure.message, said);
    }
}

#[tokio::test]
async fn a_key_is_not_sent_for_all_to_read() {
    let web = Web::new(Default::default());
    for provider in ["brave", "google"] {
        let settings = json!({"brave_key": "k", "google_key": "k", "google_engine": "e",
                              format!("{provider}_url"): "http://a.example/search"});
        let asked = with_settings(object(json!({"query": "x", "provider": provider})), settings);
        let failure = run("SEARCH", &asked, &web).await.expect_err("no https");
        let said =
            format!("SEARCH: the setting `{provider}_url`: it must begin with https://, or all could read the key");
        assert_eq!((failure.class, failure.message), (Class::Permanent, said));
    }
}

#[tokio::test]
async fn to_find_nothing_is_no_failure() {
    let server = MockServer::start().await;
    answers(&server, "/search", ResponseTemplate::new(200).set_body_raw(NOTHING, "text/html")).await;
    assert_eq!(searched(&server, "duckduckgo", json!({})).await.expect("none")["results"], json!([]));
    server.reset().await;
    answers(&server, "/search", ResponseTemplate::new(200).set_body_json(json!({"kind": "customsearch#search"}))).await;
    let settings = json!({"google_key": "k", "google_engine": "e"});
    assert_eq!(searched(&server, "google", settings).await.expect("none")["results"], json!([]));
}
