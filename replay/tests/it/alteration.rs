//! Whatever is done to a recorded decision, the check names it.

use crate::recording::all;
use replay::{Difference, Entry, History, check_all};
use schemas::{Event, EventId, Fact, Value, event::Part};
use serde_json::json;

fn differences(history: &History) -> Vec<Difference> {
    check_all(history).into_iter().flat_map(|report| report.differences).collect()
}

/// Is the event named: by its place in the log, as the word that should be there, or as the state
/// that others rest on?
fn names(differences: &[Difference], event: &Event) -> bool {
    let word = json!({"word": event.fact.kind(), "data": event.fact.to_value()});
    let rests = format!("the state at {}, which is no event", event.seq);
    differences.iter().any(|difference| {
        difference.at == event.seq || difference.decided == word || difference.message.contains(&rests)
    })
}

/// With room between the events.
fn roomy(mut history: History) -> History {
    for entry in &mut history.entries {
        match entry {
            Entry::Event(event) => {
                event.seq *= 10;
                event.basis = event.basis.map(|basis| basis * 10);
            }
            Entry::Passed(seq) => *seq *= 10,
        }
    }
    assert_eq!(differences(&history), [], "a decision depends on no figure of the log");
    history
}

/// The decided events of a history, by their place in it.
fn decided(history: &History) -> Vec<(usize, Event)> {
    let event = |(i, entry): (usize, &Entry)| match entry {
        Entry::Event(event) if event.basis.is_some() => Some((i, event.as_ref().clone())),
        _ => None,
    };
    history.entries.iter().enumerate().filter_map(event).collect()
}

/// The history up to the event at `i`, which is edited.
fn edited(history: &History, i: usize, edit: impl FnOnce(&mut Event)) -> History {
    let mut history = History { entries: history.entries[..=i].to_vec() };
    let Entry::Event(event) = &mut history.entries[i] else { panic!("an event") };
    edit(event);
    history
}

/// Two can't be told: of one step's end and of one run nothing came, as the mission was aborted and the
/// attempt called off. The logs without them are those of slower workers.
#[test]
fn each_decision_that_is_left_out_is_named() {
    let mut unnamed = Vec::new();
    for (name, history) in all() {
        for (i, event) in decided(&history) {
            let mut without = history.clone();
            without.entries.remove(i);
            let found = differences(&without);
            if !names(&found, &event) {
                unnamed.push(format!("{name} without {}: {found:?}", event.fact.kind()));
            }
        }
    }
    let overtaken = ["abort without step.completed: []", "timeout without plugin.requested: []"];
    assert_eq!(unnamed, overtaken);
}

#[test]
fn each_end_that_is_cut_off_is_found() {
    for (name, history) in all() {
        for (i, event) in decided(&history) {
            let cut = History { entries: history.entries[..i].to_vec() };
            let found = differences(&cut);
            assert!(!found.is_empty(), "{name} before {} at {}", event.fact.kind(), event.seq);
        }
    }
}

#[test]
fn each_decision_that_is_altered_is_named() {
    let other = EventId(uuid::Uuid::from_u128(7));
    for (name, history) in all() {
        let history = roomy(history);
        for (i, event) in decided(&history) {
            let named = |what: &str, altered: History| {
                let found = differences(&altered);
                assert!(names(&found, &event), "{name}, {what} of {} at {}: {found:#?}", event.fact.kind(), event.seq);
            };
            named("the id", edited(&history, i, |event| event.id = other));
            named("the cause", edited(&history, i, |event| event.causation = Some(other)));
            named("no cause", edited(&history, i, |event| event.causation = None));
            named("no part", edited(&history, i, |event| event.part = None));
            named("no basis", edited(&history, i, |event| event.basis = None));
            for basis in [0, event.basis.unwrap() + 1, event.seq, event.seq + 1] {
                named("the basis", edited(&history, i, |event| event.basis = Some(basis)));
            }
            let part = event.part.unwrap();
            named("the part", edited(&history, i, |event| event.part = Some(Part { k: part.k + 1, n: part.n + 1 })));
            named("the parts", edited(&history, i, |event| event.part = Some(Part { n: part.n + 1, ..part })));
            for (field, fact) in altered(&event.fact) {
                named(&field, edited(&history, i, |event| event.fact = fact));
            }
        }
    }
}

