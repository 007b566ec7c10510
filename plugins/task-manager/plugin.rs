//! TASK_MANAGER: a list of tasks that lies in the mission's folder, as any of its files. Runs of a mission
//! that write are never at work at once, so none loses what another has changed.

mod list;
mod task;

use crate::{Done, Failure, Run, file_ops};
use list::{List, Rule};
use serde_json::Value;
use task::{Change, Id};

/// The file, unless the input `file` names another.
const FILE: &str = "tasks.json";

pub fn run(run: &Run) -> Result<Done, Failure> {
    let path = if run.inputs.contains_key("file") { file_ops::path(run, "file")? } else { FILE };
    let mut list = match run.files.contains_key(path) {
        true => List::read(file_ops::bytes(run, path)?).map_err(|why| {
            Failure::input(format!("`{path}` is no list of tasks: {why}; restore it or name another `file`"))
        })?,
        false => List::default(),
    };
    let wrong = |Rule(why): Rule| Failure::input(why);
    let operation = run.text("operation")?;
    let parent = match run.inputs.get("parent") {
        None | Some(Value::Null) => None,
        Some(_) if !matches!(operation, "add" | "list") => {
            return Err(Failure::input("`parent` is for `add` and `list`: a task stays where it was added"));
        }
        Some(id) => Some(Id::of(id).map_err(|why| Failure::input(format!("`parent` {why}")))?),
    };
    let task =
        || run.inputs.get("task").ok_or_else(|| Failure::input(format!("`task` is missing: `{operation}` needs it")));
    let id = match operation {
        "list" => {
            let tasks = list.shown(parent.as_ref()).map_err(wrong)?;
            return Ok(Done::with([("tasks", tasks)]));
        }
        "add" => list.add(parent.as_ref(), Change::new(task()?)?).map_err(wrong)?,
        "update" => {
            let (id, change) = Change::of(task()?)?;
            list.change(&id, change).map_err(wrong)?;
            id
        }
        "done" => {
            let (id, change) = Change::done(task()?)?;
            list.change(&id, change).map_err(wrong)?;
            id
        }
        other => {
            return Err(Failure::input(format!("`operation` can't be \"{other}\": use add, update, list or done")));
        }
    };
    let tasks = list.shown(None).map_err(wrong)?;
    Ok(Done {
        written: [(path.to_owned(), list.written())].into(),
        ..Done::with([("tasks", tasks), ("id", id.to_string().into())])
    })
}

#[cfg(test)]
mod tests;
