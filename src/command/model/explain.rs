//! `stage7 model explain`: why which model answered, as the log has it.

use crate::{
    client::Client,
    exit::{Code, Error},
    mission::page,
    progress::{clean, out, say},
};
use schemas::{
    MissionId, Value,
    brain::{LeftOut, Ranked, Routing},
    fact::kind_of_type,
};
use serde_json::json;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A call that was answered, or failed.
pub struct Answered {
    pub id: String,
    /// Of `llm.completed` or `llm.failed`.
    pub data: Value,
    /// Of each `llm.tried`.
    pub tries: Vec<Value>,
}

/// Those of a mission; with the beginning of an id those that it fits.
///
/// # Errors
/// There is none.
pub async fn answered(client: &Client, mission: MissionId, call: Option<&str>) -> Result<Vec<Answered>, Error> {
    let (mut after, mut answered) = (0, Vec::new());
    let mut tries: Vec<Value> = Vec::new();
    loop {
        let events = page(client, mission, after, PATIENCE).await?;
        let Some(last) = events.last() else { break };
        after = last["sequence"].as_str().and_then(|seq| seq.parse().ok()).unwrap_or(u64::MAX);
        for event in events {
            let (kind, data) = (event["type"].as_str().and_then(kind_of_type).unwrap_or_default(), &event["data"]);
            match kind {
                "llm.tried" => tries.push(data.clone()),
                "llm.completed" | "llm.failed" => {
                    let id = event["causationid"].as_str().unwrap_or_default();
                    if call.is_none_or(|call| id.starts_with(call)) {
                        let tries = tries.iter().filter(|tried| tried["call"] == id).cloned().collect();
                        answered.push(Answered { id: id.into(), data: data.clone(), tries });
                    }
                }
                _ => {}
            }
        }
    }
    match (answered.is_empty(), call) {
        (true, Some(call)) => Err(Error::usage(format!("no answered call of mission {mission} begins with `{call}`"))),
        (true, None) => {
            Err(Error::failed(format!("no model was asked in mission {mission}, or none has answered yet")))
        }
        _ => Ok(answered),
    }
}

pub async fn run(client: &Client, mission: MissionId, call: Option<&str>, json: bool) -> Result<Code, Error> {
    let answered = answered(client, mission, call).await?;
    answered.iter().for_each(|answered| show(answered, json));
    Ok(Code::Completed)
}

fn show(Answered { id, data, tries }: &Answered, json: bool) {
    let text = |value: &Value| clean(value.as_str().unwrap_or_default());
    if json {
        return say(&json!({
            "call": id, "step": data["step"], "provider": data["provider"], "model": data["model"],
            "cached": data["cached"] == true, "class": data["class"], "message": data["message"], "routing": data["routing"], "tries": tries,
        }));
    }
    match data["model"].is_string() {
        true => {
            let before = if data["cached"] == true { " before: this is from the cache" } else { "" };
            let (step, provider, model) = (text(&data["step"]), text(&data["provider"]), text(&data["model"]));
            out!("{id}  step {step}: {provider}/{model} answered{before}")
        }
        false => out!("{id}  step {}: failed, {}", text(&data["step"]), text(&data["message"])),
    }
    let routing: Routing = serde_json::from_value(data["routing"].clone()).unwrap_or_default();
    for Ranked { model, score, reasons } in &routing.ranked {
        out!("    {score:.3}  {}: {}", clean(model), clean(&reasons.join(", ")));
    }
    for LeftOut { model, reason } in &routing.left_out {
        out!("    -      {}: {}", clean(model), clean(reason));
    }
    for tried in tries {
        let (provider, model, error) = (text(&tried["provider"]), text(&tried["model"]), text(&tried["error"]));
        out!("    try {}: {provider}/{model}: {error}", tried["n"]);
    }
}
