//! Headers that tell the server to do more than keep a word.

use super::{
    M,
    attempt::{Attempt, Outcome, Tally, attempt},
    world::{OTHER, World, inbox},
};

/// Everybody's own words, one for each stream they write to.
fn own(name: &str) -> Vec<String> {
    let token = match name {
        "door" => "user",
        "timekeeper" => "timer",
        other => other,
    };
    // A chunk is written once: each has one of its own.
    let artifact = format!("stage7.artifact.default.{name}.0");
    match name {
        "sys" => vec![],
        "default" | "bob" => vec!["stage7.goal.default".into()],
        "eve" => vec![format!("stage7.goal.{OTHER}")],
        _ => {
            let mut all = vec![format!("{M}.{token}.note.said"), format!("stage7.telemetry.{token}.cpu")];
            match name {
                "timekeeper" => {}
                "control" => all.extend([artifact, "stage7.refused.default".into()]),
                "door" => all.extend([artifact, "stage7.goal.default".into(), format!("stage7.goal.{OTHER}")]),
                _ => all.push(artifact),
            }
            if name != "timekeeper" {
                all.push(format!("stage7.registry.{token}.note.said"));
            }
            all
        }
    }
}

/// Sets of headers, each of which the server must refuse on all of these.
fn commands() -> Vec<Vec<(&'static str, String)>> {
    let at = || ("Nats-Schedule", "@at 2020-01-01T00:00:00Z".to_string());
    let every = || ("Nats-Schedule", "@every 1s".to_string());
    let to = |subject: &str| ("Nats-Schedule-Target", subject.to_string());
    let control = format!("{M}.control.mission.completed");
    let mut all = vec![
        vec![("Nats-Rollup", "all".into())],
        vec![("Nats-Rollup", "sub".into())],
        vec![("nats-rollup", "all".into()), ("Nats-Rollup", "all".into())],
        vec![("Nats-TTL", "1s".into())],
        vec![("Nats-TTL", "never".into())],
        vec![("Nats-Rollup", "sub".into()), ("Nats-TTL", "1s".into())],
        vec![("Nats-Incr", "+1".into())],
        vec![at()],
        vec![at(), to(&control), ("Nats-Schedule-TTL", "1s".into())],
        vec![at(), to("stage7.registry.control.role.set.k"), ("Nats-Schedule-Source", control.clone())],
        vec![("Nats-Batch-Id", "b".into()), ("Nats-Batch-Sequence", "1".into()), ("Nats-Batch-Commit", "1".into())],
        vec![("Nats-Batch-Id", "b".into()), ("Nats-Batch-Sequence", "1".into())],
        vec![("Nats-Expected-Stream", "ELSEWHERE".into())],
        vec![("Nats-Expected-Last-Sequence", "999999".into())],
        vec![("Nats-Expected-Last-Msg-Id", "nobody's".into())],
        vec![("Nats-Expected-Last-Subject-Sequence", "999999".into())],
    ];
    let targets =
        [control.as_str(), "stage7.goal.default", "stage7.timer.due.forged.0.m1.agent.t1", "stage7.view.default.m1.x"];
    for target in targets {
        all.push(vec![at(), to(target)]);
        all.push(vec![every(), to(target)]);
    }
    all
}

