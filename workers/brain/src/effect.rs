//! The only place of the brain that awaits the world: resolve what a call refers to, ask a model,
//! see that the answer is what was wanted.

use crate::{
    cache::Cache,
    call::{Call, Known, Material},
    choice::choices,
    config::Config,
    offline,
    provider::{Images, Provider, Tool},
    route::{self, Candidate, Need},
    shared::Redis,
    watch::Watch,
};
use async_trait::async_trait;
use nats::effect::{Answer, Context, Effect};
use schemas::{
    Class, Event, Fact, MissionId, Writer,
    agent::{LlmRequested, Purpose, ToolCall},
    brain::{LlmCompleted, LlmFailed, Ranked, Routing, Usage},
    catalogue::Catalogue,
    value::{self, Ref, Value, Values},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::time::Instant;

/// Missions whose last model is remembered.
const MISSIONS: usize = 10_000;

/// The brain, with its providers.
pub struct Brain {
    /// Those that are on; the first is asked where nobody names another.
    providers: Vec<Provider>,
    known: Known,
    last: Mutex<BTreeMap<MissionId, String>>,
    parallel: usize,
}

/// What all tries of one call took.
#[derive(Default)]
pub(crate) struct Spent {
    pub usage: Usage,
    pub cost_usd: f64,
}

/// A call that did not give an answer.
#[derive(Debug)]
pub(crate) struct Fault {
    pub class: Class,
    pub message: String,
}

impl From<Fault> for (Fault, Option<Routing>) {
    fn from(fault: Fault) -> Self {
        (fault, None)
    }
}

/// An answer with who gave it.
pub(crate) struct Given {
    pub provider: String,
    pub model: String,
    pub answer: Value,
    pub calls: Vec<ToolCall>,
    /// It was given before.
    pub cached: bool,
    pub routing: Option<Routing>,
}

impl Brain {
    /// # Errors
    /// A sentence, when a provider's settings do not make one.
    pub fn new(config: &Config, watch: Watch) -> Result<Self, String> {
        let redis = config.redis.as_ref().map(Redis::new).transpose()?.map(Arc::new);
        let provider = |config| Provider::new(config).map(|provider| provider.sharing(redis.clone()));
        let providers = config.providers.iter().map(provider).collect::<Result<_, _>>()?;
        let cache = config.cache.map(|life| Cache::new(life, redis));
        let known = Known { models: config.models.clone(), watch, cache };
        Ok(Self { providers, known, last: Mutex::default(), parallel: config.parallel })
    }

    async fn call(
        &self,
        request: &Event,
        asked: &LlmRequested,
        context: &Context,
        spent: &mut Spent,
    ) -> Result<Given, (Fault, Option<Routing>)> {
        let inputs = resolve(request, asked.inputs.clone(), context).await?;
        let model = asked.model.as_deref();
        if model == Some(crate::OFFLINE) || model.is_none() && self.providers.is_empty() {
            return Ok(offline_answer(request, asked, &inputs, context).await?);
        }
        let images = images(request, asked, context).await?;
        let material = Material { inputs, images, tools: tools(request, asked, context).await? };
        let choices = choices(&self.providers, &self.known.models, model)?;
        let call = Call::new(&self.known, request, asked, &material, context, spent)?;
        let need = call.need(self.last().get(&request.mission).cloned());
        let mut candidates = self.known.candidates(&choices);
        let (mut routing, mut is_whole) = chosen(&call, &need, &candidates);
        if routing.ranked.is_empty() {
            // Nobody else is left: those are asked all the same that may be well again, and the one that was
            // asked for by name.
            let passes = |candidate: &&mut Candidate| {
                let out = self.known.watch.out(&candidate.model.to_string());
                choices.len() == 1 || out.is_none_or(|(_, passes)| passes)
            };
            candidates.iter_mut().filter(passes).for_each(|candidate| candidate.out = None);
            (routing, is_whole) = chosen(&call, &need, &candidates);
        }
        let named = |ranked: &Ranked| choices.iter().find(|choice| choice.name() == ranked.model).cloned();
        let best: Vec<_> = routing.ranked.iter().filter_map(named).collect();
        if best.is_empty() {
            let reasons: Vec<_> =
                routing.left_out.iter().map(|left| format!("{}: {}", left.model, left.reason)).collect();
            // With more money or tokens, would there be one?
            let (rich, _) = chosen(&call, &Need { usd: None, tokens: None, ..need }, &candidates);
            let class = if rich.ranked.is_empty() { Class::Permanent } else { Class::Budget };
            let message = format!("no model can answer this call: {}", reasons.join("; "));
            return Err((Fault { class, message }, Some(routing)));
        }
        let is_chosen = choices.len() > 1;
        let routing = (is_chosen || !is_whole).then_some(routing);
        match call.through(&best).await {
            Ok(given) => {
                if is_chosen {
                    self.remember(request.mission, &given);
                }
                Ok(Given { routing, ..given })
            }
            Err(fault) => Err((fault, routing)),
        }
    }

    fn last(&self) -> MutexGuard<'_, BTreeMap<MissionId, String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who answered last in a mission, of the latest so many.
    fn remember(&self, mission: MissionId, given: &Given) {
        let mut last = self.last();
        if last.len() >= MISSIONS {
            last.clear();
        }
        last.insert(mission, format!("{}/{}", given.provider, given.model));
    }
}

#[async_trait]
impl Effect for Brain {
    const NAME: &'static str = "llm-calls";
    const WRITER: Writer = Writer::Brain;
    const NOUN: &'static str = "llm";

    fn capacity(&self) -> usize {
        self.parallel
    }

    fn failed(&self, request: &Event, class: Class, message: String) -> Fact {
        let Some((step, attempt)) = asked(request).map(|asked| (asked.step.clone(), asked.attempt)) else {
            return LlmFailed {
                step: String::new(),
                attempt: 0,
                class,
                message,
                usage: Usage::default(),
                cost_usd: 0.0,
                ms: 0,
                routing: None,
            }
            .into();
        };
        LlmFailed { step, attempt, class, message, usage: Usage::default(), cost_usd: 0.0, ms: 0, routing: None }.into()
    }

    async fn perform(&self, request: &Event, context: &Context) -> Answer {
        let Some(asked) = asked(request) else {
            return self
                .failed(request, Class::Permanent, format!("`{}` is no model call", request.fact.kind()))
                .into();
        };
        let begun = begin();
        let mut spent = Spent::default();
        let given = self.call(request, asked, context, &mut spent).await;
        let (step, attempt, ms) = (asked.step.clone(), asked.attempt, begun.elapsed().as_millis() as u64);
        match given {
            Ok(given) => {
                // A plan goes on as it is: control judges it in a fold, and folds never fetch.
                let (answer, blob) = match asked.purpose {
                    Purpose::Plan | Purpose::Recover => (given.answer, None),
                    _ => value::outline(given.answer),
                };
                let completed = LlmCompleted {
                    step,
                    attempt,
                    provider: given.provider,
                    model: given.model,
                    answer,
                    calls: given.calls,
                    usage: spent.usage,
                    cost_usd: spent.cost_usd,
                    ms,
                    cached: given.cached,
                    routing: given.routing,
                };
                Answer { fact: completed.into(), blobs: blob.into_iter().collect() }
            }
            Err((fault, routing)) => {
                let failed = LlmFailed {
                    step,
                    attempt,
                    class: fault.class,
                    message: fault.message,
                    usage: spent.usage,
                    cost_usd: spent.cost_usd,
                    ms,
                    routing,
                };
                Fact::from(failed).into()
            }
        }
    }
}

/// Those that may answer: that read all of the prompt; where none does, that read it shortened, and `false`.
fn chosen(call: &Call<'_>, need: &Need, candidates: &[Candidate]) -> (Routing, bool) {
    let whole = route::choose(need, candidates);
    if whole.ranked.is_empty() {
        let shortened = route::choose(&call.shortened(need), candidates);
        if !shortened.ranked.is_empty() {
            return (shortened, false);
        }
    }
    (whole, true)
}

fn asked(request: &Event) -> Option<&LlmRequested> {
    match &request.fact {
        Fact::LlmRequested(asked) => Some(asked),
        _ => None,
    }
}

/// Puts the bytes that inputs refer to in their place.
async fn resolve(request: &Event, inputs: Values, context: &Context) -> Result<Values, Fault> {
    let mut resolved = Values::new();
    for (name, given) in inputs {
        let value = match Ref::from_value(&given) {
            None => given,
            Some(reference) => {
                let bytes = context.log.get(&request.tenant, &reference.sha256, reference.size).await;
                let bytes = bytes
                    .map_err(|error| Fault { class: Class::Transient, message: format!("input `{name}`: {error}") })?;
                value::restore(reference.form, bytes.to_vec())
                    .map_err(|why| Fault { class: Class::InvalidInput, message: format!("input `{name}`: {why}") })?
            }
        };
        resolved.insert(name, value);
    }
    Ok(resolved)
}

/// The bytes of the images that messages show.
async fn images(request: &Event, asked: &LlmRequested, context: &Context) -> Result<Images, Fault> {
    let mut images = Images::new();
    for image in asked.messages.iter().flat_map(|message| &message.images) {
        if !images.contains_key(&image.sha256) {
            let bytes = context.log.get(&request.tenant, &image.sha256, image.size).await;
            let bytes =
                bytes.map_err(|error| Fault { class: Class::Transient, message: format!("an image: {error}") })?;
            images.insert(image.sha256.clone(), bytes.to_vec());
        }
    }
    Ok(images)
}

/// The verbs that the model may ask for, as the mission's catalogue has them.
async fn tools(request: &Event, asked: &LlmRequested, context: &Context) -> Result<Vec<Tool>, Fault> {
    if asked.tools.is_empty() {
        return Ok(Vec::new());
    }
    let catalogue = catalogue(request, asked, context).await?;
    let tool = |name: &String| {
        let verb = catalogue.verb(name);
        let tool = verb.map(|verb| Tool {
            name: verb.name.clone(),
            description: verb.description.clone(),
            input: verb.input.clone(),
        });
        tool.ok_or_else(|| Fault { class: Class::Permanent, message: format!("no installed verb is called `{name}`") })
    };
    asked.tools.iter().map(tool).collect()
}

async fn catalogue(request: &Event, asked: &LlmRequested, context: &Context) -> Result<Arc<Catalogue>, Fault> {
    let missing = || Fault { class: Class::Permanent, message: "the call names no catalogue of verbs".into() };
    let reference = asked.task.catalogue.as_ref().ok_or_else(missing)?;
    let catalogue = context.catalogues.fetch(context.log.as_ref(), &request.tenant, reference).await;
    catalogue.map_err(|error| Fault { class: Class::Transient, message: error.to_string() })
}

/// The offline provider: no model, no network, and it says so.
async fn offline_answer(
    request: &Event,
    asked: &LlmRequested,
    inputs: &Values,
    context: &Context,
) -> Result<Given, Fault> {
    let task = &asked.task;
    let refuse = |message: String| Fault { class: Class::Permanent, message };
    let answer = match asked.purpose {
        Purpose::Plan | Purpose::Recover => {
            if !task.faults.is_empty() || asked.purpose == Purpose::Recover {
                let why = "the offline provider has one plan for a goal and no other: it cannot mend one. Set OPENAI_API_KEY, or OPENAI_API_URL of a compatible server";
                return Err(refuse(why.into()));
            }
            let catalogue = catalogue(request, asked, context).await?;
            let files = task
                .files
                .iter()
                .map(|file| offline::FileInfo {
                    path: file.path.clone(),
                    size: file.size,
                    media_type: file.media_type.clone(),
                })
                .collect();
            let ask = offline::Ask { goal: &task.goal, context: task.context.as_deref(), files, catalogue: &catalogue };
            let plan = offline::plan(&ask).map_err(|refusal| refuse(refusal.to_string()))?;
            serde_json::to_value(plan).map_err(|error| refuse(error.to_string()))?
        }
        Purpose::Repair => return Err(refuse("the offline provider cannot repair inputs".into())),
        Purpose::Think | Purpose::Generate => {
            let prompt = value::fill(&task.goal, inputs);
            match &asked.schema {
                Some(schema) => offline::instance(schema).map_err(|error| refuse(error.to_string()))?,
                None => Value::String(offline::write(&prompt, offline::Format::of(task.format.as_deref()))),
            }
        }
    };
    Ok(Given {
        provider: crate::OFFLINE.into(),
        model: crate::OFFLINE.into(),
        answer,
        calls: Vec::new(),
        cached: false,
        routing: None,
    })
}

/// For how long a call took: said in the answer, decided on by nobody.
pub(crate) fn begin() -> Instant {
    Instant::now()
}
