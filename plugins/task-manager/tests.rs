use super::*;
use crate::{Class, File};
use serde_json::json;
use std::collections::BTreeMap;

/// The folder of a mission, as it is carried from run to run.
#[derive(Default)]
struct Folder(BTreeMap<String, File>);

impl Folder {
    fn with(text: &str) -> Self {
        let mut folder = Self::default();
        folder.keep(FILE, text.as_bytes());
        folder
    }

    fn keep(&mut self, path: &str, bytes: &[u8]) {
        let file = File { size: bytes.len() as u64, bytes: Some(bytes.to_vec()), ..File::default() };
        self.0.insert(path.to_owned(), file);
    }

    fn run(&mut self, inputs: Value) -> Result<Value, String> {
        let inputs = inputs.as_object().expect("an object").clone().into_iter().collect();
        let done = run(&Run { inputs, files: self.0.clone(), ..Run::default() }).map_err(|failure| {
            assert_eq!(failure.class, Class::InvalidInput, "{failure}");
            failure.message
        })?;
        done.written.iter().for_each(|(path, bytes)| self.keep(path, bytes));
        Ok(done.outputs.into_iter().collect::<serde_json::Map<_, _>>().into())
    }

    fn add(&mut self, task: Value, parent: Value) -> Value {
        self.run(json!({"operation": "add", "task": task, "parent": parent})).expect("adds")["id"].clone()
    }

    fn list(&mut self) -> Value {
        self.run(json!({"operation": "list"})).expect("lists")["tasks"].clone()
    }
}

/// 1, 2, 2.1, 2.2.
fn four() -> Folder {
    let mut folder = Folder::default();
    for (task, parent, id) in [
        (json!("Buy tea"), json!(null), "1"),
        (json!({"title": "Brew it", "status": "doing"}), json!(null), "2"),
        (json!("Boil water"), json!("2"), "2.1"),
        (json!({"title": "Pour", "note": "slowly"}), json!(2), "2.2"),
    ] {
        assert_eq!(folder.add(task, parent), id);
    }
    folder
}

#[test]
fn tasks_nest_and_keep_the_order_of_their_ids() {
    let mut folder = four();
    for _ in 3..=11 {
        folder.add(json!("More"), json!("2"));
    }
    let listed = folder.list();
    let ids: Vec<_> =
        listed.as_array().expect("a list").iter().map(|task| task["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["1", "2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "2.9", "2.10", "2.11"]);
    assert_eq!(listed[3], json!({"id": "2.2", "parent": "2", "title": "Pour", "status": "todo", "note": "slowly"}));
    let below = folder.run(json!({"operation": "list", "parent": "2"})).expect("lists")["tasks"].clone();
    assert_eq!(below[0]["id"], "2.1");
    assert_eq!(below.as_array().expect("a list").len(), 11);
}

#[test]
fn the_file_holds_what_was_said() {
    let mut folder = Folder::default();
    folder.add(json!("Buy tea"), json!(null));
    let text = folder.0[FILE].bytes.clone().expect("written");
    let wanted = "[\n  {\n    \"id\": \"1\",\n    \"title\": \"Buy tea\",\n    \"status\": \"todo\"\n  }\n]\n";
    assert_eq!(String::from_utf8(text).expect("text"), wanted);
    folder.run(json!({"operation": "add", "task": "x", "file": "lists/other.json"})).expect("adds");
    assert_eq!(folder.0.keys().collect::<Vec<_>>(), ["lists/other.json", FILE]);
    assert_eq!(folder.list().as_array().expect("a list").len(), 1);
}

#[test]
fn a_list_writes_nothing() {
    let inputs = [("operation".to_owned(), json!("list"))].into();
    let done = run(&Run { inputs, files: four().0, ..Run::default() }).expect("lists");
    assert!(done.written.is_empty());
    assert_eq!(Folder::default().list(), json!([]));
}

#[test]
fn a_task_is_changed_in_what_is_said() {
    let mut folder = four();
    folder.run(json!({"operation": "update", "task": {"id": "2.2", "status": "doing"}})).expect("updates");
    folder.run(json!({"operation": "update", "task": {"id": "2.2", "title": "Pour it"}})).expect("updates");
    let wanted = json!({"id": "2.2", "parent": "2", "title": "Pour it", "status": "doing", "note": "slowly"});
    assert_eq!(folder.list()[3], wanted);
    folder.run(json!({"operation": "update", "task": {"id": "2.2", "note": ""}})).expect("updates");
    assert_eq!(folder.list()[3].get("note"), None);
    let done = folder.run(json!({"operation": "done", "task": {"id": 1, "note": "Assam"}})).expect("is done");
    assert_eq!(done["id"], "1");
    assert_eq!(done["tasks"][0], json!({"id": "1", "title": "Buy tea", "status": "done", "note": "Assam"}));
}

