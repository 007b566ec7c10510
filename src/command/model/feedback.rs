//! `stage7 model feedback`: what a person thinks of a model's answer.

use super::explain::answered;
use crate::{
    cli::Verdict,
    client::Client,
    exit::{Code, Error},
    progress::{clean, out, say},
};
use schemas::MissionId;
use serde_json::json;

pub async fn run(
    client: &Client,
    mission: MissionId,
    call: &str,
    verdict: Verdict,
    note: Option<String>,
    as_json: bool,
) -> Result<Code, Error> {
    let found = answered(client, mission, Some(call)).await?;
    let [found] = found.as_slice() else {
        let ids: Vec<_> = found.iter().map(|answered| answered.id.as_str()).collect();
        return Err(Error::usage(format!("`{call}` may be any of {}", ids.join(", "))));
    };
    let mut rating = json!({"mission": mission, "call": found.id, "good": verdict == Verdict::Good});
    if let Some(note) = note {
        rating["note"] = note.into();
    }
    let answer = client.order("model.rate", &rating).await?;
    let model = answer["model"].as_str().unwrap_or_default();
    match as_json {
        true => say(&answer),
        false => out!("{} is heard of it; `stage7 model show {0}`", clean(model)),
    }
    Ok(Code::Completed)
}
