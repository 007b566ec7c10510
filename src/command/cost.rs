//! `stage7 cost`: what models cost, from the librarian's rows.

use super::mission::show::short_to;
use crate::{
    cli::Cost as Asked,
    client::Client,
    config::Config,
    exit::{Code, Error},
    home,
    mission::resolve,
    progress::{Paint, grouped, out, say, usd},
};
use schemas::Value;
use serde_json::json;

/// What the librarian gives at once.
const PAGE: usize = 500;
/// Columns of a terminal.
const WIDE: usize = 80;
/// Characters of an id that are shown.
const ID: usize = 8;

pub async fn run(config: &Config, asked: Asked, json: bool) -> Result<Code, Error> {
    let home = home::find(config, &super::note(json)).await?;
    let client = &home.client;
    let mut question = json!({"since": asked.since, "until": asked.until});
    if let Some(by) = asked.by {
        question["by"] = by.as_str().into();
    }
    let one = match &asked.mission {
        Some(text) => Some(resolve(client, text).await?),
        None => None,
    };
    if let Some(mission) = one {
        question["mission"] = json!(mission);
    }
    let (rows, answer) = rows(client, question, asked.limit).await?;
    let by = answer["by"].as_str().unwrap_or_default();
    if json {
        rows.iter().chain([&answer["total"]]).zip((0..rows.len()).map(|_| by).chain(["total"])).for_each(
            |(row, kind)| {
                let mut row = row.clone();
                row["kind"] = kind.into();
                say(&row);
            },
        );
        return Ok(Code::Completed);
    }
    if rows.is_empty() {
        let days = if asked.since.or(asked.until).is_some() { " on these days" } else { "" };
        out!("no model was asked{}{days}", if one.is_some() { " in this mission" } else { "" });
        return Ok(Code::Completed);
    }
    print(&Paint::stdout(), by, one.is_some(), &rows, &answer);
    Ok(Code::Completed)
}

/// The rows, and the last page's answer.
async fn rows(client: &Client, mut question: Value, most: usize) -> Result<(Vec<Value>, Value), Error> {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        question["limit"] = json!(PAGE.min(most - rows.len()).max(1));
        let mut answer = client.read(&json!({"cost": question})).await?;
        if let Value::Array(page) = answer["rows"].take() {
            rows.extend(page);
        }
        if answer["next"].is_null() || rows.len() >= most {
            rows.truncate(most);
            return Ok((rows, answer));
        }
        question["after"] = answer["next"].clone();
    }
}

/// A table for a person.
fn print(paint: &Paint, by: &str, of_one: bool, rows: &[Value], answer: &Value) {
    let table = table(by, of_one, rows, &answer["total"]);
    for (n, line) in table.iter().enumerate() {
        match n == 0 || n + 1 == table.len() {
            true => out!("{}", paint.strong(line)),
            false => out!("{line}"),
        }
    }
    if !answer["next"].is_null() {
        out!("there are more lines: --limit N shows so many; the total is of all");
    }
    if answer["total"]["cost"]["estimated"] == true {
        out!("≈ estimated in part: a provider did not count its tokens");
    }
    if answer["total"]["unpriced"] == true {
        out!("- + some tokens have no price: their model is free, or its price is not known");
    }
}

/// The lines: a title, the rows, the total.
fn table(by: &str, of_one: bool, rows: &[Value], total: &Value) -> Vec<String> {
    let mut table = vec![[by, "calls", "failed", "input", "output", "cost "].map(String::from)];
    table.extend(rows.iter().map(|row| line(name(by, of_one, row), row)));
    table.push(line("total".into(), total));
    let widest = |column: usize| table.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let mut wide: [usize; 6] = std::array::from_fn(widest);
    let figures: usize = wide[1..].iter().map(|wide| wide + 2).sum();
    wide[0] = wide[0].min(WIDE.saturating_sub(figures).max(ID));
    let shown = |line: &[String; 6]| {
        let name = match line[0].chars().count() > wide[0] {
            true => short_to(wide[0] - 1, &line[0]),
            false => short_to(wide[0], &line[0]),
        };
        let mut text = format!("{name:<first$}", first = wide[0]);
        for (cell, wide) in line.iter().zip(wide).skip(1) {
            text.push_str(&format!("  {cell:>wide$}"));
        }
        text.trim_end().to_string()
    };
    table.iter().map(shown).collect()
}

