//! `stage7 plugin settings`, `set` and `unset`: what is chosen for a plugin.

use crate::{
    client::Client,
    command::secret,
    config::Config,
    exit::{Code, Error},
    home,
    progress::{clean, out, say},
};
use schemas::{
    Value,
    manifest::{Setting, SettingKind},
};
use serde_json::json;
use streams::secret::of_setting;

/// What is done with a plugin's settings.
pub enum Deed {
    Show,
    Set { name: String, value: Option<String> },
    Unset { name: String },
}

pub async fn run(config: &Config, verb: &str, deed: Deed, json: bool) -> Result<Code, Error> {
    let home = home::find_or_start(config, &crate::command::note(json)).await?;
    let done = done(&home.client, verb, deed).await;
    home.close().await;
    let settings = done?;
    match json {
        true => say(&json!({"verb": verb, "settings": settings})),
        false => settings.as_array().into_iter().flatten().for_each(show),
    }
    Ok(Code::Completed)
}

async fn done(client: &Client, verb: &str, deed: Deed) -> Result<Value, Error> {
    let settings = settings(client, verb).await?;
    let found = |name: &str| {
        let all = settings.as_array().into_iter().flatten();
        let mut all = all.filter_map(|setting| {
            let mut setting = setting.clone();
            let fields = setting.as_object_mut()?;
            fields.retain(|field, _| field != "set" && field != "value");
            serde_json::from_value::<Setting>(setting).ok()
        });
        all.find(|setting| setting.name == name)
    };
    match deed {
        Deed::Show => return Ok(settings),
        Deed::Set { name, value } => match found(&name).map(|setting| setting.kind) {
            Some(SettingKind::Secret) => {
                if value.is_some() {
                    let why = format!("`{name}` is a secret: give it on standard input, where nobody else reads it");
                    return Err(Error::usage(why));
                }
                let name = of_setting(verb, &name);
                secret::set(client, &name, &secret::read(&name)?, &[]).await?;
            }
            kind => {
                let value = value.ok_or_else(|| Error::usage(format!("a value for `{name}` is missing")))?;
                let order = json!({"verb": verb, "name": name, "value": typed(kind, value)});
                client.order("setting.set", &order).await?;
            }
        },
        Deed::Unset { name } => match found(&name).map(|setting| setting.kind) {
            Some(SettingKind::Secret) => {
                client.order("secret.remove", &json!({"name": of_setting(verb, &name)})).await?;
            }
            _ => drop(client.order("setting.clear", &json!({"verb": verb, "name": name})).await?),
        },
    }
    self::settings(client, verb).await
}

async fn settings(client: &Client, verb: &str) -> Result<Value, Error> {
    let mut answer = client.read(&json!({"plugin": verb})).await?;
    Ok(match answer["plugin"]["settings"].take() {
        Value::Null => json!([]),
        settings => settings,
    })
}

/// As what is written is meant; what doesn't fit is refused by the door.
fn typed(kind: Option<SettingKind>, text: String) -> Value {
    match kind {
        Some(SettingKind::Number | SettingKind::Boolean) => serde_json::from_str(&text).unwrap_or_else(|_| text.into()),
        _ => text.into(),
    }
}

fn show(setting: &Value) {
    let text = |field: &str| clean(setting[field].as_str().unwrap_or_default());
    let is_set = setting["set"] == true;
    let value = match (&setting["value"], is_set) {
        _ if setting["type"] == "secret" && is_set => "(set)".to_string(),
        (Value::Null, _) if setting["required"] == true => "(missing)".to_string(),
        (Value::Null, _) => "-".to_string(),
        (Value::String(value), _) => clean(value),
        (value, _) => value.to_string(),
    };
    let from = if is_set { "chosen" } else { "default" };
    out!("{:<20} {:<8} {:<8} {value}  {}", text("name"), text("type"), from, text("description"));
}
