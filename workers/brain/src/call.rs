//! One call: the models that may answer it, one after the other, until one gives what is wanted.

use crate::{
    answer::{self, Wish},
    effect::{Fault, Given, Spent, begin},
    model::Models,
    provider::{Ask, Failure, Kind, Known, Provider},
};
use nats::effect::Context;
use schemas::{
    Class, Event,
    agent::{LlmRequested, Message, Speaker},
    brain::{LlmTried, Usage},
    value::{self, Values},
};
use std::{future::Future, pin::Pin, time::Duration};

/// How often a model is asked for the same answer: the first time, and with the faults of the
/// answer before.
const ROUNDS: u32 = 3;
/// How often one is waited for that is asked too often, when no other is left.
const WAITS: u32 = 2;
/// For how long at most: whoever asked tries again by itself, later.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A model that may be asked.
pub struct Choice<'p> {
    pub provider: &'p Provider,
    /// None: what the provider is set to, or offers.
    pub model: Option<String>,
}

/// The models that may answer, best first: the one that was asked for, or each provider's own.
///
/// # Errors
/// There is none.
pub fn choices<'p>(providers: &'p [Provider], asked: Option<&str>) -> Result<Vec<Choice<'p>>, Fault> {
    // A provider's name alone: its own model.
    if let Some(known) = asked.and_then(Known::find) {
        let on = providers.iter().find(|provider| provider.name() == known.name);
        let off = || Fault {
            class: Class::Permanent,
            message: format!("{} is not on. Set {}", known.title, known.variable()),
        };
        return Ok(vec![Choice { provider: on.ok_or_else(off)?, model: None }]);
    }
    let Some(asked) = asked else {
        return Ok(providers.iter().map(|provider| Choice { provider, model: None }).collect());
    };
    let off = |what: String| Fault {
        class: Class::Permanent,
        message: format!("the model `{asked}` cannot be asked: {what}"),
    };
    let on = |name: &str| providers.iter().find(|provider| provider.name() == name);
    let named = asked.split_once('/').and_then(|(name, model)| Some((Known::find(name)?, model)));
    let (provider, model) = match named {
        Some((known, model)) => match (on(known.name), on("openrouter")) {
            (Some(provider), _) => (provider, model),
            // Its models are called as their makers are.
            (None, Some(broker)) => (broker, asked),
            (None, None) => return Err(off(format!("{} is not on. Set {}", known.title, known.variable()))),
        },
        None => {
            let none = "no provider is on. Set OPENAI_API_KEY, OPENAI_API_URL of a compatible server, or another provider's; or ask for the model `offline`";
            (providers.first().ok_or_else(|| off(none.into()))?, asked)
        }
    };
    Ok(vec![Choice { provider, model: Some(model.into()) }])
}

/// A call on its way.
pub struct Call<'a> {
    models: &'a Models,
    request: &'a Event,
    asked: &'a LlmRequested,
    context: &'a Context,
    spent: &'a mut Spent,
    wish: Wish,
    messages: Vec<Message>,
    /// Tries so far.
    tries: u32,
}

/// Why a model did not answer as it was to.
struct Miss {
    kind: Option<Kind>,
    fault: Fault,
}

impl<'a> Call<'a> {
    /// # Errors
    /// The wanted schema is none.
    pub fn new(
        models: &'a Models,
        request: &'a Event,
        asked: &'a LlmRequested,
        inputs: &Values,
        context: &'a Context,
        spent: &'a mut Spent,
    ) -> Result<Self, Fault> {
        let filled = |message: &Message| Message { role: message.role, text: value::fill(&message.text, inputs) };
        let wish = Wish::new(asked.schema.as_ref()).map_err(|message| Fault { class: Class::InvalidInput, message })?;
        let messages = asked.messages.iter().map(filled).collect();
        Ok(Self { models, request, asked, context, spent, wish, messages, tries: 0 })
    }

    /// Asks one model after the other.
    ///
    /// # Errors
    /// None of them gave an answer: why, of each.
    pub async fn through(mut self, choices: &[Choice<'_>]) -> Result<Given, Fault> {
        let mut missed: Vec<Fault> = Vec::new();
        for (n, choice) in choices.iter().enumerate() {
            let mut waits = 0;
            loop {
                let Miss { kind, fault } = match self.ask(choice).await {
                    Ok(given) => return Ok(given),
                    Err(miss) => miss,
                };
                if kind == Some(Kind::Cancelled) {
                    return Err(fault);
                }
                let wait = kind.and_then(Kind::after).filter(|wait| *wait <= LONGEST_WAIT);
                let is_last = n + 1 == choices.len();
                match wait {
                    Some(wait) if is_last && waits < WAITS => {
                        waits += 1;
                        if self.context.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                            return Err(Fault { class: Class::NotStarted, message: "called off".into() });
                        }
                    }
                    _ => {
                        missed.push(fault);
                        break;
                    }
                }
            }
        }
        // Where one of them may do better later, all are asked again later.
        let class = missed.iter().map(|fault| fault.class).find(|class| *class == Class::Transient);
        let class = class.or(missed.last().map(|fault| fault.class)).unwrap_or(Class::Permanent);
        let words: Vec<_> = missed.into_iter().map(|fault| fault.message).collect();
        Err(Fault { class, message: words.join("; then ") })
    }

