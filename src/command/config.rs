//! `stage7 config`: each value, and where it comes from.

use crate::{
    config::Config,
    exit::{Code, Error},
    progress::{out, say},
};
use serde_json::json;

pub fn run(config: &Config, json: bool) -> Result<Code, Error> {
    for found in &config.found {
        let value = found.shown();
        if json {
            say(&json!({"name": found.setting.name, "value": value, "from": found.origin.to_string(),
                "variables": found.setting.variables, "about": found.setting.about}));
        } else {
            let value = value.unwrap_or_else(|| "-".into());
            out!(
                "{:<24} {value:<32} {:<36} {}",
                found.setting.name,
                format!("({})", found.origin),
                found.setting.about
            );
        }
    }
    Ok(Code::Completed)
}
