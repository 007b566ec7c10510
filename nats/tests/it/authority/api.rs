//! JetStream's own subjects: streams and consumers, every verb, by everybody.

use super::{
    M,
    attempt::{Attempt, Outcome, Tally},
    world::World,
};
use serde_json::{Value, json};
use streams::topology::{CONSUMERS, Consumer, PIN_GROUP, STREAMS};

/// What each user may ask of JetStream besides taking from its own consumers: after `$JS.API.`.
fn reads(name: &str) -> Vec<String> {
    let log = ["DIRECT.GET.MISSIONS", "DIRECT.GET.MISSIONS.S", "STREAM.INFO.MISSIONS"].as_slice();
    let registry = ["DIRECT.GET.REGISTRY", "DIRECT.GET.REGISTRY.S", "DIRECT.GET.ARTIFACTS.S"].as_slice();
    let more: &[&str] = match name {
        "librarian" => &[
            "DIRECT.GET.ARTIFACTS",
            "STREAM.INFO.ARTIFACTS",
            "STREAM.MSG.DELETE.MISSIONS",
            "STREAM.MSG.DELETE.ARTIFACTS",
            "CONSUMER.INFO.MISSIONS.mission-control",
            "CONSUMER.INFO.MISSIONS.agent-steps",
            "CONSUMER.INFO.MISSIONS.llm-calls",
            "CONSUMER.INFO.MISSIONS.plugin-runs",
            "CONSUMER.INFO.MISSIONS.timers",
        ],
        "door" => &[
            "DIRECT.GET.GOALS",
            "DIRECT.GET.REFUSALS",
            "DIRECT.GET.REFUSALS.S",
            "DIRECT.GET.SECRETS",
            "DIRECT.GET.SECRETS.S",
        ],
        "capability" => &["DIRECT.GET.SECRETS"],
        _ => &[],
    };
    let all = match name {
        "control" | "agent" | "librarian" | "door" => [log, registry, more].concat(),
        "brain" | "capability" => [registry, more].concat(),
        _ => vec![],
    };
    all.into_iter().map(String::from).collect()
}

/// Whose consumer it is.
fn taker(consumer: &Consumer) -> &'static str {
    match consumer.name {
        "mission-control" | "goals" => "control",
        "agent-steps" => "agent",
        "projector" => "librarian",
        "llm-calls" => "brain",
        "plugin-runs" => "capability",
        "timers" | "due" => "timekeeper",
        other => panic!("whose is {other}?"),
    }
}

fn may(name: &str, verb: &str) -> bool {
    let own = CONSUMERS.iter().filter(|c| taker(c) == name).any(|c| {
        let verbs: &[&str] =
            if c.is_pinned() { &["MSG.NEXT", "INFO", "RESET", "UNPIN"] } else { &["MSG.NEXT", "INFO"] };
        verbs.iter().any(|v| verb == format!("CONSUMER.{v}.{}.{}", c.stream, c.name))
    });
    own || reads(name).iter().any(|read| read == verb)
}

