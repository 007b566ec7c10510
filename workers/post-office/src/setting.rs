//! What a tenant chooses for a plugin.

use crate::{Door, market::given, secret, unread, unwritten};
use nats::registry;
use schemas::{
    Fault, Tenant, Value, Writer,
    manifest::{Setting, SettingKind},
};
use serde::Deserialize;
use serde_json::json;
use streams::{
    registry::{
        Plugin,
        setting::{self, CHOSEN, Chosen},
    },
    secret::of_setting,
    submission::Refusal,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    verb: String,
    name: String,
    #[serde(default)]
    value: Value,
}

/// Does what somebody asked for; gives the plugin's settings then.
pub async fn order(door: &Door, tenant: &Tenant, what: &str, body: &[u8]) -> Result<Value, Refusal> {
    if !["set", "clear"].contains(&what) {
        let message = format!("`setting.{what}` is not one of setting.set, setting.clear");
        return Err(Refusal::new("unknown_command", message));
    }
    let Choice { verb, name, value } = given(body)?;
    let plugin = plugin(door, &verb).await?;
    let wrong = |code: &str, at: &str, message: String| Refusal::of_faults(code, vec![Fault::new(at, message)]);
    let Some(setting) = plugin.settings.iter().find(|setting| setting.name == name) else {
        let known: Vec<_> = plugin.settings.iter().map(|setting| setting.name.as_str()).collect();
        let known = if known.is_empty() { "it has none".into() } else { format!("there are {}", known.join(", ")) };
        return Err(wrong("unknown_setting", "/name", format!("{verb} has no setting `{name}`; {known}")));
    };
    if setting.kind == SettingKind::Secret {
        let message = format!("`{name}` is a secret: it is kept sealed, by secret.set under {verb}.{name}");
        return Err(wrong("secret_setting", "/name", message));
    }
    let value = match what {
        "set" => {
            setting.fits(&value).map_err(|why| wrong("invalid_setting", "/value", why))?;
            Some(value)
        }
        _ => None,
    };
    let key = setting::key(tenant, &verb, &name);
    registry::say(&door.log, Writer::User, CHOSEN, Some(&key), &Chosen { value }).await.map_err(unwritten)?;
    list(door, tenant, &plugin).await
}

/// A plugin's settings with what this tenant has chosen; of secrets only whether they are set.
pub async fn list(door: &Door, tenant: &Tenant, plugin: &Plugin) -> Result<Value, Refusal> {
    let verb = &plugin.verb.name;
    if plugin.settings.is_empty() {
        return Ok(json!([]));
    }
    let words = door.log.load_from("REGISTRY", &setting::all(tenant, verb), 0).await.map_err(unread)?;
    let (chosen, kept) = (setting::folded(&words), secret::kept(&door.log, tenant).await?);
    let shown = |setting: &Setting| {
        let mut shown = json!(setting);
        match setting.kind {
            SettingKind::Secret => shown["set"] = kept.contains_key(&of_setting(verb, &setting.name)).into(),
            _ => {
                shown["set"] = chosen.contains_key(&setting.name).into();
                if let Some(value) = chosen.get(&setting.name).or(setting.default.as_ref()) {
                    shown["value"] = value.clone();
                }
            }
        }
        shown
    };
    Ok(plugin.settings.iter().map(shown).collect())
}

async fn plugin(door: &Door, verb: &str) -> Result<Plugin, Refusal> {
    let mut reader = door.registry.lock().await;
    let registry = reader.read(&door.log).await.map_err(unread)?;
    let message = format!("there is no plugin `{verb}`");
    let missing = || Refusal::of_faults("unknown_plugin", vec![Fault::new("/verb", message)]);
    registry.plugins().find(|plugin| plugin.verb.name == verb).cloned().ok_or_else(missing)
}
