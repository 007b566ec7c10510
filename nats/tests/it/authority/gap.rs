//! What the configuration does not keep apart, as `docs/security.md` says. Asserted, so that a change
//! is noticed: a gap that closes is a line to be deleted there.

use super::{
    M,
    attempt::{Attempt, Outcome, Tally, attempt},
    world::{OTHER, World, inbox},
};
use std::time::Duration;

fn try_one(world: &World, tally: &mut Tally, name: &str, one: Attempt) -> Outcome {
    let outcome = attempt(&mut world.wire(name), &inbox(name), std::slice::from_ref(&one)).remove(0);
    tally.outcome(name, &one, &outcome);
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn gap_the_workers_of_the_log_could_speak_for_each_other_by_a_reply_subject() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let mut setup = world.wire("setup");
    setup.ask(&format!("{M}.control.mission.created"), "x");
    let forged = [
        format!("{M}.control.forged.said"),
        format!("{M}.brain.llm.completed.agent.forged"),
        "stage7.registry.user.forged.said".into(),
        "stage7.goal.default".into(),
        "stage7.timer.set.default.0.m1.agent.forged".into(),
    ];
    for (name, ask) in [
        ("control", "$JS.API.CONSUMER.INFO.MISSIONS.mission-control"),
        ("agent", "$JS.API.CONSUMER.INFO.MISSIONS.agent-steps"),
        ("timekeeper", "$JS.API.CONSUMER.INFO.MISSIONS.timers"),
        ("librarian", "$JS.API.CONSUMER.INFO.MISSIONS.projector"),
        ("door", "$JS.API.STREAM.INFO.MISSIONS"),
    ] {
        let before = world.look();
        for to in &forged {
            try_one(&world, &mut tally, name, Attempt::on(ask).with("").replying(to));
        }
        std::thread::sleep(Duration::from_millis(300));
        let mut news = world.news(&before);
        let mut wanted = forged.to_vec();
        // One schedule a subject: the next takes the place of the last.
        news.sort();
        wanted.sort();
        assert_eq!(news, wanted, "{name}");
    }
    tally.print("gap: LOG is one zone", 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn gap_a_worker_of_effects_reads_more_than_it_was_asked_about() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let mut setup = world.wire("setup");
    setup.ask(&format!("stage7.mission.{OTHER}.0.m9.control.mission.created"), "a goal");
    setup.ask(&format!("stage7.artifact.{OTHER}.{}.0", "e".repeat(64)), "bytes");
    for name in ["brain", "capability"] {
        for (subject, found) in [
            ("MISSIONS.stage7.mission.*.*.*.control.mission.created".to_string(), "a goal"),
            (format!("MISSIONS.stage7.mission.{OTHER}.*.*.control.mission.*"), "a goal"),
            (format!("ARTIFACTS.stage7.artifact.{OTHER}.*.0"), "bytes"),
        ] {
            let one = Attempt::on(format!("$JS.API.DIRECT.GET.{subject}")).with("");
            let outcome = try_one(&world, &mut tally, name, one);
            assert_eq!(outcome, Outcome::Answered(found.into()), "{name}: {subject}");
        }
        // It answers in any mission, any request, and says live lines to any tenant.
        let noun = if name == "brain" { "llm" } else { "plugin" };
        let answer = Attempt::on(format!("stage7.mission.{OTHER}.0.m9.{name}.{noun}.completed.agent.any"));
        assert!(matches!(try_one(&world, &mut tally, name, answer), Outcome::Stored(_)), "{name}");
        let mut eve = world.wire("eve");
        eve.subscribe(&format!("stage7.live.{OTHER}.>"), None);
        eve.fence();
        try_one(&world, &mut tally, name, Attempt::on(format!("stage7.live.{OTHER}.m9.tokens")));
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(eve.fence().0.len(), 1, "{name}");
        // A guard on another's family tells, by its refusal, how long that family is.
        let oracle = Attempt::on(format!("{M}.{name}.note.said"))
            .header("Nats-Expected-Last-Subject-Sequence", "777")
            .header("Nats-Expected-Last-Subject-Sequence-Subject", &format!("stage7.mission.{OTHER}.*.*.control.>"));
        let mut wire = world.wire(name);
        wire.subscribe(&format!("{}.oracle", inbox(name)), None);
        wire.publish(&oracle.subject, &format!("{}.oracle", inbox(name)), &oracle.headers, b"x");
        std::thread::sleep(Duration::from_millis(300));
        let told = wire.fence().0.remove(0).json()["error"]["description"].as_str().unwrap().to_string();
        assert!(told.contains("wrong last sequence: 1"), "{told}");
        tally.note(name, &oracle, "tells the last sequence");
    }
    tally.print("gap: effects", 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn gap_a_message_id_is_held_for_a_tenth_of_a_second() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let said = |name: &str| Attempt::on(format!("{M}.{name}.note.said")).header("Nats-Msg-Id", "an-id");
    let mut control = world.wire("control");
    // In the same breath, or the window may be over on a busy machine: so several times.
    let held = (0..20).any(|n| {
        let id = format!("id-{n}");
        let own = said("control").headers.replace("an-id", &id);
        control.subscribe(&format!("_INBOX.control.{n}"), None);
        control.fence();
        world.wire("brain").publish(&format!("{M}.brain.note.said"), "", &own, b"x");
        std::thread::sleep(Duration::from_millis(20));
        control.publish(&format!("{M}.control.note.said"), &format!("_INBOX.control.{n}"), &own, b"x");
        std::thread::sleep(Duration::from_millis(50));
        control.fence().0.iter().any(|answer| answer.json()["duplicate"] == true)
    });
    assert!(held, "whoever sends an id first silences the other: so words of ours carry none");
    let first = try_one(&world, &mut tally, "brain", said("brain"));
    std::thread::sleep(Duration::from_millis(400));
    let second = try_one(&world, &mut tally, "control", said("control"));
    assert!(matches!((&first, &second), (Outcome::Stored(a), Outcome::Stored(b)) if b > a), "{first}, {second}");
    tally.print("gap: message ids", 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn gap_within_a_tenant_an_answer_may_be_sent_to_anothers_inbox() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let mut door = world.wire("door");
    door.subscribe("stage7.read.*", None);
    door.subscribe("stage7.user.*.*.*.*", None);
    door.fence();
    let mut owner = world.wire("default");
    owner.subscribe("_INBOX.>", None);
    owner.subscribe("stage7.view.default.>", None);
    owner.fence();
    for to in ["_INBOX.of.the.owner", "stage7.view.default.m1.control.mission.completed"] {
        try_one(&world, &mut tally, "bob", Attempt::on("stage7.read.default").replying(to));
        let asked = door.fence().0.remove(0);
        door.publish(&asked.reply.unwrap(), "", "", b"an answer of the door's");
        door.fence();
        std::thread::sleep(Duration::from_millis(100));
        let heard = owner.fence().0;
        assert_eq!(heard.iter().map(|m| m.subject.as_str()).collect::<Vec<_>>(), [to]);
        assert!(!heard[0].headers.contains("Nats-Sequence") && !heard[0].headers.contains("ce-"), "no event");
    }
    // The door's answer as a goal: the intake refuses it, as it would whatever else bob may publish.
    let before = world.look();
    try_one(&world, &mut tally, "bob", Attempt::on("stage7.read.default").replying("stage7.goal.default"));
    let asked = door.fence().0.remove(0);
    door.publish(&asked.reply.unwrap(), "", "", b"an answer of the door's");
    door.fence();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(world.news(&before), ["stage7.goal.default"]);
    // JetStream's word on a goal, as a request in the asker's own name: the door refuses its body.
    try_one(
        &world,
        &mut tally,
        "bob",
        Attempt::on("stage7.goal.default").replying("stage7.user.default.m1.abort.requested"),
    );
    std::thread::sleep(Duration::from_millis(300));
    let asked = door.fence().0;
    assert!(asked.iter().all(|m| m.subject.starts_with("stage7.user.default.")), "{asked:?}");
    tally.print("gap: within a tenant", 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn gap_what_the_trusted_may_do_by_right() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let mut setup = world.wire("setup");
    setup.ask(&format!("{M}.control.mission.created"), "x");
    let delete = Attempt::on("$JS.API.STREAM.MSG.DELETE.MISSIONS").with(r#"{"seq":1}"#);
    let outcome = try_one(&world, &mut tally, "librarian", delete);
    assert!(matches!(&outcome, Outcome::Answered(text) if text.contains(r#""success":true"#)), "{outcome}");
    for (name, subject) in [
        ("door", format!("stage7.mission.{OTHER}.0.m9.user.abort.requested")),
        ("door", format!("stage7.goal.{OTHER}")),
        ("control", format!("stage7.mission.{OTHER}.0.m9.control.mission.aborted")),
        ("timekeeper", "stage7.timer.due.acme.0.m9.agent.t1".to_string()),
    ] {
        assert!(matches!(try_one(&world, &mut tally, name, Attempt::on(subject)), Outcome::Stored(_)), "{name}");
    }
    // One message there empties the timekeeper's own stream: the server ties roll-up to schedules.
    let rollup = Attempt::on("stage7.timer.due.acme.0.m9.agent.t2").header("Nats-Rollup", "all");
    assert!(matches!(try_one(&world, &mut tally, "timekeeper", rollup), Outcome::Stored(_)));
    tally.print("gap: by right", 6);
}
