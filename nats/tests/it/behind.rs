//! A decider that has yet to see a log in which its own words are.

use crate::echo::{Echo, Heard, mission, said};
use nats::{
    decider::{self, Options},
    log::{Guard, Log},
    memory::{Memory, Trouble},
};
use schemas::{
    Event, EventId, Fact, MissionId, Tenant, Writer,
    catalogue::Catalogue,
    control::{Attached, GoalEvent, MissionCreated},
    fact::Tail,
    goal::{Autonomy, Budget, Kind},
    limits::Limits,
    value::{Blob, Form},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use streams::{
    decide::{About, Decider, Due},
    record::{Dataref, Record},
    subject,
};
use tokio_util::sync::CancellationToken;

/// Echo, which sees a mission's beginning as every shipped decider does.
struct Whole;

impl Decider for Whole {
    const NAME: &'static str = Echo::NAME;
    const WRITER: Writer = Echo::WRITER;
    type State = Heard;

    fn folds(writer: Writer, kind: &str, tail: &Tail) -> bool {
        kind == "mission.created" || Echo::folds(writer, kind, tail)
    }
    fn evolve(state: &mut Heard, event: &Event) {
        Echo::evolve(state, event);
    }
    fn about(state: &Heard) -> Option<&About> {
        Echo::about(state)
    }
    fn next(state: &Heard) -> Option<Due> {
        Echo::next(state)
    }
}

async fn append(log: &Memory, event: Event) {
    let filter = subject::family(&event.tenant, event.mission, event.writer);
    let own = log.records().into_iter().rev().find(|record| nats::memory::matches(&filter, &record.subject));
    log.append(&Record::encode(&event), &Guard { filter, last: own.map_or(0, |record| record.seq) }).await.unwrap();
}

async fn created(log: &Memory, mission: MissionId) -> Event {
    let catalogue = Catalogue { verbs: BTreeMap::new(), roles: BTreeMap::new() };
    let blob = Blob::new(Form::Json, "application/json", serde_json::to_vec(&catalogue).unwrap());
    log.put(&Tenant::default(), &blob.reference.sha256, &blob.bytes).await.unwrap();
    let fact = Fact::from(MissionCreated {
        goal: "echo".into(),
        kind: Kind::Mission,
        name: None,
        context: None,
        files: BTreeMap::new(),
        optimize: None,
        budget: Budget::default(),
        autonomy: Autonomy::Free,
        model: None,
        plan: None,
        limits: Limits::default(),
        catalogue: Attached { reference: blob.reference, content: None },
        goal_event: GoalEvent { source: "test".into(), id: "1".into() },
    });
    let id = EventId::of_word(mission, Writer::Control, fact.kind(), "", 0);
    Event { id, writer: Writer::Control, fact, ..said(mission, "") }
}

async fn run(log: &Memory, behind: u64) {
    let (stop, options) = (CancellationToken::new(), Options { behind, ..Options::new("test0001") });
    let task = tokio::spawn(decider::run::<Whole>(Arc::new(log.clone()), options, stop.clone()));
    for n in 0..2_000 {
        if n == 50 {
            log.calm();
        }
        if n > 50 && log.floor(Whole::NAME) == log.records().len() as u64 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    task.await.expect("no panic").expect("ends well");
}

#[tokio::test(start_paused = true)]
async fn far_behind_nothing_is_said_again_and_what_was_left_is_said() {
    for seed in 0..200 {
        // Nothing that troubles an append: the log is written here, without another try.
        let trouble =
            Trouble { duplicate: 7, hole: 11, new_pin: 23, stale_read: 5, forgotten_acks: 13, lost_answer: 0 };
        let log = Memory::new(seed, trouble, 50);
        for n in 0..5 {
            let begin = created(&log, mission(n)).await;
            append(&log, begin).await;
        }
        // Every line but the last is answered, each mission's amid the others'.
        for line in 0..4 {
            for n in 0..5 {
                append(&log, said(mission(n), &format!("line {line}"))).await;
                if line < 3 {
                    let due = Whole::decide(&folded(&log, mission(n))).remove(0);
                    let about = About { tenant: Tenant::default(), mission: mission(n), time: schemas::Time(1) };
                    let basis = Some(log.records().len() as u64);
                    let part = Some(schemas::event::Part { k: 1, n: 1 });
                    append(&log, Event { basis, part, ..due.event(&about, Writer::Agent) }).await;
                }
            }
        }
        let before = log.records().len();
        run(&log, 3).await;
        let new = log.records().split_off(before);
        assert_eq!(new.len(), 5, "seed {seed}: {new:#?}");
        assert_eq!(log.floor(Whole::NAME), log.records().len() as u64, "seed {seed}: everything is acknowledged");
    }
}

#[tokio::test(start_paused = true)]
async fn missions_that_come_before_their_catalogue_are_not_read_whole() {
    let log = Memory::new(1, Trouble::default(), 1_000);
    for n in 0..100 {
        let begin = created(&log, mission(n)).await;
        append(&log, begin).await;
        append(&log, said(mission(n), "a line")).await;
    }
    run(&log, 1_000_000).await;
    let answers = log.records().iter().filter(|record| record.subject.contains(".agent.")).count();
    assert_eq!(answers, 100, "each is answered");
    // For what is stuck: at the start, and with the pin.
    assert_eq!(log.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_mission_that_leaves_while_something_of_it_is_fetched_holds_nothing_up() {
    let log = Memory::new(1, Trouble::default(), 1_000);
    let begin = created(&log, mission(0)).await;
    append(&log, begin).await;
    append(&log, said(mission(0), "a line")).await;
    // The answer is there already: saying it again is refused, and the mission is read.
    let due = Whole::decide(&folded(&log, mission(0))).remove(0);
    let about = About { tenant: Tenant::default(), mission: mission(0), time: schemas::Time(1) };
    append(&log, due.event(&about, Writer::Agent)).await;
    // Meanwhile this must be fetched.
    let mut long = Record::encode(&said(mission(0), &"long ".repeat(20)));
    let dataref = Dataref { sha256: schemas::value::sha256(&long.payload), size: long.payload.len() as u64 };
    log.put(&Tenant::default(), &dataref.sha256, &long.payload).await.unwrap();
    long.headers.push(("ce-dataref".into(), dataref.to_urn()));
    long.payload = Default::default();
    let user = subject::family(&Tenant::default(), mission(0), Writer::User);
    log.append(&long, &Guard { filter: user, last: 2 }).await.unwrap();
    // And the mission is on its way into the archive.
    let prefix = subject::mission_prefix(&Tenant::default(), mission(0));
    let leaves = Record { subject: format!("{prefix}.librarian.mission.archiving"), ..Record::default() };
    log.append(&leaves, &Guard { filter: leaves.subject.clone(), last: 0 }).await.unwrap();
    run(&log, 1_000_000).await;
    assert_eq!((log.floor(Whole::NAME), log.records().len()), (5, 5));
    // For what is stuck, at the start and with the pin, and the mission once: nothing came again.
    assert_eq!(log.loads(), 3);
}

fn folded(log: &Memory, mission: MissionId) -> Heard {
    let mut state = Heard::default();
    for record in log.records() {
        if let Ok(streams::record::Decoded::Event(event)) = record.decode()
            && event.mission == mission
            && Whole::folds(event.writer, event.fact.kind(), &event.tail)
        {
            Whole::evolve(&mut state, &event);
        }
    }
    state
}
