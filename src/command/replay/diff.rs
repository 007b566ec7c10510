//! `stage7 replay diff`: two missions, or two moments of one.

use super::{path, value};
use crate::{
    exit::Code,
    progress::{Paint, out, say, took},
};
use replay::{Apart, History, diff, show};
use schemas::Value;
use serde_json::json;
use streams::overview::Overview;

/// Characters of a column.
const WIDE: usize = 34;

pub fn run(histories: &[History; 2], seqs: [u64; 2], json: bool) -> Code {
    let [a, b] = [show(&histories[0], Some(seqs[0])), show(&histories[1], Some(seqs[1]))];
    let apart = diff(&a, &b);
    if json {
        for apart in &apart {
            say(&json!(apart));
        }
        say(&json!({"kind": "summary", "differences": apart.len(), "a": figures(&a), "b": figures(&b)}));
    } else {
        print(&a, &b, &apart);
    }
    if apart.is_empty() { Code::Completed } else { Code::Failed }
}

fn ms(now: &Overview) -> u64 {
    now.created.zip(now.updated).map_or(0, |(from, to)| to.since(from))
}

fn figures(now: &Overview) -> Value {
    let (done, total) = now.progress();
    json!({"mission": now.id, "at": now.last_seq, "status": now.status, "progress": {"done": done, "total": total},
        "calls": now.calls.len(), "cost": now.cost, "ms": ms(now)})
}

fn print(a: &Overview, b: &Overview, apart: &[Apart]) {
    let paint = Paint::stdout();
    let row = |name: &str, of: &dyn Fn(&Overview) -> String| {
        let (left, right) = (of(a), of(b));
        let right = if left == right { right } else { paint.strong(&right) };
        out!("{name:<10}{left:<WIDE$}  {right}");
    };
    out!("{:<10}{:<WIDE$}  B", "", "A");
    row("mission", &|now| now.id.map(|id| id.to_string()).unwrap_or_default());
    row("at", &|now| now.last_seq.to_string());
    row("status", &|now| now.status.as_str().into());
    row("steps", &|now| {
        let (done, all) = now.progress();
        format!("{done} of {all}")
    });
    row("calls", &|now| now.calls.len().to_string());
    row("tokens", &|now| format!("{} + {}", now.cost.tokens.input, now.cost.tokens.output));
    row("cost", &|now| format!("${:.4}", now.cost.usd));
    row("took", &|now| took(ms(now)));
    if apart.is_empty() {
        return out!("{}", paint.good("no difference"));
    }
    let wide = apart.iter().map(|apart| path(&apart.path).chars().count()).max().unwrap_or(0).min(48);
    for Apart { path: at, a, b } in apart {
        let at = path(at);
        match (a, b) {
            (Some(a), Some(b)) => out!("  {at:<wide$}  {} → {}", paint.before(&value(a)), paint.after(&value(b))),
            (Some(a), None) => out!("{} {at:<wide$}  {}", paint.before("-"), paint.before(&value(a))),
            (None, b) => {
                out!("{} {at:<wide$}  {}", paint.after("+"), paint.after(&value(b.as_ref().unwrap_or(&Value::Null))))
            }
        }
    }
    out!("{}", paint.bad(&format!("{} difference{}", apart.len(), if apart.len() == 1 { "" } else { "s" })));
}
