//! Verbs that ask the internet, of a whole stage7. The internet is a server of this test; an operator
//! allows it by one of its names. Answers have the shapes of SearXNG's and Open-Meteo's documents.

use crate::{
    plan::{delivered, with},
    secret::holding,
    stage7::{Layout, Stage7},
};
use serde_json::{Value, json};
use std::fs;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

const TOKEN: &str = "token-canary/of+web=81d2";
const PAGE: &str = "<title>Fruit</title><h1>Fruit</h1><ul><li>pears<li>apples<li>figs</ul>";

fn answer(request: &Request) -> ResponseTemplate {
    let json = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    match request.url.path() {
        "/echo" => {
            let told = request.headers.get("authorization").map(|value| value.to_str().unwrap());
            json(json!({"told": told})).insert_header("x-told", told.unwrap_or("nothing"))
        }
        "/page" => ResponseTemplate::new(200).set_body_raw(PAGE, "text/html"),
        "/search" => json(json!({"results": [{"url": "https://a.example/", "title": "A", "content": "of a"}]})),
        "/v1/search" => json(json!({"results": [{"name": "Berlin", "latitude": 52.5, "longitude": 13.4}]})),
        "/v1/forecast" => json(json!({
            "timezone": "Europe/Berlin",
            "current": {"time": "2026-05-04T12:00", "temperature_2m": 14.3, "wind_speed_10m": 11.2, "weather_code": 2},
            "daily": {"time": ["2026-05-04"], "temperature_2m_min": [7.6], "temperature_2m_max": [16.8],
                      "precipitation_sum": [0.0], "weather_code": [0]},
        })),
        _ => ResponseTemplate::new(404),
    }
}

/// The server, for whoever runs without a runtime.
fn server(runtime: &tokio::runtime::Runtime) -> MockServer {
    runtime.block_on(async {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        server
    })
}

#[test]
fn the_web_is_asked_within_what_is_allowed_and_secrets_stay_secret() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = server(&runtime);
    let (at, other) = (format!("localhost:{}", server.address().port()), server.address().to_string());
    let stage7 = Stage7::start_with(Layout::One, &[("STAGE7_PRIVATE_HOSTS", &at)]);
    let run = |verb: &str, input: Value| stage7.cli(&["plugin", "run", verb, "--input", &input.to_string(), "--json"]);
    let asked = |host: &str| json!({"method": "GET", "url": format!("http://{host}/echo")});
    let with_token = |host: &str| {
        let mut asked = asked(host);
        asked["auth"] = json!({"type": "bearer", "secret": "TOKEN"});
        asked
    };

    // A secret goes to its host, and comes back from nowhere.
    stage7.piped(TOKEN, &["secret", "set", "TOKEN", "--for", &format!("API_CLIENT@{at}")]).code(0);
    let told = run("API_CLIENT", with_token(&at)).code(0).line();
    assert_eq!((&told["status"], &told["body"]), (&json!(200), &json!({"told": "Bearer [secret]"})));
    assert_eq!(told["headers"]["x-told"], "Bearer [secret]");
    let requests = || runtime.block_on(server.received_requests()).unwrap();
    assert_eq!(requests()[0].headers["authorization"], format!("Bearer {TOKEN}"));
    for (input, said) in [
        (with_token(&other), format!("granted by `stage7 secret grant TOKEN --for API_CLIENT@{other}`")),
        (asked(&other), format!("{other} is refused: it is an address of this machine or its networks")),
        (asked("[::1]:1"), "workers.private_hosts (STAGE7_PRIVATE_HOSTS=[::1]:1)".into()),
    ] {
        let failed = run("API_CLIENT", input).code(1).stderr;
        assert!(failed.contains(&said), "{said}: {failed}");
    }
    assert_eq!(requests().len(), 1, "who is refused is not asked");

    // Settings lead to servers of one's own.
    for (verb, setting, value) in [
        ("SEARCH", "provider", "searxng".to_string()),
        ("SEARCH", "searxng_url", format!("http://{at}")),
        ("WEATHER", "geocoding_url", format!("http://{at}")),
        ("WEATHER", "forecast_url", format!("http://{at}")),
    ] {
        stage7.cli(&["plugin", "set", verb, setting, &value]).code(0);
    }
    let found = run("SEARCH", json!({"query": "a"})).code(0).line();
    assert_eq!(found["results"], json!([{"title": "A", "url": "https://a.example/", "snippet": "of a"}]));
    let weather = run("WEATHER", json!({"location": "Berlin"})).code(0).line();
    assert_eq!(
        weather["summary"],
        "Berlin: now 14 °C, partly cloudy, wind 11 km/h.\n2026-05-04: 8 to 17 °C, clear sky."
    );

    // A page on its way to a file.
    let page = json!({
        "id": "read", "verb": "SCRAPE",
        "inputs": {"url": {"value": format!("http://{at}/page")}, "selector": {"value": "li"}},
        "outputs": {"items": {"type": "array"}},
    });
    let sorted = json!({
        "id": "sort", "verb": "TRANSFORM", "inputs": {"expression": {"value": "sort"}},
        "outputs": {"result": {"type": "any"}},
    });
    let sorted = delivered(with(sorted, "data", "read", "items"), "result", "fruit.json");
    let plan = stage7.file("web.json", json!({"steps": [page, sorted]}).to_string());
    let out = stage7.path("out").display().to_string();
    let lines = stage7.cli(&["run", "--plan", &plan, "--model", "offline", "--json", "--out", &out]).code(0).lines();
    let mission = lines.iter().find_map(|line| line["mission"].as_str()).unwrap();
    let fruit = fs::read_to_string(format!("{out}/{mission}/fruit.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&fruit).unwrap(), json!(["apples", "figs", "pears"]));

    stage7.stop();
    let found = holding(&stage7.path(""), TOKEN.as_bytes());
    assert!(found.iter().all(|file| file.ends_with(".input")), "the secret is in {found:?}");
    assert!(!holding(&stage7.path(""), b"Bearer [secret]").is_empty(), "what is there is found");
}
