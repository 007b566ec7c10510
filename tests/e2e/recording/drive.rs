//! The missions that are recorded, each with all that a person does to it.

use crate::{
    plan::{after, ask, delivered, endless, goal, query, read, slow, with},
    stage7::Stage7,
    user::User,
};
use schemas::cloudevent;
use serde_json::{Value, json};

/// Brings a mission to its end and gives its id.
pub type Drive = fn(&Stage7, &User, &str) -> String;

pub const ALL: [(&str, Drive); 11] = [
    ("success", success),
    ("retry", retry),
    ("timeout", timeout),
    ("question", question),
    ("pause", pause),
    ("abort", abort),
    ("parallel", parallel),
    ("python", python),
    ("refused-plan", refused_plan),
    ("repaired-plan", repaired_plan),
    ("budget", budget),
];

/// The same goal event each time, so a mission recorded anew keeps its id.
fn submit(user: &User, name: &str, mut goal: Value) -> String {
    goal["name"] = json!(name);
    let answer = user.ask_again("stage7.submit.default", &cloudevent::goal("/recordings", name, &goal));
    answer["mission"].as_str().unwrap_or_else(|| panic!("{name} is refused: {answer}")).into()
}

fn say(user: &User, mission: &str, kind: &str, data: Value) {
    let told = user.say(mission, kind, &data);
    assert!(told["error"].is_null(), "{kind}: {told}");
}

fn done(state: &Value) -> usize {
    state["steps"].as_array().map_or(0, |steps| steps.iter().filter(|step| step["status"] == "completed").count())
}

/// The open question, once there is one.
fn open(stage7: &Stage7, user: &User, mission: &str) -> Value {
    let is = |question: &&Value| question["status"] == "open";
    let find = |state: &Value| state["questions"].as_array().and_then(|all| all.iter().find(is).cloned());
    find(&stage7.until(user, mission, "asks", |state| find(state).is_some())).unwrap()
}

fn success(stage7: &Stage7, user: &User, name: &str) -> String {
    let text = "We sail at dawn. The tide is high and the wind is fair.\nBring rope, bread and a map.\n";
    let file = user.put("notes.md", text.as_bytes());
    let wanted = "Read notes.md, then analyse it and save the analysis as analysis.json. \
        Count the words and lines in notes.md into counts.json.";
    let mut goal = json!({"goal": wanted, "model": "offline"});
    goal["files"] = json!([{"name": "notes.md", "ref": {"sha256": file["stage7:ref"], "size": file["size"]}}]);
    let mission = submit(user, name, goal);
    stage7.until_is(user, &mission, "completed");
    mission
}

/// A step fails for want of a file; the person brings it and has the mission tried again.
fn retry(stage7: &Stage7, user: &User, name: &str) -> String {
    let mut copy = delivered(with(query("copy", json!(null), "."), "data", "read", "content"), "data", "copy.txt");
    copy["inputs"]["from"] = json!({"value": "text"});
    let mission = submit(user, name, goal(vec![query("other", json!([1, 2]), "add"), read("read", "later.txt"), copy]));
    stage7.until_is(user, &mission, "failed");
    let file = user.put("later.txt", b"it came later\n");
    say(user, &mission, "file.added", json!({"path": "later.txt", "file": file}));
    say(user, &mission, "retry.requested", json!({}));
    stage7.until(user, &mission, "is completed", |state| state["status"] == "completed");
    mission
}

/// An attempt that takes too long is called off and tried again, until no retry is left.
fn timeout(stage7: &Stage7, user: &User, name: &str) -> String {
    let mut late = endless("late");
    (late["timeout"], late["retries"]) = (json!(1), json!(1));
    let next = after(query("next", json!(1), "."), &["late"]);
    let mission = submit(user, name, goal(vec![late, next, query("other", json!([1, 2]), "add")]));
    stage7.until_is(user, &mission, "failed");
    mission
}

