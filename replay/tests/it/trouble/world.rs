//! A case run from its goal to its end: people and the timekeeper do what they are asked.

use super::{
    budget,
    case::{Case, Say},
    holds::{self, Outcome, Runs},
    service,
};
use agents::Agents;
use nats::{
    decider::append_event,
    log::{Guard, Log},
    memory::Memory,
    rule::Rules,
};
use replay::History;
use schemas::{
    Event, EventId, Fact, MissionId, Tenant, Time, Writer,
    catalogue::{Catalogue, Role, Runner, Verb},
    control::{Attached, GoalEvent, MissionCreated},
    fact::Tail,
    limits::Limits,
    timer::TimerFired,
    user,
    value::{Blob, Form},
};
use serde_json::json;
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};
use streams::{decide::Decider, subject};
use tokio::time::Instant;
use uuid::Uuid;

const MISSION: MissionId = MissionId(Uuid::from_u128(2));
/// What has not come to its end by then stalls: no fault lasts longer than seven seconds.
const LIMIT: Duration = Duration::from_secs(150);
/// How long a pause lasts.
const PAUSE: Duration = Duration::from_millis(300);

/// Runs a case, as it is and without trouble, and compares.
///
/// # Errors
/// A sentence: what did not hold.
pub fn try_out(case: &Case, rules: Rules) -> Result<(), String> {
    let calm = case.calm();
    let wanted = run(&calm, Rules::default()).map_err(|why| format!("without any trouble: {why}"))?;
    try_with(case, &wanted, rules).map(drop)
}

/// Runs a case and compares with how it must end. Gives how it did.
///
/// # Errors
/// A sentence: what did not hold.
pub fn try_with(case: &Case, wanted: &Outcome, rules: Rules) -> Result<Outcome, String> {
    let outcome = run(case, rules)?;
    holds::same(case, wanted, &outcome)?;
    Ok(outcome)
}

/// Runs a case to its end; time passes as fast as nothing happens.
pub fn run(case: &Case, rules: Rules) -> Result<Outcome, String> {
    run_with::<Agents>(case, rules)
}

/// The same, with these agents.
pub fn run_with<A: Decider>(case: &Case, rules: Rules) -> Result<Outcome, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { World::new::<A>(case, rules).run().await })
}

struct World {
    case: Arc<Case>,
    log: Memory,
    runs: Arc<Runs>,
    read: usize,
    begun: Instant,
    /// What somebody will say at its time.
    later: Vec<(Instant, Event, String)>,
    words: usize,
    raises: u32,
    retried: bool,
    ended: bool,
}

static CATALOGUE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let verb = |name: &str, runner, input: &str, output: serde_json::Value| Verb {
        name: name.into(),
        version: "1.0.0".into(),
        description: String::new(),
        input: json!({"type": "object", "properties": {input: {"type": "string"}}, "required": [input]}),
        output: json!({"type": "object", "properties": output}),
        runner,
        runtime: "native".into(),
        literal: Vec::new(),
        files: None,
        roles: Vec::new(),
        pure: true,
    };
    let text = json!({"type": "string"});
    let verbs = [
        verb("WORK", Runner::Capability, "text", json!({ "text": text })),
        verb("THINK", Runner::Agent, "prompt", json!({ "text": text })),
        verb("ASK_USER_QUESTION", Runner::Agent, "question", json!({ "answer": text })),
        verb("CHAT", Runner::Agent, "message", json!({"delivered": {"type": "boolean"}})),
        verb("ACCOMPLISH", Runner::Agent, "goal", json!({})),
    ];
    let role = Role { description: "x".into(), responsibilities: Vec::new(), prompt: "x".into(), verbs: Vec::new() };
    let catalogue = Catalogue {
        verbs: verbs.into_iter().map(|verb| (verb.name.clone(), verb)).collect(),
        roles: (0..budget::AGENTS)
            .map(|n| format!("role{n}"))
            .chain(["executor".into()])
            .map(|name| (name, role.clone()))
            .collect(),
    };
    serde_json::to_vec(&catalogue).unwrap()
});

impl World {
    fn new<A: Decider>(case: &Case, rules: Rules) -> Self {
        let case = Arc::new(case.clone());
        let log = Memory::scripted(case.faults.clone(), case.max_ack_pending);
        let runs = Arc::new(Runs::new(&log, &case));
        service::start::<A>(&log, &case, rules, &runs);
        Self {
            case,
            log,
            runs,
            read: 0,
            begun: Instant::now(),
            later: Vec::new(),
            words: 0,
            raises: 0,
            retried: false,
            ended: false,
        }
    }

    async fn run(mut self) -> Result<Outcome, String> {
        self.goal().await;
        while !self.is_over() {
            if self.begun.elapsed() > LIMIT {
                let floors = ["mission-control", "agent-steps"].map(|name| self.log.floor(name));
                let last: Vec<String> =
                    self.log.records().iter().rev().take(8).map(|record| record.subject[60..].to_string()).collect();
                return Err(format!("a stall: {} records, floors {floors:?}, the last {last:?}", self.log.size()));
            }
            self.log.changes().await;
            self.look();
            self.say().await;
            self.runs.wrong()?;
        }
        let history = History::read(&self.log, &Tenant::default(), MISSION).await.map_err(|e| e.to_string())?;
        budget::holds(&self.case, &history)?;
        holds::log(&self.case, &history)?;
        Ok(Outcome { met: self.log.met(), ..Outcome::of(&self.case, &history) })
    }

