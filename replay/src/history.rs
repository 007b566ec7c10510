//! Everything that was said about one mission, in order.

use nats::{
    decider::{Catalogues, attach},
    log::{Log, ReadError},
};
use schemas::{Event, Fact, MissionId, Tenant, Writer};
use streams::{overview::Overview, record::Decoded, subject};

/// A mission's log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// In the order of the log.
    pub entries: Vec<Entry>,
}

/// One record of a mission's log.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    Event(Box<Event>),
    /// A word that this version does not know, by its sequence: folds only count it.
    Passed(u64),
}

impl Entry {
    /// Its place in the log.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Event(event) => event.seq,
            Self::Passed(seq) => *seq,
        }
    }

    /// Adds it to what is known of its mission.
    pub(crate) fn fold(&self, overview: &mut Overview) {
        match self {
            Self::Event(event) => overview.evolve(event),
            Self::Passed(seq) => overview.pass(*seq),
        }
    }
}

impl History {
    /// Reads a mission's log, and what its events refer to. No mission: no entries.
    ///
    /// # Errors
    /// When the log can't be read, or something that an event refers to is missing or wrong.
    pub async fn read(log: &dyn Log, tenant: &Tenant, mission: MissionId) -> Result<Self, ReadError> {
        let catalogues = Catalogues::default();
        let mut entries = Vec::new();
        for mut record in log.load(&subject::mission(tenant, mission), 0).await? {
            attach(log, &mut record, tenant).await?;
            match record.decode() {
                Ok(Decoded::Event(mut event)) => {
                    if let Fact::MissionCreated(created) = &mut event.fact {
                        created.catalogue.content =
                            Some(catalogues.fetch(log, tenant, &created.catalogue.reference).await?);
                    }
                    entries.push(Entry::Event(Box::new(event)));
                }
                Ok(Decoded::Unknown { .. }) => entries.push(Entry::Passed(record.seq)),
                // No event of ours: the deciders skip it too.
                Err(_) => {}
            }
        }
        Ok(Self { entries })
    }

    /// The events that this version knows.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Event(event) => Some(event.as_ref()),
            Entry::Passed(_) => None,
        })
    }

    /// The hash of the catalogue that the mission was created with, if it is not at hand.
    pub(crate) fn lacks_catalogue(&self) -> Option<&str> {
        self.events()
            .find_map(|event| match &event.fact {
                Fact::MissionCreated(created) => Some(&created.catalogue),
                _ => None,
            })
            .filter(|catalogue| catalogue.content.is_none())
            .map(|catalogue| catalogue.reference.sha256.as_str())
    }

    /// What a decider said when it gave the mission up, unless somebody had it tried again since.
    pub(crate) fn stuck(&self, writer: Writer) -> Option<String> {
        let mut stuck = None;
        for event in self.events() {
            match &event.fact {
                Fact::DeciderStuck(said) if event.writer == writer => stuck = Some(said.message.clone()),
                Fact::DeciderRetried(said) if said.decider == writer => stuck = None,
                _ if event.writer == writer => stuck = None,
                _ => {}
            }
        }
        stuck
    }
}