#[test]
fn a_parent_is_done_after_its_children_and_opened_before_them() {
    let mut folder = four();
    let done = |folder: &mut Folder, id: &str| folder.run(json!({"operation": "done", "task": id}));
    let why = done(&mut folder, "2").expect_err("too early");
    assert_eq!(why, "task 2 can't be done before those below it: 2.1, 2.2");
    let update = json!({"operation": "update", "task": {"id": "2", "status": "done"}});
    assert_eq!(folder.run(update), Err(why));
    for id in ["2.1", "2.2", "2"] {
        done(&mut folder, id).expect("is done");
    }
    let add = json!({"operation": "add", "task": "x", "parent": "2"});
    let why = "task 2 is done: nothing open can be below it, `update` its status first";
    assert_eq!(folder.run(add), Err(why.into()));
    let open = |id: &str| json!({"operation": "update", "task": {"id": id, "status": "todo"}});
    assert_eq!(folder.run(open("2.1")), Err("task 2 is done: `update` its status before that of 2.1".into()));
    folder.run(open("2")).expect("opens");
    folder.run(open("2.1")).expect("opens");
}

#[test]
fn wrong_inputs_are_named() {
    for (inputs, expected) in [
        (json!({}), "`operation` is missing"),
        (json!({"operation": "drop"}), "`operation` can't be \"drop\": use add, update, list or done"),
        (json!({"operation": "add"}), "`task` is missing: `add` needs it"),
        (json!({"operation": "add", "task": " "}), "task 3 has no title"),
        (json!({"operation": "add", "task": {}}), "`task` has no title"),
        (
            json!({"operation": "add", "task": {"title": "x", "id": "7"}}),
            "`task` has an id: `add` gives the next one; change a task with `update`",
        ),
        (
            json!({"operation": "add", "task": 7}),
            "`task` can't be 7; for `add` it is a title, or an object with title, status, note",
        ),
        (json!({"operation": "add", "task": "x", "parent": "3"}), "there is no task 3; there are 1, 2, 2.1, 2.2"),
        (
            json!({"operation": "add", "task": "x", "parent": "two"}),
            "`parent` is \"two\": an id is a text such as \"2.1\"",
        ),
        (
            json!({"operation": "add", "task": "x".repeat(501)}),
            "task 3 has a title of more than 500 characters: put the rest into its note",
        ),
        (json!({"operation": "list", "parent": 2.1}), "`parent` is 2.1: an id is a text such as \"2.1\""),
        (
            json!({"operation": "done", "task": "1", "parent": "2"}),
            "`parent` is for `add` and `list`: a task stays where it was added",
        ),
        (json!({"operation": "done", "task": "2.3"}), "there is no task 2.3; there are 1, 2, 2.1, 2.2"),
        (json!({"operation": "done", "task": "01"}), "the id of `task` is \"01\": an id is a text such as \"2.1\""),
        (json!({"operation": "done", "task": {}}), "`task` has no id"),
        (
            json!({"operation": "update", "task": "1"}),
            "`task` can't be \"1\"; for `update` it is an object with id and what changes: title, status, note",
        ),
        (
            json!({"operation": "update", "task": {"id": "1"}}),
            "`task` changes nothing: give title, status or note beside its id",
        ),
        (
            json!({"operation": "list", "file": "../x"}),
            "`file` can't be \"../x\": it must be a relative path inside the mission's folder, such as notes/today.md",
        ),
    ] {
        assert_eq!(four().run(inputs.clone()), Err(expected.into()), "{inputs}");
    }
    let wrong = |task: Value| four().run(json!({"operation": "update", "task": task})).expect_err("wrong");
    assert!(
        wrong(json!({"id": "1", "status": "ready"}))
            .contains("unknown variant `ready`, expected one of `todo`, `doing`, `done`")
    );
    assert!(wrong(json!({"id": "1", "owner": "me"})).contains("unknown field `owner`"));
    assert!(
        Folder::default()
            .run(json!({"operation": "done", "task": "1"}))
            .expect_err("empty")
            .ends_with("there are none yet")
    );
}

#[test]
fn a_damaged_file_is_left_as_it_is_and_says_what_is_wrong() {
    let task = |id: &str, status: &str| format!("{{\"id\": \"{id}\", \"title\": \"x\", \"status\": \"{status}\"}}");
    let child = "{\"id\": \"1.1\", \"parent\": \"1\", \"title\": \"x\", \"status\": \"todo\"}";
    for (text, expected) in [
        (String::new(), "EOF while parsing a value at line 1 column 0"),
        ("{}".into(), "invalid type: map, expected a sequence at line 1 column 0"),
        (
            format!("[{}]", task("1", "later")),
            "unknown variant `later`, expected one of `todo`, `doing`, `done` at line 1",
        ),
        (format!("[{}]", task("one", "todo")), "task \"one\" has no id as 2.1"),
        (format!("[{}, {}]", task("1", "todo"), task("1", "done")), "task \"1\" is there twice"),
        (format!("[{}]", task("1.1", "todo")), "task \"1.1\" has another parent than its id says"),
        (format!("[{child}]"), "task \"1.1\" is below one that is not there"),
        (format!("[{}, {child}]", task("1", "done")), "task \"1.1\" is open below one that is done"),
    ] {
        let mut folder = Folder::with(&text);
        let why = folder.run(json!({"operation": "add", "task": "x"})).expect_err(expected);
        assert!(why.starts_with(&format!("`tasks.json` is no list of tasks: {expected}")), "{why}");
        assert!(why.ends_with("; restore it or name another `file`"), "{why}");
    }
}