    /// Asks one model, with the faults of its answers while they can't be used.
    async fn ask(&mut self, choice: &Choice<'_>) -> Result<Given, Miss> {
        let provider = choice.provider;
        let gone = |failure: Failure| Miss {
            kind: Some(failure.kind),
            fault: Fault { class: failure.kind.class(), message: failure.message },
        };
        let named = self.context.stop.run_until_cancelled(provider.model(choice.model.as_deref())).await;
        let model = named.unwrap_or_else(|| Err(Failure::new(Kind::Cancelled, "called off"))).map_err(gone)?;
        let mut messages = self.messages.clone();
        let mut faults = Vec::new();
        for _ in 0..ROUNDS {
            let (begun, reply) = (begin(), self.said(provider, &model, &messages).await);
            match reply {
                Err(failure) => {
                    self.tried(provider, &model, failure.usage, begun, failure.message.clone()).await;
                    return Err(gone(failure));
                }
                Ok((text, usage)) => match self.wish.check(&text) {
                    Ok(answer) => {
                        self.spend(provider, &model, usage);
                        return Ok(Given { provider: provider.name().into(), model, answer });
                    }
                    Err(found) => {
                        messages.push(Message { role: Speaker::Assistant, text });
                        messages.push(Message { role: Speaker::User, text: answer::ask_again(&found) });
                        self.tried(provider, &model, usage, begun, found.join("; ")).await;
                        faults = found;
                    }
                },
            }
        }
        let message = format!("`{model}` gave no usable answer in {ROUNDS} rounds: {}", faults.join("; "));
        Err(Miss { kind: None, fault: Fault { class: Class::Permanent, message } })
    }

    async fn said(&self, provider: &Provider, model: &str, messages: &[Message]) -> Result<(String, Usage), Failure> {
        let (request, context, subject) = (self.request, self.context, format!("llm.{}", self.request.id));
        let live = move |delta: String| -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            let subject = subject.clone();
            Box::pin(async move { context.live(request, &subject, delta).await })
        };
        let (schema, stop) = (self.asked.schema.as_ref(), &context.stop);
        let reply = provider.ask(&Ask { model, messages, schema, stop, live: &live }).await?;
        Ok((reply.text, reply.usage))
    }

    /// Adds what a try took; gives what it cost, as far as the model's price is known.
    fn spend(&mut self, provider: &Provider, model: &str, usage: Usage) -> f64 {
        let cost = self.models.find(provider.name(), model).and_then(|model| model.cost(&usage)).unwrap_or(0.0);
        let Spent { usage: all, cost_usd } = &mut *self.spent;
        all.input += usage.input;
        all.output += usage.output;
        all.estimated |= usage.estimated;
        *cost_usd += cost;
        cost
    }

    /// Says in the log what a try came to that gave no answer.
    async fn tried(
        &mut self,
        provider: &Provider,
        model: &str,
        usage: Usage,
        begun: tokio::time::Instant,
        error: String,
    ) {
        let cost_usd = self.spend(provider, model, usage);
        self.tries += 1;
        let n = self.tries;
        let tried = LlmTried {
            call: self.request.id,
            n,
            provider: provider.name().into(),
            model: model.into(),
            usage,
            cost_usd,
            ms: begun.elapsed().as_millis() as u64,
            error: Some(error),
        };
        if let Err(error) = self.context.say(self.request, tried.into(), &format!("{}/{n}", self.request.id)).await {
            tracing::warn!(call = %self.request.id, %error, "a try is not in the log");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Key, ProviderConfig};

    fn providers(names: &[&str]) -> Vec<Provider> {
        let provider = |name: &&str| {
            let config = ProviderConfig::new(Known::find(name).expect("known"));
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
            let chosen = choices(&providers, asked).expect("there is one");
            let chosen: Vec<_> = chosen.iter().map(|c| (c.provider.name(), c.model.as_deref())).collect();
            assert_eq!(chosen, wanted, "{on:?} {asked:?}");
        }
        let off = choices(&providers(&["openai"]), Some("gemini/x")).err().expect("it is not on");
        assert!(off.message.ends_with("Gemini is not on. Set GEMINI_API_KEY"), "{}", off.message);
        assert!(choices(&[], Some("x")).err().expect("none is on").message.contains("no provider is on"));
    }
}
