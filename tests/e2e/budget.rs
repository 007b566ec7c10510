//! A mission whose model calls may cost little: the person is told, asked, and raises it.

use crate::{
    log::seq,
    openai::{MODEL, Reply, Server},
    stage7::{Layout, Stage7},
};
use serde_json::{Value, json};
use std::{fs, thread, time::Duration};
use tempfile::TempDir;

/// The agents of the steps: each of another role.
const ROLES: [&str; 4] = ["analyst", "creative", "critic", "researcher"];

/// Its only model takes 100 tokens in and 10 out, two US cents; a call is expected to cost a dollar, of
/// a thousand tokens out.
fn started(server: &Server) -> (Stage7, TempDir) {
    let own = tempfile::tempdir().unwrap();
    let models = own.path().join("models.toml");
    let price = "prices = [{ input = 100, output = 1000 }]\n";
    fs::write(&models, format!("[[model]]\nprovider = \"openai\"\nname = \"{MODEL}\"\n{price}")).unwrap();
    let models = models.display().to_string();
    let env = [("OPENAI_API_URL", server.url.as_str()), ("OPENAI_MODEL", MODEL), ("STAGE7_MODELS", &models)];
    (Stage7::start_with(Layout::One, &env), own)
}

#[test]
fn a_small_budget_is_told_of_asked_about_and_raised() {
    let server = Server::start(|_| {
        thread::sleep(Duration::from_millis(300));
        Reply::Text("Yes.".into())
    });
    let (stage7, _own) = started(&server);
    let steps = (0..8).map(|n| {
        json!({"id": format!("think-{n}"), "verb": "THINK", "role": ROLES[n % 4],
            "inputs": {"prompt": {"value": format!("Is {n} a number?")}}})
    });
    let plan = stage7.file("plan.json", json!({"steps": steps.collect::<Vec<_>>()}).to_string());

    let waits = stage7.cli(&["run", "--plan", &plan, "--max-cost", "20", "--max-calls", "5"]).code(4);
    let told = waits.stderr.matches(" % of max_calls: ").count();
    assert!(told == 1 && waits.stderr.contains("! 80 % of max_calls: 4 of 5 calls are made"), "{}", waits.stderr);
    let mission = waits.stderr.lines().find_map(|line| line.strip_prefix("mission ")).unwrap().to_string();
    let how = format!("stage7 mission raise {mission} --max-cost USD --max-calls N");
    assert!(waits.stderr.contains(&how), "{}", waits.stderr);
    let shown = stage7.cli(&["mission", "show", &mission]).code(0).stdout;
    for said in ["budget   at most $20, 5 model calls", "warning  80 % of max_calls", &how] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let unsure = stage7.cli(&["mission", "answer", &mission, "raise"]).code(2);
    assert!(unsure.stderr.contains("stage7 mission raise"), "{}", unsure.stderr);
    let raise =
        |limits: &[&str], code| stage7.cli(&[&["mission", "raise", &mission], limits].concat()).code(code).stderr;
    assert!(raise(&[], 2).contains("say the new limits"));
    assert!(raise(&["--max-calls", "4"], 2).contains("no more than now: at most $20, 5 model calls"));

    // Two calls more: five and two are made, and there is one left to do.
    raise(&["--max-calls", "7"], 0);
    let user = stage7.user();
    stage7.until(&user, &mission, "waits again", |state| {
        state["questions"].as_array().is_some_and(|all| all.len() == 2) && state["status"] == "waiting"
    });
    raise(&["--max-calls", "20"], 0);
    let state = stage7.until_is(&user, &mission, "completed");
    assert_eq!(state["budget"]["max_calls"], 20);

    let log = stage7.export(&mission);
    log.has_nothing_twice();
    let of: Vec<&Value> = log.of("budget.warned").iter().map(|said| &said["data"]["of"]).collect();
    assert_eq!(of, [&json!(5.0), &json!(7.0)]);
    assert_eq!((log.of("budget.reached").len(), log.of("llm.completed").len()), (2, 8));
    // Those of different agents ran at the same time, each of them within its share.
    let shares: Vec<f64> =
        log.of("llm.requested").iter().map(|said| said["data"]["reserve"]["usd"].as_f64().unwrap()).collect();
    assert!(shares.iter().all(|share| *share <= 10.0), "{shares:?}");
    let places = |kind: &str| log.of(kind).into_iter().map(seq).collect::<Vec<_>>();
    assert!(places("llm.requested")[1] < places("llm.completed")[0]);
    stage7.cli(&["replay", "check", &mission]).code(0);
}

#[test]
fn a_call_that_does_not_fit_waits_for_a_raise_instead_of_failing() {
    let server = Server::start(|_| Reply::Text("Yes.".into()));
    let (stage7, _own) = started(&server);
    let step = json!({"id": "think", "verb": "THINK", "inputs": {"prompt": {"value": "Are you there?"}}});
    let plan = stage7.file("plan.json", json!({"steps": [step]}).to_string());
    let waits = stage7.cli(&["run", "--plan", &plan, "--max-cost", "0.9"]).code(4);
    assert!(waits.stderr.contains("costs about $1."), "{}", waits.stderr);
    assert!(server.chats.lock().unwrap().is_empty(), "nobody was asked");
    let mission = waits.stderr.lines().find_map(|line| line.strip_prefix("mission ")).unwrap().to_string();
    stage7.cli(&["mission", "raise", &mission, "--max-cost", "5"]).code(0);
    let state = stage7.until_is(&stage7.user(), &mission, "completed");
    assert_eq!(state["cost"]["usd"], 0.02);
    let log = stage7.export(&mission);
    // A share, all that was left, and after the raise what was left then.
    let shares: Vec<&Value> = log.of("llm.requested").iter().map(|said| &said["data"]["reserve"]["usd"]).collect();
    assert_eq!(shares, [&json!(0.45), &json!(0.9), &json!(5.0)]);
    stage7.cli(&["replay", "check", &mission]).code(0);
}
