//! The table of settings: names, variables, kinds, defaults. Everything else derives from it.

use capabilities::Hosts;
use std::{fmt, time::Duration};

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// In the file: `[table] key`.
    pub name: &'static str,
    /// In the environment; the first that is set counts.
    pub variables: &'static [&'static str],
    pub kind: Kind,
    pub default: Option<&'static str>,
    pub about: &'static str,
}

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A text that is never shown.
    Secret,
    /// Headers of HTTP, never shown.
    Headers,
    /// An address that begins with one of these.
    Url(&'static [&'static str]),
    /// A whole number between these.
    Count(u64, u64),
    /// A number from 0 up.
    Number,
    /// A length of time, or `off`.
    Span,
    /// Hosts, each `host` or `host:port`.
    Hosts,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

const fn setting(
    name: &'static str,
    variables: &'static [&'static str],
    kind: Kind,
    default: Option<&'static str>,
    about: &'static str,
) -> Setting {
    Setting { name, variables, kind, default, about }
}

/// All but those of model providers.
static SETTINGS: [Setting; 26] = [
    setting("data", &["STAGE7_DATA"], Kind::Text, Some("./.stage7"), "the data directory"),
    setting("log", &["STAGE7_LOG"], Kind::Text, Some(crate::trace::DEFAULT), "what is logged, as tracing filters"),
    setting(
        "nats.url",
        &["STAGE7_NATS_URL"],
        Kind::Url(&["nats://", "tls://", "ws://", "wss://"]),
        None,
        "an existing nats-server",
    ),
    setting("nats.creds", &["STAGE7_NATS_CREDS"], Kind::Text, None, "keys for it: a folder, or for clients a file"),
    setting(
        "nats.sync",
        &["STAGE7_NATS_SYNC"],
        Kind::OneOf(&["always", "default"]),
        Some("always"),
        "when that server syncs to disk; with `always` many words wait for the disk together",
    ),
    setting("nats.server", &["STAGE7_NATS_SERVER"], Kind::Text, None, "the nats-server program to run"),
    setting(
        "models.file",
        &["STAGE7_MODELS"],
        Kind::Text,
        None,
        "models of your own, TOML: added to what is shipped and overriding it",
    ),
    setting(
        "models.timeout",
        &["STAGE7_MODEL_TIMEOUT"],
        Kind::Span,
        Some("120s"),
        "until a model's answer must have begun; `off`: a day",
    ),
    setting(
        "models.idle",
        &["STAGE7_MODEL_IDLE"],
        Kind::Span,
        Some("60s"),
        "between two pieces of a model's answer; `off`: a day",
    ),
    setting(
        "models.cache",
        &["STAGE7_MODEL_CACHE"],
        Kind::Span,
        Some("off"),
        "how long a model's answer is given again to the same request",
    ),
    setting(
        "redis.url",
        &["REDIS_URL"],
        Kind::Url(&["redis://", "rediss://"]),
        None,
        "a Redis that the brains share: limits of calls hold over all of them, cached answers are for all",
    ),
    setting("redis.host", &["REDIS_HOST"], Kind::Text, None, "the same by its name, where no address is set"),
    setting("redis.port", &["REDIS_PORT"], Kind::Count(1, 65_535), Some("6379"), "its port, where its name is set"),
    setting("workers.llm_calls", &["STAGE7_LLM_CALLS"], Kind::Count(1, 1_000), Some("16"), "model calls at once"),
    setting("workers.plugin_runs", &["STAGE7_PLUGIN_RUNS"], Kind::Count(1, 1_000), Some("32"), "plugin runs at once"),
    setting(
        "workers.packages",
        &["STAGE7_PACKAGES"],
        Kind::Text,
        None,
        "where packages of Python plugins are installed; plugin code, nobody where stage7 is root, must see it",
    ),
    setting(
        "workers.plugin_env",
        &["STAGE7_PLUGIN_ENV"],
        Kind::Text,
        None,
        "names of variables, with commas, that plugins may ask for and then see",
    ),
    setting(
        "workers.private_hosts",
        &["STAGE7_PRIVATE_HOSTS"],
        Kind::Hosts,
        None,
        "hosts of this machine or its networks that API_CLIENT, SCRAPE and SEARCH may talk to; else none",
    ),
    setting("limits.slots", &["STAGE7_SLOTS"], Kind::Count(1, 10_000), Some("16"), "steps of a mission at once"),
    setting("limits.agents", &["STAGE7_AGENTS"], Kind::Count(1, 1_000), Some("16"), "agents of a mission"),
    setting(
        "limits.steps_per_agent",
        &["STAGE7_STEPS_PER_AGENT"],
        Kind::Count(1, 1_000),
        Some("4"),
        "steps of an agent at once",
    ),
    setting("limits.retries", &["STAGE7_RETRIES"], Kind::Count(0, 100), Some("3"), "retries of a transient failure"),
    setting("limits.backoff", &["STAGE7_BACKOFF"], Kind::Number, Some("1"), "seconds before the first retry; doubles"),
    setting(
        "limits.backoff_cap",
        &["STAGE7_BACKOFF_CAP"],
        Kind::Number,
        Some("60"),
        "seconds before a retry at the most",
    ),
    setting(
        "limits.replans",
        &["STAGE7_REPLANS"],
        Kind::Count(0, 20),
        Some("3"),
        "how often faults go back to the planner",
    ),
    setting(
        "archive.after",
        &["STAGE7_ARCHIVE_AFTER"],
        Kind::Span,
        Some("30d"),
        "how long after its end a mission leaves the log for the archive; `off`: never",
    ),
];