fn question(stage7: &Stage7, user: &User, name: &str) -> String {
    let which = delivered(ask("which", "Which colour?", "choice", &["red", "green"]), "answer", "colour.txt");
    let mission = submit(user, name, goal(vec![which, after(query("late", json!([1]), "add"), &["which"])]));
    let question = open(stage7, user, &mission);
    stage7.until_is(user, &mission, "waiting");
    say(user, &mission, "message.said", json!({"text": "Let me think."}));
    say(user, &mission, "question.answered", json!({"question": question["id"], "answer": "green"}));
    stage7.until_is(user, &mission, "completed");
    mission
}

fn pause(stage7: &Stage7, user: &User, name: &str) -> String {
    let mission = submit(
        user,
        name,
        goal(vec![slow("first"), after(slow("second"), &["first"]), after(slow("third"), &["second"])]),
    );
    stage7.until(user, &mission, "has begun", |state| done(state) >= 1);
    say(user, &mission, "pause.requested", json!({"reason": "lunch"}));
    stage7.until_is(user, &mission, "paused");
    say(user, &mission, "resume.requested", json!({}));
    stage7.until_is(user, &mission, "completed");
    mission
}

fn abort(stage7: &Stage7, user: &User, name: &str) -> String {
    let mission = submit(
        user,
        name,
        goal(vec![query("quick", json!([1, 2]), "add"), endless("endless"), after(slow("next"), &["endless"])]),
    );
    stage7.until(user, &mission, "has begun", |state| done(state) >= 1);
    say(user, &mission, "abort.requested", json!({"reason": "changed my mind"}));
    stage7.until_is(user, &mission, "aborted");
    mission
}

/// Twenty steps at once, more than there are slots, and one behind them all.
fn parallel(stage7: &Stage7, user: &User, name: &str) -> String {
    let ids: Vec<String> = (1..=20).map(|n| format!("part-{n}")).collect();
    let mut steps: Vec<Value> = ids.iter().zip(1..).map(|(id, n)| query(id, json!([n, n]), "add")).collect();
    let last = delivered(with(query("last", json!(null), ". + 1"), "data", "part-20", "data"), "data", "last.json");
    steps.push(after(last, &ids.iter().map(String::as_str).collect::<Vec<_>>()));
    let mission = submit(user, name, goal(steps));
    stage7.until_is(user, &mission, "completed");
    mission
}

fn python(stage7: &Stage7, user: &User, name: &str) -> String {
    let count = json!({
        "id": "count", "verb": "WORD_FREQUENCY",
        "inputs": {"text": {"value": "to be or not to be"}, "limit": {"value": 2}},
        "outputs": {"frequencies": {"type": "array", "deliverable": "words.json"}, "total": {"type": "number"}},
    });
    let mission = submit(user, name, goal(vec![count]));
    stage7.until_is(user, &mission, "completed");
    mission
}

/// The model's plan names a step that is not in it, whatever it is told.
fn refused_plan(stage7: &Stage7, user: &User, name: &str) -> String {
    let mission = submit(user, name, json!({"goal": "Do the impossible errand"}));
    stage7.until_is(user, &mission, "failed");
    mission
}

fn repaired_plan(stage7: &Stage7, user: &User, name: &str) -> String {
    let mission = submit(user, name, json!({"goal": "Write three careless poems"}));
    stage7.until_is(user, &mission, "completed");
    mission
}

/// The calls that the mission may make are used up; the person allows more.
fn budget(stage7: &Stage7, user: &User, name: &str) -> String {
    let mission = submit(user, name, json!({"goal": "Write three poems", "budget": {"max_calls": 2}}));
    open(stage7, user, &mission);
    say(user, &mission, "budget.raised", json!({"max_calls": 9}));
    stage7.until_is(user, &mission, "completed");
    mission
}

/// Everything is killed in the middle, and goes on.
pub fn crash(stage7: &Stage7, name: &str) -> String {
    let user = stage7.user();
    let steps = (1..=6).map(|n| slow(&format!("step-{n}"))).collect();
    let mission = submit(&user, name, goal(steps));
    stage7.until(&user, &mission, "has begun", |state| done(state) >= 1);
    drop(user);
    stage7.kill();
    stage7.run();
    stage7.ready();
    stage7.until_is(&stage7.user(), &mission, "completed");
    mission
}
