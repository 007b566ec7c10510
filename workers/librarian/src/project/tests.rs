//! The rows say what the overview says, after every event.

use super::{Item, concerns};
use crate::{query, store::Store};
use schemas::{Event, EventId, Fact, MissionId, Tenant, Time, Value, Writer, fact::Tail};
use serde_json::json;
use streams::{overview::Overview, subject::Subject};
use uuid::Uuid;

/// Writer, word, data; for an answer: to the event of that number, from 1.
type Word = (Writer, &'static str, Value, Option<u128>);

fn event(n: usize, (writer, kind, data, answers): &Word) -> Event {
    let fact =
        Fact::from_bytes(kind, data.to_string().as_bytes()).expect("a word").unwrap_or_else(|e| panic!("{kind}: {e}"));
    let tail = match (&fact, answers) {
        (_, Some(request)) => Tail::Answer { requester: Writer::Agent, request: EventId(Uuid::from_u128(*request)) },
        (Fact::StepCancelled(said), _) => Tail::Step(said.step.clone()),
        _ => Tail::Bare,
    };
    Event {
        seq: n as u64 + 1,
        id: EventId(Uuid::from_u128(n as u128 + 1)),
        time: Time(1_700_000_000_000 + n as i64),
        tenant: Tenant::default(),
        mission: MissionId(Uuid::from_u128(9)),
        writer: *writer,
        tail,
        fact,
        causation: None,
        basis: None,
        part: None,
        worker_version: String::new(),
        traceparent: None,
        authid: None,
    }
}

/// Projects a log and holds the mission's row against the fold after each event.
fn agrees(words: &[Word]) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(&dir.path().join("rows")).expect("rows");
    store.belong_to("test", 0).expect("a log");
    let mut overview = Overview::default();
    for (n, word) in words.iter().enumerate() {
        let event = event(n, word);
        overview.evolve(&event);
        let subject = Subject::new(event.tenant.clone(), event.mission, event.writer, &event.fact, event.tail.clone());
        let folded = concerns(&subject.kind);
        let item = Item {
            seq: event.seq,
            subject: Some(subject),
            time: Some(event.time),
            event: folded.then(|| Box::new(event)),
            unread: None,
        };
        for _ in 0..2 {
            store.project(std::slice::from_ref(&item)).expect("projected");
        }
        let list = query::Query::List(Default::default());
        let page = store.read(|rows| query::answer(rows, &Tenant::default(), &list)).expect("a page");
        let row = &page["missions"][0];
        let shown = serde_json::to_value(&overview).expect("it serialises");
        let after = format!("after event {}, {}", n + 1, word.1);
        for field in ["id", "name", "goal", "kind", "status", "cost", "created", "updated", "last_seq"] {
            assert_eq!(row[field], shown[field], "{field} {after}");
        }
        let (done, total) = overview.progress();
        assert_eq!(row["progress"], json!({"done": done, "total": total}), "{after}");
    }
    let counts = |sql: &str| store.read(|rows| rows.query_row(sql, [], |row| row.get::<_, i64>(0))).expect("a number");
    assert_eq!(counts("SELECT events FROM mission"), words.len() as i64);
    assert_eq!(counts("SELECT count(*) FROM deliverable"), overview.deliverables.len() as i64);
    assert_eq!(counts("SELECT count(*) FROM call"), overview.calls.len() as i64);
    assert_eq!(counts("SELECT count(*) FROM step"), overview.steps.len() as i64);
}

fn reference() -> Value {
    json!({"stage7:ref": "aa", "type": "json", "size": 1, "media_type": "application/json"})
}

fn created(plan: Option<Value>) -> Word {
    let mut data = json!({"goal": "count the words", "limits": {}, "catalogue": reference(), "goal_event": {"source": "/me", "id": "1"}});
    if let Some(plan) = plan {
        data["plan"] = plan;
    }
    (Writer::Control, "mission.created", data, None)
}

fn plan(step: &str, ids: &[&str]) -> Word {
    let steps: Vec<Value> = ids.iter().map(|id| json!({"id": id, "verb": "X", "outputs": {"out": {}}})).collect();
    (Writer::Control, "plan.accepted", json!({"step": step, "plan": {"steps": steps}}), None)
}

fn control(kind: &'static str, data: Value) -> Word {
    (Writer::Control, kind, data, None)
}

fn agent(kind: &'static str, data: Value) -> Word {
    (Writer::Agent, kind, data, None)
}

fn assigned(step: &str, attempt: u32) -> Word {
    control("step.assigned", json!({"step": step, "attempt": attempt, "agent": "executor-1", "verb": "X"}))
}

fn completed(step: &str, attempt: u32) -> Word {
    let deliverables = json!([{"name": format!("{step}.txt"), "file": reference()}]);
    agent(
        "step.completed",
        json!({"step": step, "attempt": attempt, "agent": "executor-1", "deliverables": deliverables}),
    )
}

