//! Listening: everybody subscribes to everything, and hears what is theirs.

use super::{
    M,
    attempt::Tally,
    wire::Wire,
    world::{OTHER, PEOPLE, World, inbox},
};
use std::{collections::BTreeSet, time::Duration};
use streams::topology::access::{USERS, Zone, user};

/// What each may hear, by how its subjects begin.
fn ears(name: &str) -> Vec<String> {
    let own = format!("{}.", inbox(name));
    let fixed: &[&str] = match name {
        "control" | "agent" => &["stage7.registry."],
        "librarian" => &["stage7.query.", "stage7.registry.", "stage7.telemetry."],
        "door" => &[
            "stage7.submit.",
            "stage7.user.",
            "stage7.command.",
            "stage7.read.",
            "stage7.put.",
            "stage7.get.",
            "stage7.view.",
            "stage7.live.",
            "stage7.registry.",
            "stage7.telemetry.",
        ],
        _ => &[],
    };
    let mut all: Vec<String> = fixed.iter().map(ToString::to_string).chain([own]).collect();
    if let Some((_, tenant)) = PEOPLE.iter().find(|(person, _)| *person == name) {
        all.extend(["view", "live", "refused"].map(|family| format!("stage7.{family}.{tenant}.")));
    }
    if ["brain", "capability"].contains(&name) {
        // What they say themselves, the mission's life, and the registry.
        all.extend(["default", OTHER].map(|tenant| format!("stage7.mission.{tenant}.0.m1.control.mission.")));
        all.extend([format!("{M}.{name}."), "stage7.registry.".into()]);
        all.extend(["stage7.live.".into(), format!("stage7.telemetry.{name}."), "$JS.API.CONSUMER.MSG.NEXT".into()]);
    }
    all
}

/// What is listened to: whole spaces, families, inboxes, JetStream's traffic and the server's.
fn wishes() -> Vec<String> {
    let mut all: Vec<String> = [
        ">",
        "*",
        "*.>",
        "*.*.>",
        "stage7.>",
        "stage7.*.>",
        "*.mission.>",
        "stage7.mission.>",
        "stage7.mission.*.*.*.*.>",
        "stage7.mission.*.*.*.control.mission.*",
        "stage7.mission.*.*.*.agent.>",
        "stage7.goal.*",
        "stage7.goal.>",
        "stage7.refused.*",
        "stage7.refused.>",
        "stage7.registry.>",
        "stage7.registry.control.>",
        "stage7.secret.>",
        "stage7.secret.default.*",
        "stage7.artifact.>",
        "stage7.timer.>",
        "stage7.telemetry.>",
        "stage7.query.>",
        "stage7.submit.*",
        "stage7.user.>",
        "stage7.command.>",
        "stage7.read.*",
        "stage7.put.>",
        "stage7.get.>",
        "stage7.view.>",
        "stage7.view.*.>",
        "stage7.live.>",
        "stage7.live.*.>",
        "$JS.>",
        "$JS.API.>",
        "$JS.ACK.>",
        "$JS.EVENT.>",
        "$JS.EVENT.ADVISORY.>",
        "$SYS.>",
        "$SYS.ACCOUNT.>",
        "$SYS.REQ.>",
        "$SRV.>",
        "$SRV.PING.>",
        "_R_.>",
        "_R_.*",
        "_INBOX.>",
        "_INBOX.*",
        "_INBOX.*.>",
        "_INBOX*.>",
        "$KV.>",
        "$O.>",
        "$MQTT.>",
        "_GR_.>",
    ]
    .map(String::from)
    .into();
    for tenant in ["default", OTHER] {
        all.extend(["view", "live"].map(|f| format!("stage7.{f}.{tenant}.>")));
        all.push(format!("stage7.refused.{tenant}"));
        all.push(format!("stage7.goal.{tenant}"));
    }
    all.extend(World::names().into_iter().map(|name| format!("{}.>", inbox(name))));
    all.extend(USERS.iter().filter(|u| !u.service.is_empty()).map(|u| format!("$SRV.PING.{}", u.service)));
    all
}

