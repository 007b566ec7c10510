//! `stage7 dead …`: what could not be processed, and another try of it.

mod retry;

use crate::{
    cli::Dead,
    client::Client,
    config::Config,
    exit::{Code, Error},
    home,
    mission::resolve,
    progress::{clean, out, say},
};
use schemas::{MissionId, Value};
use serde_json::json;

/// What the librarian gives at once.
const PAGE: usize = 500;

pub async fn run(config: &Config, asked: Dead, json: bool) -> Result<Code, Error> {
    let home = home::find(config, &super::note(json)).await?;
    let client = &home.client;
    match asked {
        Dead::List { mission, limit } => {
            let mission = match mission {
                Some(text) => Some(resolve(client, &text).await?),
                None => None,
            };
            list(client, mission, limit, json).await
        }
        Dead::Show { which } => show(client, Which::of(client, &which).await?, json).await,
        Dead::Retry { which } => match Which::of(client, &which).await? {
            Which::Record(seq) => retry::record(client, seq, json).await,
            Which::Mission(id) => retry::mission(client, id, json).await,
        },
    }
}

/// What is meant by SEQ|MISSION.
enum Which {
    Record(u64),
    Mission(MissionId),
}

impl Which {
    /// Digits are a sequence; a mission whose id begins with nothing else needs all of it.
    async fn of(client: &Client, text: &str) -> Result<Self, Error> {
        match text.parse() {
            Ok(seq) => Ok(Self::Record(seq)),
            Err(_) => resolve(client, text).await.map(Self::Mission),
        }
    }
}

/// The rows, newest first, and the rest of the first page's answer.
async fn rows(client: &Client, mission: Option<MissionId>, most: usize) -> Result<(Vec<Value>, Value), Error> {
    let (mut rows, mut rest, mut after) = (Vec::new(), Value::Null, Value::Null);
    loop {
        let mut asked = json!({"limit": PAGE.min(most - rows.len()).max(1)});
        if let Some(mission) = mission {
            asked["mission"] = json!(mission);
        }
        if !after.is_null() {
            asked["after"] = after;
        }
        let mut answer = client.read(&json!({"dead": asked})).await?;
        if let Value::Array(page) = answer["dead"].take() {
            rows.extend(page);
        }
        after = answer["next"].take();
        if rest.is_null() {
            rest = answer;
        }
        if after.is_null() || rows.len() >= most {
            rows.truncate(most);
            return Ok((rows, rest));
        }
    }
}

async fn list(client: &Client, mission: Option<MissionId>, limit: usize, json: bool) -> Result<Code, Error> {
    let (rows, rest) = rows(client, mission, limit).await?;
    let newer = rest["newer"].as_array().cloned().unwrap_or_default();
    let refused = Some(&rest["refused"]).filter(|refused| mission.is_none() && refused["goals"] != 0);
    if json {
        rows.iter().for_each(|row| say(&tagged("dead", row)));
        newer.iter().for_each(|row| say(&tagged("newer", row)));
        refused.iter().for_each(|row| say(&tagged("refused", row)));
        return Ok(Code::Completed);
    }
    rows.iter().for_each(|row| out!("{}", line(row)));
    if rows.is_empty() {
        out!("nothing is dead{}", if mission.is_some() { " in this mission" } else { "" });
    }
    for row in &newer {
        out!("newer: {} of {}, skipped by this version", counted(row["events"].as_u64(), "event"), text(row, "type"));
    }
    if let Some(refused) = refused {
        let last = &refused["last"];
        out!(
            "refused: {} in the last 30 days; the last, {}: {}",
            counted(refused["goals"].as_u64(), "goal"),
            last["id"].as_str().map_or_else(|| "without an id".into(), clean),
            text(&last["error"], "message")
        );
    }
    if !rows.is_empty() {
        out!("More of one: stage7 dead show SEQ. Another try: stage7 dead retry SEQ or MISSION.");
    }
    Ok(Code::Completed)
}

