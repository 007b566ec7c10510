//! A mission event by event, and what each changed in the overview.
//!
//! The long lists are watched and not compared, so the walk takes as long as the history is, and
//! not that times the number of steps.

use crate::{
    Entry, History,
    patch::{Change, patch},
};
use schemas::Value;
use serde::Serialize;
use std::{mem::take, slice::Iter};
use streams::overview::{List, Overview};

/// Goes through a history.
pub struct Walk<'a> {
    entries: Iter<'a, Entry>,
    /// The mission as it stands after the last event walked.
    pub now: Overview,
    /// Its JSON without the elements of the lists.
    frame: Value,
    /// Their JSON.
    lists: [Vec<Value>; 5],
}

/// One event, and what it changed.
#[derive(Debug, Clone)]
pub struct Walked<'a> {
    pub entry: &'a Entry,
    /// From the mission's JSON before it to that after it; the counters of events aside.
    pub changes: Vec<Change>,
}

impl<'a> Walk<'a> {
    pub fn new(history: &'a History) -> Self {
        let mut now = Overview::default();
        now.steps.watch();
        now.calls.watch();
        now.deliverables.watch();
        now.messages.watch();
        now.faults.watch();
        let frame = frame(&mut now);
        Self { entries: history.entries.iter(), now, frame, lists: Default::default() }
    }

    fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let frame = frame(&mut self.now);
        patch(&self.frame, &frame, "", &mut changes);
        self.frame = frame;
        let [steps, calls, deliverables, messages, faults] = &mut self.lists;
        list("/steps", &mut self.now.steps, steps, &mut changes);
        list("/calls", &mut self.now.calls, calls, &mut changes);
        list("/deliverables", &mut self.now.deliverables, deliverables, &mut changes);
        list("/messages", &mut self.now.messages, messages, &mut changes);
        list("/faults", &mut self.now.faults, faults, &mut changes);
        changes
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Walked<'a>;

    fn next(&mut self) -> Option<Walked<'a>> {
        let entry = self.entries.next()?;
        entry.fold(&mut self.now);
        Some(Walked { entry, changes: self.changes() })
    }
}

/// Everything but the watched lists. They are taken out and not skipped by name, so that a field
/// that is new here is walked too.
fn frame(now: &mut Overview) -> Value {
    let lists = (
        take(&mut now.steps),
        take(&mut now.calls),
        take(&mut now.deliverables),
        take(&mut now.messages),
        take(&mut now.faults),
    );
    let mut frame = json(now);
    (now.steps, now.calls, now.deliverables, now.messages, now.faults) = lists;
    if let Value::Object(fields) = &mut frame {
        // They change with each event, and say nothing.
        for name in ["events", "last_seq", "updated"] {
            fields.remove(name);
        }
    }
    frame
}

fn list<T: Serialize>(path: &str, now: &mut List<T>, before: &mut Vec<Value>, changes: &mut Vec<Change>) {
    for place in now.touched() {
        let (at, value) = (format!("{path}/{place}"), json(&now[place]));
        match before.get_mut(place) {
            Some(was) => {
                patch(was, &value, &at, changes);
                *was = value;
            }
            // What is touched comes in order, so it is the next one.
            None => {
                changes.push(Change::add(at, value.clone()));
                before.push(value);
            }
        }
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("an overview has string keys and finite numbers")
}
