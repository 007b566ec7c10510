//! All tasks, and the rules that hold among them.

use super::task::{Change, Id, Status, Task};
use serde_json::Value;
use std::collections::BTreeMap;

const MOST: usize = 10_000;
const DEEPEST: usize = 20;
/// Tasks that an error names.
const NAMED: usize = 20;

#[derive(Debug, Default)]
pub struct List(BTreeMap<Id, Task>);

/// A rule that a change would break, in words.
#[derive(Debug)]
pub struct Rule(pub String);

impl List {
    /// # Errors
    /// What is wrong with the file, and at which task.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let tasks: Vec<Task> = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        let mut list = BTreeMap::new();
        for task in tasks {
            let (id, wrong) = (Id::parse(&task.id), |why: &str| format!("task {:?} {why}", task.id));
            let id = id.ok_or_else(|| wrong("has no id as 2.1"))?;
            if task.parent != id.parent().map(|parent| parent.to_string()) {
                return Err(wrong("has another parent than its id says"));
            }
            if let Some(why) = task.fault() {
                return Err(wrong(&why));
            }
            if list.contains_key(&id) {
                return Err(wrong("is there twice"));
            }
            list.insert(id, task);
        }
        let list = Self(list);
        for (id, task) in &list.0 {
            let parent = id.parent();
            match parent.as_ref().map(|parent| list.0.get(parent)) {
                Some(None) => return Err(format!("task \"{id}\" is below one that is not there")),
                Some(Some(parent)) if parent.status == Status::Done && task.status != Status::Done => {
                    return Err(format!("task \"{id}\" is open below one that is done"));
                }
                _ => {}
            }
        }
        Ok(list)
    }

    /// JSON with two spaces and a final newline, parents before their children.
    pub fn written(&self) -> Vec<u8> {
        let tasks: Vec<&Task> = self.0.values().collect();
        let mut bytes = serde_json::to_vec_pretty(&tasks).expect("tasks are plain data");
        bytes.push(b'\n');
        bytes
    }

    /// All tasks, or those below one.
    pub fn shown(&self, below: Option<&Id>) -> Result<Value, Rule> {
        if let Some(id) = below {
            self.task(id)?;
        }
        let shown = self.0.iter().filter(|(id, _)| below.is_none_or(|above| id.is_below(above)));
        Ok(shown.map(|(_, task)| serde_json::to_value(task).expect("a task is plain data")).collect())
    }

    pub fn add(&mut self, parent: Option<&Id>, new: Change) -> Result<Id, Rule> {
        if let Some(id) = parent
            && self.task(id)?.status == Status::Done
            && new.status != Some(Status::Done)
        {
            return Err(Rule(format!("task {id} is done: nothing open can be below it, `update` its status first")));
        }
        let last = self.children(parent).map(|(id, _)| id.last()).max().unwrap_or_default();
        let id = Id::below(parent, last + 1);
        if self.0.len() == MOST || id.depth() > DEEPEST {
            return Err(Rule(format!("a list has at most {MOST} tasks, {DEEPEST} levels deep")));
        }
        let task = Task {
            id: id.to_string(),
            parent: parent.map(Id::to_string),
            title: String::new(),
            status: Status::default(),
            note: None,
        };
        self.put(&id, task, new)?;
        Ok(id)
    }

    pub fn change(&mut self, id: &Id, change: Change) -> Result<(), Rule> {
        let task = self.task(id)?.clone();
        match change.status {
            Some(Status::Done) => {
                let open: Vec<_> =
                    self.children(Some(id)).filter(|(_, task)| task.status != Status::Done).map(|(id, _)| id).collect();
                if !open.is_empty() {
                    return Err(Rule(format!("task {id} can't be done before those below it: {}", named(&open))));
                }
            }
            Some(_) => {
                let parent = id.parent().filter(|parent| self.0.get(parent).is_some_and(|p| p.status == Status::Done));
                if let Some(parent) = parent {
                    return Err(Rule(format!("task {parent} is done: `update` its status before that of {id}")));
                }
            }
            None => {}
        }
        self.put(id, task, change)
    }

    fn put(&mut self, id: &Id, mut task: Task, change: Change) -> Result<(), Rule> {
        task.title = change.title.unwrap_or(task.title);
        task.status = change.status.unwrap_or(task.status);
        task.note = change.note.or(task.note).filter(|note| !note.is_empty());
        match task.fault() {
            Some(why) => Err(Rule(format!("task {id} {why}"))),
            None => {
                self.0.insert(id.clone(), task);
                Ok(())
            }
        }
    }

    fn task(&self, id: &Id) -> Result<&Task, Rule> {
        self.0.get(id).ok_or_else(|| {
            let ids: Vec<&Id> = self.0.keys().collect();
            let there = if ids.is_empty() { "there are none yet".into() } else { format!("there are {}", named(&ids)) };
            Rule(format!("there is no task {id}; {there}"))
        })
    }

    fn children<'a>(&'a self, parent: Option<&'a Id>) -> impl Iterator<Item = (&'a Id, &'a Task)> {
        self.0.iter().filter(move |(id, _)| id.parent().as_ref() == parent)
    }
}

fn named(ids: &[&Id]) -> String {
    let mut named: Vec<String> = ids.iter().take(NAMED).map(ToString::to_string).collect();
    if ids.len() > NAMED {
        named.push("…".into());
    }
    named.join(", ")
}
