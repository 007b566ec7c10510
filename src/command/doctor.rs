//! `stage7 doctor`: what is there, what is missing, and the command that gets it.

use crate::{
    config::Config,
    exit::{Code, Error},
    home,
    progress::{out, say},
    rendezvous::Lock,
};
use nats::server::find;
use schemas::manifest::Runtime;
use serde_json::json;
use std::fs;

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    state: Health,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Ok,
    /// It works without, and something is left out.
    Missing,
    /// Nothing works without.
    Broken,
}

impl Health {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Broken => "broken",
        }
    }
}

pub async fn run(config: &Config, json: bool) -> Result<Code, Error> {
    let mut findings = vec![server(config).await, data(config), running(config).await, models_finding(config)];
    findings.extend(redis(config).await);
    findings.extend(plugins(config).await);
    for finding in &findings {
        match json {
            true => say(&json!({"what": finding.what, "state": finding.state.name(), "text": finding.text})),
            false => out!("{:<8} {:<18} {}", finding.state.name(), finding.what, finding.text),
        }
    }
    let broken = findings.iter().any(|finding| finding.state == Health::Broken);
    Ok(if broken { Code::Failed } else { Code::Completed })
}

async fn server(config: &Config) -> Finding {
    let passed = std::sync::Mutex::new(Vec::new());
    let note = |line: &str| {
        if let Ok(mut passed) = passed.lock() {
            passed.push(line.to_string());
        }
    };
    // One that is named is taken or refused; without one, a fetch is for `up` to do.
    let found = match &config.places.named {
        Some(_) => find::find(&config.places, &note).await.map(Some).map_err(|error| error.to_string()),
        None => Ok(find::installed(&config.places, &note).await),
    };
    let mut text = match &found {
        Ok(Some(binary)) => format!("{} {}", binary.version, binary.path.display()),
        Ok(None) => {
            format!("fetched at the first start into {}, from the internet or with Go", config.places.cache.display())
        }
        Err(error) => error.clone(),
    };
    for line in passed.into_inner().unwrap_or_default() {
        text.push_str(&format!("; {line}"));
    }
    let state = match found {
        Ok(Some(_)) => Health::Ok,
        Ok(None) => Health::Missing,
        Err(_) => Health::Broken,
    };
    Finding { what: "nats-server", state, text }
}

fn data(config: &Config) -> Finding {
    let probe = || {
        fs::create_dir_all(&config.data)?;
        let path = config.data.join(format!("probe-{}", std::process::id()));
        fs::write(&path, b"probe").and_then(|()| fs::remove_file(path))
    };
    let shown = config.data.display();
    let (state, text) = match probe() {
        Ok(()) => (Health::Ok, format!("{shown} can be written")),
        Err(error) => (Health::Broken, format!("{shown}: {error}; name another with --data")),
    };
    Finding { what: "data", state, text }
}

async fn running(config: &Config) -> Finding {
    let (state, text) = if config.nats_url.is_none() && !Lock::is_taken(&config.data) {
        (Health::Missing, "nothing runs here; `stage7 up` starts it, `stage7 run` starts its own".into())
    } else {
        match home::find(config, &|_| ()).await {
            Ok(home) => match home.client.read(&json!({"plugins": true})).await {
                Ok(answer) => {
                    (Health::Ok, format!("answers, with {} verbs", answer["plugins"].as_array().map_or(0, Vec::len)))
                }
                Err(error) => (Health::Broken, error.to_string()),
            },
            Err(error) => (Health::Broken, error.to_string()),
        }
    };
    Finding { what: "up", state, text }
}

fn models_finding(config: &Config) -> Finding {
    let state = if config.brain.providers.is_empty() { Health::Missing } else { Health::Ok };
    Finding { what: "models", state, text: models(config) }
}

/// What the brains share, where that is set.
async fn redis(config: &Config) -> Option<Finding> {
    config.brain.redis.as_ref()?;
    let (state, text) = match brain::find_redis(&config.brain).await {
        Ok(()) => (Health::Ok, "answers: limits of calls and cached answers are shared by all brains".into()),
        Err(error) => (Health::Missing, format!("limits of calls and cached answers are each brain's own: {error}")),
    };
    Some(Finding { what: "redis", state, text })
}

/// Which models are asked.
pub fn models(config: &Config) -> String {
    let one = |provider: &brain::ProviderConfig| {
        let model = provider.model.as_deref().map(|model| format!(", model {model}")).unwrap_or_default();
        // As it may be shown: an address can hold a password.
        let name = format!("{}.api_url", provider.known.name);
        let url = config.found.iter().find(|found| found.setting.name == name);
        let url = url.and_then(crate::config::Found::shown).map(|url| format!(" at {url}")).unwrap_or_default();
        format!("{}{url}{model}", provider.known.title)
    };
    match config.brain.providers.as_slice() {
        [] => "offline only (labelled templates, no model): set OPENAI_API_KEY, or another provider's key or address"
            .into(),
        some => some.iter().map(one).collect::<Vec<_>>().join("; "),
    }
}

/// What plugins can be written in here.
async fn plugins(config: &Config) -> Vec<Finding> {
    let host = config.capabilities.host();
    let finding = |(runtime, ready): (Runtime, Result<(), String>)| {
        let what = match runtime {
            Runtime::Python => "python plugins",
            Runtime::Javascript => "javascript plugins",
            _ => "native plugins",
        };
        match ready {
            Ok(()) => Finding { what, state: Health::Ok, text: "ready".into() },
            Err(reason) => Finding { what, state: Health::Missing, text: reason },
        }
    };
    let mut findings: Vec<_> = host.runtimes().await.into_iter().map(finding).collect();
    findings.push(sandbox().await);
    findings
}

/// What keeps plugin code in.
async fn sandbox() -> Finding {
    let (state, text) = match capabilities::sandbox::guards().await {
        Err(reason) => (Health::Missing, reason),
        Ok(guards) => {
            let named = |wanted: bool| guards.iter().filter(move |(_, holds)| *holds == wanted).map(|(name, _)| *name);
            let (there, missing) = (named(true).collect::<Vec<_>>(), named(false).collect::<Vec<_>>());
            match missing.is_empty() {
                true => (Health::Ok, there.join(", ")),
                false => (Health::Broken, format!("without: {}; with: {}", missing.join(", "), there.join(", "))),
            }
        }
    };
    Finding { what: "sandbox", state, text }
}
