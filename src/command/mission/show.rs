//! A mission, and rows of missions, as text.

use crate::progress::{asked, clean, grouped, open_questions, out, usd};
use schemas::{Value, goal::Budget};
use std::collections::HashMap;
use streams::overview::{Cost, Input, Overview};

/// Characters of a value that are shown.
const SHORT: usize = 100;

/// A mission in a list.
pub fn row(row: &Value) -> String {
    let text = |field: &str| row[field].as_str().unwrap_or_default();
    let title = if text("name").is_empty() { text("goal") } else { text("name") };
    let progress = format!("{}/{}", row["progress"]["done"], row["progress"]["total"]);
    let cost = row["cost"]["usd"].as_f64().filter(|cost| *cost > 0.0);
    let cost = cost.map_or_else(String::new, |cost| usd(cost, row["cost"]["estimated"] == true));
    let place = match (row["imported"] == true, row["archived"].is_null()) {
        (true, _) => " (imported)",
        (false, false) => " (archived)",
        (false, true) => "",
    };
    format!("{}  {:<9} {progress:>7} {cost:>8}  {}{place}", text("id"), text("status"), short(title))
}

/// The whole mission.
pub fn print(now: &Overview) {
    let (done, all) = now.progress();
    let id = now.id.map(|id| id.to_string()).unwrap_or_default();
    out!("mission  {id}");
    if let Some(name) = &now.name {
        out!("name     {}", clean(name));
    }
    out!("goal     {}", clean(&now.goal).replace('\n', "\n         "));
    out!("status   {} ({done} of {all} steps, {} events, last {})", now.status.as_str(), now.events, now.last_seq);
    if let Some(error) = &now.error {
        out!("error    {}", clean(error).replace('\n', "\n         "));
    }
    if now.cost.usd > 0.0 || !now.calls.is_empty() {
        let cached = now.calls.iter().filter(|call| call.cached).count();
        let cached = if cached > 0 { format!(" ({cached} from the cache)") } else { String::new() };
        out!("cost     {}{cached}", spent(&now.cost, now.calls.len()));
    }
    if now.budget != Budget::default() {
        out!("budget   {}", limits(&now.budget));
    }
    for warning in &now.warnings {
        out!("warning  {}", clean(&warning.text));
    }
    for (writer, why) in &now.stuck {
        out!("stuck    {writer}: {}", clean(why));
    }
    if let Some(answer) = &now.answer {
        out!("answer   {}", value(answer));
    }
    let mut of_steps: HashMap<&str, (Cost, usize)> = HashMap::new();
    for call in &now.calls {
        let (cost, calls) = of_steps.entry(&call.step).or_default();
        *cost += call.cost;
        *calls += 1;
    }
    out!("steps");
    for step in &now.steps {
        let agent = step.agent.as_deref().map(|agent| format!(" by {agent}")).unwrap_or_default();
        out!("  {:<9} {} {}{agent}  {}", label(&step.status), step.id, step.verb, short(&step.description));
        for (name, input) in &step.inputs {
            match input {
                Input::From(source) => out!("      {name} <- {}.{}", source.from, source.output),
                Input::Value(given) => out!("      {name} = {}", value(given)),
            }
        }
        for (name, output) in &step.outputs {
            out!("      {name} -> {}", value(output));
        }
        if let Some(error) = &step.error {
            out!("      ! {}", clean(error));
        }
        let tools: Vec<_> = now.calls.iter().filter(|call| call.step == step.id).flat_map(|call| &call.tools).collect();
        if !tools.is_empty() {
            out!("      used {}", tools.into_iter().map(|tool| clean(tool)).collect::<Vec<_>>().join(", "));
        }
        if let Some((cost, calls)) = of_steps.get(step.id.as_str()) {
            out!("      {}", spent(cost, *calls));
        }
    }
    for question in open_questions(now) {
        out!(
            "question {}\n  {}\n  stage7 mission answer {id} --question {} ANSWER",
            question.id,
            asked(now, question),
            question.id
        );
    }
    if !now.deliverables.is_empty() {
        out!("deliverables");
    }
    for file in &now.deliverables {
        out!("  {}  {} bytes, {}, sha256 {}", clean(&file.name), file.size, file.media_type, file.sha256);
    }
}

/// `$0.0120, 2 model calls, 1,200 + 96 tokens`.
fn spent(Cost { usd: cost, tokens, estimated }: &Cost, calls: usize) -> String {
    let s = if calls == 1 { "" } else { "s" };
    format!(
        "{}, {calls} model call{s}, {} + {} tokens",
        usd(*cost, *estimated),
        grouped(tokens.input),
        grouped(tokens.output)
    )
}

/// The limits of a budget.
pub fn limits(budget: &Budget) -> String {
    let all = [
        budget.max_cost_usd.map(|usd| format!("${usd}")),
        budget.max_tokens.map(|n| format!("{n} tokens")),
        budget.max_calls.map(|n| format!("{n} model calls")),
        budget.max_steps.map(|n| format!("{n} steps")),
        budget.max_seconds.map(|n| format!("{n} s")),
    ];
    format!("at most {}", all.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The word for a status, as its JSON has it.
fn label(status: &impl serde::Serialize) -> String {
    serde_json::to_value(status).ok().and_then(|value| value.as_str().map(String::from)).unwrap_or_default()
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => short(text),
        other => short(&other.to_string()),
    }
}

/// One line, cut.
fn short(text: &str) -> String {
    short_to(SHORT, text)
}

/// One line of so many characters at the most.
pub fn short_to(most: usize, text: &str) -> String {
    let line = clean(text).replace(['\n', '\t'], " ");
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
