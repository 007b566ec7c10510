//! What the offline planner makes of goals, and what it says to those that it doesn't understand.

use brain::offline::{Ask, FileInfo, Refusal, plan};
use proptest::prelude::*;
use schemas::catalogue::{Catalogue, Runner, Verb};
use schemas::plan::{Input, Plan};
use serde_json::json;
use std::sync::LazyLock;

const FILES: [&str; 6] = ["README.md", "a.csv", "b.csv", "a.txt", "data.json", "photo.png"];

static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| catalogue(&["FILE_OPS", "TEXT_ANALYSIS", "DATA_TOOLKIT", "GENERATE", "ASK_USER_QUESTION"]));

fn catalogue(verbs: &[&str]) -> Catalogue {
    let verb = |name: &&str| {
        let verb = Verb {
            name: (*name).into(),
            version: "1.0.0".into(),
            description: String::new(),
            input: json!({}),
            output: json!({}),
            runner: Runner::Capability,
            runtime: "native".into(),
            literal: Vec::new(),
            files: None,
            roles: Vec::new(),
            pure: true,
        };
        ((*name).to_string(), verb)
    };
    Catalogue { verbs: verbs.iter().map(verb).collect(), ..Catalogue::default() }
}

fn planned(goal: &str, catalogue: &Catalogue) -> Result<Plan, Refusal> {
    let files =
        FILES.map(|path| FileInfo { path: path.into(), size: 1, media_type: schemas::value::media_type(path).into() });
    plan(&Ask { goal, context: Some("some context"), files: files.to_vec(), catalogue })
}

/// Steps as `id VERB <needs`, and what is delivered.
fn shape(goal: &str) -> (Vec<String>, Vec<String>) {
    let plan = planned(goal, &CATALOGUE).unwrap_or_else(|refusal| panic!("{goal}: {refusal}"));
    let step = |step: &schemas::plan::Step| {
        let needs: Vec<&str> = step.needs().collect();
        format!("{} {}{}", step.id, step.verb, needs.iter().map(|id| format!(" <{id}")).collect::<String>())
    };
    let delivered =
        plan.steps.iter().flat_map(|step| step.outputs.values()).filter_map(|output| output.deliverable.clone());
    (plan.steps.iter().map(step).collect(), delivered.collect())
}

fn check(goal: &str, steps: &[&str], delivered: &[&str]) {
    assert_eq!(
        shape(goal),
        (steps.iter().map(ToString::to_string).collect(), delivered.iter().map(ToString::to_string).collect()),
        "{goal}"
    );
}

fn delivers(goal: &str, delivered: &[&str]) {
    assert_eq!(shape(goal).1, delivered, "{goal}");
}

fn refused(goal: &str, clause: &str, reason: &str) {
    let refusal = planned(goal, &CATALOGUE).expect_err(goal);
    assert_eq!(refusal.clause, clause, "{goal}");
    assert!(refusal.reason.contains(reason), "{goal}: {}", refusal.reason);
    assert_eq!(refusal.known.len(), 12);
}

#[test]
fn independent_clauses_are_parallel() {
    check(
        "Read README.md, analyse the text and save the result as analysis.json, and count the words in it into words.txt",
        &[
            "read-readme-md FILE_OPS",
            "analyse-readme-md TEXT_ANALYSIS <read-readme-md",
            "json-summary-of-readme-md DATA_TOOLKIT <analyse-readme-md",
            "report-readme-md DATA_TOOLKIT <analyse-readme-md <analyse-readme-md <analyse-readme-md <analyse-readme-md <analyse-readme-md <json-summary-of-readme-md",
            "measure-readme-md TEXT_ANALYSIS <read-readme-md",
            "count-words-readme-md DATA_TOOLKIT <measure-readme-md",
        ],
        &["analysis.json", "words.txt"],
    );
}

#[test]
fn what_nobody_named_is_delivered_all_the_same() {
    check("Create a basic todo list", &["basic-todo-list GENERATE"], &["basic-todo-list.md"]);
    delivers("Convert a.csv to JSON", &["a.json"]);
    delivers("Convert a.csv and b.csv to JSON", &["a.json", "b.json"]);
    delivers("count the words in a.txt", &["count-words-a-txt.txt"]);
    delivers("filter a.csv where x > 1, then sort it by x", &["sort-a-csv.json"]);
    delivers("Read a.txt", &[]);
}

