//! `stage7 model …`: what is known of models, and whether they answer.

use crate::{
    cli::Model as Asked,
    config::Config,
    exit::{Code, Error},
    progress::{clean, out, say},
};
use brain::model::{Model, Price};
use serde_json::{Value, json};

pub async fn run(config: &Config, asked: Asked, json: bool) -> Result<Code, Error> {
    match asked {
        Asked::List { on } => {
            for model in config.brain.models.all().filter(|model| !on || is_on(config, model)) {
                match json {
                    true => say(&shown(config, model)),
                    false => out!("{}", line(config, model)),
                }
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
        Asked::Test { model } => test(config, model.as_deref(), json).await,
    }
}

/// Asks a model for one word.
async fn test(config: &Config, model: Option<&str>, json: bool) -> Result<Code, Error> {
    let answered = brain::try_out(&config.brain, model).await.map_err(Error::failed)?;
    let brain::Tried { provider, model, text, usage, cost_usd, ms } = answered;
    match json {
        true => say(&json!({
            "provider": provider, "model": model, "answer": text, "usage": usage, "cost_usd": cost_usd, "ms": ms,
        })),
        false => {
            let cost = cost_usd.map_or_else(|| "price unknown".into(), |usd| format!("${usd:.6}"));
            let (input, output) = (usage.input, usage.output);
            out!("{provider}/{} answers: {}", clean(&model), clean(text.trim()));
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
