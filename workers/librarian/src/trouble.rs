//! What can be wrong with what is in the log, and what helps.

use streams::record::Undecodable;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A header or the data can't be read.
    Undecodable,
    /// Subject and headers say different things.
    Disagreement,
    /// It carries headers that only the server may write.
    Forged,
    /// The bytes that it refers to are missing, or are others.
    MissingData,
    /// A decider can't go on with the mission.
    Stuck,
}

impl Trouble {
    const ALL: [Self; 5] = [Self::Undecodable, Self::Disagreement, Self::Forged, Self::MissingData, Self::Stuck];

    /// As it stands in the rows.
    pub fn of_row(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trouble| trouble.as_str() == text)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Disagreement => "disagreement",
            Self::Forged => "forged",
            Self::MissingData => "missing_data",
            Self::Stuck => "stuck",
        }
    }

    pub fn of(error: &Undecodable) -> Self {
        match error {
            Undecodable::Disagree { .. } => Self::Disagreement,
            Undecodable::Forged(_) => Self::Forged,
            Undecodable::Subject(_)
            | Undecodable::Missing(_)
            | Undecodable::Header { .. }
            | Undecodable::Data { .. } => Self::Undecodable,
        }
    }

    /// What would be right, and what can be done.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Disagreement => {
                "An event's tenant, mission, writer and word must be the same in its subject and in ce-source, \
                 ce-correlationid and ce-type. Nothing of it counts. No worker \
                 of stage7 writes such a record: find out who has the key of the writer that its subject names."
            }
            Self::Forged => {
                "Nats-Subject, Nats-Sequence, Status and the like are the server's own: no event may carry them. \
                 Nothing of it counts. No worker of stage7 writes such a record: \
                 find out who has the key of the writer that its subject names."
            }
            Self::MissingData => {
                "The bytes that its dataref names must be in the artifacts, under their hash. Restore them from a \
                 backup, then say `stage7 dead retry` with its sequence; a mission that needs them is stuck until then."
            }
            Self::Stuck => {
                "This version of the worker can't go on with the mission; the others go on. Mend what the reason \
                 names, or install a version that can, which tries by itself when it starts; then say `stage7 dead \
                 retry` with the mission. `stage7 mission abort` is heard only once it goes on."
            }
            Self::Undecodable => {
                "An event has the ce- headers of the CloudEvents NATS binding, and data as its type's JSON Schema says. \
                 Nothing of it counts; only a step that waits for just this answer waits on. If a newer version wrote it, install that \
                 version and say `stage7 dead retry` with its sequence."
            }
        }
    }
}
