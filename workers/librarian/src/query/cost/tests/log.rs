//! Calls of models in a log, and questions about what they cost.

use crate::{
    project::Item,
    query::cost::{Sums, list},
    store::Store,
};
use schemas::{Event, EventId, Fact, MissionId, Tenant, Time, Value, Writer, fact::Tail};
use serde_json::json;
use streams::{archive::Archived, subject::Subject, submission::Refusal};
use tempfile::TempDir;
use uuid::Uuid;

const DAY: i64 = 86_400_000;

/// A log of several missions, and its rows.
pub struct Log {
    pub store: Store,
    pub events: Vec<Event>,
    _dir: TempDir,
}

/// A try, or an answer without the tries before it: model, tokens, dollars, are they estimated?
#[derive(Debug, Clone)]
pub struct Paid {
    pub model: usize,
    pub input: u64,
    pub output: u64,
    pub usd: f64,
    pub estimated: bool,
}

/// A call as it went: what a brain tried that disappeared, what the next tried, and its answer.
#[derive(Debug, Clone)]
pub struct Call {
    pub mission: u128,
    pub step: usize,
    pub agent: usize,
    pub day: i64,
    pub lost: Vec<Paid>,
    pub tried: Vec<Paid>,
    pub end: End,
}

#[derive(Debug, Clone)]
pub enum End {
    Completed(Paid),
    Failed,
    Open,
}

pub fn mission(n: u128) -> MissionId {
    MissionId(Uuid::from_u128(n))
}

impl Log {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(&dir.path().join("rows")).expect("rows");
        store.belong_to("test", 0).expect("a log");
        Self { store, events: Vec::new(), _dir: dir }
    }

    /// Says a word, as an answer where `request` is given, and has it delivered twice.
    fn say(
        &mut self,
        n: u128,
        day: i64,
        writer: Writer,
        kind: &str,
        data: &Value,
        request: Option<EventId>,
    ) -> EventId {
        let seq = self.events.len() as u64 + 1;
        let fact = Fact::from_bytes(kind, data.to_string().as_bytes())
            .expect("a word")
            .unwrap_or_else(|e| panic!("{kind}: {e}"));
        let event = Event {
            seq,
            id: EventId(Uuid::from_u128(u128::from(seq))),
            time: Time(day * DAY + seq.cast_signed()),
            tenant: Tenant::default(),
            mission: mission(n),
            writer,
            tail: request.map_or(Tail::Bare, |request| Tail::Answer { requester: Writer::Agent, request }),
            fact,
            causation: None,
            basis: None,
            part: None,
            worker_version: String::new(),
            traceparent: None,
            authid: None,
        };
        let item = item(&event);
        for _ in 0..2 {
            self.store.project(std::slice::from_ref(&item)).expect("projected");
        }
        let id = event.id;
        self.events.push(event);
        id
    }

    pub fn created(&mut self, n: u128) {
        let data = json!({"goal": format!("goal {n}"), "limits": {}, "catalogue": reference(), "goal_event": {"source": "/me", "id": "1"}});
        self.say(n, 0, Writer::Control, "mission.created", &data, None);
    }

    pub fn call(&mut self, call: &Call) {
        let (n, step) = (call.mission, format!("s{}", call.step));
        let asked = json!({"purpose": "think", "step": step, "attempt": 1, "agent": format!("executor-{}", call.agent),
            "task": {"goal": "g"}, "messages": [], "reserve": {}});
        let id = self.say(n, call.day, Writer::Agent, "llm.requested", &asked, None);
        for (i, tried) in call.lost.iter().enumerate().chain(call.tried.iter().enumerate()) {
            let data = json!({"call": id, "n": i + 1, "provider": "p", "model": format!("m{}", tried.model), "usage": usage(&[tried]),
                "cost_usd": tried.usd, "ms": 1, "error": "no"});
            self.say(n, call.day + i as i64, Writer::Brain, "llm.tried", &data, None);
        }
        let mut all: Vec<&Paid> = call.tried.iter().collect();
        let by = match &call.end {
            End::Open => return,
            End::Failed => None,
            End::Completed(answer) => {
                all.push(answer);
                Some(answer.model)
            }
        };
        let mut data = json!({"step": step, "attempt": 1, "usage": usage(&all), "ms": 50,
            "cost_usd": all.iter().fold(0.0, |usd, paid| usd + paid.usd)});
        match by {
            Some(model) => {
                (data["provider"], data["model"], data["answer"]) = (json!("p"), json!(format!("m{model}")), json!("x"))
            }
            None => (data["class"], data["message"]) = (json!("transient"), json!("no")),
        }
        let kind = if by.is_some() { "llm.completed" } else { "llm.failed" };
        self.say(n, call.day + 2, Writer::Brain, kind, &data, Some(id));
    }

    pub fn ask(&self, question: Value) -> Result<Value, Refusal> {
        let asked: Sums = serde_json::from_value(question).expect("a question");
        self.store.read(|rows| list(rows, &Tenant::default(), &asked)).map(|page| json!(page))
    }

    pub fn rows(&self, question: Value) -> Vec<Value> {
        self.ask(question).expect("rows")["rows"].as_array().expect("rows").clone()
    }

    /// A mission goes into the archive; its rows are made anew of what lies there.
    pub fn archive(&self, n: u128, imported: bool) {
        let ours = || self.events.iter().filter(|event| event.mission == mission(n));
        let word = json!({"tenant": "default", "mission": mission(n), "archive": reference(), "events": ours().count(),
            "last": ours().next_back().map_or(0, |event| event.seq), "at": Time(0), "imported": imported,
            "goal_event": {"source": "/me", "id": "1"}, "fence": 0});
        let word: Archived = serde_json::from_value(word).expect("a word");
        let items: Vec<Item> = ours().map(item).collect();
        self.store.entomb(&word, Some(&items)).expect("entombed");
    }
}

fn reference() -> Value {
    json!({"stage7:ref": "aa", "type": "json", "size": 1, "media_type": "application/json"})
}

fn item(event: &Event) -> Item {
    let subject = Subject::new(event.tenant.clone(), event.mission, event.writer, &event.fact, event.tail.clone());
    let event = Box::new(event.clone());
    Item { seq: event.seq, subject: Some(subject), time: Some(event.time), event: Some(event), unread: None }
}

fn usage(all: &[&Paid]) -> Value {
    json!({"input": all.iter().map(|paid| paid.input).sum::<u64>(), "output": all.iter().map(|paid| paid.output).sum::<u64>(),
        "estimated": all.iter().any(|paid| paid.estimated)})
}
