//! `stage7 plugin …`: verbs, what they are, and run by hand.

mod develop;
mod market;
mod publish;
mod setting;

use super::{
    Signals,
    follow::Following,
    run::{checked, through},
};
use crate::{
    cli::{Plugin, PluginRun},
    client,
    config::Config,
    exit::{Code, Error},
    home::{self, Home},
    mission::Follower,
    progress::{clean, err, out, say},
};
use futures::StreamExt;
use market::Deed;
use schemas::{
    Value,
    goal::{Goal, Kind},
    plan::{Input, Plan, Step},
    value::{Ref, restore},
};
use serde_json::{Map, json};
use std::fs;
use streams::{registry, subject};
use tokio::time::Instant;

/// The only step of a mission that runs a verb by hand.
const STEP: &str = "run";

pub async fn run(config: &Config, asked: Plugin, json: bool) -> Result<Code, Error> {
    match asked {
        Plugin::List { runtime, search } => {
            let all = match known(config, json).await? {
                Some(home) => told(home, &json!({"plugins": true})).await?["plugins"].take(),
                None => shipped(config).await.iter().map(short).collect(),
            };
            let wanted = |plugin: &&Value| is_wanted(plugin, runtime.as_deref(), search.as_deref());
            for plugin in all.as_array().into_iter().flatten().filter(wanted) {
                match json {
                    true => say(plugin),
                    false => out!("{}", line(plugin)),
                }
            }
            Ok(Code::Completed)
        }
        Plugin::Show { verb } => {
            let plugin = match known(config, json).await? {
                Some(home) => told(home, &json!({"plugin": verb})).await?["plugin"].take(),
                None => whole(&shipped(config).await, &verb)?,
            };
            match json {
                true => say(&plugin),
                false => out!("{plugin:#}"),
            }
            Ok(Code::Completed)
        }
        Plugin::Run(asked) => by_hand(config, asked, json).await,
        Plugin::Add { path } => market::add(config, &path, json).await,
        Plugin::Remove { verb, which } => market::change(config, &verb, Deed::Remove(which), json).await,
        Plugin::Enable { verb } => market::change(config, &verb, Deed::Enable, json).await,
        Plugin::Disable { verb } => market::change(config, &verb, Deed::Disable, json).await,
        Plugin::Pin { verb, which } => market::change(config, &verb, Deed::Pin(which), json).await,
        Plugin::Rollback { verb } => market::change(config, &verb, Deed::Rollback, json).await,
        Plugin::Settings { verb } => setting::run(config, &verb, setting::Deed::Show, json).await,
        Plugin::Set { verb, name, value } => {
            setting::run(config, &verb, setting::Deed::Set { name, value }, json).await
        }
        Plugin::Unset { verb, name } => setting::run(config, &verb, setting::Deed::Unset { name }, json).await,
        Plugin::Init { name, runtime, dir } => develop::begin(&name, runtime, dir, json),
        Plugin::Lock { dir } => develop::lock(config, &dir, json).await,
        Plugin::Sign { dir } => publish::sign(config, &dir, json),
        Plugin::Verify { path } => publish::verify(config, &path, json),
        Plugin::Pack { dir, out } => publish::pack(config, &dir, out, json),
        Plugin::Test { dir } => develop::test(config, &dir, json).await,
    }
}

fn is_wanted(plugin: &Value, runtime: Option<&str>, search: Option<&str>) -> bool {
    let text = |field: &str| plugin[field].as_str().unwrap_or_default().to_lowercase();
    let about = format!("{} {}", text("verb"), text("description"));
    let found = |words: &str| words.to_lowercase().split_whitespace().all(|word| about.contains(word));
    runtime.is_none_or(|runtime| plugin["type"] == runtime) && search.is_none_or(found)
}

/// Who knows which plugins there are; nobody where nothing was ever started, and nothing added.
async fn known(config: &Config, json: bool) -> Result<Option<Home>, Error> {
    if config.nats_url.is_none() && !config.data.join("nats").exists() {
        return Ok(None);
    }
    home::find_or_start(config, &super::note(json)).await.map(Some)
}

/// Asks once.
async fn told(home: Home, question: &Value) -> Result<Value, Error> {
    let answer = home.client.read(question).await;
    home.close().await;
    Ok(answer?)
}

/// What is in this binary, as it would be registered here.
async fn shipped(config: &Config) -> Vec<registry::Plugin> {
    let host = config.capabilities.host();
    capabilities::registered(&capabilities::shipped(), &host).await
}

fn short(plugin: &registry::Plugin) -> Value {
    let registry::Plugin { verb, state, reason, .. } = plugin;
    json!({"verb": verb.name, "type": verb.runtime, "version": verb.version, "state": state, "description": verb.description, "reason": reason})
}

