//! `stage7 replay …`: what a mission was, from its log alone.

mod check;
mod diff;
mod source;
mod step;

use super::mission::show;
use crate::{
    cli::{At, Replay},
    config::Config,
    exit::{Code, Error},
    progress::say,
};
use ::replay::Moment;
use schemas::Value;
use serde_json::json;
use source::Source;

/// Characters of a value that are shown.
const SHORT: usize = 72;

pub async fn run(config: &Config, asked: Replay, json: bool) -> Result<Code, Error> {
    let mut source = Source::new(config, json);
    match asked {
        Replay::Show { mission, at } => {
            let history = source.history(&mission).await?;
            let seq = history.seq(&moment(at)).map_err(|why| Error::usage(format!("{mission}: {why}")))?;
            let now = ::replay::show(&history, Some(seq));
            match json {
                true => say(&json!(now)),
                false => show::print(&now),
            }
            Ok(Code::Completed)
        }
        Replay::Step(asked) => step::run(&source.history(&asked.mission).await?, &asked, json),
        Replay::Check { what, live } => check::run(&mut source, &what, live, json).await,
        Replay::Diff { a, b, at, at_b } => {
            let histories = [source.history(&a).await?, source.history(b.as_ref().unwrap_or(&a)).await?];
            let name = |which: &str, why: ::replay::NoSuchMoment| Error::usage(format!("{which}: {why}"));
            let seqs = [
                histories[0].seq(&at.map_or(Moment::End, Moment::At)).map_err(|why| name(&a, why))?,
                histories[1]
                    .seq(&at_b.map_or(Moment::End, Moment::At))
                    .map_err(|why| name(b.as_ref().unwrap_or(&a), why))?,
            ];
            Ok(diff::run(&histories, seqs, json))
        }
    }
}

fn moment(at: At) -> Moment {
    match at {
        At { at: Some(seq), .. } => Moment::At(seq),
        At { time: Some(time), .. } => Moment::Time(time),
        At { step: Some(step), .. } => Moment::Step(step),
        _ => Moment::End,
    }
}

/// A value in a line; bytes that travel by reference by their size.
fn value(value: &Value) -> String {
    if let Some(large) = schemas::value::Ref::from_value(value) {
        return format!("({} bytes of {})", large.size, large.media_type);
    }
    show::short_to(SHORT, &value.to_string())
}

/// A JSON Pointer as people read it: without the first slash, and codes as what they stand for.
fn path(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace("~1", "/").replace("~0", "~")
}
