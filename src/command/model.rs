//! `stage7 model …`: what is known of models, and whether they answer.

mod explain;

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
            let failing = failing(config).await;
            let known = config.brain.models.all().filter(|model| !on || is_on(config, model));
            let mut all: Vec<_> =
                known.map(|model| (model.to_string(), shown(config, model), line(config, model))).collect();
            // Models of which nothing is known fail, too.
            for failed in failing.iter().filter_map(|failed| failed["model"].as_str()) {
                if !all.iter().any(|(name, _, _)| name == failed) {
                    all.push((failed.into(), json!({"model": failed}), clean(failed)));
                }
            }
            for (name, mut shown, line) in all {
                let failed = failing.iter().find(|failed| failed["model"] == name.as_str());
                match (json, failed) {
                    (true, _) => {
                        shown["failing"] = failed.cloned().unwrap_or_default();
                        say(&shown);
                    }
                    (false, None) => out!("{line}"),
                    (false, Some(failed)) => out!("{line}\n    {}", why(failed)),
                }
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
            match json {
                true => say(&shown(config, known)),
                false => out!("{:#}", shown(config, known)),
            }
            Ok(Code::Completed)
        }
        Asked::Explain { mission, call } => {
            let home = home::find(config, &super::note(json)).await?;
            let mission = resolve(&home.client, &mission).await?;
            explain::run(&home.client, mission, call.as_deref(), json).await
        }
        Asked::Test { model } => test(config, model.as_deref(), json).await,
    }
}

/// The models that are left alone, as far as somebody runs who knows.
async fn failing(config: &Config) -> Vec<Value> {
    let Ok(home) = home::find(config, &|_| {}).await else { return Vec::new() };
    let answer = home.client.read(&json!({"models": true})).await;
    answer.ok().and_then(|mut answer| serde_json::from_value(answer["failing"].take()).ok()).unwrap_or_default()
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
