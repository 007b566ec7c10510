//! Goals drawn at random from the clause table, all at once; what comes out was computed here.

#[path = "../goals/draw.rs"]
pub mod draw;

use crate::{
    stage7::{Layout, shared},
    user::{SOURCE, User, new_id},
    wait::within,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use draw::{Case, draw};
use schemas::{MissionId, cloudevent};
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    io::{Write, stderr},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

#[test]
fn random_goals_give_the_bytes_that_were_computed_here() {
    let many = if std::env::var_os("STAGE7_SOAK").is_some() { 300 } else { 40 };
    let seed = std::env::var("STAGE7_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    // Past the test harness, which keeps what a passing test prints to itself.
    writeln!(stderr(), "{many} goals from STAGE7_SEED={seed}").unwrap();
    let stage7 = shared(Layout::One);
    let user = stage7.user();
    let mut open: Vec<(u64, String, Case)> = (seed..)
        .take(many)
        .map(|seed| {
            let case = draw(seed);
            (seed, publish(&user, &case), case)
        })
        .collect();

    let mut answered = HashSet::new();
    let mut wrong = Vec::new();
    within(
        Duration::from_secs(120 + 2 * many as u64),
        "every goal has ended",
        || stage7.logs(),
        || {
            open.retain(|(seed, mission, case)| {
                let state = user.state(mission);
                answer(&user, mission, case, &state, &mut answered);
                let ended = matches!(state["status"].as_str(), Some("completed" | "failed" | "aborted"));
                if ended && let Err(why) = check(&user, case, &state) {
                    wrong.push(format!("seed {seed}, mission {mission}: {}\n{why}", case.goal));
                }
                !ended
            });
            open.is_empty().then_some(())
        },
    );
    assert!(wrong.is_empty(), "{} of {many} went wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Publishes the goal, to whoever takes it up.
fn publish(user: &User, case: &Case) -> String {
    let files = case.files.iter().map(|(name, bytes)| json!({"name": name, "data_base64": STANDARD.encode(bytes)}));
    let goal = json!({"goal": case.goal, "model": "offline", "files": files.collect::<Vec<_>>()});
    let id = new_id();
    assert!(user.publish(cloudevent::goal(SOURCE, &id, &goal).to_string()));
    MissionId::of_goal(&"default".parse().unwrap(), SOURCE, &id).to_string()
}

fn answer(user: &User, mission: &str, case: &Case, state: &Value, answered: &mut HashSet<String>) {
    for question in state["questions"].as_array().into_iter().flatten().filter(|question| question["status"] == "open")
    {
        let id = question["id"].as_str().unwrap().to_string();
        let Some((_, answer)) = case.answers.iter().find(|(text, _)| question["text"] == text.as_str()) else {
            panic!("nobody knows what to say to {question}");
        };
        if answered.insert(id) {
            let told = user.say(mission, "question.answered", &json!({"question": question["id"], "answer": answer}));
            assert!(told["error"].is_null(), "{told}");
        }
    }
}

/// All deliverables, with the expected bytes, and no others.
fn check(user: &User, case: &Case, state: &Value) -> Result<(), String> {
    if state["status"] != "completed" {
        return Err(format!("{}: {}", state["status"], state["error"]));
    }
    let named: Vec<&str> =
        state["deliverables"].as_array().into_iter().flatten().filter_map(|its| its["name"].as_str()).collect();
    if named.len() != case.expected.len() {
        return Err(format!("deliverables are {named:?}, expected {:?}", case.expected.keys()));
    }
    for (name, wanted) in &case.expected {
        if !named.contains(&name.as_str()) {
            return Err(format!("no {name} among {named:?}"));
        }
        let bytes = user.deliverable(state, name);
        if bytes != *wanted {
            return Err(format!(
                "{name} is\n{}\nand not\n{}",
                String::from_utf8_lossy(&bytes),
                String::from_utf8_lossy(wanted)
            ));
        }
    }
    Ok(())
}