/// Every verb on every stream and consumer, with a body that does harm if it is let through. A `S` at
/// the end stands for a subject of that stream.
fn verbs() -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = [
        ("INFO", json!({})),
        ("STREAM.NAMES", json!({})),
        ("STREAM.LIST", json!({})),
        ("STREAM.CREATE.EVIL", json!({"name": "EVIL", "subjects": ["evil.>"], "storage": "memory"})),
        ("STREAM.CREATE.TAP", json!({"name": "TAP", "storage": "memory", "sources": [{"name": "MISSIONS"}]})),
        ("STREAM.CREATE.MIRROR", json!({"name": "MIRROR", "storage": "memory", "mirror": {"name": "MISSIONS"}})),
    ]
    .map(|(verb, body)| (verb.to_string(), body))
    .into();
    for stream in STREAMS.iter().map(|s| s.name) {
        let config = json!({"name": stream, "subjects": ["evil.>"], "storage": "file", "max_msgs": 1});
        let tap = json!({"name": "evil", "durable_name": "evil", "ack_policy": "none"});
        let create = json!({"stream_name": stream, "config": tap});
        all.extend([
            (format!("STREAM.CREATE.{stream}"), config.clone()),
            (format!("STREAM.UPDATE.{stream}"), config.clone()),
            (format!("STREAM.INFO.{stream}"), json!({"subjects_filter": ">"})),
            (format!("STREAM.DELETE.{stream}"), json!({})),
            (format!("STREAM.PURGE.{stream}"), json!({})),
            (format!("STREAM.MSG.GET.{stream}"), json!({"seq": 1})),
            (format!("STREAM.MSG.DELETE.{stream}"), json!({"seq": 1})),
            (format!("STREAM.SNAPSHOT.{stream}"), json!({"deliver_subject": "_INBOX.snapshot"})),
            (format!("STREAM.RESTORE.{stream}"), json!({"config": config, "state": {}})),
            (format!("STREAM.LEADER.STEPDOWN.{stream}"), json!({})),
            (format!("STREAM.PEER.REMOVE.{stream}"), json!({"peer": "stage7"})),
            (format!("DIRECT.GET.{stream}"), json!({"seq": 1})),
            (format!("DIRECT.GET.{stream}.S"), Value::Null),
            (format!("CONSUMER.CREATE.{stream}"), create.clone()),
            (format!("CONSUMER.CREATE.{stream}.evil"), create.clone()),
            (format!("CONSUMER.CREATE.{stream}.evil.stage7.>"), create.clone()),
            (format!("CONSUMER.DURABLE.CREATE.{stream}.evil"), create),
            (format!("CONSUMER.NAMES.{stream}"), json!({})),
            (format!("CONSUMER.LIST.{stream}"), json!({})),
        ]);
    }
    for Consumer { stream, name, .. } in &CONSUMERS {
        let config =
            json!({"name": name, "durable_name": name, "ack_policy": "explicit", "filter_subject": "stage7.x"});
        let create = json!({"stream_name": stream, "config": config});
        let next = json!({"batch": 1, "expires": 300_000_000, "group": PIN_GROUP});
        all.extend([
            (format!("CONSUMER.CREATE.{stream}.{name}"), create.clone()),
            (format!("CONSUMER.CREATE.{stream}.{name}.stage7.x"), create.clone()),
            (format!("CONSUMER.DURABLE.CREATE.{stream}.{name}"), create),
            (format!("CONSUMER.DELETE.{stream}.{name}"), json!({})),
            (format!("CONSUMER.PAUSE.{stream}.{name}"), json!({"pause_until": "2099-01-01T00:00:00Z"})),
            (format!("CONSUMER.RESET.{stream}.{name}"), json!({})),
            (format!("CONSUMER.UNPIN.{stream}.{name}"), json!({"group": PIN_GROUP})),
            (format!("CONSUMER.INFO.{stream}.{name}"), json!({})),
            (format!("CONSUMER.MSG.NEXT.{stream}.{name}"), next),
            (format!("CONSUMER.LEADER.STEPDOWN.{stream}.{name}"), json!({})),
        ]);
    }
    all
}

/// A message that lies in the stream.
fn stored(stream: &str) -> String {
    match stream {
        "MISSIONS" => format!("{M}.agent.llm.requested"),
        "GOALS" => "stage7.goal.default".into(),
        "REFUSALS" => "stage7.refused.default".into(),
        "REGISTRY" => "stage7.registry.control.role.set.k".into(),
        "SECRETS" => "stage7.secret.default.KEY".into(),
        "ARTIFACTS" => "stage7.artifact.default.aa.0".into(),
        "TIMERS" => "stage7.timer.due.default.0.m1.agent.t1".into(),
        "TELEMETRY" => "stage7.telemetry.control.cpu".into(),
        other => panic!("what lies in {other}?"),
    }
}

