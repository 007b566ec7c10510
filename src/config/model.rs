//! What is set of models: those that are known, their providers, what the brains share.

use super::setting;
use brain::model::Models;
use std::{fs, time::Duration};

const DAY: Duration = Duration::from_secs(86_400);

/// What is known of models, with a file of the user's.
pub fn models(path: Option<&str>) -> Result<Models, Vec<String>> {
    let Some(path) = path else { return Ok(Models::default()) };
    let text = fs::read_to_string(path).map_err(|error| vec![format!("models.file: {path}: {error}")])?;
    Models::read(&text).map_err(|faults| faults.into_iter().map(|fault| format!("{path}: {fault}")).collect())
}

/// The address of the Redis that is set, in one way or the other.
pub fn redis(text: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let named = || Some(format!("redis://{}:{}", text("redis.host")?, text("redis.port")?));
    text("redis.url").or_else(named)
}

/// The model providers that are on: those with a key or an address.
pub fn providers(text: &impl Fn(&str) -> Option<String>) -> Vec<brain::ProviderConfig> {
    let span = |name: &str| text(name).and_then(|text| setting::span(&text)).flatten().unwrap_or(DAY);
    let (first_word, next_word) = (span("models.timeout"), span("models.idle"));
    let provider = |known: &'static brain::Known| {
        let of = |setting: &str| text(&format!("{}.{setting}", known.name));
        let (key, url) = (of("api_key").map(brain::Key::new), of("api_url"));
        let is_on = url.is_some() || key.is_some() && known.url.is_some();
        let headers = of("headers").and_then(|text| brain::ProviderConfig::headers(&text).ok()).unwrap_or_default();
        let count = |setting: &str| of(setting).and_then(|text| text.parse().ok());
        let (model, parallel, per_minute) = (of("model"), count("parallel"), count("per_minute"));
        is_on.then_some(brain::ProviderConfig {
            known,
            key,
            url,
            model,
            headers,
            first_word,
            next_word,
            parallel,
            per_minute,
        })
    };
    brain::KNOWN.iter().filter_map(provider).collect()
}
