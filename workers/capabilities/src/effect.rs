//! Where a plugin run meets the log: what the request refers to is fetched, the plugin runs, what
//! it made is put away.

use crate::{
    Host, Plugin,
    runtime::Failure,
    shelf::Shelf,
    vault::{Given, Vault},
};
use async_trait::async_trait;
use nats::{
    effect::{Answer, Context, Effect},
    jetstream::JetStream,
};
use plugins::{Done, File, Run};
use schemas::{
    Class, Event, Fact, Writer,
    agent::PluginRequested,
    capability::{PluginCompleted, PluginFailed, PluginStarted},
    value::{self, Blob, Form, Ref, Values},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::{sync::mpsc, time::Instant};

/// Files a run may have brought to it, in bytes.
const MOST_BYTES: u64 = 256 << 20;

/// All plugins of this instance, and the places where they run.
pub struct Capabilities {
    shelf: Arc<Shelf>,
    host: Arc<Host>,
    vault: Vault,
    log: JetStream,
    parallel: usize,
}

impl Capabilities {
    pub fn new(shelf: Arc<Shelf>, host: Arc<Host>, vault: Vault, log: JetStream, parallel: usize) -> Self {
        Self { shelf, host, vault, log, parallel }
    }

    async fn run(&self, request: &Event, asked: &PluginRequested, context: &Context) -> Result<Done, Failure> {
        if !self.shelf.shipped(&asked.verb).is_some_and(|plugin| plugin.is_native()) {
            // What people said up to now counts, whether it was heard or not.
            let refreshed = self.shelf.refresh(&self.log).await;
            refreshed.map_err(|error| Failure::new(Class::Transient, error.to_string()))?;
        }
        let plugin = &*self.shelf.take(&asked.verb, &asked.version)?;
        let inputs = inputs(request, asked, plugin, context).await?;
        let files = files(request, asked, plugin, &inputs, context).await?;
        let Given { settings, secrets } = self.vault.given(&request.tenant, &plugin.manifest).await?;
        if !plugin.is_native() {
            let started = PluginStarted { run: request.id, step: asked.step.clone(), attempt: asked.attempt };
            let said = context.say(request, started.into(), &request.id.to_string()).await;
            said.map_err(|error| Failure::new(Class::Transient, error.to_string()))?;
        }
        let (lines, mut logged) = mpsc::unbounded_channel::<String>();
        let log = move |line: &str| {
            // Nobody listens any more once the run is over.
            let _ = lines.send(line.to_string());
        };
        let run = self.host.run(plugin, Run { inputs, files, settings, secrets }, &context.stop, &log);
        tokio::pin!(run);
        let subject = format!("plugin.{}", request.id);
        loop {
            tokio::select! {
                biased;
                Some(line) = logged.recv() => context.live(request, &subject, line).await,
                done = &mut run => {
                    while let Ok(line) = logged.try_recv() {
                        context.live(request, &subject, line).await;
                    }
                    return done;
                }
            }
        }
    }
}

#[async_trait]
impl Effect for Capabilities {
    const NAME: &'static str = "plugin-runs";
    const WRITER: Writer = Writer::Capability;
    const NOUN: &'static str = "plugin";

    const HAS_PURE: bool = true;

    /// A native verb without side effects, run in a thread: over before the log could have answered.
    fn is_pure(&self, request: &Event) -> bool {
        let plugin = asked(request).and_then(|asked| self.shelf.shipped(&asked.verb));
        plugin.is_some_and(|plugin| plugin.is_native() && plugin.manifest.pure && !plugin.manifest.own_process)
    }

    fn capacity(&self) -> usize {
        self.parallel
    }

    fn failed(&self, request: &Event, class: Class, message: String) -> Fact {
        let (step, attempt) = asked(request).map_or((String::new(), 0), |asked| (asked.step.clone(), asked.attempt));
        PluginFailed { step, attempt, class, message, ms: 0 }.into()
    }

    async fn perform(&self, request: &Event, context: &Context) -> Answer {
        let Some(asked) = asked(request) else {
            return self
                .failed(request, Class::Permanent, format!("`{}` is no plugin run", request.fact.kind()))
                .into();
        };
        let begun = Instant::now();
        let done = self.run(request, asked, context).await;
        let (step, attempt, ms) = (asked.step.clone(), asked.attempt, begun.elapsed().as_millis() as u64);
        match done {
            Ok(done) => completed(done, step, attempt, ms),
            Err(failure) => {
                Fact::from(PluginFailed { step, attempt, class: failure.class, message: failure.message, ms }).into()
            }
        }
    }
}

fn asked(request: &Event) -> Option<&PluginRequested> {
    match &request.fact {
        Fact::PluginRequested(asked) => Some(asked),
        _ => None,
    }
}

/// Puts what is large where it belongs, and names it.
fn completed(done: Done, step: String, attempt: u32, ms: u64) -> Answer {
    let mut blobs = Vec::new();
    let mut outputs = Values::new();
    for (name, value) in done.outputs {
        let (value, blob) = value::outline(value);
        blobs.extend(blob);
        outputs.insert(name, value);
    }
    let mut files = BTreeMap::new();
    for (path, bytes) in done.written {
        let blob = Blob::new(Form::File, value::media_type(&path), bytes);
        files.insert(path, blob.reference.clone());
        blobs.push(blob);
    }
    Answer { fact: PluginCompleted { step, attempt, outputs, files, removed: done.removed, ms }.into(), blobs }
}

/// The inputs with their references resolved and their `{names}` replaced.
async fn inputs(
    request: &Event,
    asked: &PluginRequested,
    plugin: &Plugin,
    context: &Context,
) -> Result<Values, Failure> {
    let mut resolved = Values::new();
    for (name, given) in &asked.inputs {
        let value = match Ref::from_value(given) {
            None => given.clone(),
            Some(reference) => {
                let bytes = fetch(request, &reference, context, &format!("input `{name}`")).await?;
                value::restore(reference.form, bytes)
                    .map_err(|why| Failure::new(Class::InvalidInput, format!("input `{name}`: {why}")))?
            }
        };
        resolved.insert(name.clone(), value);
    }
    // Only what the plan wrote as text holds names; a source's value is taken as it is, and so is
    // what came by reference.
    let literal = &plugin.manifest.literal;
    let filled = asked.templates.iter().filter(|name| !literal.contains(name)).filter_map(|name| {
        let text = resolved.get(name)?.as_str()?;
        Some((name.clone(), value::fill(text, &without(&resolved, name)).into()))
    });
    let filled: Values = filled.collect();
    resolved.extend(filled);
    Ok(resolved)
}

/// All inputs but one: a text does not hold itself.
fn without(inputs: &Values, name: &str) -> Values {
    inputs.iter().filter(|(other, _)| *other != name).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The files of the mission's folder that the run may know of, with the bytes of those it reads.
async fn files(
    request: &Event,
    asked: &PluginRequested,
    plugin: &Plugin,
    inputs: &Values,
    context: &Context,
) -> Result<BTreeMap<String, File>, Failure> {
    let mut files = BTreeMap::new();
    let mut bytes_left = MOST_BYTES;
    for (path, reference) in &asked.files {
        let bytes = if plugin.may_read(inputs, path) {
            let Some(left) = bytes_left.checked_sub(reference.size) else {
                return Err(Failure::new(
                    Class::InvalidInput,
                    format!("the files of this run are more than {} MiB", MOST_BYTES >> 20),
                ));
            };
            bytes_left = left;
            Some(fetch(request, reference, context, &format!("file `{path}`")).await?)
        } else {
            None
        };
        files.insert(
            path.clone(),
            File {
                sha256: reference.sha256.clone(),
                size: reference.size,
                media_type: reference.media_type.clone(),
                bytes,
            },
        );
    }
    Ok(files)
}

async fn fetch(request: &Event, reference: &Ref, context: &Context, what: &str) -> Result<Vec<u8>, Failure> {
    let bytes = context.log.get(&request.tenant, &reference.sha256, reference.size).await;
    bytes.map(|bytes| bytes.to_vec()).map_err(|error| Failure::new(Class::Transient, format!("{what}: {error}")))
}