/// Something happens in every family, for both tenants, with answers to everybody who asks.
fn traffic(world: &World) {
    let mut door = world.wire("door");
    for subject in ["stage7.submit.*", "stage7.read.*", "stage7.put.*.*.*"] {
        door.subscribe(subject, None);
    }
    let mut librarian = world.wire("librarian");
    librarian.subscribe("stage7.query.>", None);
    door.fence();
    librarian.fence();
    let say = |wire: &mut Wire, name: &str, subject: &str| {
        wire.publish(subject, &format!("{}.secret", inbox(name)), "", b"secret")
    };
    let mut setup = world.wire("setup");
    for word in
        ["control.mission.created", "control.plan.accepted", "agent.llm.requested", "brain.llm.completed.agent.c1"]
    {
        for tenant in ["default", OTHER] {
            setup.ask(&format!("stage7.mission.{tenant}.0.m1.{word}"), "secret");
        }
    }
    for name in World::names() {
        let mut wire = world.wire(name);
        let token = match name {
            "door" => "user",
            "timekeeper" => "timer",
            other => other,
        };
        let mut subjects = vec![format!("{M}.{token}.note.said"), format!("stage7.registry.{token}.note.said")];
        subjects.push(format!("stage7.telemetry.{token}.cpu"));
        if let Some((_, tenant)) = PEOPLE.iter().find(|(person, _)| *person == name) {
            subjects = ["goal.T", "submit.T", "read.T", "put.T.aa.0"]
                .map(|s| format!("stage7.{}", s.replace('T', tenant)))
                .into();
        }
        if user(name).is_some_and(|u| Zone::EFFECTS.contains(&u.zone)) {
            subjects.extend(["default", OTHER].map(|tenant| format!("stage7.live.{tenant}.m1.tokens")));
        }
        match name {
            "control" => subjects.extend(["default", OTHER].map(|tenant| format!("stage7.refused.{tenant}"))),
            "door" => subjects.extend(["stage7.query.missions", "stage7.secret.default.K"].map(String::from)),
            "sys" => subjects = vec!["$SYS.REQ.SERVER.PING".into()],
            _ => {}
        }
        for subject in subjects {
            say(&mut wire, name, &subject);
        }
        if ["control", "agent", "librarian", "door"].contains(&name) {
            say(&mut wire, name, &format!("$JS.API.DIRECT.GET.MISSIONS.{M}.control.mission.created"));
        }
        wire.fence();
        for service in [&mut door, &mut librarian] {
            for request in service.fence().0 {
                service.publish(&request.reply.expect("somebody asks"), "", "", b"secret answer");
            }
            service.fence();
        }
    }
    std::thread::sleep(Duration::from_millis(500));
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_what_is_theirs_and_nothing_else() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let wishes = wishes();
    let mut listeners = Vec::new();
    for name in World::names() {
        // Alone, and as one of a queue group, which a server checks by other rules.
        for queue in [None, Some("q")] {
            let mut wire = world.wire(name);
            for wish in &wishes {
                wire.subscribe(wish, queue);
                let (_, refused) = wire.fence();
                let did = if refused.is_empty() { "may listen" } else { "no permission" };
                tally.note(name, &format!("SUB {wish} {}", queue.unwrap_or_default()), did);
                assert!(refused.iter().all(|e| e.contains("Permissions Violation for Subscription")), "{refused:?}");
            }
            listeners.push((name, wire));
        }
    }
    traffic(&world);
    let mut heard_at_all = BTreeSet::new();
    for (name, wire) in &mut listeners {
        let ears = ears(name);
        for message in wire.fence().0 {
            // The refusals of a tenant end in the tenant's name.
            let subject = format!("{}.", message.subject);
            assert!(ears.iter().any(|ear| subject.starts_with(ear.as_str())), "{name} hears {}", message.subject);
            heard_at_all.insert((*name, message.subject));
        }
    }
    // Somebody heard each family: the traffic was there to be heard.
    for (name, subject) in [
        ("default", "stage7.view.default.m1.control.plan.accepted"),
        ("eve", "stage7.view.acme.m1.control.plan.accepted"),
        ("bob", "stage7.live.default.m1.tokens"),
        ("eve", "stage7.refused.acme"),
        ("brain", "stage7.mission.default.0.m1.control.mission.created"),
        ("capability", "stage7.registry.control.note.said"),
        ("librarian", "stage7.telemetry.brain.cpu"),
        ("door", "stage7.submit.acme"),
        ("librarian", "stage7.query.missions"),
    ] {
        assert!(heard_at_all.contains(&(name, subject.to_string())), "{name} hears {subject}: {heard_at_all:?}");
    }
    tally.print("subscriptions", 1_300);
}
