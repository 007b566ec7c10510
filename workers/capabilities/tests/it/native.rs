//! Native plugins through the host, those with a process of their own included.

use capabilities::{Failure, Host, Plugin, State, shipped};
use plugins::{Done, File, Run};
use schemas::{
    Class,
    value::{Value, sha256},
};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

fn host() -> Host {
    Host::new(env!("CARGO_BIN_EXE_native-child"), "/nonexistent")
}

fn plugin(verb: &str) -> Plugin {
    shipped().into_iter().find(|plugin| plugin.manifest.name == verb).expect("it is shipped")
}

fn run_of(inputs: Value) -> Run {
    Run { inputs: inputs.as_object().expect("an object").clone().into_iter().collect(), ..Run::default() }
}

async fn run(verb: &str, run: Run) -> Result<Done, Failure> {
    host().run(&plugin(verb), run, &CancellationToken::new(), &|_| {}).await
}

async fn query(program: &str) -> Result<Done, Failure> {
    run("DATA_TOOLKIT", run_of(json!({"operation": "query", "data": [3, 1, 2], "query": program}))).await
}

#[tokio::test]
async fn every_shipped_plugin_is_enabled_here() {
    for plugin in shipped() {
        assert_eq!(host().state(&plugin).await, State::Enabled, "{}", plugin.manifest.name);
    }
}

#[tokio::test]
async fn a_query_runs_in_a_process_of_its_own() {
    assert_eq!(query("sort").await.expect("it runs").outputs["data"], json!([1, 2, 3]));
    let failure = query("sort |").await.expect_err("not jq");
    assert_eq!(failure, Failure::new(Class::InvalidInput, "`query` is not jq: line 1, column 7: expected term"));
}

#[tokio::test]
async fn large_data_comes_back_whole() {
    let rows: Vec<Value> = (0..200_000).map(|n| json!({"n": n, "text": "some words here"})).collect();
    let inputs = json!({"operation": "query", "data": rows, "query": "map(select(.n % 2 == 0)) | length"});
    assert_eq!(run("DATA_TOOLKIT", run_of(inputs)).await.expect("it runs").outputs["data"], 100_000);
    let inputs = json!({"operation": "query", "data": rows, "query": "."});
    assert_eq!(run("DATA_TOOLKIT", run_of(inputs)).await.expect("it runs").outputs["data"], Value::from(rows));
}

#[tokio::test]
async fn a_large_sort_in_sql_needs_no_disk() {
    let rows: Vec<Value> =
        (0..100_000).map(|n| json!({"n": n, "text": format!("some words here {}", n * 7919 % 100_000)})).collect();
    let query = "SELECT a.n FROM data a JOIN data b USING (text) ORDER BY a.text DESC, b.n";
    let inputs = json!({"operation": "sql", "data": rows, "query": query});
    let sorted = run("DATA_TOOLKIT", run_of(inputs)).await.expect("it runs").outputs;
    assert_eq!((&sorted["rows"], &sorted["data"][0]), (&json!(100_000), &json!({"n": 82_321})));
}

/// DATA_TOOLKIT with bounds that a test can wait for.
fn bounded(seconds: u32, memory_mb: u32) -> Plugin {
    let mut plugin = plugin("DATA_TOOLKIT");
    plugin.manifest.limits.seconds = seconds;
    plugin.manifest.limits.memory_mb = memory_mb;
    plugin.manifest.limits.output_kb = 64;
    plugin
}

#[tokio::test]
async fn a_query_that_never_ends_is_ended() {
    for program in [
        "def f: f; f",
        "[range(1e18)] | length",
        "last(range(1e18))",
        "reduce range(100) as $i (\"x\"; . + .)",
        "def f: 1 + f; f",
        "reduce range(100) as $i (.; [., .]) | tojson",
        "\"x\" * 1e12",
        "range(1e9)",
        "\"x\" * 100000",
    ] {
        let run = run_of(json!({"operation": "query", "data": [], "query": program}));
        let (host, plugin, never) = (host(), bounded(1, 600), CancellationToken::new());
        let ended = timeout(Duration::from_secs(8), host.run(&plugin, run, &never, &|_| {})).await;
        let failure = ended.expect("it is ended in time").expect_err(program);
        assert_eq!(failure.class, Class::InvalidInput, "{program}: {failure}");
    }
}

