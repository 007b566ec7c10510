//! WEATHER against a server in the shapes of Open-Meteo's documents. Places and figures are made up.

use crate::support::{defaults, examples, object, outputs, run, web, with_settings};
use plugins::{Class, Failure};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path, query_param},
};

fn places(of: &[(&str, &str, f64)]) -> ResponseTemplate {
    let results: Vec<_> = of
        .iter()
        .map(|(name, country, latitude)| {
            json!({"id": 2950159, "name": name, "latitude": latitude, "longitude": 13.41053, "elevation": 74.0,
                   "feature_code": "PPLC", "country_code": "XX", "timezone": "Europe/Berlin", "population": 3426354,
                   "country_id": 2921044, "country": country})
        })
        .collect();
    // Nothing found: there is no list.
    let body = if results.is_empty() { json!({"generationtime_ms": 0.5}) } else { json!({"results": results}) };
    ResponseTemplate::new(200).set_body_json(body)
}

fn forecast() -> Value {
    json!({
        "latitude": 52.52, "longitude": 13.419998, "generationtime_ms": 0.1, "utc_offset_seconds": 7200,
        "timezone": "Europe/Berlin", "timezone_abbreviation": "GMT+2", "elevation": 38.0,
        "current_units": {"time": "iso8601", "interval": "seconds", "temperature_2m": "°C"},
        "current": {"time": "2026-05-04T12:00", "interval": 900, "temperature_2m": 14.3, "apparent_temperature": 12.9,
                    "relative_humidity_2m": 58, "precipitation": 0.0, "wind_speed_10m": 11.2,
                    "wind_direction_10m": 250, "weather_code": 2},
        "daily_units": {"time": "iso8601", "weather_code": "wmo code"},
        "daily": {"time": ["2026-05-04"], "temperature_2m_min": [7.6], "temperature_2m_max": [16.8],
                  "precipitation_sum": [1.2], "precipitation_probability_max": [45], "wind_speed_10m_max": [18.4],
                  "sunrise": ["2026-05-04T05:31"], "sunset": ["2026-05-04T20:34"], "weather_code": [61]},
    })
}

async fn told(server: &MockServer, inputs: Value) -> Result<Value, Failure> {
    let mut settings = defaults("WEATHER");
    assert_eq!(settings["forecast_url"], "https://api.open-meteo.com");
    assert_eq!(settings["geocoding_url"], "https://geocoding-api.open-meteo.com");
    settings["forecast_url"] = server.uri().into();
    settings["geocoding_url"] = format!("{}/", server.uri()).into();
    run("WEATHER", &with_settings(object(inputs), settings), &web(&[server])).await.map(outputs)
}

async fn knows(server: &MockServer, name: &str, answer: ResponseTemplate) {
    let asked = Mock::given(method("GET")).and(path("/v1/search")).and(query_param("name", name));
    asked.respond_with(answer).mount(server).await;
}

async fn forecasts(server: &MockServer, answer: ResponseTemplate) {
    Mock::given(method("GET")).and(path("/v1/forecast")).respond_with(answer).mount(server).await;
}

#[tokio::test]
async fn the_examples_come_true() {
    let server = MockServer::start().await;
    knows(&server, "Berlin", places(&[("Berlin", "Germany", 52.52437)])).await;
    forecasts(&server, ResponseTemplate::new(200).set_body_json(forecast())).await;
    for (inputs, wanted) in examples("WEATHER", &[]) {
        assert_eq!(told(&server, inputs).await.expect("weather"), wanted);
    }
    let received = server.received_requests().await.expect("recorded");
    let query: std::collections::HashMap<_, _> = received[1].url.query_pairs().collect();
    assert_eq!((&*query["forecast_days"], &*query["latitude"], &*query["timezone"]), ("1", "52.52437", "auto"));
}

#[tokio::test]
async fn coordinates_need_no_name() {
    let server = MockServer::start().await;
    forecasts(&server, ResponseTemplate::new(200).set_body_json(forecast())).await;
    let done = told(&server, json!({"location": " -33.9, 18.4 "})).await.expect("weather");
    assert_eq!((&done["place"]["latitude"], &done["place"]["longitude"]), (&json!(-33.9), &json!(18.4)));
    assert!(done["summary"].as_str().expect("text").starts_with("-33.9, 18.4: now 14 °C"));
    let failure = told(&server, json!({"location": "13.4, 181"})).await.expect_err("nowhere");
    assert_eq!(failure.class, Class::InvalidInput);
    assert!(failure.message.contains("nowhere on earth: the latitude (-90 to 90) comes first"), "{failure}");
}

#[tokio::test]
async fn a_place_that_is_unknown_has_others_that_are_called_like_it() {
    let server = MockServer::start().await;
    let none = || places(&[]);
    for name in ["Pariss, Mars", "Pariss", "Old Xyzzy", "Qqq"] {
        knows(&server, name, none()).await;
    }
    knows(&server, "Paris, Mars", none()).await;
    knows(&server, "Paris", places(&[("Paris", "France", 48.85), ("Paris", "United States", 33.66)])).await;
    knows(&server, "Xyzzy", places(&[("Xyzzy", "Zork", 1.0)])).await;
    for (location, said) in [
        ("Paris, Mars", "no place is called \"Paris, Mars\": is it one of these? Paris, France; Paris, United States"),
        ("Old Xyzzy", "no place is called \"Old Xyzzy\": is it one of these? Xyzzy, Zork"),
        ("Pariss, Mars", "no place is called \"Pariss, Mars\": check its spelling, or give `latitude,longitude`"),
        ("Qqq", "no place is called \"Qqq\": check its spelling"),
    ] {
        let failure = told(&server, json!({"location": location})).await.expect_err(location);
        assert_eq!(failure.class, Class::InvalidInput);
        assert!(failure.message.starts_with(said), "{failure}");
    }
}

#[tokio::test]
async fn a_service_that_is_busy_or_broken_is_asked_again() {
    let said = |reason: &str| json!({"error": true, "reason": reason});
    let cut = forecast()["current"].clone();
    for (answer, class, wanted) in [
        (
            ResponseTemplate::new(429).set_body_json(said("Minutely API request limit exceeded.")),
            Class::Transient,
            "429: Minutely API",
        ),
        (ResponseTemplate::new(502), Class::Transient, "answered 502"),
        (ResponseTemplate::new(200).set_body_string("{\"current\": "), Class::Transient, "did not answer with JSON"),
        (ResponseTemplate::new(200).set_body_json(json!({})), Class::Transient, "`current` is missing"),
        (
            ResponseTemplate::new(200).set_body_json(json!({"current": cut})),
            Class::Transient,
            "`daily.time` is missing",
        ),
        (
            ResponseTemplate::new(400).set_body_json(said("Latitude must be in range")),
            Class::Permanent,
            "400: Latitude must",
        ),
    ] {
        let server = MockServer::start().await;
        forecasts(&server, answer).await;
        let failure = told(&server, json!({"location": "1,2"})).await.expect_err("a fault");
        assert_eq!(failure.class, class, "{failure}");
        assert!(failure.message.contains(wanted), "{failure}");
    }
}
