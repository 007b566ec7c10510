//! A walk tells exactly what changes; moments are where people expect them.

use crate::recording::{all, one};
use replay::{Change, Entry, History, Moment, Walk, meaning, show};
use schemas::{Event, Fact, Value};
use serde_json::json;

/// Applies a JSON Patch as RFC 6902 says, as far as walks use it.
fn apply(document: &mut Value, change: &Change) {
    let change = serde_json::to_value(change).unwrap();
    let path = change["path"].as_str().unwrap();
    let (parent, name) = path.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/").replace("~0", "~");
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}"));
    if let Some(was) = change.get("was") {
        assert_eq!(parent.pointer(&format!("/{}", path.rsplit('/').next().unwrap())), Some(was), "at {path}");
    }
    match (change["op"].as_str().unwrap(), parent) {
        ("add", Value::Array(items)) => items.insert(name.parse().unwrap(), change["value"].clone()),
        ("remove", Value::Array(items)) => drop(items.remove(name.parse().unwrap())),
        ("replace", Value::Array(items)) => items[name.parse::<usize>().unwrap()] = change["value"].clone(),
        ("remove", Value::Object(members)) => drop(members.remove(&name)),
        ("add" | "replace", Value::Object(members)) => drop(members.insert(name, change["value"].clone())),
        (op, parent) => panic!("{op} in {parent}"),
    }
}

fn counted_out(mut state: Value) -> Value {
    for name in ["events", "last_seq", "updated"] {
        state.as_object_mut().unwrap().remove(name);
    }
    state
}

#[test]
fn the_changes_of_a_walk_make_the_mission_as_it_is_shown() {
    for (name, history) in all() {
        let mut document = counted_out(json!(streams::overview::Overview::default()));
        for walked in Walk::new(&history) {
            walked.changes.iter().for_each(|change| apply(&mut document, change));
            let seq = walked.entry.seq();
            let shown = counted_out(json!(show(&history, Some(seq))));
            assert_eq!(document, shown, "{name} at {seq}");
        }
    }
}

#[test]
fn every_event_has_a_meaning_of_one_line() {
    for (name, history) in all() {
        for event in history.events() {
            let meaning = meaning(event);
            assert!(!meaning.is_empty() && !meaning.starts_with('{'), "{name}: {} means {meaning}", event.fact.kind());
        }
    }
}

#[test]
fn a_moment_is_a_sequence_a_time_or_a_steps_end() {
    let history = one("retry");
    let seq = |moment: Moment| history.seq(&moment).map_err(|why| why.to_string());
    let last = history.entries.last().unwrap().seq();
    assert_eq!([seq(Moment::End), seq(Moment::At(u64::MAX))], [Ok(last), Ok(last)]);
    let (first, third) = (history.events().next().unwrap(), history.events().nth(2).unwrap());
    assert_eq!(seq(Moment::At(third.seq)), Ok(third.seq));
    assert!(seq(Moment::At(first.seq - 1)).unwrap_err().contains(&format!("its first event is {}", first.seq)));
    assert!(seq(Moment::Time(schemas::Time(0))).unwrap_err().contains("begins later"));
    let at = history.seq(&Moment::Time(third.time)).unwrap();
    assert!(at >= third.seq && show(&history, Some(at)).updated == Some(third.time));

    let ended = history.seq(&Moment::Step("read".into())).unwrap();
    let (before, after) = (show(&history, Some(ended - 1)), show(&history, Some(ended)));
    let of = |overview: &streams::overview::Overview| json!(overview.step("read").unwrap().status);
    assert_eq!((of(&before), of(&after)), (json!("running"), json!("completed")));
    let unknown = seq(Moment::Step("raed".into())).unwrap_err();
    assert!(unknown.contains("no step `raed`") && unknown.contains("read, copy"), "{unknown}");
}

/// A mission of many steps, of what the recorded one of twenty is made.
fn long(steps: usize) -> History {
    let recorded = one("parallel");
    let mut seq = 0;
    let mut history = History::default();
    let mut say = |event: &Event, fact: Fact| {
        seq += 1;
        let id = schemas::EventId(uuid::Uuid::from_u128(seq.into()));
        history.entries.push(Entry::Event(Box::new(Event { seq, id, fact, ..event.clone() })));
    };
    let find = |kind: &str| recorded.events().find(|event| event.fact.kind() == kind).unwrap();
    for kind in ["mission.created", "plan.accepted", "agent.spawned"] {
        let event = find(kind);
        let mut fact = event.fact.clone();
        if let Fact::PlanAccepted(said) = &mut fact {
            let step = said.plan.steps[0].clone();
            said.plan.steps = (0..steps).map(|n| schemas::plan::Step { id: format!("s{n}"), ..step.clone() }).collect();
        }
        say(event, fact);
    }
    for n in 0..steps {
        for kind in ["step.assigned", "plugin.requested", "step.completed"] {
            let event = find(kind);
            let mut data = event.fact.to_value();
            data["step"] = json!(format!("s{n}"));
            say(event, Fact::from_bytes(kind, data.to_string().as_bytes()).unwrap().unwrap());
        }
    }
    history
}

/// How long it takes is printed: ten times as long, not a hundred times.
#[test]
fn a_mission_of_two_thousand_steps_is_walked() {
    let took = [200, 2_000].map(|steps| {
        let history = long(steps);
        let began = std::time::Instant::now();
        assert_eq!(Walk::new(&history).filter(|walked| !walked.changes.is_empty()).count(), history.entries.len());
        assert_eq!(history.seq(&Moment::Step("s0".into())), Ok(6));
        (history.entries.len(), began.elapsed())
    });
    eprintln!("walked twice: {took:?}");
}