#[test]
fn words_refer_back() {
    check(
        "read a.csv and b.csv; compare both as c.json",
        &[
            "read-a-csv FILE_OPS",
            "read-b-csv FILE_OPS",
            "convert-a-csv DATA_TOOLKIT <read-a-csv",
            "convert-b-csv DATA_TOOLKIT <read-b-csv",
            "compare-a-csv-b-csv DATA_TOOLKIT <convert-a-csv <convert-b-csv",
        ],
        &["c.json"],
    );
    check(
        "Ask \"Which?\" with choices a, b. Count the words in the answer as n.txt",
        &[
            "ask-which ASK_USER_QUESTION",
            "measure-answer TEXT_ANALYSIS <ask-which",
            "count-words-answer DATA_TOOLKIT <measure-answer",
        ],
        &["n.txt"],
    );
    check(
        "count the words in the context; save it as n.txt",
        &["measure-context TEXT_ANALYSIS", "count-words-context DATA_TOOLKIT <measure-context"],
        &["n.txt"],
    );
    // What was delivered before may be named like a file.
    check(
        "convert a.csv to JSON as b.json and count the rows in b.json as n.txt",
        &[
            "read-a-csv FILE_OPS",
            "convert-a-csv DATA_TOOLKIT <read-a-csv",
            "count-rows-b-json DATA_TOOLKIT <convert-a-csv",
        ],
        &["b.json", "n.txt"],
    );
    delivers(
        "find the rows of a.csv where x = 1, save them as r.csv; count the lines in a.txt, count the words in a.txt and save both as n.json",
        &["r.csv", "n.json"],
    );
}