fn tagged(kind: &str, row: &Value) -> Value {
    let mut tagged = json!({"kind": kind});
    if let (Some(tagged), Value::Object(row)) = (tagged.as_object_mut(), row) {
        tagged.extend(row.clone());
    }
    tagged
}

fn counted(n: Option<u64>, what: &str) -> String {
    match n.unwrap_or_default() {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

fn text(of: &Value, field: &str) -> String {
    clean(of[field].as_str().unwrap_or("-"))
}

/// A row on one line.
fn line(row: &Value) -> String {
    let mission = text(row, "mission").chars().take(8).collect::<String>();
    let what = match row["decider"].as_str() {
        Some(decider) => format!("{decider} at {}", row["at"]),
        // The mission has a column of its own.
        None => text(row, "subject").split('.').skip(5).collect::<Vec<_>>().join("."),
    };
    let reason = text(row, "reason").replace('\n', " ");
    format!("{:>8}  {:<12}  {mission:<8}  {what}: {reason}", row["seq"].to_string(), text(row, "trouble"))
}

async fn show(client: &Client, which: Which, json: bool) -> Result<Code, Error> {
    let seqs = match which {
        Which::Record(seq) => vec![seq],
        Which::Mission(id) => {
            let (rows, _) = rows(client, Some(id), PAGE).await?;
            if rows.is_empty() {
                return Err(Error::failed(format!("nothing is dead in mission {id}")));
            }
            rows.iter().rev().filter_map(|row| row["seq"].as_u64()).collect()
        }
    };
    for (n, seq) in seqs.into_iter().enumerate() {
        let shown = client.read(&json!({"record": {"seq": seq}})).await?;
        if json {
            say(&shown);
            continue;
        }
        if n > 0 {
            out!("");
        }
        print(&shown);
    }
    Ok(Code::Completed)
}

/// A record, as it lies in the log.
fn print(shown: &Value) {
    let (record, dead, today) = (&shown["record"], &shown["dead"], &shown["today"]);
    out!("record   {}", record["seq"]);
    out!("subject  {}", text(record, "subject"));
    for header in record["headers"].as_array().into_iter().flatten() {
        out!(
            "header   {}: {}",
            clean(header[0].as_str().unwrap_or_default()),
            clean(header[1].as_str().unwrap_or_default())
        );
    }
    let payload = &record["payload"];
    let (form, shown) = match (payload.get("json"), payload["text"].as_str()) {
        (Some(json), _) => ("JSON", format!("{json:#}")),
        (None, Some(text)) => ("text", clean(text)),
        (None, None) => ("hexadecimal", text(payload, "hex")),
    };
    out!("payload  {} bytes, as {form}", record["size"]);
    shown.lines().for_each(|line| out!("  {line}"));
    match (dead.as_object(), today["reads"].as_bool()) {
        (Some(_), _) => {
            out!("trouble  {}", text(dead, "trouble"));
            if let Some(decider) = dead["decider"].as_str() {
                out!("stuck    {decider}, version {}, at record {}", text(dead, "version"), dead["at"]);
            }
            out!("reason   {}", text(dead, "reason"));
            out!("remedy   {}", text(dead, "remedy"));
        }
        (None, Some(true)) => out!("It is an event as it should be."),
        (None, _) => out!("It is no event to this version: {}", text(today, "reason")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_that_nobody_can_break() {
        let row = json!({"seq": 12, "trouble": "undecodable", "mission": "5f1b7c3a00", "reason": "bad\n\u{1b}[2J",
            "subject": "stage7.mission.default.0.5f1b7c3a00.agent.message.said"});
        assert_eq!(line(&row), "      12  undecodable   5f1b7c3a  agent.message.said: bad \u{fffd}[2J");
        let stuck =
            json!({"seq": 7, "trouble": "stuck", "mission": null, "decider": "control", "at": 5, "reason": "x"});
        assert_eq!(line(&stuck), "       7  stuck         -         control at 5: x");
    }
}