/// The settings of one model provider; a name without `_API_` is another for its address.
macro_rules! provider {
    ($name:literal, $prefix:literal) => {
        [
            setting(
                concat!($name, ".api_key"),
                &[concat!($prefix, "_API_KEY")],
                Kind::Secret,
                None,
                "turns the provider on",
            ),
            setting(
                concat!($name, ".api_url"),
                &[concat!($prefix, "_API_URL"), concat!($prefix, "_URL")],
                Kind::Url(&["http://", "https://"]),
                None,
                "any server that speaks its dialect; turns it on, too",
            ),
            setting(
                concat!($name, ".model"),
                &[concat!($prefix, "_MODEL")],
                Kind::Text,
                None,
                "the model when a goal names none",
            ),
            setting(
                concat!($name, ".headers"),
                &[concat!($prefix, "_HEADERS")],
                Kind::Headers,
                None,
                "sent with each request: `Name: value; Other: value`",
            ),
            setting(
                concat!($name, ".parallel"),
                &[concat!($prefix, "_PARALLEL")],
                Kind::Count(1, 1_000),
                None,
                "calls at once; as many as there are when not set",
            ),
            setting(
                concat!($name, ".per_minute"),
                &[concat!($prefix, "_PER_MINUTE")],
                Kind::Count(1, 100_000),
                None,
                "calls a minute; as many as there are when not set",
            ),
        ]
    };
}

/// Those of model providers.
static PROVIDERS: [[Setting; 6]; brain::KNOWN.len()] = [
    provider!("openai", "OPENAI"),
    provider!("anthropic", "ANTHROPIC"),
    provider!("gemini", "GEMINI"),
    provider!("huggingface", "HUGGINGFACE"),
    provider!("openrouter", "OPENROUTER"),
    provider!("openwebui", "OPENWEBUI"),
    provider!("llamacpp", "LLAMACPP"),
    provider!("tgi", "TGI"),
];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Setting> + Clone {
    SETTINGS.iter().chain(PROVIDERS.iter().flatten())
}

impl Kind {
    /// What is wrong with a value, as the end of a sentence.
    pub fn check(self, value: &str) -> Result<(), String> {
        let fits = match self {
            Self::Text | Self::Secret => !value.trim().is_empty() && !value.chars().any(char::is_control),
            Self::Headers => brain::ProviderConfig::headers(value).is_ok_and(|all| !all.is_empty()),
            Self::Url(starts) => {
                starts.iter().any(|start| value.len() > start.len() && value.starts_with(start))
                    && !value.contains(char::is_whitespace)
            }
            Self::Count(least, most) => value.parse::<u64>().is_ok_and(|n| (least..=most).contains(&n)),
            Self::Number => value.parse::<f64>().is_ok_and(|n| n.is_finite() && n >= 0.0),
            Self::Span => span(value).is_some(),
            Self::Hosts => value.parse::<Hosts>().is_ok(),
            Self::OneOf(words) => words.contains(&value),
        };
        if fits { Ok(()) } else { Err(format!("must be {}", self.wanted())) }
    }

