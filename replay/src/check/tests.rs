use super::*;
use nats::{
    decider::{self, Options, append_event},
    log::{Guard, Log},
    memory::{Memory, Trouble},
};
use schemas::{
    EventId, MissionId, Tenant, Time, Value, Writer,
    catalogue::{Catalogue, Runner, Verb},
    cloudevent::to_structured,
    control::{Attached, GoalEvent, MissionCreated},
    fact::Tail,
    plan::Plan,
    value::{Blob, Form},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use streams::{overview, subject};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const MISSION: MissionId = MissionId(Uuid::from_u128(2));

fn event(log: &dyn Log, writer: Writer, tail: Tail, fact: Fact) -> Event {
    Event {
        seq: 0,
        id: EventId::of_word(MISSION, writer, fact.kind(), &format!("{tail:?}"), 0),
        time: log.now(),
        tenant: Tenant::default(),
        mission: MISSION,
        writer,
        tail,
        fact,
        causation: None,
        basis: None,
        part: None,
        worker_version: "test0001".into(),
        traceparent: None,
        authid: None,
    }
}

/// Appends until the log has it.
async fn put(log: &Memory, event: &Event, filter: &str) {
    let there = |log: &Memory| log.records().iter().any(|record| nats::memory::matches(filter, &record.subject));
    while !there(log) {
        let _ = append_event(log, event, &[], &Guard { filter: filter.into(), last: 0 }).await;
    }
}

fn verb() -> Verb {
    Verb {
        name: "UPPER".into(),
        version: "1.0.0".into(),
        description: "Upper case".into(),
        input: json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}),
        output: json!({"type": "object", "properties": {"out": {"type": "string"}}, "required": ["out"]}),
        runner: Runner::Capability,
        runtime: "native".into(),
        literal: vec![],
        files: None,
        roles: vec![],
        pure: true,
    }
}

/// A mission with a ready plan of four steps, run by the real loops; its history.
async fn recorded(seed: u64, trouble: Trouble) -> (Memory, History) {
    let log = Memory::new(seed, trouble, 1_000);
    let catalogue = Catalogue { verbs: [("UPPER".to_string(), verb())].into(), roles: Default::default() };
    let bytes = serde_json::to_vec(&catalogue).expect("it serialises");
    let blob = Blob::new(Form::Json, "application/json", bytes);
    log.put(&Tenant::default(), &blob.reference.sha256, &blob.bytes).await.expect("memory holds it");
    let step = |id: &str, text: Value| json!({"id": id, "verb": "UPPER", "inputs": {"text": text}, "outputs": {"out": {"type": "string", "deliverable": format!("{id}.txt")}}});
    let plan = json!({"steps": [
        step("a", json!({"value": "one"})), step("b", json!({"value": "two"})),
        step("c", json!({"from": "a", "output": "out"})), step("d", json!({"from": "c", "output": "out"})),
    ]});
    let plan: Plan = serde_json::from_value(plan).expect("a plan");
    let created = MissionCreated {
        goal: "shout".into(),
        kind: Default::default(),
        name: None,
        context: None,
        files: Default::default(),
        optimize: None,
        budget: Default::default(),
        autonomy: Default::default(),
        model: None,
        plan: Some(plan),
        limits: Default::default(),
        catalogue: Attached { reference: blob.reference, content: None },
        goal_event: GoalEvent { source: "/test".into(), id: "1".into() },
    };
    let created = event(&log, Writer::Control, Tail::Bare, created.into());
    put(&log, &created, &subject::family(&Tenant::default(), MISSION, Writer::Control)).await;

    let stop = CancellationToken::new();
    let shared: Arc<dyn Log> = Arc::new(log.clone());
    let loops = [
        tokio::spawn(decider::run::<Control>(Arc::clone(&shared), Options::new("test0001"), stop.clone())),
        tokio::spawn(decider::run::<Agents>(Arc::clone(&shared), Options::new("test0001"), stop.clone())),
    ];
    for _ in 0..4_000 {
        if log.records().iter().any(|record| record.subject.contains(".control.mission.completed")) {
            break;
        }
        answer_runs(&log).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    log.calm();
    stop.cancel();
    for one in loops {
        one.await.expect("no panic").expect("it ends well");
    }
    let history = History::read(&log, &Tenant::default(), MISSION).await.expect("it is read");
    (log, history)
}

/// What capabilities would do.
async fn answer_runs(log: &Memory) {
    for record in log.records().iter().filter(|record| record.subject.ends_with("agent.plugin.requested")) {
        let Ok(streams::record::Decoded::Event(request)) = record.decode() else { panic!("{record:?}") };
        let Fact::PluginRequested(asked) = &request.fact else { panic!("{request:?}") };
        let text = asked.inputs["text"].as_str().expect("a text").to_uppercase();
        let data = json!({"step": asked.step, "attempt": asked.attempt, "outputs": {"out": text}, "ms": 1}).to_string();
        let fact = Fact::from_bytes("plugin.completed", data.as_bytes()).expect("a word").expect("its data");
        let answer =
            event(log, Writer::Capability, Tail::Answer { requester: Writer::Agent, request: request.id }, fact);
        let filter =
            subject::answers(&request.tenant, MISSION, Writer::Capability, "plugin", Writer::Agent, request.id);
        put(log, &answer, &filter).await;
    }
}

#[tokio::test]
async fn what_the_loops_record_is_decided_again_the_same() {
    let trouble = Trouble { lost_answer: 9, duplicate: 7, hole: 31, new_pin: 43, stale_read: 5, forgotten_acks: 13 };
    for seed in 0..12 {
        let (_, history) = recorded(seed, if seed == 0 { Trouble::default() } else { trouble }).await;
        for report in check_all(&history) {
            assert_eq!(report.differences, [], "seed {seed}, {}", report.decider);
            assert!(report.decisions > 1 && report.events >= report.decisions, "{report:?}");
        }
        let shown = crate::show(&history, None);
        assert_eq!(
            (shown.status, shown.progress(), shown.deliverables.len()),
            (overview::Status::Completed, (4, 4), 4)
        );
    }
}

#[tokio::test]
async fn a_changed_a_missing_and_an_invented_decision_are_found() {
    let (_, history) = recorded(0, Trouble::default()).await;
    let own = |entry: &Entry, kind: &str| matches!(entry, Entry::Event(event) if event.fact.kind() == kind);
    let place = |kind: &str| history.entries.iter().position(|entry| own(entry, kind)).expect("it was said");
    let differences = |entries: Vec<Entry>| check::<Control>(&History { entries }).differences;
    let edited = |at: usize, edit: &dyn Fn(&mut Event)| {
        let mut entries = history.entries.clone();
        if let Entry::Event(event) = &mut entries[at] {
            edit(event);
        }
        differences(entries)
    };

    let assigned = place("step.assigned");
    let changed = edited(assigned, &|event| {
        if let Fact::StepAssigned(said) = &mut event.fact {
            said.agent = "somebody-1".into();
        }
    });
    assert_eq!(changed[0].message, "the decided word has another content");
    assert_ne!(changed[0].recorded["data"]["agent"], changed[0].decided["data"]["agent"]);
    assert_eq!(
        edited(assigned, &|event| event.id = EventId(Uuid::nil()))[0].message,
        "the decided word has another id"
    );
    assert_eq!(edited(assigned, &|event| event.causation = None)[0].message, "the decided word has another cause");
    assert!(edited(assigned, &|event| event.basis = Some(0))[0].message.contains("lacks the decider's own word"));

    let end = place("mission.completed");
    let missing =
        differences(history.entries.iter().filter(|entry| !own(entry, "mission.completed")).cloned().collect());
    assert_eq!(missing[0].message, "at the end `mission.completed` is due and not said");

    let mut entries = history.entries.clone();
    let Entry::Event(last) = entries[end].clone() else { panic!("an event") };
    let invented =
        Event { seq: last.seq + 1, basis: Some(last.seq), part: Some(schemas::event::Part { k: 1, n: 1 }), ..*last };
    entries.truncate(end + 1);
    entries.push(Entry::Event(Box::new(invented)));
    assert_eq!(differences(entries)[0].message, "today nothing more is due than 0 of 1 words");
}

/// The lines that `mission export` writes.
async fn export(log: &Memory, history: &History) -> Vec<String> {
    let mut lines: Vec<String> = history.events().map(|event| to_structured(event).to_string()).collect();
    let Some(Fact::MissionCreated(created)) = history.events().next().map(|event| &event.fact) else {
        panic!("it begins so")
    };
    let reference = &created.catalogue.reference;
    let bytes = log.get(&Tenant::default(), &reference.sha256, reference.size).await.expect("it is there");
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bytes);
    lines.push(json!({"specversion": "1.0", "id": reference.sha256, "source": "/stage7/default/artifacts", "type": crate::ARTIFACT, "data_base64": base64}).to_string());
    lines
}

