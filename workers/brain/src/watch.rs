//! What all brains know of models: which fail, who may try one again, how they do, what people think of them.

use crate::{provider::Kind, route::Measured, tally::Tally};
use futures::StreamExt;
use nats::{
    jetstream::JetStream,
    log::{Log, ReadError},
    registry,
};
use schemas::{Time, Writer};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use streams::registry::{
    health::{self, FAILED, Failed, Health, RECOVERED, WORDS, Wait, key},
    merit::{self, MEASURED, Merit},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Between two tries of what the log did not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// Between two looks at whether something is to be said of how models do.
const TELL: Duration = Duration::from_secs(60);
/// For how long a brain that stops says so.
const PARTING: Duration = Duration::from_secs(2);

/// The models that fail. Words of other instances are heeded as they come.
#[derive(Clone)]
pub struct Watch {
    log: JetStream,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    health: Health,
    /// How far each of [`WORDS`] was read.
    after: [u64; WORDS.len()],
    /// Models that are being tried again by this instance.
    probed: BTreeSet<String>,
    /// Models that a person wants to be asked again.
    reset: BTreeSet<String>,
    merit: Merit,
    tallies: BTreeMap<String, Tally>,
}

/// The right to try a model again; others wait until it is dropped.
pub struct Probe {
    watch: Watch,
    model: Option<String>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(model) = &self.model {
            self.watch.known().probed.remove(model);
        }
    }
}

