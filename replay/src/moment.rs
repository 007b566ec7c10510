//! Moments of a mission's life, as people name them.

use crate::{Entry, History, Walk, show};
use schemas::Time;

/// A moment of a mission's life.
#[derive(Debug, Clone, PartialEq)]
pub enum Moment {
    /// After the last event.
    End,
    /// After the event of that log sequence, or the last one before it.
    At(u64),
    /// After the last event until then.
    Time(Time),
    /// After the event that last changed the step: its end, where it has ended.
    Step(String),
}

/// Why a history has no such moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchMoment {
    #[error("the mission begins later: its first event is {first}, at {time}")]
    Early { first: u64, time: Time },
    #[error("the mission has no step `{step}`; its steps are {}", .known.join(", "))]
    Step { step: String, known: Vec<String> },
    #[error("the history has no event that this version knows")]
    Empty,
}

impl History {
    /// The log sequence of a moment.
    ///
    /// # Errors
    /// It is before the mission's first event, or of a step that the mission never had.
    pub fn seq(&self, moment: &Moment) -> Result<u64, NoSuchMoment> {
        let first = self.events().next().ok_or(NoSuchMoment::Empty)?;
        let early = NoSuchMoment::Early { first: first.seq, time: first.time };
        let last = |seq: Option<u64>| seq.filter(|seq| *seq >= first.seq).ok_or(early);
        match moment {
            Moment::End => last(self.entries.last().map(Entry::seq)),
            Moment::At(at) => last(self.entries.iter().map(Entry::seq).take_while(|seq| seq <= at).last()),
            Moment::Time(time) => {
                last(self.events().take_while(|event| event.time <= *time).map(|event| event.seq).last())
            }
            Moment::Step(step) => self.changed(step),
        }
    }

    /// The last event that changed a step. A step keeps its place in the list, so it is looked for once.
    fn changed(&self, step: &str) -> Result<u64, NoSuchMoment> {
        let end = show(self, None);
        let place = end.steps.iter().position(|its| its.id == step);
        let known = || end.steps.iter().map(|step| step.id.clone()).collect();
        let place = place.ok_or_else(|| NoSuchMoment::Step { step: step.into(), known: known() })?;
        let path = format!("/steps/{place}");
        let touches = |at: &str| at.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let changing = Walk::new(self).filter(|walked| walked.changes.iter().any(|change| touches(&change.path)));
        changing.last().map(|walked| walked.entry.seq()).ok_or(NoSuchMoment::Empty)
    }
}
