//! What every decider is: a fold of a mission's log, and what is due in its state.

use schemas::{Event, EventId, Fact, MissionId, Tenant, Time, Writer, fact::Tail, value::Blob};

/// One word that is due: what to say, about what, and because of which event.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    pub fact: Fact,
    pub tail: Tail,
    /// What the word is about within the mission: a step and attempt, an agent, …
    pub entity: String,
    /// How often the state already holds this word for this entity.
    pub nth: u32,
    /// The event that made it due.
    pub causation: Option<EventId>,
    /// Bytes that must be in `ARTIFACTS` before the word is said.
    pub blobs: Vec<Blob>,
}

impl Due {
    /// A word about `entity`, due because of `causation`.
    pub fn new(fact: impl Into<Fact>, entity: impl Into<String>, causation: Option<EventId>) -> Self {
        let fact = fact.into();
        let tail = match &fact {
            Fact::StepCancelled(said) => Tail::Step(said.step.clone()),
            _ => Tail::Bare,
        };
        Self { fact, tail, entity: entity.into(), nth: 0, causation, blobs: Vec::new() }
    }

    /// The same word about the same thing for the `nth` time, from 0.
    pub fn nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    pub fn with_blobs(mut self, blobs: impl IntoIterator<Item = Blob>) -> Self {
        self.blobs.extend(blobs);
        self
    }

    /// The id that the event will have: the same decision made twice gives the same event.
    pub fn id(&self, mission: MissionId, writer: Writer) -> EventId {
        EventId::of_word(mission, writer, self.fact.kind(), &self.entity, self.nth)
    }

    /// The event as its own decider will fold it.
    pub fn event(&self, about: &About, writer: Writer) -> Event {
        Event {
            seq: 0,
            id: self.id(about.mission, writer),
            time: about.time,
            tenant: about.tenant.clone(),
            mission: about.mission,
            writer,
            tail: self.tail.clone(),
            fact: self.fact.clone(),
            causation: self.causation,
            basis: None,
            part: None,
            worker_version: String::new(),
            traceparent: None,
            authid: None,
        }
    }
}

/// Which mission a state is of, and the largest event time folded.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    pub tenant: Tenant,
    pub mission: MissionId,
    pub time: Time,
}

/// A worker that decides: pure functions over the events of one mission.
///
/// `decide` is level-triggered: it returns everything that is due in this state and not yet said,
/// whatever was folded last. Once its words are folded, nothing is due.
pub trait Decider: Send + Sync + 'static {
    /// Its durable consumer, and its name to people.
    const NAME: &'static str;
    /// Under which token it writes.
    const WRITER: Writer;
    /// One mission, folded. Cloning is cheap: the maps inside are persistent.
    type State: Clone + Default + Send + Sync + 'static;

    /// Does it fold this kind of word? All others are only counted.
    fn folds(writer: Writer, kind: &str, tail: &Tail) -> bool;
    /// Total, idempotent; the first word wins.
    fn evolve(state: &mut Self::State, event: &Event);
    /// One more event of the mission that it does not fold.
    fn pass(_state: &mut Self::State) {}
    /// Which mission the state is of; `None` before its first event.
    fn about(state: &Self::State) -> Option<&About>;
    /// The first thing due, if any.
    fn next(state: &Self::State) -> Option<Due>;

    /// Everything due, in the order in which it is to be said.
    ///
    /// # Panics
    /// When a word does not make itself undue: a fault of the decider, caught by the loop.
    fn decide(state: &Self::State) -> Vec<Due> {
        let Some(first) = Self::next(state) else { return Vec::new() };
        let about = Self::about(state).expect("nothing is due before the first event").clone();
        let mut scratch = state.clone();
        let mut all = Vec::new();
        let mut next = Some(first);
        while let Some(due) = next {
            assert!(
                all.len() < MOST_WORDS,
                "a decision of more than {MOST_WORDS} words: `{}` stays due",
                due.fact.kind()
            );
            Self::evolve(&mut scratch, &due.event(&about, Self::WRITER));
            all.push(due);
            next = Self::next(&scratch);
        }
        all
    }
}

/// No decision has this many words: slots bound what starts at once, and the rest waits its turn.
const MOST_WORDS: usize = 4096;