fn whole(all: &[registry::Plugin], verb: &str) -> Result<Value, Error> {
    let Some(plugin) = all.iter().find(|plugin| plugin.verb.name == verb) else {
        let known: Vec<&str> = all.iter().map(|plugin| plugin.verb.name.as_str()).collect();
        return Err(Error::usage(format!("there is no plugin `{verb}`; known are {}", known.join(", "))));
    };
    let mut whole = short(plugin);
    whole["digest"] = json!(plugin.digest);
    for field in ["input", "output", "literal", "files", "roles", "pure"] {
        whole[field] = json!(plugin.verb)[field].take();
    }
    Ok(whole)
}

fn line(plugin: &Value) -> String {
    let text = |field: &str| clean(plugin[field].as_str().unwrap_or_default());
    let about = if text("reason").is_empty() { text("description") } else { text("reason") };
    let about = about.lines().next().unwrap_or_default().to_string();
    format!("{:<20} {:<8} {:<8} {:<12} {about}", text("verb"), text("type"), text("version"), text("state"))
}

async fn by_hand(config: &Config, asked: PluginRun, json: bool) -> Result<Code, Error> {
    let goal = goal(&asked)?;
    let uploads = client::check(&asked.files, &asked.input)?;
    let until = asked.timeout.map(|timeout| Instant::now() + timeout);
    let mut signals = Signals::new()?;
    let note = super::note(json);
    let mut home = tokio::select! {
        home = home::find_or_start(config, &note) => home?,
        () = signals.next() => return Ok(Code::Interrupted),
    };
    // Standard output is for the outputs alone.
    let following = Following { config, json: false, until, interactive: false, leaves_waiting: true, signals };
    let ended = ran(&mut home, following, goal, &uploads).await;
    home.close().await;
    let (code, outputs) = ended?;
    match json {
        true => say(&outputs),
        false => out!("{outputs:#}"),
    }
    Ok(code)
}

async fn ran(
    home: &mut Home,
    mut following: Following<'_>,
    goal: Goal,
    uploads: &[client::Upload],
) -> Result<(Code, Value), Error> {
    let id = client::new_id();
    // Listened to before anything is said: lines are not stored.
    let mut lines =
        home.client.listen(subject::live(&home.client.tenant, home.client.mission_of(&id), "plugin.>")).await?;
    let live = async {
        while let Some(line) = lines.next().await {
            err!("    {}", clean(&String::from_utf8_lossy(&line.payload)));
        }
        std::future::pending().await
    };
    let (code, follower) = tokio::select! {
        ended = through(home, &mut following, id, goal, uploads, None) => ended?,
        never = live => never,
    };
    if code != Code::Completed {
        let now = &follower.overview;
        let why = now.step(STEP).and_then(|step| step.error.clone()).or_else(|| now.error.clone()).unwrap_or_default();
        return Err(Error::failed(clean(&why)));
    }
    Ok((code, outputs(home, &follower).await?))
}

/// The goal event of a run by hand.
fn goal(asked: &PluginRun) -> Result<Goal, Error> {
    let wrong = |why: String| Error::usage(format!("--input: {why}"));
    let text = match asked.input.strip_prefix('@') {
        Some(path) => fs::read_to_string(path).map_err(|error| wrong(format!("{path}: {error}")))?,
        None => asked.input.clone(),
    };
    let inputs: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| wrong(format!("must be a JSON object: {error}")))?;
    let step = Step {
        id: STEP.into(),
        verb: asked.verb.clone(),
        description: String::new(),
        inputs: inputs.into_iter().map(|(name, value)| (name, Input::value(value))).collect(),
        outputs: Default::default(),
        role: None,
        after: Vec::new(),
        timeout: None,
        retries: None,
    };
    let plan = Plan { steps: vec![step], answer: None };
    checked(&Goal { goal: format!("Run {}", asked.verb), kind: Kind::Manual, plan: Some(plan), ..Goal::default() })
}

/// What the step made; large values fetched.
async fn outputs(home: &Home, follower: &Follower) -> Result<Value, Error> {
    let mut outputs = Map::new();
    let made = follower.overview.step(STEP).map(|step| &step.outputs);
    for (name, value) in made.into_iter().flatten() {
        let value = match Ref::from_value(value) {
            None => Value::clone(value),
            Some(reference) => {
                let bytes = home.client.get(&reference.sha256, reference.size).await?;
                restore(reference.form, bytes.to_vec()).unwrap_or_else(|_| reference.to_value())
            }
        };
        outputs.insert(name.clone(), value);
    }
    Ok(outputs.into())
}
