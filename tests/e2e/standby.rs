//! Two instances of every worker: effects share the work; of what is done by one hand at a time, one
//! instance works and the other stands by, and goes on when the first is killed or frozen.

use crate::{
    canary::OTHER_KEY,
    ledger::{Ledger, counted, mark, thought},
    log::Log,
    plan::{after, goal, turns},
    process::signal,
    stage7::{Layout, Stage7, WORKERS},
    user::User,
    wait::{eventually, within},
    witness::{Witness, Word, completed, now, say},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    thread::sleep,
    time::{Duration, Instant},
};

/// The test's own limit for a takeover; the goal is 6 s, which a loaded machine can't be held to.
const LIMIT: Duration = Duration::from_secs(30);
/// How long an instance is frozen.
const FROZEN: Duration = Duration::from_secs(20);

/// What one instance does at a time, the worker in which it runs, and the words by which it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    Control,
    Agents,
    Intake,
    Projector,
}

impl Hand {
    const ALL: [Self; 4] = [Self::Control, Self::Agents, Self::Intake, Self::Projector];

    const fn worker(self) -> &'static str {
        match self {
            Self::Control | Self::Intake => "mission-control",
            Self::Agents => "agents",
            Self::Projector => "librarian",
        }
    }

    /// Does this line of a log say that it is the instance's turn?
    fn shows(self, line: &str) -> bool {
        let turn = line.contains("it is this instance's turn");
        match self {
            Self::Control => turn && line.contains("\"mission-control\""),
            Self::Agents => turn && line.contains("\"agents\""),
            Self::Intake => line.contains("a goal is a mission"),
            Self::Projector => turn && line.contains("librarian"),
        }
    }
}

struct Pair {
    stage7: Stage7,
    witness: Witness,
    ledger: Ledger,
    user: User,
}

/// The second instance of a worker.
fn second(worker: &str) -> String {
    format!("{worker}-2")
}

impl Pair {
    fn start() -> Self {
        let ledger = Ledger::new();
        let env = ledger.env();
        let mut env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        env.extend([("STAGE7_PLUGIN_RUNS", "2"), ("STAGE7_LLM_CALLS", "2"), ("STAGE7_SLOTS", "8")]);
        let stage7 = Stage7::start_with(Layout::Split, &env);
        for (worker, _) in WORKERS {
            stage7.run_instance(worker, &second(worker), &[("OPENAI_API_KEY", OTHER_KEY)]);
        }
        stage7.ready();
        let (witness, user) = (Witness::of(&stage7), stage7.user());
        Self { stage7, witness, ledger, user }
    }

    /// A mission of so many steps of all kinds, eight at a time.
    fn submit(&self, name: &str, steps: usize) -> String {
        let id = |n: usize| format!("step-{n}");
        let steps = (0..steps).map(|n| {
            let said = mark(&format!("{name}/{}", id(n)), 400);
            let step = match n % 3 {
                0 => turns(&id(n), if cfg!(debug_assertions) { 30_000 } else { 600_000 }),
                1 => counted(&id(n), &said),
                _ => thought(&id(n), &said),
            };
            if n < 8 { step } else { after(step, &[&id(n - 8)]) }
        });
        let mut goal = goal(steps.collect());
        goal.as_object_mut().unwrap().remove("model");
        self.user.submit(&goal)
    }

    /// Waits until so many steps are done.
    fn until(&self, mission: &str, steps: usize) {
        let what = format!("mission {mission} has {steps} steps done");
        eventually(
            &what,
            || self.stage7.logs(),
            || (completed(&self.witness.words(mission, 0)) >= steps).then_some(()),
        );
    }

    /// The instance that was the last to show that it works.
    fn active(&self, hand: Hand) -> String {
        let both = [hand.worker().to_string(), second(hand.worker())];
        let last = |instance: &String| {
            let said = self.stage7.said(instance);
            let line = said.lines().rev().find(|line| hand.shows(line))?;
            let line: Value = serde_json::from_str(line).ok()?;
            line["time"].as_str().map(String::from)
        };
        let look = || both.iter().filter_map(|instance| Some((last(instance)?, instance.clone()))).max();
        eventually(&format!("{hand:?} works"), || self.stage7.logs(), look).1
    }