impl Watch {
    /// Reads what was said, and listens until `stop`. A new brain may have other keys: what was refused for
    /// good is tried again.
    ///
    /// # Errors
    /// The log can't be read.
    pub async fn start(log: JetStream, stop: CancellationToken) -> Result<Self, ReadError> {
        let watch = Self { log: log.clone(), known: Arc::default() };
        // Listened to before it is read: nothing falls between.
        let mut heard = futures::stream::SelectAll::new();
        for word in WORDS {
            heard.push(log.overhear(word).await?);
        }
        watch.refresh().await?;
        let refused: Vec<String> = {
            let known = watch.known();
            let lasting = known.health.all().filter(|(_, failed)| failed.until.is_none());
            lasting.map(|(model, _)| model.to_string()).collect()
        };
        refused.into_iter().for_each(|model| watch.say(RECOVERED, model, json!({})));
        let listening = watch.clone();
        let listen = async move {
            let mut tell = tokio::time::interval(TELL);
            loop {
                tokio::select! {
                    _ = tell.tick() => {
                        listening.tell();
                        continue;
                    }
                    word = heard.next() => if word.is_none() { break },
                }
                while let Err(error) = listening.refresh().await {
                    tracing::warn!(%error, "what was said about models can't be read: trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        tokio::spawn(stop.run_until_cancelled_owned(listen).in_current_span());
        Ok(watch)
    }

    async fn refresh(&self) -> Result<(), ReadError> {
        let after = self.known().after;
        let mut words = Vec::new();
        for (filter, after) in WORDS.iter().zip(after) {
            words.extend(self.log.load_from("REGISTRY", filter, after).await?);
        }
        // Each writer's were read apart: what came last counts.
        words.sort_by_key(|word| word.seq);
        let mut known = self.known();
        let Known { health, after, reset, merit, tallies, .. } = &mut *known;
        for word in &words {
            let nth = WORDS.iter().position(|filter| word.subject.starts_with(filter.trim_end_matches('>')));
            if let Some(after) = nth.map(|nth| &mut after[nth])
                && word.seq > *after
            {
                health.evolve(word);
                reset.extend(health::reset(word));
                if let Some(model) = merit.evolve(word)
                    && let Some(measured) = merit.measured(&model)
                {
                    tallies.entry(model).or_default().hear(measured);
                }
                *after = word.seq;
            }
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a model is not to be asked now, and whether that passes by itself.
    pub fn out(&self, model: &str) -> Option<(String, bool)> {
        let known = self.known();
        let Failed { reason, times, until } = known.health.of(model)?;
        match until {
            None => Some((format!("{reason}; `stage7 model reset {model}` has it asked again"), false)),
            Some(until) if *until > self.log.now() => {
                Some((format!("{reason}, {times} times; left alone until {until}"), true))
            }
            Some(_) if known.probed.contains(model) => Some((format!("{reason}; it is being tried again"), true)),
            Some(_) => None,
        }
    }

    /// Was it left alone, and may be well again? Somebody has to try.
    pub fn is_due(&self, model: &str) -> bool {
        let known = self.known();
        let passed = |until: Time| until <= self.log.now() && !known.probed.contains(model);
        known.reset.contains(model) || known.health.of(model).and_then(|failed| failed.until).is_some_and(passed)
    }

    /// Before a model is asked: one that failed is tried by one call at a time.
    pub fn probe(&self, model: &str) -> Probe {
        let mut known = self.known();
        known.reset.remove(model);
        let is_probe = known.health.of(model).is_some() && known.probed.insert(model.to_string());
        Probe { watch: self.clone(), model: is_probe.then(|| model.to_string()) }
    }

    /// A model failed: how long it is to be left alone, for all brains; `false` when it is the call's own fault.
    pub fn failed(&self, model: &str, kind: Kind) -> bool {
        let wait = match kind {
            Kind::RateLimited(Some(after)) | Kind::Overloaded(Some(after)) => Wait::For(after),
            Kind::RateLimited(None) | Kind::Overloaded(None) | Kind::TimedOut | Kind::Unreachable | Kind::Garbled => {
                Wait::Grow
            }
            Kind::Unauthorized | Kind::NoQuota | Kind::Unknown => Wait::Reset,
            Kind::TooLong | Kind::Rejected | Kind::Filtered | Kind::CutOff | Kind::Capped | Kind::Cancelled => {
                return false;
            }
        };
        let failed = {
            let mut known = self.known();
            let Some(failed) = known.health.failed(model, kind.as_str(), wait, self.log.now()) else { return true };
            known.health.note(model, failed.clone());
            failed
        };
        self.say(FAILED, model.into(), json!(failed));
        true
    }

    /// A model answered: where it had failed before, it is one among others again.
    pub fn answered(&self, model: &str) {
        let was_out = self.known().health.forget(model);
        if was_out {
            if let Some(tally) = self.known().tallies.get_mut(model) {
                tally.forget();
            }
            self.say(RECOVERED, model.into(), json!({}));
        }
    }

    /// How a model does, and what people think of it.
    pub fn measured(&self, model: &str) -> Measured {
        let known = self.known();
        let measured = known.tallies.get(model).map(Tally::now).unwrap_or_default();
        Measured { feedback: known.merit.feedback(model), ..measured }
    }

    /// Takes in a call that went well, in so many milliseconds a token, or one that did not.
    pub fn measure(&self, model: &str, pace: Option<f64>, went_well: bool) {
        self.known().tallies.entry(model.into()).or_default().add(pace, went_well);
        self.tell();
    }

    /// Says for all brains how models do, where that is news.
    fn tell(&self) {
        for (model, measured) in self.news(false) {
            self.say(MEASURED, model, json!(measured));
        }
    }

    fn news(&self, is_last: bool) -> Vec<(String, merit::Measured)> {
        let now = Instant::now();
        let mut known = self.known();
        let news = |(model, tally): (&String, &mut Tally)| Some((model.clone(), tally.tell(now, is_last)?));
        known.tallies.iter_mut().filter_map(news).collect()
    }

    /// The same before this brain stops: what it saw is not lost.
    pub async fn part(&self) {
        let say = async {
            for (model, measured) in self.news(true) {
                let said = registry::say(&self.log, Writer::Brain, MEASURED, Some(&key(&model)), &measured).await;
                said.inspect_err(|error| tracing::warn!(model, %error, "the other brains do not hear of a model")).ok();
            }
        };
        let _ = tokio::time::timeout(PARTING, say).await;
    }

    /// For all brains; the call that it came of goes on meanwhile.
    fn say(&self, kind: &'static str, model: String, data: serde_json::Value) {
        let log = self.log.clone();
        let say = async move {
            if let Err(error) = registry::say(&log, Writer::Brain, kind, Some(&key(&model)), &data).await {
                tracing::warn!(model, %error, "the other brains do not hear of a model");
            }
        };
        tokio::spawn(say.in_current_span());
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let out: Vec<(String, Option<Time>)> =
            self.known().health.all().map(|(model, failed)| (model.to_string(), failed.until)).collect();
        f.debug_tuple("Watch").field(&out).finish()
    }
}
