//! What a mission cost, by whatever it is asked for, while one provider fails and another answers.

use crate::{
    canary::KEY,
    log::Log,
    plan::goal,
    stage7::{Layout, Stage7},
};
use model_servers::{Dialect, Reply, Setup};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};

/// Calls, tries that failed, tokens in and out, millionths of a dollar.
type Figures = [u64; 5];

fn figures(row: &Value) -> Figures {
    let (tokens, number) = (&row["cost"]["tokens"], |value: &Value| value.as_u64().unwrap());
    let usd = (row["cost"]["usd"].as_f64().unwrap() * 1e6).round() as u64;
    [number(&row["calls"]), number(&row["failed"]), number(&tokens["input"]), number(&tokens["output"]), usd]
}

fn added<'a>(rows: impl IntoIterator<Item = &'a Value>) -> Figures {
    let mut sum = [0; 5];
    for row in rows {
        sum.iter_mut().zip(figures(row)).for_each(|(sum, one)| *sum += one);
    }
    sum
}

/// What the log says that each model took: 100 tokens in and 10 out with each try and each answer.
fn of_models(log: &Log) -> BTreeMap<String, Figures> {
    let mut all: BTreeMap<String, Figures> = BTreeMap::new();
    for (kind, [calls, failed]) in [("llm.completed", [1, 0]), ("llm.tried", [0, 1])] {
        for event in log.of(kind) {
            let model =
                format!("{}/{}", event["data"]["provider"].as_str().unwrap(), event["data"]["model"].as_str().unwrap());
            let micros = if model == "openai/first" { 2_000 } else { 0 };
            let sum = all.entry(model).or_default();
            sum.iter_mut().zip([calls, failed, 100, 10, micros]).for_each(|(sum, one)| *sum += one);
        }
    }
    all
}

#[test]
fn what_failed_is_paid_to_whom_it_is_owed_and_every_sum_is_the_same() {
    let wordy = Setup::new(Dialect::OpenAi).models(&["first"]).start(|_| Reply::text("No JSON from me."));
    let good = Setup::new(Dialect::LlamaCpp).models(&["second"]).start(|_| Reply::text("{\"answer\": 42}"));
    let own = tempfile::tempdir().unwrap();
    let file = own.path().join("models.toml");
    fs::write(&file, "[[model]]\nprovider = \"openai\"\nname = \"first\"\nprices = [{ input = 10, output = 100 }]\n")
        .unwrap();
    let env = [
        ("OPENAI_API_URL", wordy.url.as_str()),
        ("OPENAI_API_KEY", KEY),
        ("OPENAI_MODEL", "first"),
        ("LLAMACPP_URL", good.url.as_str()),
        ("LLAMACPP_MODEL", "second"),
        ("STAGE7_MODELS", file.to_str().unwrap()),
    ];
    let stage7 = Stage7::start_with(Layout::One, &env);
    let user = stage7.user();
    assert!(stage7.cli(&["cost"]).code(0).stdout.contains("no model was asked"));
    let think = |id: &str| {
        json!({"id": id, "verb": "THINK", "inputs": {"prompt": {"value": "What is it?"},
            "schema": {"value": {"type": "object", "required": ["answer"]}}}, "outputs": {"json": {"type": "object"}}})
    };
    let mut thinking = goal(vec![think("one"), think("two")]);
    thinking.as_object_mut().unwrap().remove("model");
    let missions = [user.submit(&thinking), user.submit(&thinking)];
    let mut expected: BTreeMap<String, Figures> = BTreeMap::new();
    for mission in &missions {
        stage7.until_is(&user, mission, "completed");
        for (model, of_mission) in of_models(&stage7.export(mission)) {
            let sum = expected.entry(model).or_default();
            sum.iter_mut().zip(of_mission).for_each(|(sum, one)| *sum += one);
        }
    }
    assert!(expected["openai/first"][1] >= 3 && expected["llamacpp/second"][0] == 4, "{expected:?}");
    let whole: Figures = std::array::from_fn(|i| expected.values().map(|of_model| of_model[i]).sum());
    // Rows follow the log.
    let total = |lines: &[Value]| lines.last().map(figures).unwrap_or_default();
    stage7.until_shown_all(&["cost", "--json"], |lines| total(lines) == whole);

    let check = || {
        for by in ["mission", "step", "agent", "model", "day", "call"] {
            let lines = stage7.cli(&["cost", "--by", by, "--json"]).code(0).lines();
            let (last, rows) = lines.split_last().unwrap();
            assert_eq!(
                (figures(last), added(rows), &last["kind"]),
                (whole, whole, &json!("total")),
                "by {by}: {lines:#?}"
            );
            assert!(rows.iter().all(|row| row["kind"] == by), "{rows:#?}");
            let parts = missions.each_ref().map(|id| stage7.cli(&["cost", id, "--by", by, "--json"]).code(0).lines());
            assert_eq!(added(parts.iter().map(|lines| lines.last().unwrap())), whole, "by {by}, of each mission");
        }
        let models = stage7.cli(&["cost", "--by", "model", "--json"]).code(0).lines();
        for row in models.iter().filter(|row| row["kind"] == "model") {
            assert_eq!(figures(row), expected[row["key"].as_str().unwrap()], "{row}");
        }
    };
    check();
    let shown = stage7.show(&missions[0]);
    let of_first = stage7.cli(&["cost", &missions[0][..8], "--json"]).code(0).lines();
    assert_eq!(shown["cost"], of_first.last().unwrap()["cost"], "the mission says the same of itself");
    let steps: Vec<&Value> = of_first.iter().filter(|row| row["kind"] == "step").map(|row| &row["step"]).collect();
    assert_eq!(steps, ["one", "two"]);

    let table = stage7.cli(&["cost", "--by", "model"]).code(0).stdout;
    println!("{table}{}", stage7.cli(&["cost", &missions[0]]).code(0).stdout);
    println!(
        "{}{}",
        stage7.cli(&["cost", "--by", "call"]).code(0).stdout,
        stage7.cli(&["cost", "--by", "mission"]).code(0).stdout
    );
    println!("{}", stage7.cli(&["mission", "show", &missions[0]]).code(0).stdout);
    assert!(table.contains("openai/first") && table.contains("some tokens have no price"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(stage7.cli(&["mission", "show", &missions[0]]).code(0).stdout.contains("      $0."), "a step has its cost");

    // What lies in the archive was paid all the same.
    for mission in &missions {
        stage7.cli(&["mission", "archive", mission]).code(0);
    }
    check();
    // Rows made anew say what they said.
    stage7.stop();
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(stage7.path(&format!("data/librarian.sqlite{ending}")));
    }
    stage7.run();
    stage7.ready();
    check();

    for (args, words) in [
        (&["cost", &"0".repeat(32)][..], "there is no mission"),
        (&["cost", "--since", "yesterday"], "is no day: write it like 2026-01-31"),
        (&["cost", "--since", "2026-02-01", "--until", "2026-01-31"], "later than"),
    ] {
        let refused = stage7.cli(args).code(2).stderr;
        assert!(refused.contains(words), "{refused}");
    }
    assert!(stage7.cli(&["cost", "--until", "2020-01-01"]).code(0).stdout.contains("on these days"));
}
