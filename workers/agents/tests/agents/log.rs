//! A mission's log as the agents fold it, without a server.

use ::agents::Agents;
use schemas::{
    Event, EventId, Fact, MissionId, Time, Value, Writer,
    catalogue::{Catalogue, Role},
    fact::Tail,
    manifest::Manifest,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};
use streams::{
    agent::State,
    decide::{Decider, Due},
};
use uuid::Uuid;

/// The shipped verbs, and two roles.
pub static CATALOGUE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
    let plugins = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins");
    let folders = std::fs::read_dir(plugins).expect("the shipped plugins");
    let manifests =
        folders.filter_map(|folder| std::fs::read_to_string(folder.expect("readable").path().join("plugin.toml")).ok());
    let verbs = manifests.map(|text| {
        let value: Value = toml::from_str(&text).expect("a manifest is TOML");
        let verb = Manifest::from_value(&value).expect("a shipped manifest is right").verb();
        (verb.name.clone(), verb)
    });
    let role = |prompt: &str| Role {
        description: prompt.into(),
        responsibilities: vec![],
        prompt: prompt.into(),
        verbs: vec![],
    };
    let roles = [("coordinator", role("You plan.")), ("creative", role("You write."))];
    Arc::new(Catalogue { verbs: verbs.collect(), roles: roles.map(|(name, role)| (name.to_string(), role)).into() })
});

/// Everything that was said, and what the agents make of it.
#[derive(Clone, Default)]
pub struct Log {
    pub events: Vec<Event>,
    pub state: State,
    /// Events by the names that a test gives them.
    pub names: BTreeMap<String, EventId>,
}

impl Log {
    /// Appends and folds a word.
    pub fn say(&mut self, writer: Writer, fact: Fact, tail: Tail) -> EventId {
        let seq = self.events.len() as u64 + 1;
        let id = EventId(Uuid::from_u128(u128::from(seq)));
        self.append(Event {
            seq,
            id,
            time: Time(1_000 * seq as i64),
            tenant: Default::default(),
            mission: MissionId(Uuid::from_u128(7)),
            writer,
            tail,
            fact,
            causation: None,
            basis: None,
            part: None,
            worker_version: String::new(),
            traceparent: None,
            authid: None,
        });
        id
    }

    /// Appends what is due, in order; folding it must leave nothing due.
    pub fn decide(&mut self) -> Vec<(EventId, Due)> {
        let all = Agents::decide(&self.state);
        let about = Agents::about(&self.state).cloned();
        let mut said = Vec::new();
        for due in all {
            let seq = self.events.len() as u64 + 1;
            let about = about.as_ref().expect("something is due");
            let event = Event { seq, time: Time(1_000 * seq as i64), ..due.event(about, Writer::Agent) };
            assert!(self.events.iter().all(|other| other.id != event.id), "`{}` was said before", due.fact.kind());
            assert!(
                due.causation.is_some_and(|cause| self.events.iter().any(|other| other.id == cause)),
                "`{}` has no cause",
                due.fact.kind()
            );
            said.push((event.id, due));
            self.append(event);
        }
        assert_eq!(Agents::decide(&self.state), [], "once its words are folded, nothing is due");
        said
    }

    /// Folds an event, and again: the second time must change nothing.
    fn append(&mut self, event: Event) {
        let subject = (event.writer, event.fact.kind());
        assert!(Agents::folds(subject.0, subject.1, &event.tail), "{subject:?} is not folded");
        self.state.evolve(&event);
        let once = Agents::decide(&self.state);
        self.state.evolve(&event);
        // Own words are folded before they have a place in the log, too.
        let early = Event { seq: 0, ..event.clone() };
        if event.writer == Writer::Agent {
            self.state.evolve(&early);
        }
        assert_eq!(Agents::decide(&self.state), once, "folding `{}` twice changed something", event.fact.kind());
        self.events.push(event);
    }

    /// The first word of every mission.
    pub fn created(&mut self, more: &Value) {
        let mut data = json!({
            "goal": "Do it", "limits": {}, "goal_event": {"source": "/test", "id": "1"},
            "catalogue": {"stage7:ref": "c0ffee", "type": "json", "size": 3, "media_type": "application/json"},
        });
        merge(&mut data, more);
        let mut fact = fact("mission.created", &data);
        if let Fact::MissionCreated(created) = &mut fact {
            created.catalogue.content = Some(CATALOGUE.clone());
        }
        self.say(Writer::Control, fact, Tail::Bare);
    }
}

/// The word with these data.
pub fn fact(kind: &str, data: &Value) -> Fact {
    let bytes = serde_json::to_vec(data).expect("JSON");
    Fact::from_bytes(kind, &bytes)
        .unwrap_or_else(|| panic!("no word `{kind}`"))
        .unwrap_or_else(|e| panic!("{kind} {data}: {e}"))
}

fn merge(into: &mut Value, from: &Value) {
    for (key, value) in from.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}
