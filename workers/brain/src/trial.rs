//! Outside any mission: does a model answer, does Redis?

use crate::{
    choice::{Choice, choices},
    config::Config,
    effect::begin,
    model::{Model, Work},
    provider::{Ask, Images, Provider},
    shared::Redis,
};
use schemas::{
    agent::{Message, Speaker},
    brain::Usage,
};
use tokio_util::sync::CancellationToken;

const QUESTION: &str = "Answer with one word: are you there?";

/// What a model answered.
#[derive(Debug)]
pub struct Tried {
    pub provider: &'static str,
    pub model: String,
    pub said: Said,
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

/// What it made of the question.
#[derive(Debug)]
pub enum Said {
    Text(String),
    /// A vector of so many numbers.
    Vector(usize),
}

/// Asks `PROVIDER/NAME`, a provider's own model, or the first provider's, for one word; a model that is known to
/// make vectors and no text for one.
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
    let known = config.models.find(provider.name(), &model);
    let embeds = |known: &Model| known.work.contains(&Work::Embeddings) && !known.work.contains(&Work::Text);
    let (said, usage) = if known.is_some_and(embeds) {
        let (vectors, usage) = provider.embed(&model, &[QUESTION.into()]).await.map_err(|failure| failure.message)?;
        (Said::Vector(vectors.first().map_or(0, Vec::len)), usage)
    } else {
        text(provider, &model).await?
    };
    let cost_usd = known.and_then(|known| known.cost(&usage));
    let ms = begun.elapsed().as_millis() as u64;
    Ok(Tried { provider: provider.name(), model, said, usage, cost_usd, ms })
}

async fn text(provider: &Provider, model: &str) -> Result<(Said, Usage), String> {
    let messages = [Message::new(Speaker::User, QUESTION)];
    let stop = CancellationToken::new();
    let ask = Ask {
        model,
        messages: &messages,
        images: &Images::new(),
        tools: &[],
        schema: None,
        stop: &stop,
        live: &|_| Box::pin(async {}),
    };
    let reply = provider.ask(&ask).await.map_err(|failure| failure.message)?;
    Ok((Said::Text(reply.text), reply.usage))
}
