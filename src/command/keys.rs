//! `stage7 keys …`: who signs plugins, and whose signature is taken.

use crate::{
    cli::{Keys, Purpose, Whose},
    config::Config,
    exit::{Code, Error},
    home,
    keyring::{self, Entry, Keyring},
    progress::{clean, out, say},
};
use anyhow::Context;
use schemas::Time;
use serde_json::json;
use std::fs;

pub async fn run(config: &Config, asked: Keys, json: bool) -> Result<Code, Error> {
    let mut ring = Keyring::open(&config.data)?;
    let now = super::now();
    let usage = |error: anyhow::Error| Error::usage(format!("{error:#}"));
    let is_news = !matches!(asked, Keys::List { .. });
    let shown = match asked {
        Keys::Generate(Whose { purpose: Purpose::Plugins, publisher }) => {
            vec![ring.generate(&publisher, now).map_err(usage)?]
        }
        Keys::Rotate(Whose { purpose: Purpose::Plugins, publisher }) => {
            vec![ring.rotate(&publisher, now).map_err(usage)?]
        }
        Keys::Revoke { fingerprint, purpose: Purpose::Plugins } => vec![ring.revoke(&fingerprint, now).map_err(usage)?],
        Keys::Trust { file, whose: Whose { purpose: Purpose::Plugins, publisher } } => {
            let pem = fs::read_to_string(&file).with_context(|| file.display().to_string()).map_err(usage)?;
            let trusted = ring.trust(&publisher, &pem, now);
            vec![trusted.with_context(|| file.display().to_string()).map_err(usage)?]
        }
        Keys::List { purpose: Purpose::Plugins } => ring.entries,
    };
    // What runs hears of it now; what does not, when it starts.
    if is_news && let Ok(home) = home::find(config, &|_| {}).await {
        keyring::told(&Keyring::open(&config.data)?, &home.client).await?;
    }
    shown.iter().for_each(|entry| show(entry, json));
    Ok(Code::Completed)
}

fn show(entry: &Entry, json: bool) {
    let Entry { publisher, fingerprint, state, since } = entry;
    let state = json!(state);
    match json {
        true => say(&json!({"publisher": publisher, "fingerprint": fingerprint, "state": state, "since": since})),
        false => {
            let (state, since) = (state.as_str().unwrap_or_default(), Time::to_string(since));
            out!("{fingerprint}  {state:<8} {since}  {}", clean(publisher));
        }
    }
}