    /// Is a value never shown?
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Headers)
    }

    fn wanted(self) -> String {
        match self {
            Self::Text | Self::Secret => "a text".into(),
            Self::Headers => "headers as `Name: value; Other: value`".into(),
            Self::Url(starts) => format!("an address ({}…)", starts.join("…, ")),
            Self::Count(least, most) => format!("a whole number from {least} to {most}"),
            Self::Number => "a number from 0 up".into(),
            Self::Span => "a length of time (30d, 12h, 15m, 90s, 0) or `off`".into(),
            Self::Hosts => "hosts, each `host` or `host:port`, with commas between".into(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
        }
    }
}

/// Reads a length of time; `Some(None)` is `off`.
pub fn span(text: &str) -> Option<Option<Duration>> {
    match text.strip_suffix('d') {
        _ if text == "off" => Some(None),
        Some(days) => {
            let seconds = days.trim().parse::<f64>().ok()? * 86_400.0;
            Duration::try_from_secs_f64(seconds).ok().map(Some)
        }
        None => crate::cli::duration(text).ok().map(Some),
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Flag(&'static str),
    Environment(&'static str),
    /// A file and line.
    File(String),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(place) => f.write_str(place),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting with its value.
#[derive(Clone)]
pub struct Found {
    pub setting: &'static Setting,
    /// `None`: not set, and there is no default.
    pub value: Option<String>,
    pub origin: Origin,
}

impl Found {
    /// The value as it may be shown.
    pub fn shown(&self) -> Option<String> {
        let value = self.value.as_ref()?;
        Some(if self.setting.kind.is_secret() { "(set)".into() } else { without_password(value) })
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?} ({})", self.setting.name, self.shown(), self.origin)
    }
}

/// An address may carry a password: `nats://user:secret@host`.
fn without_password(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.into() };
    match rest.split_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}"),
        None => value.into(),
    }
}

/// The password that an address carries.
pub fn password(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let (who, _) = rest.split_once('@')?;
    who.split_once(':').map(|(_, password)| password).filter(|password| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_right_value() {
        for setting in all() {
            assert_eq!(
                setting.default.map(|value| setting.kind.check(value)).unwrap_or(Ok(())),
                Ok(()),
                "{}",
                setting.name
            );
        }
    }

    #[test]
    fn every_provider_has_its_settings() {
        let names: Vec<_> = PROVIDERS.iter().map(|settings| settings[0].name.split('.').next().unwrap()).collect();
        assert_eq!(names, brain::KNOWN.iter().map(|known| known.name).collect::<Vec<_>>());
        for known in &brain::KNOWN {
            assert!(all().any(|setting| setting.variables.contains(&known.variable().as_str())), "{}", known.name);
        }
    }

    #[test]
    fn spans_have_units_and_may_be_off() {
        let seconds = |text: &str| span(text).map(|span| span.map(|span| span.as_secs()));
        assert_eq!(
            [seconds("30d"), seconds("2h"), seconds("0")],
            [Some(Some(2_592_000)), Some(Some(7_200)), Some(Some(0))]
        );
        assert_eq!(seconds("off"), Some(None));
        assert!(["", "d", "-1d", "never", "inf", "1e300d"].iter().all(|text| seconds(text).is_none()));
    }

    #[test]
    fn passwords_in_addresses_are_not_shown() {
        assert_eq!(without_password("nats://me:secret@host:4222"), "nats://…@host:4222");
        assert_eq!(without_password("nats://host:4222"), "nats://host:4222");
        let passwords = ["redis://:secret@host", "redis://me:secret@host/1", "redis://me@host", "redis://host:6379"];
        assert_eq!(passwords.map(password), [Some("secret"), Some("secret"), None, None]);
    }
}
