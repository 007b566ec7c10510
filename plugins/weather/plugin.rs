//! The weather of a place, now and in the next days, from Open-Meteo.

mod code;
mod place;

use crate::{
    run::{Done, Failure, Run},
    web::{self, Request, Web},
};
use futures::future::BoxFuture;
use place::Place;
use serde_json::{Value, json};
use url::Url;

/// Settings that nobody chose.
pub const DEFAULTS: &[(&str, &str)] =
    &[("geocoding_url", "https://geocoding-api.open-meteo.com"), ("forecast_url", "https://api.open-meteo.com")];

/// What is asked for, each with its name in the outputs.
const CURRENT: [(&str, &str); 7] = [
    ("temperature_2m", "temperature"),
    ("apparent_temperature", "feels_like"),
    ("relative_humidity_2m", "humidity"),
    ("precipitation", "precipitation"),
    ("wind_speed_10m", "wind_speed"),
    ("wind_direction_10m", "wind_direction"),
    ("weather_code", "code"),
];
const DAILY: [(&str, &str); 8] = [
    ("temperature_2m_min", "low"),
    ("temperature_2m_max", "high"),
    ("precipitation_sum", "precipitation"),
    ("precipitation_probability_max", "precipitation_probability"),
    ("wind_speed_10m_max", "wind_speed"),
    ("sunrise", "sunrise"),
    ("sunset", "sunset"),
    ("weather_code", "code"),
];

pub fn run<'a>(run: &'a Run, web: &'a Web) -> BoxFuture<'a, Result<Done, Failure>> {
    Box::pin(async move {
        let days = run.inputs.get("days").and_then(Value::as_u64).unwrap_or(3);
        let place = Place::find(run, web, run.text("location")?).await?;
        let names = |of: &[(&str, &str)]| of.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
        let url = address(
            run,
            "forecast_url",
            "/v1/forecast",
            &[
                ("latitude", &place.latitude.to_string()),
                ("longitude", &place.longitude.to_string()),
                ("current", &names(&CURRENT)),
                ("daily", &names(&DAILY)),
                ("timezone", "auto"),
                ("forecast_days", &days.to_string()),
            ],
        )?;
        let told = web.fetch(Request::get(url)).await?.good()?.json()?;
        let (current, forecast) = (current(&told)?, forecast(&told)?);
        let summary = summary(&place.name, &current, &forecast);
        Ok(Done::with([
            ("current", current),
            ("forecast", forecast.into()),
            ("summary", summary.into()),
            (
                "place",
                json!({"name": place.name, "latitude": place.latitude, "longitude": place.longitude, "timezone": told["timezone"]}),
            ),
        ]))
    })
}

/// An address of the service, where the settings say it is.
fn address(run: &Run, setting: &str, path: &str, query: &[(&str, &str)]) -> Result<Url, Failure> {
    let base = run.setting(setting, DEFAULTS).unwrap_or_default().trim_end_matches('/');
    let wrong = |failure: Failure| Failure::permanent(format!("setting `{setting}` of WEATHER: {}", failure.message));
    let mut url = web::parse(&format!("{base}{path}")).map_err(wrong)?;
    url.query_pairs_mut().extend_pairs(query);
    Ok(url)
}

fn broken(what: &str) -> Failure {
    Failure::transient(format!("Open-Meteo's answer can't be understood: `{what}` is missing"))
}

fn current(told: &Value) -> Result<Value, Failure> {
    let of = told.get("current").filter(|of| of.is_object()).ok_or_else(|| broken("current"))?;
    let mut all = json!({"time": of["time"], "conditions": code::words(&of["weather_code"])});
    CURRENT.iter().for_each(|(name, called)| all[*called] = of[*name].clone());
    if all["temperature"].is_number() { Ok(all) } else { Err(broken("current.temperature_2m")) }
}

fn forecast(told: &Value) -> Result<Vec<Value>, Failure> {
    let days = told["daily"]["time"].as_array().ok_or_else(|| broken("daily.time"))?;
    let day = |(n, date): (usize, &Value)| {
        let of = |name: &str| told["daily"][name].get(n).cloned().unwrap_or_default();
        let mut day = json!({"date": date, "conditions": code::words(&of("weather_code"))});
        DAILY.iter().for_each(|(name, called)| day[*called] = of(name));
        day
    };
    Ok(days.iter().enumerate().map(day).collect())
}

/// A sentence for now, and one for each day.
fn summary(place: &str, current: &Value, forecast: &[Value]) -> String {
    let number = |value: &Value| value.as_f64().map_or_else(|| "?".into(), |n| format!("{n:.0}").replace("-0", "0"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let mut all = vec![format!(
        "{place}: now {} °C, {}, wind {} km/h.",
        number(&current["temperature"]),
        text(&current["conditions"]),
        number(&current["wind_speed"])
    )];
    all.extend(forecast.iter().map(|day| {
        let rain = day["precipitation"].as_f64().filter(|mm| *mm > 0.0).map(|mm| format!(", {mm} mm"));
        let (low, high) = (number(&day["low"]), number(&day["high"]));
        format!("{}: {low} to {high} °C, {}{}.", text(&day["date"]), text(&day["conditions"]), rain.unwrap_or_default())
    }));
    all.join("\n")
}