    /// The mission has ended, and the deciders have acknowledged all of it.
    fn is_over(&self) -> bool {
        let size = self.log.size();
        self.ended
            && self.later.is_empty()
            && ["mission-control", "agent-steps"].iter().all(|name| self.log.floor(name) == size)
    }

    async fn goal(&mut self) {
        let blob = Blob::new(Form::Json, "application/json", CATALOGUE.clone());
        self.log.put(&Tenant::default(), &blob.reference.sha256, &blob.bytes).await.unwrap();
        let created = MissionCreated {
            goal: "do it".into(),
            kind: Default::default(),
            name: None,
            context: None,
            files: Default::default(),
            optimize: None,
            budget: self.case.budget.clone().unwrap_or_default(),
            autonomy: Default::default(),
            model: None,
            plan: self.case.planned.is_none().then(|| serde_json::from_value(self.case.plan()).unwrap()),
            limits: Limits { slots: self.case.slots, backoff: 0.02, backoff_cap: 0.1, ..Limits::default() },
            catalogue: Attached { reference: blob.reference, content: None },
            goal_event: GoalEvent { source: "/test".into(), id: "1".into() },
        };
        let event = self.event(Writer::Control, created.into(), Tail::Bare, "");
        self.append(event, subject::family(&Tenant::default(), MISSION, Writer::Control)).await;
    }

    /// What is new in the log, and what somebody will say to it.
    fn look(&mut self) {
        let from = self.read;
        let new = self.runs.read(from);
        self.read = self.log.size() as usize;
        for event in new {
            match &event.fact {
                Fact::QuestionAsked(_) if event.writer == Writer::Agent => {
                    let answered = user::QuestionAnswered { question: event.id, answer: "yes".into() };
                    self.user(Duration::from_millis(20), answered.into(), &event.id.to_string());
                }
                Fact::QuestionAsked(_) => self.raise(Duration::from_millis(200)),
                Fact::TimerSet(said) => {
                    let tail = Tail::Answer { requester: event.writer, request: event.id };
                    let fired =
                        self.event(Writer::Timer, TimerFired { at: said.at }.into(), tail, &event.id.to_string());
                    let filter =
                        subject::answers(&Tenant::default(), MISSION, Writer::Timer, "timer", event.writer, event.id);
                    let wait = Duration::from_millis((said.at.0 - event.time.0).max(0) as u64);
                    self.later.push((Instant::now() + wait, fired, filter));
                }
                Fact::TimerCleared(said) => {
                    self.later.retain(|(_, event, _)| event.request() != Some(said.timer));
                }
                Fact::MissionFailed(_) if self.case.retried && !self.retried => {
                    self.retried = true;
                    self.user(Duration::from_millis(50), user::RetryRequested::default().into(), "");
                }
                Fact::MissionCompleted(_) | Fact::MissionFailed(_) | Fact::MissionAborted(_) => {
                    self.ended = true;
                    self.later.clear();
                }
                _ => {}
            }
        }
        while let Some(word) = self.case.words.get(self.words).copied() {
            if self.ended || self.log.size() < word.after {
                break;
            }
            self.words += 1;
            let entity = self.words.to_string();
            match word.say {
                Say::Pause => {
                    self.user(Duration::ZERO, user::PauseRequested::default().into(), &entity);
                    self.user(PAUSE, user::ResumeRequested {}.into(), &entity);
                }
                Say::Raise => self.raise(Duration::ZERO),
                Say::Abort => self.user(Duration::ZERO, user::AbortRequested::default().into(), &entity),
            }
        }
    }

    /// The budget as it was and as much again, and enough for the largest call.
    fn raise(&mut self, after: Duration) {
        self.raises += 1;
        let entity = format!("raise {}", self.raises);
        self.user(after, budget::raised(&self.case, self.raises).into(), &entity);
    }

    fn user(&mut self, after: Duration, fact: Fact, entity: &str) {
        let event = self.event(Writer::User, fact, Tail::Bare, entity);
        let filter = subject::family(&Tenant::default(), MISSION, Writer::User);
        self.later.push((Instant::now() + after, event, filter));
    }

    /// What it is time for.
    async fn say(&mut self) {
        let now = Instant::now();
        let mut at = 0;
        while at < self.later.len() {
            if self.later[at].0 > now {
                at += 1;
                continue;
            }
            let (_, event, filter) = self.later.remove(at);
            self.append(event, filter).await;
        }
    }

    async fn append(&self, mut event: Event, filter: String) {
        event.time = self.log.now();
        let last = self.log.last(&filter).await.unwrap().map_or(0, |record| record.seq);
        // A timer that was said to be set twice still fires once.
        if event.request().is_none() || last == 0 {
            append_event(&self.log, &event, &[], &Guard { filter, last }).await.expect("nobody else says it");
        }
    }

    fn event(&self, writer: Writer, fact: Fact, tail: Tail, entity: &str) -> Event {
        Event {
            seq: 0,
            id: EventId::of_word(MISSION, writer, fact.kind(), entity, 0),
            time: Time(0),
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
}
