//! One call: the models that may answer it, one after the other, until one gives what is wanted.

use crate::{
    answer::{self, Wish},
    cache::{self, Cache, Kept},
    choice::Choice,
    effect::{Fault, Given, Spent, begin},
    model::{Model, Models, Work},
    prompt::Prompt,
    provider::{Ask, Failure, Images, Kind, Provider, Reply, Tool, estimate},
    route::{Candidate, Need},
    watch::Watch,
};
use nats::effect::Context;
use schemas::{
    Class, Event,
    agent::{LlmRequested, Message, Speaker, ToolCall},
    brain::{LlmTried, Usage},
    value::{Value, Values},
};
use std::{collections::VecDeque, future::Future, pin::Pin, time::Duration};

/// How often a model is asked for the same answer: the first time, and with the faults of the
/// answer before.
const ROUNDS: u32 = 3;
/// How often one is waited for that is asked too often, when no other is left.
const WAITS: u32 = 2;
/// For how long at most: whoever asked tries again by itself, later.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The same of a place that the settings limit, where there is no other model: the step would only come back to the
/// end of the same queue, and soon use up its retries.
const LONGEST_QUEUE: Duration = Duration::from_secs(600);

/// Tokens of an image, about: providers count from a hundred to some thousands, by its size.
const IMAGE: u64 = 1_000;
/// Tokens that an answer is expected to have.
const EXPECTED: u64 = 1_000;

/// What is known of models: from data, and from all brains.
pub struct Known {
    pub models: Models,
    pub watch: Watch,
    /// Where answers are kept, if they are.
    pub cache: Option<Cache>,
}

impl Known {
    /// Tokens that it reads, where that is known.
    fn context(&self, choice: &Choice<'_>) -> Option<u64> {
        self.models.find(choice.provider.name(), choice.model.as_deref()?)?.context
    }

    /// What is known of each.
    pub fn candidates(&self, choices: &[Choice<'_>]) -> Vec<Candidate> {
        let candidate = |choice: &Choice<'_>| {
            let (provider, name) = (choice.provider.name(), choice.model.as_deref().unwrap_or("*"));
            let model = self.models.find(provider, name).cloned().unwrap_or_else(|| Model::unknown(provider, name));
            let measured = self.watch.measured(&choice.name());
            let out = self.watch.out(&choice.name()).map(|(why, _)| why);
            Candidate { model, measured, out, is_due: self.watch.is_due(&choice.name()) }
        };
        choices.iter().map(candidate).collect()
    }
}

/// What a call refers to, fetched.
#[derive(Default)]
pub struct Material {
    pub inputs: Values,
    pub images: Images,
    pub tools: Vec<Tool>,
}

impl Material {
    /// About how many tokens the tools and images have.
    fn tokens(&self) -> u64 {
        let tool = |tool: &Tool| tool.description.len() + tool.input.to_string().len();
        let tools: usize = self.tools.iter().map(tool).sum();
        tools as u64 / 4 + IMAGE * self.images.len() as u64
    }
}

/// A call on its way.
pub struct Call<'a> {
    known: &'a Known,
    request: &'a Event,
    asked: &'a LlmRequested,
    material: &'a Material,
    context: &'a Context,
    spent: &'a mut Spent,
    wish: Wish,
    prompt: Prompt,
    /// Tries so far.
    tries: u32,
}

/// Why a model did not answer as it was to.
struct Miss {
    kind: Option<Kind>,
    fault: Fault,
    /// The prompt was shortened, and may do now.
    again: bool,
}

impl<'a> Call<'a> {
    /// # Errors
    /// The wanted schema is none.
    pub fn new(
        known: &'a Known,
        request: &'a Event,
        asked: &'a LlmRequested,
        material: &'a Material,
        context: &'a Context,
        spent: &'a mut Spent,
    ) -> Result<Self, Fault> {
        let wish = Wish::new(asked.schema.as_ref()).map_err(|message| Fault { class: Class::InvalidInput, message })?;
        let prompt = Prompt::new(&asked.messages, &material.inputs);
        Ok(Self { known, request, asked, material, context, spent, wish, prompt, tries: 0 })
    }

