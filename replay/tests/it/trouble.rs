//! Drawn missions in drawn trouble: whatever goes wrong, they end as if nothing had.

mod budget;
mod case;
mod dice;
mod holds;
mod service;
mod world;

use case::Case;
use dice::Dice;
use holds::Outcome;
use nats::rule::{OwnWords, Rules};
use std::{
    fs,
    io::{Write, stderr},
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Instant,
};
use streams::control::Status;

/// So many troubles for each mission.
const TROUBLES: u64 = 8;

/// Cases that once failed, each a file.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/trouble")
}

fn seed() -> u64 {
    let given = std::env::var("STAGE7_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        since.subsec_nanos().into()
    })
}

/// Past the test harness, which keeps what a passing test prints to itself.
fn print(line: &str) {
    let mut out = stderr();
    writeln!(out, "{line}").unwrap();
}

/// The first of the cases that does not hold.
fn first_failure(seed: u64, missions: u64, rules: Rules) -> Option<(Case, String)> {
    (0..missions).find_map(|n| failure(seed, n, rules, &Count::default()))
}

/// What the cases of a run were like.
#[derive(Default)]
struct Count {
    cases: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    aborted: AtomicU64,
    faults: AtomicU64,
}

impl Count {
    fn note(&self, outcome: &Outcome) {
        let ended = match outcome.status {
            Status::Completed => &self.completed,
            Status::Failed => &self.failed,
            _ => &self.aborted,
        };
        ended.fetch_add(1, Ordering::Relaxed);
        self.cases.fetch_add(1, Ordering::Relaxed);
        self.faults.fetch_add(outcome.met, Ordering::Relaxed);
    }
}

/// Tries one mission in its troubles.
fn failure(seed: u64, n: u64, rules: Rules, count: &Count) -> Option<(Case, String)> {
    let mut dice = Dice::new(seed, n);
    let case = Case::draw(&mut dice);
    let wanted = match world::run(&case.calm(), Rules::default()) {
        Ok(wanted) => wanted,
        Err(why) => return Some((case.calm(), format!("without any trouble: {why}"))),
    };
    (0..TROUBLES).find_map(|_| {
        let case = case.clone().troubled(&mut dice);
        match world::try_with(&case, &wanted, rules) {
            Ok(outcome) => {
                count.note(&outcome);
                None
            }
            Err(why) => Some((case, why)),
        }
    })
}

/// The smallest case that still does not hold, within `tries`.
fn shrunk(mut case: Case, mut why: String, rules: Rules, mut tries: u32) -> (Case, String) {
    'smaller: loop {
        for smaller in case.smaller() {
            if tries == 0 {
                return (case, why);
            }
            tries -= 1;
            if let Err(still) = world::try_out(&smaller, rules) {
                (case, why) = (smaller, still);
                continue 'smaller;
            }
        }
        return (case, why);
    }
}

#[test]
fn what_once_failed_holds() {
    let mut tried = 0;
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let case: Case = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        if let Err(why) = world::try_out(&case, Rules::default()) {
            panic!("{}: {why}", path.display());
        }
        tried += 1;
    }
    assert!(tried > 0, "there are cases");
}

#[test]
fn whatever_goes_wrong_missions_end_as_if_nothing_had() {
    let soak = std::env::var_os("STAGE7_SOAK").is_some();
    let (seed, missions) = (seed(), if soak { 125_000 } else { 250 });
    let threads = if soak { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let (next, found, begun) = (AtomicU64::new(0), AtomicBool::new(false), Instant::now());
    let count = Count::default();
    let failure = std::thread::scope(|scope| {
        let search = || {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= missions || found.load(Ordering::Relaxed) {
                    return None;
                }
                if n > 0 && n.is_multiple_of(5_000) {
                    let seconds = begun.elapsed().as_secs_f64();
                    print(&format!("{} cases in {seconds:.0} s, STAGE7_SEED={seed}", n * TROUBLES));
                }
                if let Some(failure) = failure(seed, n, Rules::default(), &count) {
                    found.store(true, Ordering::Relaxed);
                    return Some(failure);
                }
            }
        };
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(search)).collect();
        all.into_iter().filter_map(|one| one.join().unwrap()).next()
    });
    let [cases, completed, failed, aborted, faults] =
        [&count.cases, &count.completed, &count.failed, &count.aborted, &count.faults]
            .map(|n| n.load(Ordering::Relaxed));
    let seconds = begun.elapsed().as_secs_f64();
    print(&format!(
        "{cases} cases from STAGE7_SEED={seed} in {seconds:.1} s: {completed} completed, {failed} failed, {aborted} aborted; {faults} faults"
    ));
    if let Some((case, why)) = failure {
        let (case, why) = shrunk(case, why, Rules::default(), 600);
        let text = serde_json::to_string_pretty(&case).unwrap() + "\n";
        let kept = folder().join(format!("{}.json", &schemas::value::sha256(text.as_bytes())[..12]));
        fs::write(&kept, &text).unwrap();
        panic!("{why}\nSTAGE7_SEED={seed}, kept as {}:\n{text}", kept.display());
    }
    assert!(faults > cases, "trouble is rare");
    assert!(completed > cases / 2 && failed > cases / 50, "missions are all alike");
}