fn trouble(writer: Writer, kind: &'static str, step: &str, attempt: u32) -> Word {
    (
        writer,
        kind,
        json!({"step": step, "attempt": attempt, "class": "transient", "message": "no", "reason": "no"}),
        None,
    )
}

#[test]
fn through_planning_calls_pauses_and_questions() {
    let call = json!({
        "purpose": "plan", "step": "_plan", "attempt": 1, "agent": "coordinator-1",
        "task": {"goal": "g"}, "messages": [], "reserve": {},
    });
    let answer = json!({"step": "_plan", "attempt": 1, "provider": "p", "model": "m", "answer": "x", "usage": {"input": 7, "output": 3, "estimated": true}, "cost_usd": 0.25, "ms": 12});
    let failed = json!({"step": "_plan", "attempt": 1, "class": "transient", "message": "busy", "usage": {"input": 1, "output": 0}, "cost_usd": 0.5, "ms": 9});
    agrees(&[
        created(None),
        control("mission.pausing", json!({})),
        control("mission.paused", json!({})),
        control("mission.resumed", json!({"from": "waiting"})),
        control("mission.resumed", json!({"from": "paused"})),
        assigned("_plan", 1),
        agent("llm.requested", call.clone()),
        (Writer::Brain, "llm.failed", failed, Some(7)),
        agent("llm.requested", call),
        (Writer::Brain, "llm.completed", answer.clone(), Some(9)),
        (Writer::Brain, "llm.completed", answer, Some(9)),
        control("mission.pausing", json!({})),
        control("mission.resumed", json!({"from": "paused"})),
        plan("_plan", &["a", "b"]),
        assigned("a", 1),
        completed("a", 1),
        completed("a", 1),
        assigned("b", 1),
        control("mission.waiting", json!({"questions": []})),
        control("mission.resumed", json!({"from": "waiting"})),
        completed("b", 1),
        control("mission.completed", json!({})),
        control("mission.aborted", json!({})),
    ]);
}

#[test]
fn through_retries_sub_plans_and_recoveries() {
    agrees(&[
        created(Some(json!({"steps": []}))),
        plan("_plan", &["a", "b", "c"]),
        assigned("a", 1),
        trouble(Writer::Agent, "step.faulted", "a", 1),
        completed("a", 1),
        control("step.retried", json!({"step": "a", "attempt": 2})),
        assigned("a", 2),
        trouble(Writer::Control, "step.cancelled", "a", 2),
        completed("a", 2),
        assigned("_recover-a", 1),
        plan("_recover-a", &["a-1", "a-2"]),
        assigned("a-1", 1),
        completed("a-1", 1),
        assigned("b", 1),
        control("plan.accepted", json!({"step": "b", "plan": {"answer": 42}})),
        assigned("c", 1),
        trouble(Writer::Control, "step.failed", "c", 1),
        control("mission.failed", json!({"class": "permanent", "message": "c failed", "steps": ["c"]})),
        control("mission.retried", json!({"steps": ["c"]})),
        assigned("c", 2),
        plan("c", &["c-1"]),
        plan("c", &["c-2"]),
        control("mission.aborted", json!({"reason": "enough"})),
        completed("a-2", 1),
        control("mission.retried", json!({"steps": []})),
    ]);
}

#[test]
fn through_a_plan_that_never_came() {
    agrees(&[
        created(None),
        assigned("_plan", 1),
        control("plan.rejected", json!({"step": "_plan", "round": 1, "faults": [], "last": true})),
        control("mission.failed", json!({"class": "permanent", "message": "no plan"})),
        control("mission.retried", json!({"steps": ["_plan"]})),
        assigned("_plan", 2),
        control("plan.accepted", json!({"step": "_plan", "plan": {"answer": "42"}})),
        control("mission.completed", json!({"answer": "42"})),
    ]);
}

/// A record that could not be read in its turn says nothing of how far the mission is.
#[test]
fn what_is_projected_late_sets_no_row_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(&dir.path().join("rows")).expect("rows");
    store.belong_to("test", 0).expect("a log");
    let words = [created(Some(json!({"steps": []}))), plan("_plan", &["a"]), assigned("a", 1)];
    let items: Vec<Item> = words
        .iter()
        .enumerate()
        .map(|(n, word)| {
            let event = event(n, word);
            let subject =
                Subject::new(event.tenant.clone(), event.mission, event.writer, &event.fact, event.tail.clone());
            Item {
                seq: event.seq,
                subject: Some(subject),
                time: Some(event.time),
                event: Some(Box::new(event)),
                unread: None,
            }
        })
        .collect();
    let [first, late, last] = items.as_slice() else { unreachable!("three words") };
    for item in [first, last] {
        store.project(std::slice::from_ref(item)).expect("projected");
    }
    store.revive(late).expect("projected late");
    let row = |rows: &rusqlite::Connection| {
        rows.query_row("SELECT events, last_seq, total FROM mission", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
    };
    assert_eq!(store.read(row).expect("a row"), (3, 3, 1));
}
