//! The server doesn't check the rights of a message's reply subject. So whatever a user may ask, the
//! answer is asked to go where it would be another's word.

use super::{
    M,
    attempt::{Attempt, Outcome, Tally, attempt},
    wire::Wire,
    world::{OTHER, PEOPLE, World, inbox},
};
use std::collections::BTreeMap;
use streams::topology::access::{TENANT_REQUESTS, Way, Zone, crossings, user};

/// Where an answer must not land: a word of every family, a deed of every kind, everybody's inbox.
fn targets(name: &str) -> Vec<String> {
    let mut all: Vec<String> = [
        "stage7.registry.control.forged.said",
        "stage7.registry.user.forged.said.k",
        "stage7.timer.set.forged.0.m1.agent.t1",
        "stage7.timer.due.forged.0.m1.agent.t1",
        "stage7.telemetry.control.forged",
        "stage7.query.forged",
        "$JS.API.STREAM.DELETE.TELEMETRY",
        "$JS.API.STREAM.PURGE.TIMERS",
        "$JS.API.CONSUMER.DELETE.MISSIONS.mission-control",
        "$JS.API.CONSUMER.RESET.MISSIONS.agent-steps",
        "$JS.ACK.MISSIONS.mission-control.1.1.1.1.0",
        "$SRV.PING",
        "_INBOX.forged",
    ]
    .map(String::from)
    .into();
    for writer in ["control", "agent", "brain", "capability", "timer", "user", "librarian"] {
        all.push(format!("{M}.{writer}.forged.said"));
        all.push(format!("{M}.{writer}.llm.completed.agent.forged"));
    }
    for tenant in ["default", OTHER] {
        all.push(format!("stage7.refused.{tenant}"));
        all.push(format!("stage7.artifact.{tenant}.{}.0", "f".repeat(64)));
        // What is within one's own tenant, and live lines of who may say them anyway: see `gap`.
        if PEOPLE.iter().any(|(person, theirs)| *person == name && *theirs == tenant) {
            continue;
        }
        all.extend([
            format!("stage7.goal.{tenant}"),
            format!("stage7.user.{tenant}.m1.forged.requested"),
            format!("stage7.submit.{tenant}"),
            format!("stage7.command.{tenant}.forged.add"),
            format!("stage7.put.{tenant}.forged.0"),
            format!("stage7.view.{tenant}.m1.forged.said"),
        ]);
        if user(name).is_none() {
            all.push(format!("stage7.live.{tenant}.m1.forged"));
        }
    }
    let others = World::names().into_iter().filter(|other| *other != name && inbox(other) != inbox(name));
    // Within a tenant a reply can name anybody's inbox: that is in `gap` too.
    let apart = others.filter(|other| {
        let of = |n: &str| PEOPLE.iter().find(|(person, _)| *person == n).map(|(_, tenant)| *tenant);
        of(other).is_none() || of(other) != of(name)
    });
    all.extend(apart.map(|other| format!("{}.forged", inbox(other))));
    all
}

