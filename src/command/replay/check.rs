//! `stage7 replay check`: recorded decisions, made again.

use super::{
    path,
    source::{Source, exports, file},
    value,
};
use crate::{
    exit::{Code, Error},
    progress::{Paint, clean, err, out, say},
};
use replay::{Difference, History, Report, check_all};
use schemas::Value;
use serde_json::json;
use std::path::Path;

/// Differences of a decider that are printed; one that comes early is followed by others.
const SHOWN: usize = 3;

#[derive(Default)]
struct Sum {
    missions: u64,
    decisions: u64,
    events: u64,
    based: u64,
    differences: usize,
    unreadable: u64,
}

pub async fn run(source: &mut Source<'_>, what: &[String], live: bool, json: bool) -> Result<Code, Error> {
    let mut sum = Sum::default();
    for name in what {
        let place = Path::new(name);
        if place.is_dir() {
            for place in exports(place)? {
                let read = file(&place).map(|history| (check_all(&history), history));
                sum.take(&place.display().to_string(), read.map(|(reports, history)| (history, reports)), json);
            }
        } else if place.exists() {
            let history = file(place)?;
            let reports = check_all(&history);
            sum.take(name, Ok((history, reports)), json);
        } else {
            let checked = source.checked(name).await?;
            sum.take(name, Ok(checked), json);
        }
    }
    if live {
        for mission in source.live().await? {
            let checked = source.checked(&mission).await;
            sum.take(&mission, checked, json);
        }
    }
    sum.tell(json);
    Ok(match (sum.differences, sum.unreadable) {
        (0, 0) => Code::Completed,
        (0, _) => Code::Usage,
        _ => Code::Failed,
    })
}

impl Sum {
    /// Counts one history and tells what came of it; of several, one that can't be read stops nothing.
    fn take(&mut self, name: &str, checked: Result<(History, Vec<Report>), Error>, json: bool) {
        let (history, reports) = match checked {
            Ok(checked) => checked,
            Err(error) => {
                self.unreadable += 1;
                match json {
                    true => say(&json!({"of": name, "error": error.to_string()})),
                    false => err!("{error}"),
                }
                return;
            }
        };
        self.missions += 1;
        let mission = history.events().next().map(|event| event.mission);
        for (i, report) in reports.iter().enumerate() {
            self.decisions += report.decisions;
            self.events += report.events;
            self.based += report.based;
            self.differences += report.differences.len();
            if json {
                let mut told = json!({"of": name, "mission": mission});
                if let (Value::Object(told), Value::Object(report)) = (&mut told, json!(report)) {
                    told.extend(report);
                }
                say(&told);
            } else {
                if i == 0 {
                    out!("{name}");
                }
                print(report);
            }
        }
    }

    fn tell(&self, json: bool) {
        let Self { missions, decisions, events, based, differences, unreadable } = self;
        if json {
            say(
                &json!({"kind": "summary", "missions": missions, "decisions": decisions, "events": events, "based": based,
                "differences": differences, "unreadable": unreadable}),
            );
            return;
        }
        let paint = Paint::stdout();
        let differences = format!("{differences} difference{}", if *differences == 1 { "" } else { "s" });
        let differences = if self.differences == 0 { paint.good(&differences) } else { paint.bad(&differences) };
        let unreadable =
            if *unreadable == 0 { String::new() } else { paint.bad(&format!(", {unreadable} not readable")) };
        let missions = format!("{missions} mission{}", if *missions == 1 { "" } else { "s" });
        out!("{missions}, {decisions} decisions, {events} of {based} events, {differences}{unreadable}");
    }
}

fn print(report: &Report) {
    let paint = Paint::stdout();
    let Report { decider, decisions, events, based, cut_off, differences, stuck } = report;
    let outcome = match differences.len() {
        0 => paint.good("same"),
        1 => paint.bad("1 difference"),
        n => paint.bad(&format!("{n} differences")),
    };
    let cut_off = if *cut_off == 0 { String::new() } else { format!(", {cut_off} cut off") };
    out!("  {decider:<16}{decisions:>6} decisions{events:>7} of {based} events  {outcome}{cut_off}");
    if let Some(stuck) = stuck {
        out!("    it is stuck: {}", clean(stuck));
    }
    for difference in differences.iter().take(SHOWN) {
        tell(&paint, difference);
    }
    if differences.len() > SHOWN {
        out!("    and {} more, most likely because of these; --json has all", differences.len() - SHOWN);
    }
}

fn tell(paint: &Paint, difference: &Difference) {
    let word = |side: &Value| side["word"].as_str().map(|word| format!("{word} ")).unwrap_or_default();
    let Difference { at, basis, recorded, decided, .. } = difference;
    let named = if recorded.is_null() { word(decided) } else { word(recorded) };
    out!("    {} {}on {basis}: {}", paint.bad(&format!("at {at}")), named, clean(&difference.message));
    let changes = difference.changes();
    for change in &changes {
        let side = |side: &Option<Value>| side.as_ref().map_or_else(|| "nothing".into(), value);
        out!("      {}  recorded {}, decided {}", path(&change.path), side(&change.was), side(&change.value));
    }
    if changes.is_empty() {
        for (name, side) in [("recorded", recorded), ("decided ", decided)] {
            match side {
                Value::Null => out!("      {name} nothing"),
                side => out!("      {name} {}{}", word(side), value(&side["data"])),
            }
        }
    }
}