    /// What the call needs, as far as it can be known before.
    pub fn need(&self, last: Option<String>) -> Need {
        let json = self.asked.schema.is_some().then_some(Work::Json);
        let vision = (!self.material.images.is_empty()).then_some(Work::Vision);
        let prompt = estimate(&self.prompt.messages(), "");
        Need {
            work: json.into_iter().chain(vision).chain([Work::Text]).collect(),
            usage: Usage { input: prompt.input + self.material.tokens(), output: EXPECTED, ..prompt },
            least: None,
            usd: self.asked.reserve.usd,
            tokens: self.asked.reserve.tokens,
            optimize: self.asked.optimize,
            last,
        }
    }

    /// The same, for models that do not read all of the prompt.
    pub fn shortened(&self, need: &Need) -> Need {
        Need { least: Some(self.prompt.least() + self.material.tokens()), ..need.clone() }
    }

    /// Asks one model after the other.
    ///
    /// # Errors
    /// None of them gave an answer: why, of each.
    pub async fn through(mut self, choices: &[Choice<'_>]) -> Result<Given, Fault> {
        if let Some(given) = self.kept(choices).await {
            return Ok(given);
        }
        let mut missed: Vec<Fault> = Vec::new();
        let mut left: VecDeque<_> = choices.iter().collect();
        while let Some(choice) = left.pop_front() {
            let context = self.known.context(choice);
            let mut prompt = self.prompt.clone();
            if context.is_some_and(|context| prompt.tokens() > context) {
                prompt.shorten(context);
            }
            let mut waits = 0;
            loop {
                let patience = if left.is_empty() { LONGEST_QUEUE } else { LONGEST_WAIT };
                let Miss { kind, fault, again } = match self.ask(choice, &mut prompt, patience).await {
                    Ok(given) => return Ok(given),
                    Err(miss) => miss,
                };
                if again {
                    continue;
                }
                match kind {
                    Some(Kind::Cancelled) => return Err(fault),
                    // Those that read no more would say the same: they come last.
                    Some(Kind::TooLong) => left.make_contiguous().sort_by_key(|other| {
                        context.zip(self.known.context(other)).is_some_and(|(own, other)| other <= own)
                    }),
                    _ => {}
                }
                let wait = kind.and_then(Kind::after).filter(|wait| *wait <= LONGEST_WAIT);
                match wait {
                    Some(wait) if left.is_empty() && waits < WAITS => {
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

    /// Asks one model, with the faults of its answers while they can't be used. A prompt that is too long for it
    /// is shortened, as far as it may be.
    async fn ask(&mut self, choice: &Choice<'_>, prompt: &mut Prompt, patience: Duration) -> Result<Given, Miss> {
        let provider = choice.provider;
        let gone = |failure: Failure, again| Miss {
            kind: Some(failure.kind),
            fault: Fault { class: failure.kind.class(), message: failure.message },
            again,
        };
        let named = self.context.stop.run_until_cancelled(provider.model(choice.model.as_deref())).await;
        let named = named.unwrap_or_else(|| Err(Failure::new(Kind::Cancelled, "called off")));
        let model = named.map_err(|failure| gone(failure, false))?;
        let _probe = self.known.watch.probe(&choice.name());
        let mut messages = prompt.messages();
        let mut faults = Vec::new();
        for _ in 0..ROUNDS {
            let place = provider.enter(&self.context.stop, patience).await;
            let begun = begin();
            let reply = match place {
                Ok(_place) => self.said(provider, &model, &messages).await,
                Err(failure) => Err(failure),
            };
            match reply {
                Err(mut failure) => {
                    if self.known.watch.failed(&choice.name(), failure.kind) {
                        self.known.watch.measure(&choice.name(), None, false);
                    }
                    let again = failure.kind == Kind::TooLong && prompt.shorten(self.known.context(choice));
                    if again {
                        let left_out = prompt.left_out();
                        failure
                            .message
                            .push_str(&format!("; asked again without {left_out} characters of what it was given"));
                    }
                    self.tried(provider, &model, failure.usage, begun, failure.message.clone()).await;
                    return Err(gone(failure, again));
                }
                Ok(Reply { text, calls, usage }) => match self.wished(&text, &calls) {
                    Ok(answer) => {
                        let ms = begun.elapsed().as_millis() as f64;
                        self.known.watch.answered(&choice.name());
                        self.known.watch.measure(&choice.name(), Some(ms / usage.output.max(1) as f64), true);
                        self.spend(provider, &model, usage);
                        // What was said to a part of the prompt is no answer to all of it.
                        if let Some(cache) = self.known.cache.as_ref().filter(|_| prompt.left_out() == 0) {
                            let kept = Kept { model: model.clone(), text, calls: calls.clone() };
                            cache.put(&self.key(choice), &kept).await;
                        }
                        let provider = provider.name().into();
                        return Ok(Given { provider, model, answer, calls, cached: false, routing: None });
                    }
                    Err(found) => {
                        messages.push(Message::new(Speaker::Assistant, text));
                        messages
                            .push(Message::new(Speaker::User, answer::ask_again(&found, self.asked.schema.is_some())));
                        self.tried(provider, &model, usage, begun, found.join("; ")).await;
                        faults = found;
                    }
                },
            }
        }
        self.known.watch.measure(&choice.name(), None, false);
        let message = format!("`{model}` gave no usable answer in {ROUNDS} rounds: {}", faults.join("; "));
        Err(Miss { kind: None, fault: Fault { class: Class::Permanent, message }, again: false })
    }

    /// What one of them has answered to the same request before. A step that is tried again asks anew: that answer
    /// may be why.
    async fn kept(&self, choices: &[Choice<'_>]) -> Option<Given> {
        let cache = self.known.cache.as_ref().filter(|_| self.asked.attempt == 1)?;
        for choice in choices {
            let key = self.key(choice);
            let Some(Kept { model, text, calls }) = cache.get(&key).await else { continue };
            match self.wished(&text, &calls) {
                Ok(answer) => {
                    let provider = choice.provider.name().into();
                    return Some(Given { provider, model, answer, calls, cached: true, routing: None });
                }
                Err(found) => cache::garbled(&key, &found.join("; ")),
            }
        }
        None
    }

    /// What the answer of a model depends on.
    fn key(&self, choice: &Choice<'_>) -> String {
        let request = cache::Request {
            tenant: &self.request.tenant,
            provider: choice.provider.name(),
            address: choice.provider.address(),
            model: choice.model.as_deref(),
            messages: &self.prompt.messages(),
            tools: &self.material.tools,
            schema: self.asked.schema.as_ref(),
        };
        request.key()
    }

    /// What was wanted, or what a model said beside the tools that it asks for.
    fn wished(&self, text: &str, calls: &[ToolCall]) -> Result<Value, Vec<String>> {
        if !calls.is_empty() && !self.material.tools.is_empty() {
            return Ok(Value::String(text.into()));
        }
        self.wish.check(text)
    }

    async fn said(&self, provider: &Provider, model: &str, messages: &[Message]) -> Result<Reply, Failure> {
        let (request, context, subject) = (self.request, self.context, format!("llm.{}", self.request.id));
        let live = move |delta: String| -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            let subject = subject.clone();
            Box::pin(async move { context.live(request, &subject, delta).await })
        };
        let Material { images, tools, .. } = self.material;
        let (schema, stop) = (self.asked.schema.as_ref(), &context.stop);
        provider.ask(&Ask { model, messages, images, tools, schema, stop, live: &live }).await
    }

    /// Adds what a try took; gives what it cost, as far as the model's price is known.
    fn spend(&mut self, provider: &Provider, model: &str, usage: Usage) -> f64 {
        let cost = self.known.models.find(provider.name(), model).and_then(|model| model.cost(&usage)).unwrap_or(0.0);
        let Spent { usage: all, cost_usd } = &mut *self.spent;
        // A server may say what it likes.
        all.input = all.input.saturating_add(usage.input);
        all.output = all.output.saturating_add(usage.output);
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
