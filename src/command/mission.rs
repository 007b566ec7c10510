//! `stage7 mission …`: look after missions.

pub mod export;
mod import;
pub mod show;

use super::{
    Signals, deliver,
    follow::{End, Following, typed},
};
use crate::{
    cli::{Limits, Mission},
    client::{self, Client},
    config::Config,
    exit::{Code, Error},
    home::{self, Home},
    mission::{Follower, folded, resolve},
    progress::{Progress, clean, open_questions, out, say},
};
use schemas::{MissionId, Value, agent::AnswerType, user::BudgetRaised};
use serde_json::json;
use std::{
    fs,
    io::{self, IsTerminal},
};
use streams::overview::{Overview, Question};
use tokio::time::Instant;

/// What the librarian gives at once.
const PAGE: usize = 500;

pub async fn run(config: &Config, asked: Mission, json: bool) -> Result<Code, Error> {
    let home = home::find(config, &super::note(json)).await?;
    let client = &home.client;
    match asked {
        Mission::List { status, search, limit } => list(client, status, search, limit, json).await,
        Mission::Show { id } => {
            let now = state(client, resolve(client, &id).await?).await?;
            match json {
                true => say(&now),
                false => show::print(&overview(&now)?),
            }
            Ok(Code::Completed)
        }
        Mission::Watch { id, timeout, out } => {
            let id = resolve(client, &id).await?;
            if let Some(out) = &out {
                deliver::prepare(out)?;
            }
            let interactive = !json && io::stdin().is_terminal() && io::stderr().is_terminal();
            let until = timeout.map(|timeout| Instant::now() + timeout);
            watch(
                home,
                Following { config, json, until, interactive, leaves_waiting: false, signals: Signals::new()? },
                id,
                out,
            )
            .await
        }
        Mission::Pause { id, reason } => tell(client, &id, "pause.requested", with("reason", reason), json).await,
        Mission::Resume { id } => tell(client, &id, "resume.requested", json!({}), json).await,
        Mission::Abort { id, reason } => tell(client, &id, "abort.requested", with("reason", reason), json).await,
        Mission::Say { id, text } => tell(client, &id, "message.said", json!({"text": text}), json).await,
        Mission::Retry { id, step } => tell(client, &id, "retry.requested", with("step", step), json).await,
        Mission::Answer { id, question, answer } => {
            let mission = resolve(client, &id).await?;
            let now = overview(&state(client, mission).await?)?;
            let question = which(&now, question.as_deref())?;
            let answer = match (answer.strip_prefix('@'), question.kind) {
                (Some(path), AnswerType::Values) => {
                    fs::read_to_string(path).map_err(|error| Error::usage(format!("{path}: {error}")))?
                }
                (Some(path), AnswerType::File) => client.give(mission, path.as_ref()).await?,
                _ => answer,
            };
            let data = json!({"question": question.id, "answer": typed(question.kind, &answer)});
            tell(client, &mission.to_string(), "question.answered", data, json).await
        }
        Mission::Raise { id, limits } => raise(client, &id, &limits, json).await,
        Mission::Export { id } => export::run(client, resolve(client, &id).await?).await,
        Mission::Import { file } => import::run(client, &file, json).await,
        Mission::Archive { id } => archive(client, resolve(client, &id).await?, json).await,
    }
}

async fn archive(client: &Client, mission: MissionId, json: bool) -> Result<Code, Error> {
    let answer = client.order("mission.archive", &json!({"mission": mission})).await?;
    match (json, answer["already"] == true) {
        (true, _) => say(&answer),
        (false, false) => out!("mission {mission} is archived"),
        (false, true) => out!("mission {mission} is archived already"),
    }
    Ok(Code::Completed)
}

/// An object with a field, if there is one.
fn with(field: &str, value: Option<String>) -> Value {
    value.map_or_else(|| json!({}), |value| json!({field: value}))
}

/// Says a word about a mission; the answer is its place in the log.
async fn tell(client: &Client, id: &str, kind: &str, data: Value, json: bool) -> Result<Code, Error> {
    let mission = resolve(client, id).await?;
    let answer = client.command(mission, kind, &data).await?;
    match json {
        true => say(&json!({"mission": mission, "said": kind, "seq": answer["seq"], "id": answer["id"]})),
        false => out!("{kind} is said to mission {mission}"),
    }
    Ok(Code::Completed)
}

