//! One call: the models that may answer it, one after the other, until one gives what is wanted.

use crate::{
    answer::{self, Wish},
    effect::{Fault, Given, Spent, begin},
    model::{Model, Models, Work},
    provider::{self, Ask, Failure, Kind, Provider, estimate},
    route::{Candidate, Measured, Need},
    watch::Watch,
};
use nats::effect::Context;
use schemas::{
    Class, Event,
    agent::{LlmRequested, Message, Speaker},
    brain::{LlmTried, Usage},
    value::{self, Values},
};
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How often a model is asked for the same answer: the first time, and with the faults of the
/// answer before.
const ROUNDS: u32 = 3;
/// How often one is waited for that is asked too often, when no other is left.
const WAITS: u32 = 2;
/// For how long at most: whoever asked tries again by itself, later.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Tokens that an answer is expected to have.
const EXPECTED: u64 = 1_000;

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

/// What is known of models: from data, from their last calls, from all brains.
pub struct Known {
    pub models: Models,
    /// By name; a new instance begins without prejudice.
    pub measured: Mutex<BTreeMap<String, Measured>>,
    pub watch: Watch,
}

impl Known {
    fn forget(&self, choice: &Choice<'_>) {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).remove(&choice.name());
    }

    /// What is known of each.
    pub fn candidates(&self, choices: &[Choice<'_>]) -> Vec<Candidate> {
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let candidate = |choice: &Choice<'_>| {
            let (provider, name) = (choice.provider.name(), choice.model.as_deref().unwrap_or("*"));
            let model = self.models.find(provider, name).cloned().unwrap_or_else(|| Model::unknown(provider, name));
            let measured = measured.get(&choice.name()).copied().unwrap_or_default();
            let out = self.watch.out(&choice.name()).map(|(why, _)| why);
            Candidate { model, measured, out, is_due: self.watch.is_due(&choice.name()) }
        };
        choices.iter().map(candidate).collect()
    }
}

/// A call on its way.
pub struct Call<'a> {
    known: &'a Known,
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
        known: &'a Known,
        request: &'a Event,
        asked: &'a LlmRequested,
        inputs: &Values,
        context: &'a Context,
        spent: &'a mut Spent,
    ) -> Result<Self, Fault> {
        let filled = |message: &Message| Message { role: message.role, text: value::fill(&message.text, inputs) };
        let wish = Wish::new(asked.schema.as_ref()).map_err(|message| Fault { class: Class::InvalidInput, message })?;
        let messages = asked.messages.iter().map(filled).collect();
        Ok(Self { known, request, asked, context, spent, wish, messages, tries: 0 })
    }

    /// What the call needs, as far as it can be known before.
    pub fn need(&self, last: Option<String>) -> Need {
        let json = self.asked.schema.is_some().then_some(Work::Json);
        Need {
            work: json.into_iter().chain([Work::Text]).collect(),
            usage: Usage { output: EXPECTED, ..estimate(&self.messages, "") },
            usd: self.asked.reserve.usd,
            tokens: self.asked.reserve.tokens,
            optimize: self.asked.optimize,
            last,
        }
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
        let _probe = self.known.watch.probe(&choice.name());
        let mut messages = self.messages.clone();
        let mut faults = Vec::new();
        for _ in 0..ROUNDS {
            let (begun, reply) = (begin(), self.said(provider, &model, &messages).await);
            match reply {
                Err(failure) => {
                    if self.known.watch.failed(&choice.name(), failure.kind) {
                        self.measure(choice, None, false);
                    }
                    self.tried(provider, &model, failure.usage, begun, failure.message.clone()).await;
                    return Err(gone(failure));
                }
                Ok((text, usage)) => match self.wish.check(&text) {
                    Ok(answer) => {
                        let ms = begun.elapsed().as_millis() as f64;
                        if self.known.watch.answered(&choice.name()) {
                            // One among others again.
                            self.known.forget(choice);
                        }
                        self.measure(choice, Some(ms / usage.output.max(1) as f64), true);
                        self.spend(provider, &model, usage);
                        return Ok(Given { provider: provider.name().into(), model, answer, routing: None });
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
        self.measure(choice, None, false);
        let message = format!("`{model}` gave no usable answer in {ROUNDS} rounds: {}", faults.join("; "));
        Err(Miss { kind: None, fault: Fault { class: Class::Permanent, message } })
    }

    fn measure(&self, choice: &Choice<'_>, pace: Option<f64>, went_well: bool) {
        let mut measured = self.known.measured.lock().unwrap_or_else(PoisonError::into_inner);
        measured.entry(choice.name()).or_default().add(pace, went_well);
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
        let cost = self.known.models.find(provider.name(), model).and_then(|model| model.cost(&usage)).unwrap_or(0.0);
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