fn request((verb, body): &(String, Value)) -> Attempt {
    let verb = match verb.strip_prefix("DIRECT.GET.").and_then(|rest| rest.strip_suffix(".S")) {
        Some(stream) => format!("DIRECT.GET.{stream}.{}", stored(stream)),
        None => verb.clone(),
    };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Attempt::on(format!("$JS.API.{verb}")).with(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_touches_streams_and_consumers_that_are_not_theirs() {
    let world = World::start().await;
    let mut setup = world.wire("setup");
    for stream in &STREAMS {
        setup.ask(&stored(stream.name), "x");
    }
    let verbs = verbs();
    let mut tally = Tally::default();
    world.all_kept_out(&mut tally, |name| verbs.iter().filter(|(verb, _)| !may(name, verb)).map(request).collect());

    // What they may ask is answered: the table above isn't a table of refusals only. Nobody deletes
    // here; that the librarian may is shown where it is a gap.
    let harmless = |verb: &str| !["DELETE", "MSG.NEXT", "RESET", "UNPIN"].iter().any(|v| verb.contains(v));
    let asked = world.unchanged("reading", || {
        world.all_try(|name| verbs.iter().filter(|(verb, _)| may(name, verb) && harmless(verb)).map(request).collect())
    });
    for (name, attempt, outcome) in asked {
        tally.outcome(name, &attempt, &outcome);
        // In an account without JetStream the server answers INFO twice, and its own refusal may come
        // first; nothing of ours asks for it there.
        let twice = ["brain", "capability"].contains(&name) && attempt.subject.contains(".CONSUMER.INFO.");
        let answered = matches!(outcome, Outcome::Answered(_)) || twice && outcome.is_kept_out();
        assert!(answered, "{name}: {attempt}: {outcome}");
    }
    tally.print("streams and consumers", 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zones_of_effects_and_the_timekeeper_read_no_mission() {
    let world = World::start().await;
    let mut setup = world.wire("setup");
    for word in ["control.mission.created", "control.plan.accepted", "agent.llm.requested", "user.message.said"] {
        setup.ask(&format!("{M}.{word}"), "secret");
    }
    let bodies = [
        json!({"seq": 1}),
        json!({"last_by_subj": format!("{M}.control.mission.created")}),
        json!({"multi_last": [format!("{M}.>")]}),
        json!({"batch": 9, "seq": 1, "next_by_subj": ">"}),
    ];
    let mut tally = Tally::default();
    world.all_kept_out(&mut tally, |name| {
        if ["control", "agent", "librarian", "door"].contains(&name) {
            return vec![];
        }
        let subjects =
            ["control.plan.accepted", "control.plan.*", "control.*.*", "control.>", "*.mission.*", "agent.llm.*", ">"];
        let by_subject = subjects.iter().map(|s| Attempt::on(format!("$JS.API.DIRECT.GET.MISSIONS.{M}.{s}")).with(""));
        let by_body = bodies.iter().map(|b| Attempt::on("$JS.API.DIRECT.GET.MISSIONS").with(b.to_string()));
        by_subject.chain(by_body).collect()
    });
    // A body in a get by subject would widen it.
    for name in ["brain", "capability"] {
        let subject = format!("$JS.API.DIRECT.GET.MISSIONS.{M}.control.mission.*");
        let all: Vec<_> = bodies.iter().map(|b| Attempt::on(&subject).with(b.to_string())).collect();
        for (one, outcome) in
            all.iter().zip(super::attempt::attempt(&mut world.wire(name), &super::world::inbox(name), &all))
        {
            tally.outcome(name, one, &outcome);
            assert_eq!(outcome, Outcome::Status("408".into()), "{name}: {one}");
        }
    }
    tally.print("reading missions", 80);
}

/// The account of `sys` could purge every other's streams, stop the server or throw people out.
#[tokio::test(flavor = "multi_thread")]
async fn sys_reloads_and_counts_and_does_no_more() {
    let world = World::start().await;
    let id = world.wire("sys").server_id.clone();
    let mut tally = Tally::default();
    let others = ["KICK", "LDM", "PROFILEZ"].map(|verb| format!("$SYS.REQ.SERVER.{id}.{verb}"));
    let more =
        ["$JS.API.ACCOUNT.PURGE.LOG", "$JS.API.SERVER.REMOVE", "$SYS.REQ.CLAIMS.DELETE", "$SYS.REQ.ACCOUNT.LOG.SUBSZ"];
    let refused: Vec<String> = others.into_iter().chain(more.map(String::from)).collect();
    world.all_kept_out(&mut tally, |name| {
        let all = refused.iter().filter(|_| name == "sys");
        all.map(|subject| Attempt::on(subject).with("{}")).collect()
    });
    let mut sys = world.wire("sys");
    for subject in ["PING", "PING.VARZ", "PING.JSZ", "PING.CONNZ", "PING.HEALTHZ", "PING.STATSZ"] {
        let answer = sys.ask(&format!("$SYS.REQ.SERVER.{subject}"), "").json();
        assert!(answer["server"]["id"] == id.as_str(), "{subject}: {answer}");
        tally.note("sys", &subject, "answered");
    }
    tally.print("sys", 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_sys_speaks_to_the_server() {
    let world = World::start().await;
    let id = world.wire("sys").server_id.clone();
    let subjects = [
        format!("$SYS.REQ.SERVER.{id}.RELOAD"),
        format!("$SYS.REQ.SERVER.{id}.KICK"),
        format!("$SYS.REQ.SERVER.{id}.LDM"),
        format!("$SYS.REQ.SERVER.{id}.VARZ"),
        "$SYS.REQ.SERVER.PING".into(),
        "$SYS.REQ.SERVER.PING.VARZ".into(),
        "$SYS.REQ.SERVER.PING.JSZ".into(),
        "$SYS.REQ.ACCOUNT.LOG.CONNZ".into(),
        "$SYS.REQ.ACCOUNT.LOG.SUBSZ".into(),
        "$SYS.REQ.CLAIMS.UPDATE".into(),
        "$SYS.REQ.CLAIMS.LIST".into(),
        "$SYS.ACCOUNT.LOG.CONNECT".into(),
    ];
    let mut tally = Tally::default();
    world.all_kept_out(&mut tally, |name| match name {
        "sys" => vec![],
        _ => subjects.iter().map(|s| Attempt::on(s).with("{}")).collect(),
    });
    // What only the server's own account may ask of JetStream is dropped without a word.
    let whole = ["META.LEADER.STEPDOWN", "SERVER.REMOVE", "ACCOUNT.PURGE.LOG", "ACCOUNT.STREAM.MOVE.LOG.MISSIONS"];
    let tried = world.unchanged("an attempt", || {
        world.all_try(|_| whole.iter().map(|verb| Attempt::on(format!("$JS.API.{verb}")).with("{}")).collect())
    });
    for (name, attempt, outcome) in tried {
        tally.outcome(name, &attempt, &outcome);
        assert!(outcome.is_kept_out(), "{name}: {attempt}: {outcome}");
    }
    tally.print("the server", 160);
}