#[tokio::test]
async fn a_running_query_is_cancelled() {
    let cancel = CancellationToken::new();
    let soon = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        soon.cancel();
    });
    let run = run_of(json!({"operation": "query", "data": 1, "query": "def f: f; f"}));
    let (host, plugin) = (host(), plugin("DATA_TOOLKIT"));
    let ended = timeout(Duration::from_secs(5), host.run(&plugin, run, &cancel, &|_| {})).await;
    assert_eq!(ended.expect("it is ended in time").expect_err("it never ends").class, Class::NotStarted);
}

#[tokio::test]
async fn a_schema_that_chases_its_tail_ends_no_worker() {
    let inputs = json!({"operation": "validate", "data": 1, "schema": {"$ref": "#"}});
    // Whether it is refused or found to fit anything: the host is still there to say so.
    let ended = run("DATA_TOOLKIT", run_of(inputs)).await;
    assert!(ended.is_ok() || ended.is_err_and(|f| f.class == Class::InvalidInput));
    assert!(query("1").await.is_ok());
}

#[tokio::test]
async fn inputs_are_checked_first() {
    let failure = run("TEXT_ANALYSIS", run_of(json!({"keywords": "ten"}))).await.expect_err("wrong");
    assert_eq!(failure.class, Class::InvalidInput);
    assert!(failure.message.starts_with("the inputs of TEXT_ANALYSIS are wrong: "), "{failure}");
    assert!(
        failure.message.contains("/keywords: ") && failure.message.contains("\"text\" is a required property"),
        "{failure}"
    );
}

#[tokio::test]
async fn the_folder_is_worked_on() {
    let file = |text: &str| File {
        sha256: sha256(text.as_bytes()),
        size: text.len() as u64,
        media_type: "text/plain".into(),
        bytes: Some(text.into()),
    };
    let files = [("a.txt".to_owned(), file("A")), ("b.txt".to_owned(), file("BB"))];
    let inputs = json!({"operation": "copy", "path": "a.txt", "to": "c/d.txt"});
    let done = run("FILE_OPS", Run { files: files.clone().into(), ..run_of(inputs) }).await.expect("copies");
    assert_eq!(done.written, [("c/d.txt".to_owned(), b"A".to_vec())].into());
    let listed =
        run("FILE_OPS", Run { files: files.into(), ..run_of(json!({"operation": "list"})) }).await.expect("lists");
    assert_eq!(listed.outputs["files"][1], json!({"path": "b.txt", "size": 2, "media_type": "text/plain"}));
}

#[tokio::test]
async fn an_input_that_is_absent_is_its_default() {
    let file = |text: &str| File { size: text.len() as u64, bytes: Some(text.into()), ..File::default() };
    let files = [("tasks.json", "[]"), ("other.json", "[{\"id\": \"1\", \"title\": \"x\", \"status\": \"todo\"}]")]
        .map(|(path, text)| (path.to_owned(), file(text)));
    let inputs = json!({"operation": "add", "task": "Buy tea"});
    let done = run("TASK_MANAGER", Run { files: files.clone().into(), ..run_of(inputs) }).await.expect("adds");
    assert_eq!(done.written.keys().collect::<Vec<_>>(), ["tasks.json"]);
    assert_eq!(done.outputs["tasks"], json!([{"id": "1", "title": "Buy tea", "status": "todo"}]));
    let inputs = json!({"operation": "done", "task": "1", "file": "other.json"});
    let done = run("TASK_MANAGER", Run { files: files.into(), ..run_of(inputs) }).await.expect("is done");
    assert_eq!(done.outputs["tasks"][0]["status"], "done");
}

#[tokio::test]
async fn references_are_not_forged() {
    let forged = json!({"stage7:ref": "0".repeat(64), "type": "text", "size": 1, "media_type": "x"});
    let failure =
        run("DATA_TOOLKIT", run_of(json!({"operation": "convert", "data": [forged]}))).await.expect_err("refused");
    assert!(failure.message.contains("reserved"), "{failure}");
}

#[tokio::test]
async fn the_agents_own_verbs_are_not_run() {
    let failure = run("THINK", run_of(json!({"prompt": "?"}))).await.expect_err("not a plugin");
    assert_eq!(failure.message, "THINK is done by the agent itself");
}

#[test]
fn file_ops_and_schemas_agree_on_what_a_safe_path_is() {
    let code = plugins::native("FILE_OPS").and_then(plugins::Native::plain).expect("it is native");
    for path in ["a", "a/b.c", "Ärger 1", "../x", "/x", "a/./b", "a//b", "a\\b", " a", "a\n", "", "a/ b", "x\u{202e}y"]
    {
        let run = run_of(json!({"operation": "write", "path": path, "content": ""}));
        assert_eq!(code(&run).is_ok(), schemas::value::is_safe_path(path), "{path:?}");
    }
}