/// New limits, of which one at the least is more than it was.
async fn raise(client: &Client, id: &str, to: &Limits, json: bool) -> Result<Code, Error> {
    let mission = resolve(client, id).await?;
    let budget = overview(&state(client, mission).await?)?.budget;
    let raised = BudgetRaised { max_cost_usd: to.max_cost, max_tokens: to.max_tokens, max_calls: to.max_calls };
    if raised == BudgetRaised::default() {
        return Err(Error::usage("say the new limits: --max-cost USD, --max-tokens N, --max-calls N"));
    }
    let mut more = budget.clone();
    more.raise(&raised);
    if more == budget {
        return Err(Error::usage(format!("that is no more than now: {}", show::limits(&budget))));
    }
    let data = serde_json::to_value(&raised).map_err(|error| Error::failed(error.to_string()))?;
    tell(client, &mission.to_string(), "budget.raised", data, json).await
}

/// The question that is meant: the one that is named, by a beginning of its id, or the only open one.
fn which<'a>(now: &'a Overview, named: Option<&str>) -> Result<&'a Question, Error> {
    if let Some(named) = named {
        let mut found =
            now.questions.iter().filter(|question| question.id.to_string().starts_with(&named.to_ascii_lowercase()));
        return match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Error::usage(format!("the mission has asked no question {named}"))),
            _ => Err(Error::usage(format!("{named} may be several questions: give more of its id"))),
        };
    }
    let open: Vec<&Question> = open_questions(now).collect();
    match open.as_slice() {
        [only] => Ok(only),
        [] => Err(Error::failed("the mission has no open question")),
        several => {
            let list: String = several
                .iter()
                .map(|question| format!("\n  --question {}  {}", question.id, clean(&question.text)))
                .collect();
            Err(Error::usage(format!("the mission has several open questions; say which:{list}")))
        }
    }
}

/// The overview as JSON. One larger than a message is folded here, from its pages.
pub async fn state(client: &Client, mission: MissionId) -> Result<Value, Error> {
    match client.read(&json!({"mission": mission, "state": true})).await {
        Err(client::Error::Refused(refusal)) if refusal.error.code == "too_large" => {
            let now = folded(client, mission).await?;
            serde_json::to_value(now).map_err(|error| Error::failed(error.to_string()))
        }
        answer => Ok(answer?),
    }
}

pub fn overview(state: &Value) -> Result<Overview, Error> {
    serde_json::from_value(state.clone()).map_err(|error| Error::failed(format!("the mission's state: {error}")))
}

async fn watch(
    mut home: Home,
    mut following: Following<'_>,
    id: MissionId,
    out: Option<std::path::PathBuf>,
) -> Result<Code, Error> {
    let mut progress = Progress::new(following.json, id);
    let mut follower = Follower::new(id, None);
    let end = following.until_end(&mut home, &mut follower, &mut progress).await?;
    let paths = match out.filter(|_| end == End::Ended) {
        Some(out) => deliver::fetch(&home.client, &follower.overview, &out).await?,
        None => Vec::new(),
    };
    progress.result(&follower.overview, &paths);
    let code = following.code(end, &follower, home.is_own());
    home.close().await;
    code
}

/// All rows of a list, newest first.
pub async fn rows(client: &Client, mut list: Value, most: usize) -> Result<Vec<Value>, Error> {
    let mut rows: Vec<Value> = Vec::new();
    while rows.len() < most {
        list["limit"] = json!(PAGE.min(most - rows.len()));
        let mut answer = client.read(&json!({"list": list})).await?;
        if let Value::Array(page) = answer["missions"].take() {
            rows.extend(page);
        }
        match answer["next"].take() {
            Value::String(next) => list["after"] = next.into(),
            _ => break,
        }
    }
    Ok(rows)
}

async fn list(
    client: &Client,
    status: Option<String>,
    search: Option<String>,
    limit: usize,
    json: bool,
) -> Result<Code, Error> {
    let rows = match search {
        Some(text) => {
            let mut answer = client.read(&json!({"search": {"text": text, "limit": limit.clamp(1, PAGE)}})).await?;
            match answer["missions"].take() {
                Value::Array(rows) => rows
                    .into_iter()
                    .filter(|row| status.as_ref().is_none_or(|status| row["status"] == **status))
                    .collect(),
                _ => Vec::new(),
            }
        }
        None => rows(client, status.map_or_else(|| json!({}), |status| json!({"status": status})), limit).await?,
    };
    for row in &rows {
        match json {
            true => say(row),
            false => out!("{}", show::row(row)),
        }
    }
    if rows.is_empty() && !json {
        out!("no missions; begin one with: stage7 run \"GOAL\"");
    }
    Ok(Code::Completed)
}