    /// Waits for the hand's next deed after `since`, and gives how long that took in milliseconds.
    fn gone_on(&self, hand: Hand, mission: &str, since: i64) -> i64 {
        let begun = Instant::now();
        let next = |mission: &str, wanted: &dyn Fn(&Word) -> bool| {
            within(
                LIMIT,
                &format!("{hand:?} goes on"),
                || self.stage7.logs(),
                || {
                    self.witness
                        .words(mission, 0)
                        .into_iter()
                        .find(|word| word.at > since && wanted(word))
                        .map(|word| word.at)
                },
            ) - since
        };
        match hand {
            Hand::Control => next(mission, &|word| word.writer == "control"),
            Hand::Agents => next(mission, &|word| word.writer == "agent"),
            Hand::Intake => next(&self.submit("intake", 1), &|word| word.kind == "mission.created"),
            Hand::Projector => {
                // A mission that began after the kill, in a list.
                let new = self.submit("projector", 1);
                within(
                    LIMIT,
                    "the list is up to date",
                    || self.stage7.logs(),
                    || self.user.read(&json!({"list": {}})).to_string().contains(&new).then_some(()),
                );
                begun.elapsed().as_millis() as i64
            }
        }
    }

    /// The mission completes, and its log is in order.
    fn completes(&self, mission: &str, steps: usize) {
        self.stage7.until_is(&self.user, mission, "completed");
        let words = self.witness.words(mission, 0);
        assert_eq!(completed(&words), steps, "every step is completed once");
        let exported = self.stage7.cli(&["mission", "export", mission]).code(0).stdout;
        Log::of_lines(&exported).has_nothing_twice();
        let path = self.stage7.file(&format!("{mission}.jsonl"), &exported);
        let checked = self.stage7.cli(&["replay", "check", &path]).code(0);
        assert!(checked.stdout.contains(" 0 differences"), "{}", checked.stdout);
    }

    /// Freezes the instance that works for as long as `FROZEN`; the other finishes a mission meanwhile.
    fn freeze(&self, hand: Hand) {
        let name = format!("frozen-{hand:?}");
        let mission = self.submit(&name, 30);
        self.until(&mission, 4);
        let instance = self.active(hand);
        let pid = self.stage7.pid(&instance);
        signal(pid, Signal::STOP);
        let (at, begun) = (now(), Instant::now());
        let gone_on = self.gone_on(hand, &mission, at);
        let before = completed(&self.witness.words(&mission, 0));
        sleep(FROZEN.saturating_sub(begun.elapsed()));
        let words = self.witness.words(&mission, 0);
        signal(pid, Signal::CONT);
        say(&format!(
            "  {instance} ({hand:?}) frozen for {FROZEN:?}: the other went on after {gone_on} ms; {} steps done meanwhile",
            completed(&words) - before
        ));
        assert!(words.iter().any(|word| word.at > at && word.kind == "step.completed"), "nothing was done meanwhile");
        // It works on beside the other, or instead of it.
        let later = self.submit(&format!("thawed-{hand:?}"), 12);
        self.completes(&mission, 30);
        self.completes(&later, 12);
        let stuck = |mission: &str| self.witness.words(mission, 0).iter().any(|word| word.kind == "decider.stuck");
        assert!(!stuck(&mission) && !stuck(&later));
    }
}

#[test]
fn two_instances_share_the_work_or_stand_by_for_each_other() {
    let pair = Pair::start();
    let mission = pair.submit("shared", 36);
    pair.completes(&mission, 36);
    for (what, all) in [("model calls", pair.ledger.calls()), ("sandboxed runs", pair.ledger.runs())] {
        let by: Vec<String> = all.values().flatten().map(|execution| execution.by.clone()).collect();
        let instances: BTreeSet<&String> = by.iter().collect();
        let counts: Vec<usize> = instances.iter().map(|one| by.iter().filter(|by| by == one).count()).collect();
        say(&format!("  {what}, by instance: {counts:?}"));
        assert_eq!(counts.len(), 2, "both instances do {what}");
        assert!(all.values().all(|executions| executions.len() == 1), "nothing is executed twice: {all:?}");
    }
    for hand in Hand::ALL {
        let mission = pair.submit(&format!("killed-{hand:?}"), 30);
        pair.until(&mission, 3);
        let instance = pair.active(hand);
        pair.stage7.kill_instance(&instance);
        let gone_on = pair.gone_on(hand, &mission, now());
        say(&format!("  {instance} ({hand:?}) killed: the other went on after {gone_on} ms (goal: 6000)"));
        pair.stage7.run_instance(hand.worker(), &instance, &[]);
        pair.completes(&mission, 30);
    }
    let frozen: &[Hand] = if std::env::var_os("STAGE7_SOAK").is_some() { &Hand::ALL } else { &[Hand::Control] };
    frozen.iter().for_each(|hand| pair.freeze(*hand));
}