fn line(name: String, row: &Value) -> [String; 6] {
    let count = |value: &Value| grouped(value.as_u64().unwrap_or_default());
    let (cost, estimated) = (&row["cost"], row["cost"]["estimated"] == true);
    let tokens = |value: &Value| format!("{}{}", if estimated { "≈" } else { "" }, count(value));
    let spent = cost["usd"].as_f64().unwrap_or_default();
    let spent = match (row["unpriced"] == true, spent > 0.0) {
        (true, false) => "- ".into(),
        (true, true) => format!("{}+", usd(spent, estimated)),
        (false, _) => format!("{} ", usd(spent, estimated)),
    };
    let [input, output] = ["input", "output"].map(|of| tokens(&cost["tokens"][of]));
    [name, count(&row["calls"]), count(&row["failed"]), input, output, spent]
}

/// What a line is about; of one mission its id is not said again.
fn name(by: &str, of_one: bool, row: &Value) -> String {
    let text = |field: &str| row[field].as_str().unwrap_or_default();
    let id = |field: &str| text(field).chars().take(ID).collect::<String>();
    let place = if of_one { String::new() } else { format!("{} ", id("mission")) };
    let model = match (row["provider"].as_str(), row["model"].as_str()) {
        (Some(provider), Some(model)) if provider == model => model.into(),
        (Some(provider), Some(model)) => format!("{provider}/{model}"),
        _ => "no answer".into(),
    };
    match by {
        "mission" => format!("{}  {}", id("mission"), text("title")),
        "model" => model,
        "call" => format!("{place}{} {} {model}", id("call"), text("step")),
        "step" | "agent" => format!("{place}{}", text(by)),
        _ => text(by).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(more: &Value, calls: u64, tokens: [u64; 2], usd: f64, estimated: bool, unpriced: bool) -> Value {
        let mut row = json!({"calls": calls, "failed": 1, "unpriced": unpriced,
            "cost": {"usd": usd, "tokens": {"input": tokens[0], "output": tokens[1]}, "estimated": estimated}});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    }

    #[test]
    fn figures_stand_below_each_other_and_marks_say_what_is_not_known() {
        let rows = [
            row(&json!({"provider": "openai", "model": "first"}), 12, [1_234_567, 8_900], 1.5, false, false),
            row(&json!({"provider": "tgi", "model": "x".repeat(60)}), 3, [100, 10], 0.25, true, true),
            row(&json!({"provider": "llamacpp", "model": "qwen3-8b.gguf"}), 1, [700, 90], 0.0, false, true),
            row(&json!({"provider": null, "model": null}), 1, [0, 0], 0.0, false, false),
        ];
        let total = row(&json!({}), 17, [1_235_367, 9_000], 1.75, true, true);
        let table = table("model", false, &rows, &total);
        assert_eq!(
            table,
            [
                "model                               calls  failed       input  output      cost",
                "openai/first                           12       1   1,234,567   8,900   $1.5000",
                "tgi/xxxxxxxxxxxxxxxxxxxxxxxxxxxxx…      3       1        ≈100     ≈10  ≈$0.2500+",
                "llamacpp/qwen3-8b.gguf                  1       1         700      90         -",
                "no answer                               1       1           0       0   $0.0000",
                "total                                  17       1  ≈1,235,367  ≈9,000  ≈$1.7500+",
            ]
        );
        assert!(table.iter().all(|line| line.chars().count() <= WIDE));
    }

    #[test]
    fn lines_say_which_mission_they_are_of_where_there_are_several() {
        let step =
            json!({"mission": "5f1b00aa11bb", "step": "poem", "call": "99887766aa", "provider": "p", "model": "m"});
        assert_eq!([name("step", true, &step), name("step", false, &step)], ["poem", "5f1b00aa poem"]);
        assert_eq!(name("call", false, &step), "5f1b00aa 99887766 poem p/m");
    }
}
