//! `stage7 model …`: what is known of models, and whether they answer.

mod explain;
mod feedback;

use crate::{
    cli::Model as Asked,
    config::Config,
    exit::{Code, Error},
    home,
    mission::resolve,
    progress::{clean, out, say},
};
use brain::{
    Said,
    model::{Model, Price},
};
use serde_json::{Value, json};

pub async fn run(config: &Config, asked: Asked, json: bool) -> Result<Code, Error> {
    match asked {
        Asked::List { on } => {
            let (failing, measured) = heard(config).await;
            let known = config.brain.models.all().filter(|model| !on || is_on(config, model));
            let mut all: Vec<_> =
                known.map(|model| (model.to_string(), shown(config, model), line(config, model))).collect();
            // Models of which nothing else is known fail, too, and are measured.
            for other in failing.iter().chain(&measured).filter_map(|heard| heard["model"].as_str()) {
                if !all.iter().any(|(name, _, _)| name == other) {
                    all.push((other.into(), json!({"model": other}), clean(other)));
                }
            }
            for (name, mut shown, line) in all {
                let (failed, does) = (of(&failing, &name), of(&measured, &name));
                if json {
                    shown["failing"] = failed.cloned().unwrap_or_default();
                    shown["measured"] = does.cloned().unwrap_or_default();
                    say(&shown);
                    continue;
                }
                out!("{line}");
                failed.map(why).into_iter().chain(does.map(how)).for_each(|more| out!("    {more}"));
            }
            Ok(Code::Completed)
        }
        Asked::Reset { model } => {
            let home = home::find(config, &super::note(json)).await?;
            let answer = home.client.order("model.reset", &json!({"model": model})).await?;
            match json {
                true => say(&answer),
                false => out!("{} is asked again", clean(&model)),
            }
            Ok(Code::Completed)
        }
        Asked::Show { model } => {
            let known = model.split_once('/').and_then(|(provider, name)| config.brain.models.find(provider, name));
            let Some(known) = known else {
                let all: Vec<_> = config.brain.models.all().map(ToString::to_string).collect();
                return Err(Error::usage(format!("nothing is known of `{model}`; known are {}", all.join(", "))));
            };
            let mut shown = shown(config, known);
            let (_, measured) = heard(config).await;
            shown["measured"] = of(&measured, &model).cloned().unwrap_or_default();
            match json {
                true => say(&shown),
                false => out!("{shown:#}"),
            }
            Ok(Code::Completed)
        }
        Asked::Explain { mission, call } => {
            let home = home::find(config, &super::note(json)).await?;
            let mission = resolve(&home.client, &mission).await?;
            explain::run(&home.client, mission, call.as_deref(), json).await
        }
        Asked::Feedback { mission, call, verdict, note } => {
            let home = home::find(config, &super::note(json)).await?;
            let mission = resolve(&home.client, &mission).await?;
            feedback::run(&home.client, mission, &call, verdict, note, json).await
        }
        Asked::Test { model } => test(config, model.as_deref(), json).await,
    }
}

/// The models that are left alone, and how models do, as far as somebody runs who knows.
async fn heard(config: &Config) -> (Vec<Value>, Vec<Value>) {
    let Ok(home) = home::find(config, &|_| {}).await else { return Default::default() };
    let mut answer = home.client.read(&json!({"models": true})).await.unwrap_or_default();
    let mut list = |what: &str| serde_json::from_value(answer[what].take()).unwrap_or_default();
    (list("failing"), list("measured"))
}

fn of<'v>(all: &'v [Value], model: &str) -> Option<&'v Value> {
    all.iter().find(|one| one["model"] == model)
}

/// How a model does, in a line.
fn how(measured: &Value) -> String {
    let number = |what: &str| measured[what].as_f64();
    let success = number("success").map(|success| format!("{:.0} % of its last calls went well", success * 100.0));
    let pace = number("pace").map(|ms| format!("{ms:.1} ms a token"));
    let feedback = number("feedback").filter(|all| *all != 0.0).map(|all| format!("people: {all:+.2}"));
    success.into_iter().chain(pace).chain(feedback).collect::<Vec<_>>().join(", ")
}

/// Why a model is left alone, and until when.
fn why(failed: &Value) -> String {
    let reason = clean(failed["reason"].as_str().unwrap_or_default());
    match failed["until"].as_str() {
        Some(until) => format!("fails: {reason}, {} times; left alone until {}", failed["times"], clean(until)),
        None => {
            format!("fails: {reason}; `stage7 model reset {}`", clean(failed["model"].as_str().unwrap_or_default()))
        }
    }
}

/// Asks a model for one word, or for a vector.
async fn test(config: &Config, model: Option<&str>, json: bool) -> Result<Code, Error> {
    let answered = brain::try_out(&config.brain, model).await.map_err(Error::failed)?;
    let brain::Tried { provider, model, said, usage, cost_usd, ms } = answered;
    match json {
        true => {
            let mut shown = json!({"provider": provider, "model": model});
            match said {
                Said::Text(text) => shown["answer"] = text.into(),
                Said::Vector(dimensions) => shown["dimensions"] = dimensions.into(),
            }
            shown["usage"] = json!(usage);
            shown["cost_usd"] = cost_usd.into();
            shown["ms"] = ms.into();
            say(&shown);
        }
        false => {
            let cost = cost_usd.map_or_else(|| "price unknown".into(), |usd| format!("${usd:.6}"));
            let (input, output) = (usage.input, usage.output);
            let model = clean(&model);
            match said {
                Said::Text(text) => out!("{provider}/{model} answers: {}", clean(text.trim())),
                Said::Vector(dimensions) => out!("{provider}/{model} makes vectors of {dimensions} dimensions"),
            }
            out!("{ms} ms, {input} + {output} tokens, {cost}");
        }
    }
    Ok(Code::Completed)
}

fn is_on(config: &Config, model: &Model) -> bool {
    config.brain.providers.iter().any(|provider| provider.known.name == model.provider)
}

fn shown(config: &Config, model: &Model) -> Value {
    let mut shown = json!(model);
    shown["on"] = is_on(config, model).into();
    shown
}

fn line(config: &Config, model: &Model) -> String {
    let work: Vec<_> = model.work.iter().map(|work| json!(work).as_str().unwrap_or_default().to_string()).collect();
    let price = match model.prices.first() {
        Some(Price { input, output, .. }) => format!("${input} in, ${output} out"),
        None => "price unknown".into(),
    };
    let context = model.context.map_or_else(|| "-".into(), |tokens| format!("{}k", tokens / 1000));
    let on = if is_on(config, model) { "on" } else { "off" };
    format!("{:<36} {on:<4} {context:>6} {price:<24} {}", clean(&model.to_string()), work.join(" "))
}