fn with(subject: &str, headers: &[(&str, String)]) -> Attempt {
    headers.iter().fold(Attempt::on(subject), |one, (name, value)| one.header(name, value))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_header_rolls_up_expires_schedules_or_batches() {
    let world = World::start().await;
    let mut setup = world.wire("setup");
    setup.ask(&format!("{M}.control.mission.created"), "x");
    let mut tally = Tally::default();
    let commands = commands();
    let tried = world.unchanged("a header", || {
        world.all_try(|name| {
            // Of the log there may be batches: `batch.rs` tells what goes into one.
            let may =
                |subject: &str, headers: &[(&str, String)]| headers[0].0 == "Nats-Batch-Id" && subject.starts_with(M);
            let of = |subject: &String| {
                let commands = commands.iter().filter(|headers| !may(subject, headers));
                commands.map(|headers| with(subject, headers)).collect::<Vec<_>>()
            };
            own(name).iter().flat_map(of).collect()
        })
    });
    for (name, attempt, outcome) in tried {
        tally.outcome(name, &attempt, &outcome);
        assert!(outcome.is_refusal(), "{name}: {attempt}: {outcome}");
    }
    tally.print("headers", 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timekeepers_schedules_stay_among_the_timers() {
    let world = World::start().await;
    let mut setup = world.wire("setup");
    setup.ask(&format!("{M}.control.mission.created"), "x");
    let here = "stage7.timer.set.default.0.m1.agent.t1";
    let schedule = |to: &str| {
        Attempt::on(here).header("Nats-Schedule", "@at 2020-01-01T00:00:00Z").header("Nats-Schedule-Target", to)
    };
    let due = "stage7.timer.due.default.0.m1.agent.t1";
    let mut all: Vec<Attempt> = [
        format!("{M}.control.mission.completed"),
        format!("{M}.timer.timer.fired.agent.t1"),
        "stage7.goal.default".into(),
        "stage7.refused.default".into(),
        "stage7.registry.control.role.set.k".into(),
        "stage7.artifact.default.cc.0".into(),
        "stage7.telemetry.control.cpu".into(),
        "stage7.view.default.m1.x".into(),
        "stage7.live.default.m1.x".into(),
        "$JS.API.STREAM.PURGE.TIMERS".into(),
        "_INBOX.door.forged".into(),
        "stage7.timer.>".into(),
        "stage7.>".into(),
    ]
    .iter()
    .map(|to| schedule(to))
    .collect();
    for source in [format!("{M}.control.mission.created"), "stage7.>".into(), "stage7.goal.default".into()] {
        all.push(schedule(due).header("Nats-Schedule-Source", &source));
    }
    let mut tally = Tally::default();
    let mut wire = world.wire("timekeeper");
    let before = world.look();
    for (one, outcome) in all.iter().zip(attempt(&mut wire, &inbox("timekeeper"), &all)) {
        tally.outcome("timekeeper", one, &outcome);
    }
    // Past due: whatever fires has fired, and come to lie where it was sent.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let news = world.news(&before);
    assert!(news.iter().all(|subject| subject.starts_with("stage7.timer.")), "{news:?}");
    let after = world.look();
    for (name, was) in before.iter().filter(|(name, _)| name.starts_with("stream") && *name != "stream TIMERS") {
        assert_eq!(Some(was), after.get(name), "{name}");
    }
    tally.print("schedules", 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_on_anothers_words_hinders_only_ones_own() {
    let world = World::start().await;
    let mut setup = world.wire("setup");
    setup.ask(&format!("{M}.control.mission.created"), "x");
    let mut tally = Tally::default();
    let filters = [format!("{M}.control.>"), format!("{M}.>"), "stage7.>".into(), "stage7.goal.*".into()];
    let guards: Vec<_> = filters
        .iter()
        .map(|filter| {
            vec![
                ("Nats-Expected-Last-Subject-Sequence", "77".to_string()),
                ("Nats-Expected-Last-Subject-Sequence-Subject", filter.clone()),
            ]
        })
        .collect();
    let tried = world.unchanged("a guard", || {
        world.all_try(|name| {
            own(name).iter().flat_map(|subject| guards.iter().map(move |headers| with(subject, headers))).collect()
        })
    });
    for (name, attempt, outcome) in tried {
        tally.outcome(name, &attempt, &outcome);
        assert!(matches!(outcome, Outcome::Error(_)), "{name}: {attempt}: {outcome}");
    }
    let next = setup.ask(&format!("{M}.control.plan.accepted"), "x");
    assert!(next.json()["seq"].as_u64() > Some(0), "the owner goes on");
    tally.print("guards", 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_id_silences_nobody() {
    let world = World::start().await;
    let mut tally = Tally::default();
    let squat = |subject: String| Attempt::on(subject).header("Nats-Msg-Id", "the-id");
    // Everybody has used the id just now, in every stream they write to.
    for (name, attempt, outcome) in world.all_try(|name| own(name).into_iter().map(squat).collect()) {
        tally.outcome(name, &attempt, &outcome);
        // Whoever comes second within the window is told that it is there already.
        assert!(matches!(outcome, Outcome::Stored(_)), "{name}: {attempt}: {outcome}");
    }
    // Words of ours carry none, so they can't be taken for a duplicate.
    let before = world.look();
    let plain = |subject: &String| !subject.contains(".artifact.");
    let said = world.all_try(|name| own(name).into_iter().filter(plain).map(Attempt::on).collect());
    for (name, attempt, outcome) in &said {
        tally.outcome(name, attempt, outcome);
        assert!(matches!(outcome, Outcome::Stored(_)), "{name}: {attempt}: {outcome}");
    }
    assert_eq!(world.news(&before).len(), said.len());
    tally.print("message ids", 40);
}