/// What a user may ask, by one subject of each kind and the body that brings most.
fn asks(name: &str) -> Vec<(String, String)> {
    let batch = |filter: &str| format!(r#"{{"seq":1,"batch":3,"next_by_subj":"{filter}"}}"#);
    if let Some((_, tenant)) = PEOPLE.iter().find(|(person, _)| *person == name) {
        let subject = |verb: &str, rest: &str| format!("stage7.{verb}.{tenant}{}", rest.replace('*', "own"));
        return TENANT_REQUESTS.iter().map(|(verb, rest, _)| (subject(verb, rest), "x".into())).collect();
    }
    let zone = user(name).map_or(Zone::Sys, |u| u.zone);
    let lent = crossings().into_iter().filter(|c| c.way != Way::Stream && c.zones.contains(&zone));
    lent.map(|crossing| {
        let subject = crossing
            .subject
            .replace("stage7.mission.*.*.*", M)
            .replace("stage7.artifact.*.*.*", "stage7.artifact.default.aa.0")
            .replace("stage7.live.*.*.>", "stage7.live.default.m1.own")
            .replace("DIRECT.GET.REGISTRY.>", "DIRECT.GET.REGISTRY.stage7.registry.control.role.set.k")
            .replace("step.cancelled.*", "step.cancelled.a")
            .replace(".>", ".own.said");
        let body = match crossing.subject.as_str() {
            "$JS.API.DIRECT.GET.REGISTRY" => batch("stage7.registry.>"),
            "$JS.API.DIRECT.GET.SECRETS" => batch("stage7.secret.>"),
            s if s.contains(".MSG.NEXT.") => r#"{"batch":1,"expires":200000000}"#.into(),
            s if s.starts_with("$JS.") => String::new(),
            _ => "x".into(),
        };
        (subject, body)
    })
    .collect()
}

/// Words that the askers' gets and pulls find.
fn words(setup: &mut Wire) {
    for word in [
        "control.mission.created",
        "control.step.cancelled.a",
        "brain.own.said",
        "capability.own.said",
        "agent.llm.requested",
        "agent.plugin.requested",
    ] {
        setup.ask(&format!("{M}.{word}"), "x");
    }
    for subject in ["stage7.registry.control.role.set.k", "stage7.secret.default.KEY", "stage7.artifact.default.aa.0"] {
        setup.ask(subject, "x");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_never_lands_among_anothers_words() {
    let world = World::start().await;
    words(&mut world.wire("setup"));
    let mut log = world.wire("setup");
    log.subscribe(">", None);
    log.fence();
    // The door is there and answers whatever it is asked.
    let mut door = world.wire("door");
    for (verb, rest, _) in TENANT_REQUESTS.iter().filter(|(verb, ..)| *verb != "goal") {
        door.subscribe(&format!("stage7.{verb}.*{rest}"), None);
    }
    door.fence();
    let mut listeners = PEOPLE.map(|(name, tenant)| {
        let mut wire = world.wire(name);
        for subject in
            [format!("{}.>", inbox(name)), format!("stage7.view.{tenant}.>"), format!("stage7.live.{tenant}.>")]
        {
            wire.subscribe(&subject, None);
        }
        wire.fence();
        (tenant, wire)
    });
    let before = world.look();
    let mut tally = Tally::default();
    for name in ["brain", "capability", "default", "bob", "eve"] {
        let here = world.look();
        let (asks, targets) = (asks(name), targets(name));
        let all: Vec<Attempt> = asks
            .iter()
            .flat_map(|(subject, body)| {
                targets.iter().map(move |to| Attempt::on(subject).with(body.as_str()).replying(to))
            })
            .collect();
        let mut own = Vec::new();
        for (one, outcome) in all.iter().zip(attempt(&mut world.wire(name), &inbox(name), &all)) {
            tally.outcome(name, one, &outcome);
            if outcome != Outcome::Denied && KEPT.iter().any(|family| one.subject.starts_with(family)) {
                own.push(one.subject.clone());
            }
        }
        for request in door.fence().0 {
            assert!(!request.subject.contains("forged"), "{name}: {request:?}");
            let to = request.reply.expect("a request has its reply");
            assert!(to.starts_with("_R_."), "{name}: the door is to answer at {to}");
            door.publish(&to, "", "", b"the door's answer");
        }
        door.fence();
        // What JetStream answers on its own time has arrived by then, wherever it went.
        std::thread::sleep(std::time::Duration::from_millis(600));
        let news = world.news(&here);
        let count = |all: Vec<String>| {
            all.into_iter().fold(BTreeMap::new(), |mut by, s| {
                *by.entry(s).or_insert(0) += 1;
                by
            })
        };
        let (own, news) = (count(own), count(news));
        assert_eq!(news, own, "{name}: its own words, as often as it said them, and nothing else");
        let tenant = PEOPLE.iter().find(|(person, _)| *person == name).map(|(_, tenant)| *tenant);
        for (of, wire) in &mut listeners {
            // In one's own account every `_INBOX.` is one's own owner's, whatever it is called.
            let own = |subject: &String| tenant == Some(*of) && subject.starts_with("_INBOX");
            let heard = wire.fence().0.into_iter().map(|m| m.subject).filter(|s| s.contains("forged") && !own(s));
            assert_eq!(heard.collect::<Vec<_>>(), [""; 0], "{name}, heard in {of}");
        }
        let heard = log.fence().0.into_iter().map(|m| m.subject).filter(|s| s.contains("forged"));
        assert_eq!(heard.collect::<Vec<_>>(), [""; 0], "{name}, heard in LOG");
    }
    let after = world.look();
    for (name, was) in before.iter().filter(|(name, _)| name.starts_with("consumer")) {
        assert_eq!(after[name]["config"], was["config"], "{name}");
    }
    tally.print("reply subjects", 1_000);
}

/// What a stream keeps each time that it is said.
const KEPT: [&str; 4] = ["stage7.mission.", "stage7.registry.", "stage7.telemetry.", "stage7.goal."];
