//! `stage7 replay step`: a mission event by event.

use super::{path, value};
use crate::{
    cli::Steps,
    command::mission::show::short_to,
    exit::{Code, Error},
    progress::{Paint, clean, out, say},
};
use replay::{Change, Entry, History, Walk, Walked, meaning};
use schemas::{Time, Value};
use serde_json::json;
use std::io::{self, BufRead};
use streams::overview::Overview;

/// Characters of a meaning.
const WIDE: usize = 160;

pub fn run(history: &History, asked: &Steps, json: bool) -> Result<Code, Error> {
    let mut walk = Walk::new(history);
    let mut screens: Vec<(u64, Vec<String>)> = Vec::new();
    let (paint, mut shown) = (Paint::stdout(), 0);
    while let Some(walked) = walk.next() {
        if !wanted(&walked, asked) {
            continue;
        }
        shown += 1;
        if json {
            say(&object(&walked));
        } else if asked.interactive {
            screens.push((walked.entry.seq(), lines(&paint, &walked, &walk.now)));
        } else {
            lines(&paint, &walked, &walk.now).iter().for_each(|line| out!("{line}"));
        }
    }
    if shown == 0 {
        let (first, last) =
            (history.entries.first().map_or(0, Entry::seq), history.entries.last().map_or(0, Entry::seq));
        return Err(Error::usage(format!("no event is like that; the mission has {first} to {last}")));
    }
    if asked.interactive && !json {
        page(&screens, io::stdin().lock())?;
    }
    Ok(Code::Completed)
}

fn wanted(walked: &Walked<'_>, asked: &Steps) -> bool {
    let by = |writer| matches!(walked.entry, Entry::Event(event) if event.writer == writer);
    (asked.from..=asked.to).contains(&walked.entry.seq()) && asked.writer.is_none_or(by)
}

fn object(walked: &Walked<'_>) -> Value {
    match walked.entry {
        Entry::Event(event) => json!({
            "seq": event.seq, "time": event.time, "writer": event.writer, "word": event.fact.kind(), "id": event.id,
            "causation": event.causation, "basis": event.basis, "meaning": meaning(event), "changes": walked.changes,
        }),
        Entry::Passed(seq) => json!({"seq": seq, "word": null, "changes": walked.changes}),
    }
}

fn lines(paint: &Paint, walked: &Walked<'_>, now: &Overview) -> Vec<String> {
    let head = match walked.entry {
        Entry::Event(event) => {
            let meaning = short_to(WIDE, &meaning(event));
            let word = paint.strong(&format!("{:<18}", event.fact.kind()));
            format!("{:>6}  {}  {:<11}{word} {meaning}", event.seq, clock(event.time), event.writer.as_str())
        }
        Entry::Passed(seq) => format!("{seq:>6}  a word that this version does not know"),
    };
    let changes = walked.changes.iter().map(|change| format!("          {}", told(paint, change, now)));
    std::iter::once(head).chain(changes).collect()
}

/// The time of day, UTC.
fn clock(time: Time) -> String {
    let text = time.to_string();
    text.split_once('T').map_or(text.clone(), |(_, clock)| clock.trim_end_matches('Z').into())
}

fn told(paint: &Paint, change: &Change, now: &Overview) -> String {
    let at = named(&change.path, now);
    match (&change.was, &change.value) {
        (Some(was), Some(value_now)) if was.is_null() => format!("{at} {}", paint.after(&value(value_now))),
        (Some(was), Some(value_now)) => {
            format!("{at} {} → {}", paint.before(&value(was)), paint.after(&value(value_now)))
        }
        (None, Some(added)) => format!("{} {at} {}", paint.after("+"), paint.after(&brief(added))),
        (was, None) => {
            format!("{} {at} {}", paint.before("-"), paint.before(&was.as_ref().map(value).unwrap_or_default()))
        }
    }
}

/// What is new in a list, by what people know it by.
fn brief(added: &Value) -> String {
    let known =
        ["verb", "status", "role", "purpose", "text", "media_type"].iter().filter_map(|name| added[name].as_str());
    let known = known.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
    if known.is_empty() { value(added) } else { clean(&short_to(super::SHORT, &known)) }
}

/// A pointer with the steps, agents and files in it by their names.
fn named(pointer: &str, now: &Overview) -> String {
    let mut parts: Vec<String> = pointer.split('/').skip(1).map(path).collect();
    let place = parts.get(1).and_then(|place| place.parse::<usize>().ok());
    let name = place.and_then(|place| match parts[0].as_str() {
        "steps" => now.steps.get(place).map(|step| step.id.clone()),
        "agents" => now.agents.get(place).map(|agent| agent.id.clone()),
        "deliverables" => now.deliverables.get(place).map(|file| file.name.clone()),
        "questions" => now.questions.get(place).map(|question| question.step.clone()),
        "calls" => now.calls.get(place).map(|call| format!("{}#{}", call.step, place + 1)),
        _ => None,
    });
    if let Some(name) = name {
        parts[1] = clean(&name);
    }
    parts.join("/")
}

/// Forth with Enter or n, back with p, to a sequence by its number, away with q.
fn page(screens: &[(u64, Vec<String>)], mut input: impl BufRead) -> Result<(), Error> {
    let mut at = 0;
    loop {
        screens[at].1.iter().for_each(|line| out!("{line}"));
        out!("[{} of {}: Enter next, p back, a number goes to that event, q ends]", at + 1, screens.len());
        let mut typed = String::new();
        let read =
            input.read_line(&mut typed).map_err(|error| Error::failed(format!("reading what is typed: {error}")))?;
        at = match (read, typed.trim()) {
            (0, _) | (_, "q") => return Ok(()),
            (_, "" | "n") if at + 1 == screens.len() => return Ok(()),
            (_, "" | "n") => at + 1,
            (_, "p") => at.saturating_sub(1),
            (_, typed) => match typed.parse::<u64>() {
                Ok(seq) => screens.iter().rposition(|(its, _)| *its <= seq).unwrap_or(0),
                Err(_) => at,
            },
        };
    }
}
