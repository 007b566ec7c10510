//! The rules of deciders.

mod server;

use crate::{
    echo::{Braver, Echo, mission, said},
    loops::{answers, run, say},
};
use nats::{
    decider::{self, Options},
    log::{Guard, Log},
    memory::{Fault, Kind, Memory, Op, Trouble},
    rule::{OwnWords, Rules},
};
use schemas::{Event, EventId, Fact, Tenant, Writer, decider::Retried, fact::Tail};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use streams::{
    decide::Decider,
    record::{Decoded, Record},
    subject,
};
use tokio_util::sync::CancellationToken;

fn without(rules: Rules) -> Options {
    Options { rules, ..Options::new("test0001") }
}

fn fault(op: Op, at: u32, kind: Kind) -> Fault {
    Fault { who: "agent".into(), op, at, kind }
}

/// A log in which these faults happen, and people have said so many lines in mission 1.
async fn heard(lines: usize, faults: Vec<Fault>) -> Memory {
    let log = Memory::scripted(faults, 1_000);
    for n in 0..lines {
        say(&log, mission(1), &format!("line {n}")).await;
    }
    log
}

/// Runs instances of a decider, one after the other's death.
async fn lives(log: Memory, options: Options) {
    loop {
        let hand = log.instance("agent");
        tokio::select! {
            () = hand.dies() => {}
            ended = decider::run::<Echo>(Arc::new(hand.clone()), options.clone(), CancellationToken::new()) => ended.unwrap(),
        }
    }
}

/// So many instances run for a minute; then, what was answered in mission 1, sorted.
async fn answered(log: &Memory, instances: usize, options: Options) -> Vec<String> {
    let tasks: Vec<_> = (0..instances).map(|_| tokio::spawn(lives(log.clone(), options.clone()))).collect();
    tokio::time::sleep(Duration::from_secs(60)).await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    let mut texts = answers(log).await.remove(&mission(1)).unwrap_or_default();
    texts.sort();
    texts
}

fn lines(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("line {n}")).collect()
}

/// The events of the log.
fn events(log: &Memory) -> Vec<Event> {
    let decoded = log.records().into_iter().map(|record| record.decode());
    decoded.filter_map(|decoded| if let Ok(Decoded::Event(event)) = decoded { Some(event) } else { None }).collect()
}

/// What the decider says while nobody disturbs it, at three lines at once.
fn decision(log: &Memory) -> Vec<Event> {
    events(log).into_iter().filter(|event| event.writer == Writer::Agent).collect()
}

#[tokio::test(start_paused = true)]
async fn rule_01_level_not_edge_whatever_came_last_all_that_is_due_is_said() {
    // It dies in the middle of a decision: what comes again is the last line, too.
    let crash = || vec![fault(Op::Append, 2, Kind::Crash), fault(Op::Append, 4, Kind::CrashAfter)];
    let log = heard(6, crash()).await;
    assert_eq!(answered(&log, 1, without(Rules::default())).await, lines(6));
    let mut state = Default::default();
    events(&log).iter().for_each(|event| Echo::evolve(&mut state, event));
    assert_eq!(Echo::decide(&state), [], "once its words are folded, nothing is due");

    let log = heard(6, crash()).await;
    let edge = answered(&log, 1, without(Rules { level: false, ..Rules::default() })).await;
    assert_ne!(edge, lines(6), "without the rule something is lost");
}