/// A decision may rest on any state on which it is the same; on one before its cause it can't be.
#[test]
fn a_basis_before_the_cause_is_named() {
    for (name, history) in all() {
        let seq_of = |id: EventId| history.events().find(|event| event.id == id).map(|event| event.seq);
        for (i, event) in decided(&history) {
            // Unless the decision itself said it.
            let cause = event.causation.and_then(seq_of).filter(|cause| Some(*cause) <= event.basis);
            let Some(cause) = cause else { continue };
            let Some(before) = history.entries[..i].iter().map(Entry::seq).rfind(|seq| *seq < cause) else {
                continue;
            };
            let found = differences(&edited(&history, i, |event| event.basis = Some(before)));
            assert!(names(&found, &event), "{name}, {} at {} on {before}: {found:#?}", event.fact.kind(), event.seq);
        }
    }
}

#[test]
fn each_decision_that_is_said_again_or_in_another_order_is_named() {
    for (name, history) in all() {
        let history = roomy(history);
        let own = decided(&history);
        for (i, event) in &own {
            for (basis, part) in [(event.basis, event.part), (Some(event.seq), Some(Part { k: 1, n: 1 }))] {
                let again = Event { seq: event.seq + 1, basis, part, ..event.clone() };
                let mut longer = history.clone();
                longer.entries.insert(i + 1, Entry::Event(Box::new(again.clone())));
                let found = differences(&longer);
                assert!(names(&found, &again), "{name}, {} at {}: {found:#?}", event.fact.kind(), event.seq);
            }
        }
        for ((i, one), (j, other)) in
            own.iter().zip(&own[1..]).filter(|((_, a), (_, b))| a.basis == b.basis && a.writer == b.writer)
        {
            let mut swapped = history.clone();
            swapped.entries[*i] = Entry::Event(Box::new(Event { seq: one.seq, ..other.clone() }));
            swapped.entries[*j] = Entry::Event(Box::new(Event { seq: other.seq, ..one.clone() }));
            let found = differences(&swapped);
            assert!(
                found.iter().any(|difference| difference.at == one.seq || difference.at == other.seq),
                "{name} at {}",
                one.seq
            );
        }
    }
}

/// The word with one of its fields changed, for each field; in soak runs for each value in it.
fn altered(fact: &Fact) -> Vec<(String, Fact)> {
    let data = fact.to_value();
    let mut paths = Vec::new();
    leaves(&data, String::new(), &mut paths);
    if std::env::var_os("STAGE7_SOAK").is_none() {
        paths.dedup_by_key(|path| path.split('/').nth(1).unwrap_or_default().to_string());
    }
    let with = |path: String| {
        let mut data = data.clone();
        let value = data.pointer_mut(&path).unwrap();
        *value = other(value)?;
        // What is no word of this version any more is refused where it is read.
        let fact = Fact::from_bytes(fact.kind(), data.to_string().as_bytes())?.ok().filter(|other| other != fact)?;
        Some((path, fact))
    };
    paths.into_iter().filter_map(with).collect()
}

fn leaves(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => members.iter().for_each(|(name, value)| {
            leaves(value, format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), paths);
        }),
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(i, value)| leaves(value, format!("{path}/{i}"), paths));
        }
        _ => paths.push(path),
    }
}

fn other(value: &Value) -> Option<Value> {
    Some(match value {
        Value::String(text) if text.parse::<schemas::Time>().is_ok() => json!("2001-01-01T00:00:00.000Z"),
        Value::String(text) if text.parse::<EventId>().is_ok() => json!("0".repeat(32)),
        Value::String(text) => json!(format!("{text}x")),
        Value::Number(number) => json!(number.as_f64()? as i64 + 1),
        Value::Bool(is) => json!(!is),
        Value::Null => json!("x"),
        Value::Array(_) | Value::Object(_) => return None,
    })
}
