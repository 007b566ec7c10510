//! Publishing: everybody's own words, and everybody else's.

use super::{
    attempt::{Attempt, Outcome, Tally, attempt},
    world::{OTHER, PEOPLE, World, inbox},
};
use schemas::Writer;
use std::collections::BTreeMap;

/// Who speaks under a writer's token; writers that no worker has yet have nobody.
fn speaker(writer: &str) -> Option<&'static str> {
    Some(match writer {
        "user" => "door",
        "control" => "control",
        "agent" => "agent",
        "brain" => "brain",
        "capability" => "capability",
        "timer" => "timekeeper",
        "librarian" => "librarian",
        _ => return None,
    })
}

/// Every family of subjects that a stream keeps, by one of its subjects, and who may publish it.
fn families() -> Vec<(String, Vec<&'static str>)> {
    let mut all = Vec::new();
    let writers: Vec<&str> = Writer::ALL.iter().map(|w| w.as_str()).chain(["nobody", "setup", "door"]).collect();
    for writer in writers {
        let one: Vec<&str> = speaker(writer).into_iter().collect();
        for tenant in ["default", OTHER, "nosuch"] {
            for word in ["mission.completed", "step.cancelled.a", "llm.completed.agent.c1", "x.y.z.1.2.3"] {
                all.push((format!("stage7.mission.{tenant}.0.m1.{writer}.{word}"), one.clone()));
            }
        }
        all.push((format!("stage7.telemetry.{writer}.cpu"), one.clone()));
        let registrar = if writer == "timer" { vec![] } else { one };
        all.push((format!("stage7.registry.{writer}.role.set.k"), registrar.clone()));
        all.push((format!("stage7.registry.{writer}.role.listed"), registrar));
    }
    // A wildcard in what is published is a token like others; a right covers it, and readers refuse it.
    all.push(("stage7.goal.*".into(), vec!["door"]));
    all.push(("stage7.mission.*.*.*.control.x.y".into(), vec!["control"]));
    for tenant in ["default", OTHER, "nosuch"] {
        let theirs = PEOPLE.iter().filter(|(_, t)| *t == tenant).map(|(name, _)| *name);
        all.push((format!("stage7.goal.{tenant}"), theirs.chain(["door"]).collect()));
        all.push((format!("stage7.refused.{tenant}"), vec!["control"]));
        all.push((format!("stage7.secret.{tenant}.API_KEY"), vec!["door"]));
        let keepers = ["control", "agent", "librarian", "door", "brain", "capability"];
        all.push((format!("stage7.artifact.{tenant}.{}.0", "a".repeat(64)), keepers.to_vec()));
        for phase in ["set", "due", "at"] {
            all.push((format!("stage7.timer.{phase}.{tenant}.0.m1.agent.t1"), vec!["timekeeper"]));
        }
    }
    all
}

/// What looks like another's words but is in nobody's family.
const ODD: [&str; 15] = [
    "stage7.mission",
    "stage7.mission.default",
    "stage7.mission.default.0.m1",
    "stage7.mission.default.0.m1.control",
    "stage7.mission.control.x",
    "stage7.mission.default.0.m1.x.control.mission.completed",
    "stage7.mission.default.0.m1.m1.control.mission.completed",
    "stage7.mission.default.0.m1.CONTROL.mission.completed",
    "stage7.mission.default.0.m1.*.mission.completed",
    "stage7.mission.default.0.m1.>",
    "stage7.mission.>",
    "stage7.registry.>",
    "stage7.registry.*.role.set.k",
    "stage7.goal.default.x",
    "STAGE7.goal.default",
];

/// What no stream keeps, and who may say it.
fn unkept() -> Vec<(String, Vec<&'static str>)> {
    let mut all: Vec<(String, Vec<&'static str>)> = vec![("stage7.query.missions".into(), vec!["door"])];
    for tenant in ["default", OTHER, "nosuch"] {
        let theirs: Vec<_> = PEOPLE.iter().filter(|(_, t)| *t == tenant).map(|(name, _)| *name).collect();
        for request in
            ["submit.T", "user.T.m1.abort.requested", "command.T.plugin.add", "read.T", "put.T.aa.0", "get.T.aa.0"]
        {
            all.push((format!("stage7.{}", request.replace('T', tenant)), theirs.clone()));
        }
        all.push((format!("stage7.live.{tenant}.m1.tokens"), vec!["brain", "capability"]));
        all.push((format!("stage7.view.{tenant}.m1.control.mission.completed"), vec![]));
    }
    all.extend(World::names().into_iter().map(|name| (format!("{}.forged", inbox(name)), vec![])));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_writes_their_own_words_and_nobody_anothers() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let families = families();
    world.all_kept_out(&mut tally, |name| {
        let others = families.iter().filter(|(_, owners)| !owners.contains(&name)).map(|(subject, _)| subject.as_str());
        others.chain(ODD).map(Attempt::on).collect()
    });
    let before = world.look();
    let mut own = BTreeMap::new();
    for (subject, owners) in &families {
        // A chunk is written once; goals and words again and again.
        let owners = if subject.contains(".artifact.") { &owners[..1] } else { &owners[..] };
        for owner in owners {
            own.entry(*owner).or_insert_with(Vec::new).push(Attempt::on(subject));
        }
    }
    let mut said = Vec::new();
    for (name, attempts) in &own {
        for (one, outcome) in attempts.iter().zip(attempt(&mut world.wire(name), &inbox(name), attempts)) {
            tally.outcome(name, one, &outcome);
            assert!(matches!(outcome, Outcome::Stored(_)), "{name}: {one}: {outcome}");
            said.push(one.subject.clone());
        }
    }
    let mut news = world.news(&before);
    said.sort();
    news.sort();
    assert_eq!(news, said, "their own words, each once, and nothing else");
    tally.print("words", 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_to_a_service_or_a_listener_in_anothers_place() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let (mut log, mut owners) = (world.wire("setup"), PEOPLE.map(|(name, _)| world.wire(name)));
    log.subscribe(">", None);
    log.fence();
    for (wire, (name, tenant)) in owners.iter_mut().zip(PEOPLE) {
        for subject in
            [format!("{}.>", inbox(name)), format!("stage7.view.{tenant}.>"), format!("stage7.live.{tenant}.>")]
        {
            wire.subscribe(&subject, None);
        }
        let (_, refused) = wire.fence();
        assert!(refused.is_empty(), "{refused:?}");
    }
    let unkept = unkept();
    let own_inbox = |name: &str, subject: &str| subject == format!("{}.forged", inbox(name));
    let tried = world.unchanged("an attempt", || {
        world.all_try(|name| {
            let others = unkept.iter().filter(|(subject, by)| !by.contains(&name) && !own_inbox(name, subject));
            others.map(|(subject, _)| Attempt::on(subject).with("forged")).collect()
        })
    });
    for (name, attempt, outcome) in tried {
        tally.outcome(name, &attempt, &outcome);
        assert!(outcome.is_kept_out(), "{name}: {attempt}: {outcome}");
    }
    for wire in owners.iter_mut().chain([&mut log]) {
        let heard: Vec<_> = wire.fence().0.into_iter().filter(|m| m.payload == b"forged").map(|m| m.subject).collect();
        assert!(heard.is_empty(), "{heard:?}");
    }
    tally.print("services and listeners", 300);
}