#[tokio::test(start_paused = true)]
async fn rule_04_no_holes_what_was_never_delivered_comes_after_a_reset() {
    let troubles = [
        ("a hole under the same pin", fault(Op::Delivery, 2, Kind::Lost)),
        ("another pin", fault(Op::Delivery, 3, Kind::NewPin)),
        ("a late batch of the old pin", fault(Op::Delivery, 2, Kind::LateBatch(3))),
        ("a floor that fell back", fault(Op::Delivery, 4, Kind::FallBack(3))),
        ("a repeated delivery", fault(Op::Delivery, 2, Kind::Duplicate(2))),
        ("a late delivery", fault(Op::Delivery, 2, Kind::Late(800))),
    ];
    for (what, fault) in troubles {
        let log = heard(5, vec![fault]).await;
        assert_eq!(answered(&log, 1, without(Rules::default())).await, lines(5), "{what}");
        assert_eq!(log.floor(Echo::NAME), log.size(), "{what}: everything is acknowledged");
    }
    // Without the rule, the acknowledgement of what comes after a hole covers what was lost.
    for no_holes in [true, false] {
        let log = heard(1, vec![fault(Op::Delivery, 3, Kind::Lost), fault(Op::Delivery, 5, Kind::Lost)]).await;
        let talking = async {
            for n in 1..6 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                say(&log, mission(1), &format!("line {n}")).await;
            }
        };
        let (texts, ()) = tokio::join!(answered(&log, 1, without(Rules { no_holes, ..Rules::default() })), talking);
        assert_eq!(texts == lines(6), no_holes, "{texts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_05_own_words_first_and_read_when_the_consumer_does_not_bring_them() {
    // Many triggers wait, few may be unacknowledged: own words come behind all of them.
    for (own_words, drains) in [(OwnWords::Read, true), (OwnWords::Awaited, false)] {
        let log = Memory::new(1, Trouble::default(), 20);
        for n in 0..12 {
            for m in 0..40 {
                say(&log, mission(m), &format!("line {n}")).await;
            }
        }
        let options = Options { patience: 10, ..without(Rules { own_words, ..Rules::default() }) };
        let task = tokio::spawn(lives(log.clone(), options));
        tokio::time::sleep(Duration::from_secs(30)).await;
        say(&log, mission(0), "late").await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        task.abort();
        let (floor, size) = (log.floor(Echo::NAME), log.size());
        assert_eq!(floor == size, drains, "{own_words:?}: {floor} of {size} are acknowledged");
        let heard = answers(&log).await[&mission(0)].contains(&"late".to_string());
        assert_eq!(heard, drains, "{own_words:?}: without reading them nothing moves any more");
    }
    // A decision without them says again what was said.
    let rules = Rules { own_words: OwnWords::Ignored, guards: false, ..Rules::default() };
    let log = heard(5, vec![]).await;
    let texts = answered(&log, 1, without(rules)).await;
    assert!(texts.len() > 5, "without rules 5 and 6 lines are answered twice: {texts:?}");
}

#[tokio::test(start_paused = true)]
async fn rule_06_guarded_appends_one_after_another_let_one_of_two_owners_speak() {
    // The first decides and freezes before it speaks; another takes over; the first goes on.
    let frozen = || vec![fault(Op::Append, 2, Kind::Freeze(5_000))];
    let log = heard(6, frozen()).await;
    assert_eq!(answered(&log, 2, without(Rules::default())).await, lines(6));
    let log = heard(6, frozen()).await;
    let texts = answered(&log, 2, without(Rules { guards: false, ..Rules::default() })).await;
    assert!(texts.len() > 6, "without the rule lines are answered twice: {texts:?}");
}

#[tokio::test(start_paused = true)]
async fn rule_07_ids_say_what_so_a_decision_made_twice_is_the_same_words() {
    let log = heard(3, vec![fault(Op::Append, 1, Kind::Unheard)]).await;
    answered(&log, 1, without(Rules::default())).await;
    let words = decision(&log);
    for (n, event) in words.iter().enumerate() {
        let Fact::MessageSaid(said) = &event.fact else { panic!("{event:?}") };
        assert_eq!(event.id, EventId::of_word(mission(1), Writer::Agent, "message.said", &said.text, 0));
        let again = EventId::of_word(mission(1), Writer::Agent, "message.said", &said.text, 1);
        assert_ne!(event.id, again, "the second time it is said it is another word");
        assert!(words[..n].iter().all(|other| other.id != event.id));
    }
    assert!(log.records().iter().all(|record| record.header("Nats-Msg-Id").is_none()), "no window of duplicates");
}

#[tokio::test(start_paused = true)]
async fn rule_08_basis_says_on_what_each_word_was_decided() {
    let log = heard(5, vec![fault(Op::Append, 3, Kind::CrashAfter)]).await;
    answered(&log, 1, without(Rules::default())).await;
    let all = events(&log);
    for event in decision(&log) {
        let (basis, part) = (event.basis.expect("a basis"), event.part.expect("a part"));
        assert!(basis < event.seq && event.causation.is_some(), "{event:?}");
        assert_eq!(event.worker_version, "test0001");
        let mut state = Default::default();
        all.iter().filter(|event| event.seq <= basis).for_each(|event| Echo::evolve(&mut state, event));
        let due = Echo::decide(&state);
        assert_eq!(due.len(), part.n as usize, "the whole decision is counted");
        assert_eq!(due[part.k as usize - 1].fact, event.fact, "the same decision can be made again");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_acknowledge_last_so_that_a_crash_repeats_the_decision() {
    let crashes = [1, 3, 4, 6].map(|at| fault(Op::Append, at, Kind::Crash));
    let log = heard(8, crashes.to_vec()).await;
    let task = tokio::spawn(lives(log.clone(), without(Rules::default())));
    for _ in 0..3_000 {
        log.changes().await;
        let floor = log.floor(Echo::NAME);
        let all = events(&log);
        let said: Vec<_> = all.iter().filter(|event| event.writer == Writer::Agent).collect();
        for line in all.iter().filter(|event| event.writer == Writer::User && event.seq <= floor) {
            assert!(said.iter().any(|word| word.causation == Some(line.id)), "{} is acknowledged first", line.seq);
        }
    }
    task.abort();
    assert_eq!(answers(&log).await[&mission(1)].len(), 8);
    assert_eq!(log.floor(Echo::NAME), log.size());
}

/// Runs one instance of a decider for five seconds.
async fn runs<D: Decider>(log: &Memory, version: &str) {
    let stop = CancellationToken::new();
    let task = tokio::spawn(decider::run::<D>(Arc::new(log.clone()), Options::new(version), stop.clone()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    stop.cancel();
    task.await.expect("no panic gets out").expect("it ends well");
}

fn stuck(log: &Memory) -> usize {
    log.records().iter().filter(|record| record.subject.ends_with("agent.decider.stuck")).count()
}

#[tokio::test(start_paused = true)]
async fn rule_10_one_missions_trouble_stays_its_own() {
    let log = Memory::new(5, Trouble::default(), 100);
    say(&log, mission(1), "poison").await;
    say(&log, mission(1), "after").await;
    say(&log, mission(2), "hello").await;
    runs::<Echo>(&log, "test0001").await;
    let only_the_other = BTreeMap::from([(mission(2), vec!["hello".to_string()])]);
    assert_eq!(answers(&log).await, only_the_other);
    assert_eq!(stuck(&log), 1, "said once, not at each delivery");
    assert_eq!(log.floor(Echo::NAME), log.size(), "a stuck mission holds nothing up");

    // The same version leaves it alone, whatever comes; it is not said again.
    say(&log, mission(1), "more").await;
    runs::<Braver>(&log, "test0001").await;
    assert_eq!((answers(&log).await, stuck(&log)), (only_the_other, 1));
    // Another version tries it on its start, though nothing of it is delivered.
    assert_eq!(log.floor(Echo::NAME), log.size());
    runs::<Braver>(&log, "test0002").await;
    assert_eq!(answers(&log).await[&mission(1)], ["after", "more", "poison"]);
}

#[tokio::test(start_paused = true)]
async fn rule_10_one_missions_trouble_stays_its_own_until_a_person_retries_it() {
    let log = Memory::new(5, Trouble::default(), 100);
    say(&log, mission(1), "poison").await;
    runs::<Echo>(&log, "test0001").await;
    let retried = Event {
        id: EventId::of_word(mission(1), Writer::User, "decider.retried", "", 0),
        tail: Tail::Bare,
        fact: Retried { decider: Writer::Agent }.into(),
        ..said(mission(1), "")
    };
    let filter = subject::family(&Tenant::default(), mission(1), Writer::User);
    log.append(&Record::encode(&retried), &Guard { filter, last: 1 }).await.unwrap();
    runs::<Braver>(&log, "test0001").await;
    assert_eq!(answers(&log).await[&mission(1)], ["poison"]);
    assert_eq!(stuck(&log), 1);
}

#[tokio::test(start_paused = true)]
async fn rule_10_one_missions_trouble_stays_its_own_and_a_new_pin_tries_it_again() {
    // The newer version stands by when the older one gives up; then the pin moves.
    let log = Memory::scripted(vec![], 100);
    let old = tokio::spawn(lives(log.clone(), Options::new("test0001")));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stop = CancellationToken::new();
    let new = tokio::spawn(decider::run::<Braver>(Arc::new(log.clone()), Options::new("test0002"), stop.clone()));
    say(&log, mission(1), "poison").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((stuck(&log), log.size()), (1, 2));
    old.abort();
    // An instance hears that it has the pin by what comes with it.
    say(&log, mission(2), "hello").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let answers = answers(&log).await;
    assert_eq!((&answers[&mission(1)][..], &answers[&mission(2)][..]), (&["poison".into()][..], &["hello".into()][..]));
    stop.cancel();
    new.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn rule_11_unknown_is_a_conflict_and_is_looked_up() {
    for kind in [Kind::Lost, Kind::Unheard] {
        let unknown = (1..6).map(|at| fault(Op::Append, at, kind)).collect();
        let log = heard(5, unknown).await;
        assert_eq!(answered(&log, 1, without(Rules::default())).await, lines(5), "{kind:?}");
    }
    // Whatever else the log does beside it.
    for seed in 0..20 {
        let log = run(seed, Trouble { lost_answer: 2, ..Trouble::default() }, 2, 3, 2, 1_000).await;
        assert!(answers(&log).await.values().all(|texts| texts.len() == 3), "seed {seed}");
    }
}