/// So many missions with a budget, each without trouble and in two troubles.
const BUDGETS: u64 = 700;

/// Tries one mission with a budget.
fn budget_failure(case: &Case, dice: &mut Dice, count: &Count) -> Option<(Case, String)> {
    let wanted = match world::run(&case.calm(), Rules::default()) {
        Ok(wanted) => wanted,
        Err(why) => return Some((case.calm(), format!("without any trouble: {why}"))),
    };
    count.note(&wanted);
    (0..2).find_map(|_| {
        let case = case.clone().troubled(dice);
        match world::try_with(&case, &wanted, Rules::default()) {
            Ok(outcome) => {
                count.note(&outcome);
                None
            }
            Err(why) => Some((case, why)),
        }
    })
}

fn assert_within_budgets(missions: u64, draw: impl Fn(&mut Dice) -> Case) {
    let (seed, count, begun) = (seed(), Count::default(), Instant::now());
    let failure = (0..missions).find_map(|n| {
        let mut dice = Dice::new(seed, n);
        let case = draw(&mut dice);
        budget_failure(&case, &mut dice, &count)
    });
    if let Some((case, why)) = failure {
        let (case, why) = shrunk(case, why, Rules::default(), 200);
        panic!("{why}\nSTAGE7_SEED={seed}:\n{}", serde_json::to_string_pretty(&case).unwrap());
    }
    let [cases, completed, faults] = [&count.cases, &count.completed, &count.faults].map(|n| n.load(Ordering::Relaxed));
    print(&format!(
        "{cases} cases of budgets from STAGE7_SEED={seed} in {:.1} s, {faults} faults",
        begun.elapsed().as_secs_f64()
    ));
    assert_eq!(completed, cases, "raised as often as it asks, a mission completes");
}

#[test]
fn no_budget_is_overspent_by_more_than_a_call_in_flight_of_each_agent() {
    assert_within_budgets(BUDGETS, budget::draw);
}

#[test]
fn a_hundred_agents_at_once_keep_a_small_budget() {
    assert_within_budgets(3, |dice| budget::of_agents(dice, budget::AGENTS));
}

#[test]
fn agents_that_reserve_nothing_are_found_out() {
    let seed = seed();
    let kinds = ["overspent", "are used and reserved", "calls in flight"];
    let found = (0..50).any(|n| {
        let case = Case { words: Vec::new(), ..budget::draw(&mut Dice::new(seed, n)) };
        let ended = world::run_with::<budget::Careless>(&case.calm(), Rules::default());
        ended.is_err_and(|why| kinds.iter().any(|kind| why.contains(kind)))
    });
    assert!(found, "nothing is found, STAGE7_SEED={seed}");
}

/// With a rule switched off, something must be found.
fn assert_needed(rules: Rules) {
    let seed = seed();
    let begun = Instant::now();
    let Some((case, why)) = first_failure(seed, 250, rules) else {
        panic!("without the rule nothing is found, STAGE7_SEED={seed}")
    };
    let found = begun.elapsed();
    let (case, why) = shrunk(case, why, rules, 60);
    let text = serde_json::to_string(&case).unwrap();
    print(&format!("STAGE7_SEED={seed}, found in {:.1} s: {why}\n{text}", found.as_secs_f64()));
    if let Err(why) = world::try_out(&case, Rules::default()) {
        panic!("with the rule it must hold: {why}\n{text}");
    }
}

#[test]
fn without_level_decisions_something_is_found() {
    assert_needed(Rules { level: false, ..Rules::default() });
}

#[test]
fn without_the_rule_of_no_holes_something_is_found() {
    assert_needed(Rules { no_holes: false, ..Rules::default() });
}

#[test]
fn without_guards_something_is_found() {
    assert_needed(Rules { guards: false, ..Rules::default() });
}

#[test]
fn without_guards_and_own_words_something_is_found() {
    assert_needed(Rules { guards: false, own_words: OwnWords::Ignored, ..Rules::default() });
}

#[test]
fn without_answers_once_for_ever_something_is_found() {
    assert_needed(Rules { answered_once: false, ..Rules::default() });
}

#[test]
fn without_looking_for_an_answer_something_is_found() {
    assert_needed(Rules { looked_up: false, ..Rules::default() });
}
