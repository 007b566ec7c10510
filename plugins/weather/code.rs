//! What the numbers of the World Meteorological Organization mean (table 4677, as far as Open-Meteo
//! uses it).

use serde_json::Value;

pub fn words(code: &Value) -> &'static str {
    match code.as_u64() {
        Some(0) => "clear sky",
        Some(1) => "mainly clear",
        Some(2) => "partly cloudy",
        Some(3) => "overcast",
        Some(45) => "fog",
        Some(48) => "freezing fog",
        Some(51) => "light drizzle",
        Some(53) => "drizzle",
        Some(55) => "dense drizzle",
        Some(56) => "light freezing drizzle",
        Some(57) => "freezing drizzle",
        Some(61) => "light rain",
        Some(63) => "rain",
        Some(65) => "heavy rain",
        Some(66) => "light freezing rain",
        Some(67) => "freezing rain",
        Some(71) => "light snow",
        Some(73) => "snow",
        Some(75) => "heavy snow",
        Some(77) => "snow grains",
        Some(80) => "light showers",
        Some(81) => "showers",
        Some(82) => "violent showers",
        Some(85) => "light snow showers",
        Some(86) => "heavy snow showers",
        Some(95) => "thunderstorm",
        Some(96) => "thunderstorm with light hail",
        Some(99) => "thunderstorm with hail",
        _ => "unknown conditions",
    }
}
