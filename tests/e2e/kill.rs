//! `kill -9` of one process after the other, again and again, in the middle of missions of 50 steps.

use crate::{
    ledger::{Execution, Ledger, counted, mark, thought},
    log::Log,
    plan::{after, ask, goal, turns},
    random::draw::random::Random,
    stage7::{Layout, Stage7, WORKERS},
    user::User,
    wait::within,
    witness::{Request, Witness, Word, completed, now, requests, say},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const STEPS: usize = 50;
/// Kills in one mission.
const KILLS: usize = 6;
/// Interrupted work goes on within this; the goal is 8 s.
const LIMIT: Duration = Duration::from_secs(60);
const SERVER: &str = "nats-server";

struct Kill {
    victim: &'static str,
    at: i64,
    /// The last event before.
    seq: u64,
    steps: usize,
    /// Until what cannot be seen in this mission's log went on, in milliseconds.
    aside: Option<i64>,
}

#[test]
fn missions_survive_kills_at_any_moment() {
    let kills = if std::env::var_os("STAGE7_SOAK").is_some() { 66 } else { 12 };
    let seed = std::env::var("STAGE7_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    say(&format!("{kills} kills from STAGE7_SEED={seed}"));
    let mut random = Random::new(seed);
    let ledger = Ledger::new();
    let env = ledger.env();
    let mut env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    env.extend([("STAGE7_SLOTS", "4"), ("STAGE7_BACKOFF", "0.2")]);
    let stage7 = Stage7::start_with(Layout::Split, &env);
    let witness = Witness::of(&stage7);
    let mut victims = Vec::new();
    let (mut hits, mut worst) = (0, 0);
    for nth in 0..kills / KILLS {
        let user = stage7.user();
        let name = format!("m{nth}");
        let mission = user.submit(&plan(&name, &mut random));
        let mut all: Vec<Kill> = Vec::new();
        for k in 0..KILLS {
            if victims.is_empty() {
                victims = WORKERS.iter().map(|(worker, _)| *worker).chain([SERVER]).collect();
            }
            let steps = (k * STEPS + random.below(STEPS - 6)) / KILLS;
            let moment = Duration::from_millis(random.below(300) as u64);
            let victim = random.draw(&mut victims);
            let what = format!("mission {mission} goes on to {steps} steps");
            within(LIMIT, &what, || stage7.logs(), || (completed(&witness.words(&mission, 0)) >= steps).then_some(()));
            sleep(moment);
            at_work(&witness, &mission, victim);
            all.push(strike(&stage7, &witness, &user, &mission, victim));
        }
        stage7.until_is(&user, &mission, "completed");
        let words = witness.words(&mission, 0);
        let open = requests(&words);
        for kill in &all {
            let hit = open.iter().any(|request| request.open_at(kill.at));
            let gone_on = kill.aside.or_else(|| went_on(kill, &words, &open));
            hits += usize::from(hit);
            worst = worst.max(gone_on.unwrap_or(0));
            let gone_on = gone_on.map_or("nothing was interrupted".into(), |ms| format!("went on after {ms} ms"));
            let hit = if hit { "a step ran" } else { "no step ran" };
            say(&format!(
                "  mission {nth}: killed {:<15} after event {:>5} and {:>2} steps; {hit}; {gone_on}",
                kill.victim, kill.seq, kill.steps
            ));
        }
        check(&stage7, &mission, &words);
        executions(&ledger.calls(), &name, "llm", "brain", &open, &all);
        executions(&ledger.runs(), &name, "plugin", "capabilities", &open, &all);
    }
    say(&format!(
        "{hits} of {kills} kills hit while a step ran; interrupted work went on within {worst} ms (goal: 8000)"
    ));
    assert!(hits * 100 >= kills * 80, "only {hits} of {kills} kills hit while a step ran");
    assert!(worst <= LIMIT.as_millis() as i64, "interrupted work went on after {worst} ms");
}

/// Fifty steps of three kinds, four or so at a time, each with a mark of its own.
fn plan(name: &str, random: &mut Random) -> Value {
    let id = |n: usize| format!("step-{n}");
    let steps = (0..STEPS).map(|n| {
        let said = mark(&format!("{name}/{}", id(n)), 200 + random.below(700) as u64);
        let step = match random.below(3) {
            0 => turns(&id(n), if cfg!(debug_assertions) { 60_000 } else { 1_500_000 }),
            1 => counted(&id(n), &said),
            _ => thought(&id(n), &said),
        };
        match n.checked_sub(5) {
            None => step,
            Some(first) => after(step, &[&id(first), &id(first + random.below(4))]),
        }
    });
    let mut goal = goal(steps.collect());
    goal.as_object_mut().unwrap().remove("model");
    goal
}

/// Waits for a moment at which an effect has something to do; the others always have.
fn at_work(witness: &Witness, mission: &str, victim: &str) {
    let noun = match victim {
        "brain" => "llm",
        "capabilities" => "plugin",
        _ => return,
    };
    let until = Instant::now() + Duration::from_secs(3);
    let works = || {
        let words = witness.words(mission, 0);
        // Near its end the mission would be over before there is any.
        completed(&words) + 3 >= STEPS
            || requests(&words).iter().any(|request| request.noun == noun && request.answered.is_none())
    };
    while Instant::now() < until && !works() {
        sleep(Duration::from_millis(20));
    }
}

/// Kills one process, starts it again as a supervisor would, and sees to what no event will show.
fn strike(stage7: &Stage7, witness: &Witness, user: &User, mission: &str, victim: &'static str) -> Kill {
    let timer = (victim == "timekeeper").then(|| {
        let mut question = ask("late", "Anybody?", "text", &[]);
        question["inputs"]["expires"] = json!({"value": 1});
        question["retries"] = json!(0);
        let mission = user.submit(&goal(vec![question]));
        let set = || witness.words(&mission, 0).into_iter().find(|word| word.kind == "timer.set");
        within(LIMIT, "a timer is set", || stage7.logs(), set);
        mission
    });
    let before = witness.words(mission, 0);
    match victim {
        SERVER => stage7.kill_server(),
        worker => stage7.kill_instance(worker),
    }
    let at = now();
    let begun = Instant::now();
    if victim != SERVER {
        stage7.run_worker(victim);
    }
    let aside = match victim {
        "timekeeper" => {
            let mission = timer.unwrap();
            let fired = || witness.words(&mission, 0).into_iter().find(|word| word.kind == "timer.fired");
            let fired = within(LIMIT, "the timer fires", || stage7.logs(), fired);
            let due: schemas::Time = fired.data["at"].as_str().unwrap().parse().unwrap();
            Some(fired.at - at.max(due.0))
        }
        "librarian" => {
            user.read(&json!({"list": {}}));
            Some(begun.elapsed().as_millis() as i64)
        }
        "post-office" => {
            user.state_soon(mission, Duration::from_secs(1));
            Some(begun.elapsed().as_millis() as i64)
        }
        _ => None,
    };
    Kill { victim, at, seq: before.last().map_or(0, |word| word.seq), steps: completed(&before), aside }
}

/// How long until the work that a kill interrupted went on: the next word of a decider, the answer
/// to every request that was open.
fn went_on(kill: &Kill, words: &[Word], open: &[Request]) -> Option<i64> {
    let next = |writer: &str| words.iter().find(|word| word.writer == writer && word.at > kill.at).map(|word| word.at);
    let answers = |noun: &str| {
        open.iter().filter(|request| request.noun == noun && request.open_at(kill.at)).filter_map(|r| r.answered).max()
    };
    let at = match kill.victim {
        "mission-control" => next("control"),
        "agents" => next("agent"),
        "brain" => answers("llm"),
        "capabilities" => answers("plugin"),
        _ => next("control").max(next("agent")).max(answers("llm")).max(answers("plugin")),
    };
    at.map(|at| at - kill.at)
}

/// Nothing is lost, nothing is there twice, and every decision can be made again.
pub fn check(stage7: &Stage7, mission: &str, words: &[Word]) {
    assert_eq!(completed(words), STEPS, "every step is completed once");
    let exported = stage7.cli(&["mission", "export", mission]).code(0).stdout;
    Log::of_lines(&exported).has_nothing_twice();
    let path = stage7.file(&format!("{mission}.jsonl"), &exported);
    let checked = stage7.cli(&["replay", "check", &path]).code(0);
    assert!(checked.stdout.contains(" 0 differences"), "{}", checked.stdout);
    assert!(!words.iter().any(|word| word.kind == "decider.stuck"), "a decider was stuck");
}

/// A kill repeats at most what was in flight then, and never what was answered in the log.
fn executions(
    counts: &BTreeMap<String, Vec<Execution>>,
    name: &str,
    noun: &str,
    worker: &str,
    requests: &[Request],
    kills: &[Kill],
) {
    let mut repeated = 0;
    for (mark, executions) in counts {
        let Some(step) = mark.strip_prefix(&format!("{name}/")) else { continue };
        let its: Vec<&Request> =
            requests.iter().filter(|request| request.step == step && request.noun == noun).collect();
        let interrupted = |request: &&&Request| {
            kills
                .iter()
                .filter(|kill| (kill.victim == worker || kill.victim == SERVER) && request.open_at(kill.at))
                .count()
        };
        let allowed: usize = its.iter().map(|request| 1 + interrupted(&request)).sum();
        assert!(
            executions.len() <= allowed,
            "{mark} was executed {} times, {allowed} at most: {executions:?}, {its:?}",
            executions.len()
        );
        for execution in executions {
            let asked = |request: &&&Request| {
                request.asked <= execution.at && request.answered.is_none_or(|answered| execution.at <= answered)
            };
            assert!(
                its.iter().any(|request| asked(&request)),
                "{mark} was executed when nobody asked: {execution:?}, {its:?}"
            );
        }
        repeated += executions.len() - its.len().min(executions.len());
    }
    let all: usize = counts.keys().filter(|mark| mark.starts_with(&format!("{name}/"))).count();
    let asked = requests.iter().filter(|request| request.noun == noun).map(|request| &request.step);
    let asked: std::collections::BTreeSet<_> =
        asked.filter(|step| noun == "llm" || counts.contains_key(&format!("{name}/{step}"))).collect();
    assert_eq!(all, asked.len(), "every {noun} step was executed");
    say(&format!("  {name}: {all} {noun} steps counted outside the log, {repeated} executions repeated"));
}
