//! The models that may be asked, as a goal names one or the settings do.

use crate::{
    effect::Fault,
    model::{Models, Work},
    provider::{self, Provider},
};
use schemas::Class;

/// A model that may be asked.
#[derive(Clone)]
pub struct Choice<'p> {
    pub provider: &'p Provider,
    /// None: what the provider's server offers.
    pub model: Option<String>,
}

impl Choice<'_> {
    /// As it is called in the log and in data.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider.name(), self.model.as_deref().unwrap_or("*"))
    }
}

/// The models that may answer: the one that was asked for, or all of the providers that are on.
///
/// # Errors
/// There is none.
pub fn choices<'p>(providers: &'p [Provider], models: &Models, asked: Option<&str>) -> Result<Vec<Choice<'p>>, Fault> {
    let on = |name: &str| providers.iter().find(|provider| provider.name() == name);
    let off = |known: &provider::Known| format!("{} is not on. Set {}", known.title, known.variable());
    let Some(asked) = asked else {
        return Ok(providers.iter().flat_map(|provider| own(provider, models)).collect());
    };
    let refuse = |what: String| Fault {
        class: Class::Permanent,
        message: format!("the model `{asked}` cannot be asked: {what}"),
    };
    // A provider's name alone: one of its own.
    if let Some(known) = provider::Known::find(asked) {
        return on(known.name).map(|provider| own(provider, models)).ok_or_else(|| refuse(off(known)));
    }
    let named = asked.split_once('/').and_then(|(name, model)| Some((provider::Known::find(name)?, model)));
    let (provider, model) = match named {
        Some((known, model)) => match (on(known.name), on("openrouter")) {
            (Some(provider), _) => (provider, model),
            // Its models are called as their makers are.
            (None, Some(broker)) => (broker, asked),
            (None, None) => return Err(refuse(off(known))),
        },
        None => {
            let none = "no provider is on. Set OPENAI_API_KEY, OPENAI_API_URL of a compatible server, or another provider's; or ask for the model `offline`";
            let knows = providers.iter().find(|provider| models.find(provider.name(), asked).is_some());
            (knows.or(providers.first()).ok_or_else(|| refuse(none.into()))?, asked)
        }
    };
    Ok(vec![Choice { provider, model: Some(model.into()) }])
}

/// A provider's models: the one that it is set to, else those that are known to be there, else what it offers.
fn own<'p>(provider: &'p Provider, models: &Models) -> Vec<Choice<'p>> {
    let choice = |model: Option<String>| Choice { provider, model };
    if let Some(model) = provider.set_to() {
        return vec![choice(Some(model.into()))];
    }
    let known = models.all().filter(|model| model.provider == provider.name() && model.work.contains(&Work::Text));
    let known: Vec<_> = known.map(|model| choice(Some(model.name.clone()))).collect();
    // What is known of a provider does not hold for another server that speaks like it.
    if provider.is_own_address() && !known.is_empty() { known } else { vec![choice(None)] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Key, ProviderConfig};

    fn providers(names: &[&str]) -> Vec<Provider> {
        let provider = |name: &&str| {
            let config = ProviderConfig::new(provider::Known::find(name).expect("known"));
            let url = Some("http://127.0.0.1:1/v1".to_string());
            Provider::new(&ProviderConfig { key: Some(Key::new("k")), url, ..config }).expect("a provider")
        };
        names.iter().map(provider).collect()
    }

    #[test]
    fn a_model_is_asked_where_its_name_says() {
        for (on, asked, wanted) in [
            (&["openai", "anthropic"][..], None, vec![("openai", None), ("anthropic", None)]),
            (&["openai", "anthropic"], Some("anthropic"), vec![("anthropic", None)]),
            (&["openai", "anthropic"], Some("gpt-x"), vec![("openai", Some("gpt-x"))]),
            (&["openai", "anthropic"], Some("anthropic/claude-x"), vec![("anthropic", Some("claude-x"))]),
            (&["openrouter"], Some("anthropic/claude-x"), vec![("openrouter", Some("anthropic/claude-x"))]),
            (&["openrouter"], Some("openrouter/meta/llama"), vec![("openrouter", Some("meta/llama"))]),
            (&["huggingface"], Some("meta/llama"), vec![("huggingface", Some("meta/llama"))]),
        ] {
            let providers = providers(on);
            let chosen = choices(&providers, &Models::default(), asked).expect("there is one");
            let chosen: Vec<_> = chosen.iter().map(|c| (c.provider.name(), c.model.as_deref())).collect();
            assert_eq!(chosen, wanted, "{on:?} {asked:?}");
        }
        let off = choices(&providers(&["openai"]), &Models::default(), Some("gemini/x")).err().expect("it is not on");
        assert!(off.message.ends_with("Gemini is not on. Set GEMINI_API_KEY"), "{}", off.message);
        assert!(
            choices(&[], &Models::default(), Some("x"))
                .err()
                .expect("none is on")
                .message
                .contains("no provider is on")
        );
    }
}
