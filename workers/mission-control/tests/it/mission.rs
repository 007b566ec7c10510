//! A mission's log without a log: what the others say goes in, what control says comes out.

use mission_control::Control;
use schemas::{
    Event, EventId, Fact, MissionId, Tenant, Time, Value, Writer,
    catalogue::{Catalogue, Role, Runner, Verb},
    control::{Attached, GoalEvent, MissionCreated},
    fact::Tail,
    goal::{Autonomy, Budget, Kind},
    limits::Limits,
    plan::Plan,
    value::{Blob, Form},
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use streams::{control::State, decide::Decider};
use uuid::Uuid;

pub struct Mission {
    pub state: State,
    pub log: Vec<Event>,
}

/// Verbs enough for a plan: one of the agents', one plugin.
pub fn catalogue() -> Catalogue {
    let verb = |name: &str, runner, role: &str| Verb {
        name: name.into(),
        version: "1.0.0".into(),
        description: String::new(),
        input: json!({"type": "object", "properties": {"text": {"type": "string"}}}),
        output: json!({"type": "object", "properties": {"text": {"type": "string"}, "answer": {}}}),
        runner,
        runtime: "native".into(),
        literal: Vec::new(),
        files: None,
        roles: vec![role.into()],
        pure: true,
    };
    let role = |name: &str| {
        (
            name.to_string(),
            Role { description: String::new(), responsibilities: Vec::new(), prompt: String::new(), verbs: Vec::new() },
        )
    };
    Catalogue {
        verbs: [
            verb("THINK", Runner::Agent, "analyst"),
            verb("WORK", Runner::Capability, "executor"),
            verb("ACCOMPLISH", Runner::Agent, "coordinator"),
        ]
        .into_iter()
        .map(|verb| (verb.name.clone(), verb))
        .collect(),
        roles: [role("analyst"), role("executor"), role("coordinator")].into(),
    }
}

pub fn created(plan: Option<Plan>, limits: Limits, budget: Budget) -> MissionCreated {
    let reference = Blob::new(Form::Json, "application/json", b"{}".to_vec()).reference;
    MissionCreated {
        goal: "do it".into(),
        kind: Kind::Mission,
        name: None,
        context: None,
        files: BTreeMap::new(),
        optimize: None,
        budget,
        autonomy: Autonomy::Free,
        model: None,
        plan,
        limits,
        catalogue: Attached { reference, content: Some(Arc::new(catalogue())) },
        goal_event: GoalEvent { source: "test".into(), id: "1".into() },
    }
}

impl Mission {
    pub fn new(created: MissionCreated) -> Self {
        let mut mission = Self { state: State::default(), log: Vec::new() };
        mission.say(Writer::Control, created.into(), Tail::Bare);
        mission
    }

    pub fn id() -> MissionId {
        MissionId(Uuid::from_u128(7))
    }

    /// Somebody else says something; gives its id.
    pub fn say(&mut self, writer: Writer, fact: Fact, tail: Tail) -> EventId {
        self.say_on(None, writer, fact, tail)
    }

    /// The same, decided when the log had no more than `basis` events.
    pub fn say_on(&mut self, basis: Option<u64>, writer: Writer, fact: Fact, tail: Tail) -> EventId {
        let seq = self.log.len() as u64 + 1;
        let id = EventId(Uuid::from_u128(u128::from(seq) << 64 | 99));
        self.fold(Event {
            seq,
            id,
            time: Time(seq as i64 * 10),
            tenant: Tenant::default(),
            mission: Self::id(),
            writer,
            tail,
            fact,
            causation: None,
            basis,
            part: None,
            worker_version: String::new(),
            traceparent: None,
            authid: None,
        });
        id
    }

    fn fold(&mut self, event: Event) {
        if Control::folds(event.writer, event.fact.kind(), &event.tail) {
            self.state.evolve(&event);
        } else {
            Control::pass(&mut self.state);
        }
        self.log.push(event);
    }

    /// Control decides, and its words go into the log; gives them.
    pub fn decide(&mut self) -> Vec<Event> {
        let from = self.log.len();
        for due in Control::decide(&self.state) {
            let about = Control::about(&self.state).expect("the mission has begun").clone();
            let mut event = due.event(&about, Writer::Control);
            event.seq = self.log.len() as u64 + 1;
            event.time = Time(event.seq as i64 * 10);
            assert!(!self.log.iter().any(|old| old.id == event.id), "an id is used once: {:?}", event.fact);
            assert!(due.causation.is_some(), "every word has a cause: {:?}", event.fact);
            self.fold(event);
        }
        assert_eq!(Control::decide(&self.state), Vec::new(), "once its words are folded, nothing is due");
        self.log[from..].to_vec()
    }

    /// What control says now, in short: `step.assigned a/1`.
    pub fn words(&mut self) -> Vec<String> {
        self.decide().iter().map(|event| brief(&event.fact)).collect()
    }
}

/// A word in short: kind, and what it is about.
pub fn brief(fact: &Fact) -> String {
    let data = fact.to_value();
    let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_string);
    let number = |name: &str| data.get(name).and_then(Value::as_u64).map(|n| n.to_string());
    let about: Vec<String> =
        [text("step"), text("agent").filter(|_| fact.kind() == "agent.spawned"), number("attempt"), text("class")]
            .into_iter()
            .flatten()
            .collect();
    format!("{} {}", fact.kind(), about.join("/")).trim().to_string()
}
