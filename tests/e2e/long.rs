//! A mission of ten thousand steps: what its last decision costs, and reading it from the log.

use crate::fill;
use agents::Agents;
use mission_control::Control;
use nats::{
    config::Sync,
    decider::{Catalogues, Seen, resolved},
    jetstream::JetStream,
    log::Log,
    server::{Managed, Options, Places, find},
    setup,
};
use schemas::{
    Event, EventId, Fact, MissionId, Tenant, Time, Writer,
    catalogue::Catalogue,
    fact::Tail,
    value::{Blob, Form},
};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    io::{Write, stderr},
    sync::Arc,
    time::{Duration, Instant},
};
use streams::{
    decide::Decider,
    record::{Dataref, PAYLOAD_LIMIT, Record},
    subject,
};
use tokio::runtime::Runtime;
use uuid::Uuid;

const MISSION: MissionId = MissionId(Uuid::from_u128(0x5000));
/// Steps that wait for the one so many before: as many chains run beside each other.
const CHAINS: usize = 16;

/// A decider beside its mission, as the loop runs it: it decides once its own words are folded.
struct Side<D: Decider> {
    state: D::State,
    /// Own words that are not folded yet.
    open: usize,
}

impl<D: Decider> Side<D> {
    fn new() -> Self {
        Self { state: D::State::default(), open: 0 }
    }

    fn take(&mut self, event: &Event) -> Vec<Event> {
        if D::folds(event.writer, event.fact.kind(), &event.tail) {
            D::evolve(&mut self.state, event);
        } else {
            D::pass(&mut self.state);
        }
        self.open -= usize::from(event.writer == D::WRITER && self.open > 0);
        let due = if self.open == 0 { D::decide(&self.state) } else { Vec::new() };
        self.open += due.len();
        let about = D::about(&self.state).cloned();
        due.iter().map(|due| due.event(about.as_ref().expect("it has begun"), D::WRITER)).collect()
    }
}

fn catalogue() -> Blob {
    let verb = json!({
        "name": "NOTHING", "version": "1.0.0", "description": "Does nothing", "runner": "capability", "runtime": "native",
        "input": {"type": "object", "properties": {"text": {"type": "string"}}},
        "output": {"type": "object", "properties": {"out": {"type": "string"}}}, "pure": true,
    });
    Blob::new(Form::Json, "application/json", json!({"verbs": {"NOTHING": verb}, "roles": {}}).to_string().into_bytes())
}

fn event(writer: Writer, tail: Tail, fact: Fact, cause: Option<EventId>) -> Event {
    let entity = cause.map(|id| id.to_string()).unwrap_or_default();
    Event {
        seq: 0,
        id: EventId::of_word(MISSION, writer, fact.kind(), &entity, 0),
        time: Time(1_700_000_000_000),
        tenant: Tenant::default(),
        mission: MISSION,
        writer,
        tail,
        fact,
        causation: cause,
        basis: None,
        part: None,
        worker_version: "test0001".into(),
        traceparent: None,
        authid: None,
    }
}

fn fact(kind: &str, data: &Value) -> Fact {
    Fact::from_bytes(kind, data.to_string().as_bytes()).unwrap().unwrap()
}

fn say(text: &str) {
    // Past the test harness, which keeps what a passing test prints to itself.
    stderr().write_all(format!("long: {text}\n").as_bytes()).unwrap();
}

/// How long this thread has computed: what others do meanwhile doesn't count.
fn computed() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(told.split(' ').next().unwrap().parse().unwrap())
}