#[tokio::test]
async fn an_export_is_the_same_history() {
    let (log, history) = recorded(0, Trouble::default()).await;
    let lines = export(&log, &history).await;
    assert_eq!(History::parse(&lines.join("\n")).as_ref(), Ok(&history));

    let newer = lines[1].replace(".v1\"", ".v2\"");
    let with_newer =
        History::parse(&[&lines[0], newer.as_str()].map(String::from).join("\n")).expect("a newer word is kept");
    assert!(matches!(with_newer.entries[1], Entry::Passed(_)));

    for (wrong, line, why) in [
        (format!("{}\n\n{{", lines[0]), 3, "cut off"),
        (format!("{}\n{}", lines[1], lines[0]), 2, "in the order of the log"),
        (format!("{}\n{}", lines[0], lines[1].replace(&MISSION.to_string(), &"1".repeat(32))), 2, "in an export of"),
        ("{\"specversion\": \"1.0\"}".into(), 1, "/id"),
        (lines[lines.len() - 1].replace("\"data_base64\":\"", "\"data_base64\":\"AAAA"), 1, "holds other bytes"),
    ] {
        let refused = History::parse(&wrong).expect_err(why);
        assert!(refused.line == line && refused.why.contains(why), "{refused}");
    }
}

#[test]
fn a_state_is_shown_as_it_was() {
    let log = Memory::new(1, Trouble::default(), 10);
    let said = |seq, text: &str| {
        let fact = schemas::user::MessageSaid { text: text.into(), step: None, agent: None };
        Entry::Event(Box::new(Event {
            seq,
            time: Time(seq as i64),
            ..event(&log, Writer::User, Tail::Bare, fact.into())
        }))
    };
    let history = History { entries: vec![said(3, "one"), Entry::Passed(5), said(8, "two")] };
    let shown = |at| {
        let shown = crate::show(&history, at);
        (shown.messages.len(), shown.events, shown.last_seq)
    };
    assert_eq!(
        [shown(Some(2)), shown(Some(3)), shown(Some(7)), shown(None)],
        [(0, 0, 0), (1, 1, 3), (1, 2, 5), (2, 3, 8)]
    );
}