#[test]
fn a_text_of_the_goal_is_never_filled_in() {
    let plan = planned("count the words in '{text} {operation}' as n.txt", &CATALOGUE).expect("plans");
    assert_eq!(plan.steps[0].inputs["query"], Input::value(r#""{text} {operation}""#));
    assert_eq!(plan.steps[1].inputs["text"], Input::from("text", "data"));
}

#[test]
fn wordings_are_many() {
    for (goal, name) in [
        ("the number of lines in a.txt", "count-lines-a-txt.txt"),
        ("Could you please tell me how many rows there are in a.csv?", "count-rows-a-csv.txt"),
        ("word count of a.txt", "count-words-a-txt.txt"),
        ("What is the average price in a.csv?", "average-price-a-csv.txt"),
        ("list rows of a.csv where price > 10, sorted by name descending", "sort-a-csv.json"),
        ("the top 5 rows of a.csv by price", "sort-a-csv.json"),
        ("Find all rows in a.csv with a price of 10", "filter-a-csv.json"),
        ("summarise README.md", "summary-readme-md.txt"),
        ("get the keywords of README.md", "keywords-readme-md.json"),
        ("analyse a.csv", "analyse-a-csv.json"),
        ("draft an email to Bob", "email-to-bob.md"),
        ("get the first 10 lines of README.md", "take-from-readme-md.txt"),
    ] {
        delivers(goal, &[name]);
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    refused("Book a flight to Paris", "Book a flight to Paris", "none of the clauses");
    refused("read a.csv and make me a coffee", "make me a coffee", "none of the clauses");
    refused("filter a.csv where a > 1 and b < 2 or c = 3", "filter a.csv where a > 1 and b < 2 or c = 3", "“or c = 3”");
    refused("filter a.csv where city is New York", "filter a.csv where city is New York", "“York”");
    refused("filter a.csv where price > $10", "filter a.csv where price > $10", "“$10” is neither a number");
    refused("count the words in 'unclosed", "'unclosed", "never closed");
    refused(" . ", ".", "no clause");
}

#[test]
fn what_can_not_be_done_is_refused() {
    refused("read c.csv", "read c.csv", "there is no file c.csv; given are README.md, a.csv");
    refused("count the words in photo.png", "count the words in photo.png", "holds no text (image/png)");
    refused("count the words in it", "count the words in it", "name a file");
    refused("filter a.csv where x = 1 and count the words in it", "count the words in it", "name it");
    refused("read a.csv, b.csv and data.json, compare both", "compare both", "could mean several");
    refused("sort a.csv", "sort a.csv", "which column");
    refused("sort a.txt by name", "sort a.txt by name", "a table or JSON is needed");
    refused("analyse a.txt as report.pdf", "analyse a.txt as report.pdf", "only text, CSV and JSON");
    refused("count the words in a.txt as sub/x.txt", "count the words in a.txt as sub/x.txt", "plain file name");
    refused(
        "count the words in a.txt as x.txt and count the lines in a.txt as x.txt",
        "count the lines in a.txt as x.txt",
        "made twice",
    );
    refused("convert a.csv to JSON as a.csv", "convert a.csv to JSON as a.csv", "doesn't end as JSON does");
    refused("write a report about a.csv", "write a report about a.csv", "without a model");
    refused("save the result as x.txt", "save the result as x.txt", "no result yet");
}

#[test]
fn the_grammar_asks_the_catalogue() {
    refused(
        "fetch https://example.com/x and count the words in it",
        "fetch https://example.com/x",
        "needs the verb SCRAPE, which isn't installed",
    );
    let known = planned("nonsense", &CATALOGUE).expect_err("refused").known;
    assert!(known.contains(&"fetch URL (needs SCRAPE, not installed)".to_string()), "{known:?}");
    let more = catalogue(&["SCRAPE", "TEXT_ANALYSIS", "DATA_TOOLKIT"]);
    let plan = planned("fetch https://example.com/x and count the words in it", &more).expect("plans");
    assert_eq!(plan.steps[0].verb, "SCRAPE");
    assert_eq!(plan.steps[1].inputs["text"], Input::from("fetch-example-com-x", "text"));
    assert!(planned("ask \"Which?\"", &more).expect_err("not installed").reason.contains("ASK_USER_QUESTION"));
}

#[test]
fn the_document_has_every_clause_with_its_verbs() {
    let document = include_str!("../../../../docs/offline.md");
    for entry in brain::offline::table::TABLE {
        let row = document
            .lines()
            .find(|line| line.starts_with(&format!("| {} |", entry.name)))
            .unwrap_or_else(|| panic!("no row for {}", entry.name));
        assert!(entry.verbs.iter().all(|verb| row.contains(verb)), "{row}");
    }
}

#[test]
fn the_examples_of_the_document_are_planned() {
    let document = include_str!("../../../../docs/offline.md");
    let examples = document
        .split("Examples: ")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .expect("the document has examples");
    let goals: Vec<&str> = examples.split('`').skip(1).step_by(2).collect();
    assert_eq!(goals.len(), 4);
    for goal in goals {
        let goal = goal.replace("sales.csv", "a.csv");
        planned(&goal, &CATALOGUE).unwrap_or_else(|refusal| panic!("{refusal}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_text_is_planned_or_refused(goal in "([a-z]{1,8}|a\\.csv|a\\.txt|the|and|it|both|count|filter|sort|where|by|words|rows|in|as|is|'[^']{0,5}'|\\PC{1,3}|[,.;<>=]|[0-9]{1,3}|x\\.json)( ([a-z]{1,8}|a\\.csv|a\\.txt|the|and|it|both|count|filter|sort|where|by|words|rows|in|as|is|or|of|'[^']{0,5}'|\\PC{1,3}|[,.;<>=]|[0-9]{1,3}|x\\.json)){0,20}") {
        if let Ok(plan) = planned(&goal, &CATALOGUE) {
            prop_assert!(!plan.steps.is_empty());
            prop_assert!(plan.steps.iter().all(|step| schemas::id::is_step_id(&step.id)));
        }
    }
    #[test]
    fn any_characters_are_planned_or_refused(goal in "\\PC{0,80}") {
        let _ = planned(&goal, &CATALOGUE).map_err(|refusal| refusal.to_string());
    }
}
