//! Outside any mission: does a model answer, does Redis?

use crate::{
    choice::{Choice, choices},
    config::Config,
    effect::begin,
    provider::{Ask, Images, Provider},
    shared::Redis,
};
use schemas::{
    agent::{Message, Speaker},
    brain::Usage,
};
use tokio_util::sync::CancellationToken;

/// What a model answered.
#[derive(Debug)]
pub struct Tried {
    pub provider: &'static str,
    pub model: String,
    pub text: String,
    pub usage: Usage,
    /// US dollars, where the price is known.
    pub cost_usd: Option<f64>,
    /// Milliseconds.
    pub ms: u64,
}

/// Does the Redis answer that is set, if one is?
///
/// # Errors
/// A sentence: why it does not.
pub async fn find_redis(config: &Config) -> Result<(), String> {
    match &config.redis {
        Some(url) => Redis::new(url)?.ping().await,
        None => Ok(()),
    }
}

/// Asks `PROVIDER/NAME`, a provider's own model, or the first provider's, for one word.
///
/// # Errors
/// A sentence: why it does not answer, and what would help.
pub async fn try_out(config: &Config, model: Option<&str>) -> Result<Tried, String> {
    let providers: Vec<Provider> = config.providers.iter().map(Provider::new).collect::<Result<_, _>>()?;
    let choices = choices(&providers, &config.models, model).map_err(|fault| fault.message)?;
    let none = "no provider is on: set OPENAI_API_KEY, or another provider's key or address";
    let Choice { provider, model } = choices.into_iter().next().ok_or(none)?;
    let begun = begin();
    let model = provider.model(model.as_deref()).await.map_err(|failure| failure.message)?;
    let messages = [Message::new(Speaker::User, "Answer with one word: are you there?")];
    let stop = CancellationToken::new();
    let ask = Ask {
        model: &model,
        messages: &messages,
        images: &Images::new(),
        tools: &[],
        schema: None,
        stop: &stop,
        live: &|_| Box::pin(async {}),
    };
    let reply = provider.ask(&ask).await.map_err(|failure| failure.message)?;
    let cost_usd = config.models.find(provider.name(), &model).and_then(|known| known.cost(&reply.usage));
    let ms = begun.elapsed().as_millis() as u64;
    Ok(Tried { provider: provider.name(), model, text: reply.text, usage: reply.usage, cost_usd, ms })
}
