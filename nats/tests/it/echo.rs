//! The smallest decider that can lose a line or say one twice.

use schemas::{Event, EventId, Fact, MissionId, Tenant, Time, Writer, fact::Tail, user::MessageSaid};
use std::collections::BTreeMap;
use streams::decide::{About, Decider, Due};
use uuid::Uuid;

/// Answers each line that a person says with one line of its own.
pub struct Echoing<const BEARS: bool>;

/// A line of poison kills it.
pub type Echo = Echoing<false>;
/// A later version, which bears it.
pub type Braver = Echoing<true>;

#[derive(Clone, Default)]
pub struct Heard {
    about: Option<About>,
    lines: BTreeMap<String, EventId>,
    answered: BTreeMap<String, EventId>,
}

impl<const BEARS: bool> Decider for Echoing<BEARS> {
    const NAME: &'static str = "agent-steps";
    const WRITER: Writer = Writer::Agent;
    type State = Heard;

    fn folds(writer: Writer, kind: &str, _: &Tail) -> bool {
        kind == "message.said" && matches!(writer, Writer::User | Writer::Agent)
    }

    fn evolve(state: &mut Heard, event: &Event) {
        state.about = Some(About { tenant: event.tenant.clone(), mission: event.mission, time: event.time });
        let Fact::MessageSaid(said) = &event.fact else { return };
        assert!(said.text != "poison" || BEARS, "a line that this version cannot bear");
        let lines = if event.writer == Writer::User { &mut state.lines } else { &mut state.answered };
        lines.entry(said.text.clone()).or_insert(event.id);
    }

    fn about(state: &Heard) -> Option<&About> {
        state.about.as_ref()
    }

    fn next(state: &Heard) -> Option<Due> {
        let (text, id) = state.lines.iter().find(|(text, _)| !state.answered.contains_key(*text))?;
        let said = MessageSaid { text: text.clone(), step: None, agent: None };
        Some(Due::new(said, text.clone(), Some(*id)))
    }
}

pub fn said(mission: MissionId, text: &str) -> Event {
    Event {
        seq: 0,
        id: EventId::of_word(mission, Writer::User, "message.said", text, 0),
        time: Time(1),
        tenant: Tenant::default(),
        mission,
        writer: Writer::User,
        tail: Tail::Bare,
        fact: MessageSaid { text: text.into(), step: None, agent: None }.into(),
        causation: None,
        basis: None,
        part: None,
        worker_version: String::new(),
        traceparent: None,
        authid: None,
    }
}

pub fn mission(n: u128) -> MissionId {
    MissionId(Uuid::from_u128(n))
}
