//! Which providers are on. Read once by the binary; a key is never shown.

use crate::{
    model::Models,
    provider::{self, Known},
};
use std::{fmt, time::Duration};

/// The brain's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Those that are on.
    pub providers: Vec<ProviderConfig>,
    /// What is known of models.
    pub models: Models,
    /// Calls at once.
    pub parallel: usize,
    /// The address of a Redis that the brains share, which may hold a password.
    pub redis: Option<Key>,
    /// How long answers are given again to the same request; none: they are not.
    pub cache: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self { providers: Vec::new(), models: Models::default(), parallel: 16, redis: None, cache: None }
    }
}

/// One provider, as it is set.
#[derive(Clone)]
pub struct ProviderConfig {
    pub known: &'static Known,
    pub key: Option<Key>,
    /// Its base URL, where it is not the provider's own; it may hold a name and a password.
    pub url: Option<String>,
    /// The model when a goal names none.
    pub model: Option<String>,
    /// Sent with each request.
    pub headers: Vec<(String, Key)>,
    /// Until an answer begins, and between two pieces of it.
    pub first_word: Duration,
    pub next_word: Duration,
    /// Calls at once; as many as there are when absent.
    pub parallel: Option<usize>,
    /// Calls that may begin within a minute; as many as there are when absent.
    pub per_minute: Option<usize>,
}

impl ProviderConfig {
    pub fn new(known: &'static Known) -> Self {
        let (first_word, next_word) = (Duration::from_secs(120), Duration::from_secs(60));
        Self {
            known,
            key: None,
            url: None,
            model: None,
            headers: Vec::new(),
            first_word,
            next_word,
            parallel: None,
            per_minute: None,
        }
    }

    /// Headers as they are written: `Name: value; Other: value`.
    ///
    /// # Errors
    /// What is no header, without its value.
    pub fn headers(text: &str) -> Result<Vec<(String, Key)>, String> {
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let one = |(n, part): (usize, &str)| match part.split_once(':') {
            Some((name, value)) if is_name(name.trim()) && value.trim().chars().all(|c| !c.is_control()) => {
                Ok((name.trim().to_string(), Key::new(value.trim())))
            }
            _ => Err(format!("part {} is no header, as `Name: value`", n + 1)),
        };
        text.split(';').map(str::trim).filter(|part| !part.is_empty()).enumerate().map(one).collect()
    }
}

impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.as_deref().map(provider::told);
        let mut all = f.debug_struct("ProviderConfig");
        all.field("known", &self.known.name).field("key", &self.key).field("url", &url);
        all.field("model", &self.model).field("headers", &self.headers).finish_non_exhaustive()
    }
}

/// A provider's key, or what else is only for it: shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }
    /// The key itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a key)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_that_shows_all_settings_shows_nothing_that_is_only_for_a_provider() {
        let secrets = ["sk-hunter1", "hunter2", "hunter3"];
        let provider = ProviderConfig {
            key: Some(Key::new(secrets[0])),
            headers: vec![("X-Other".into(), Key::new(secrets[1]))],
            url: Some(format!("http://me:{}@host:8080/v1", secrets[2])),
            ..ProviderConfig::new(Known::find("openai").expect("known"))
        };
        let config = Config { providers: vec![provider], ..Config::default() };
        let panic = std::panic::catch_unwind(|| panic!("{config:?}")).expect_err("a panic");
        let said = panic.downcast::<String>().expect("words");
        assert!(said.contains("http://host:8080/v1") && said.contains("X-Other"), "{said}");
        assert!(!said.contains("hunter"), "{said}");
    }

    #[test]
    fn headers_are_read_and_faults_told_without_their_values() {
        let read = ProviderConfig::headers("HTTP-Referer: https://a.example; X-Title:  stage7 ;").expect("two headers");
        let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
        assert_eq!(read, [("HTTP-Referer", "https://a.example"), ("X-Title", "stage7")]);
        let fault = ProviderConfig::headers("A: b; se cret: hunter2").expect_err("no name");
        assert_eq!(fault, "part 2 is no header, as `Name: value`");
        assert!(!format!("{read:?}{:?}", Key::new("hunter2")).contains("hunter2"));
    }
}