/// A mission of so many steps, decided to its end without any log: its events, and what they cost
/// both deciders together.
fn decided(steps: usize) -> (Vec<Event>, Duration) {
    let begin = computed();
    let catalogue = catalogue();
    let plan: Vec<Value> = (0..steps)
        .map(|n| {
            let text = match n.checked_sub(CHAINS) {
                Some(before) => json!({"from": format!("s{before}"), "output": "out"}),
                None => json!({"value": "x"}),
            };
            json!({"id": format!("s{n}"), "verb": "NOTHING", "inputs": {"text": text}, "outputs": {"out": {"type": "string"}}})
        })
        .collect();
    let mut created = fact(
        "mission.created",
        &json!({
            "goal": "nothing, often", "plan": {"steps": plan}, "limits": {}, "catalogue": catalogue.reference.to_value(),
            "goal_event": {"source": "/test", "id": "long"},
        }),
    );
    if let Fact::MissionCreated(created) = &mut created {
        let content: Catalogue = serde_json::from_slice(&catalogue.bytes).unwrap();
        created.catalogue.content = Some(Arc::new(content));
    }
    let mut coming = VecDeque::from([event(Writer::Control, Tail::Bare, created, None)]);
    let (mut control, mut agents) = (Side::<Control>::new(), Side::<Agents>::new());
    let mut log: Vec<Event> = Vec::new();
    while let Some(mut event) = coming.pop_front() {
        event.seq = log.len() as u64 + 1;
        coming.extend(control.take(&event));
        coming.extend(agents.take(&event));
        if let Fact::PluginRequested(asked) = &event.fact {
            let data = json!({"step": asked.step, "attempt": asked.attempt, "outputs": {"out": "x"}, "ms": 0});
            let tail = Tail::Answer { requester: Writer::Agent, request: event.id };
            coming.push_back(self::event(Writer::Capability, tail, fact("plugin.completed", &data), Some(event.id)));
        }
        log.push(event);
    }
    assert_eq!(log.last().unwrap().fact.kind(), "mission.completed", "{:?}", log.last());
    let done = log.iter().filter(|event| event.fact.kind() == "step.completed").count();
    assert_eq!(done, steps);
    (log, computed() - begin)
}

#[test]
fn a_mission_of_ten_thousand_steps_decides_as_fast_as_a_small_one_and_is_soon_read() {
    let (mut costs, mut last) = (Vec::new(), Vec::new());
    // The first of a process reads tables that the others find.
    decided(10);
    for steps in [10, 100, 1_000, 10_000] {
        let (log, spent) = decided(steps);
        let cost = spent.as_secs_f64() * 1e6 / log.len() as f64;
        say(&format!("{steps} steps: {} events, {cost:.1} µs an event in both deciders", log.len()));
        costs.push(cost);
        last = log;
    }
    read_back(&last);
    assert!(costs[3] < 3.0 * costs[1], "a decision grows with the mission: {costs:?} µs");
}

/// Reads a mission's log as a decider does that doesn't hold it.
fn read_back(log: &[Event]) {
    Runtime::new().unwrap().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::from_vars(|name| std::env::var_os(name));
        let binary = find(&places, &|line| eprintln!("{line}")).await.unwrap();
        let mut options = Options::new(dir.path(), &binary);
        // Reading is what is measured.
        options.sync = Sync::Default;
        let managed = Managed::start(options).await.unwrap();
        let admin = managed.connect("setup").await.unwrap();
        setup::ensure(&admin).await.unwrap();
        put(&JetStream::new(admin), log).await;
        let took =
            [load::<Control>(&managed, "control", log.len()).await, load::<Agents>(&managed, "agent", log.len()).await];
        say(&format!("{} events loaded by control in {:?}, by agents in {:?}", log.len(), took[0], took[1]));
        if std::env::var_os("STAGE7_SOAK").is_some() {
            assert!(took.iter().all(|took| *took < Duration::from_secs(2)), "{took:?}");
        }
    });
}

async fn put(log: &JetStream, events: &[Event]) {
    let (tenant, catalogue) = (Tenant::default(), catalogue());
    log.put(&tenant, &catalogue.reference.sha256, &catalogue.bytes).await.unwrap();
    let mut records: Vec<Record> = events.iter().map(Record::encode).collect();
    for record in records.iter_mut().filter(|record| record.payload.len() > PAYLOAD_LIMIT) {
        let sha256 = schemas::value::sha256(&record.payload);
        log.put(&tenant, &sha256, &record.payload).await.unwrap();
        let dataref = Dataref { sha256, size: record.payload.len() as u64 };
        record.headers.push(("ce-dataref".into(), dataref.to_urn()));
        record.payload = Default::default();
    }
    assert_eq!(fill::records(log, &records).await, events.len() as u64);
}

/// What the loop does with a mission that it doesn't hold.
async fn load<D: Decider>(managed: &Managed, user: &str, events: usize) -> Duration {
    let log = JetStream::new(managed.connect(user).await.unwrap());
    let (begin, catalogues) = (Instant::now(), Catalogues::default());
    let mut state = D::State::default();
    let records = log.load(&subject::mission(&Tenant::default(), MISSION), 0).await.unwrap();
    assert_eq!(records.len(), events);
    for record in records {
        match resolved::<D>(&log, record, &catalogues).await.unwrap() {
            Seen::Event(event) => D::evolve(&mut state, &event),
            Seen::Passed => D::pass(&mut state),
            Seen::Undecodable(why) => panic!("{why}"),
        }
    }
    assert!(D::decide(&state).is_empty());
    begin.elapsed()
}
