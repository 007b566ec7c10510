//! The topology as one table: streams and consumers here, who may do what in [`access`].
//!
//! Set-up, the server's configuration, permissions and documents are all derived from it, so none
//! of them can disagree with another.

pub mod access;

use std::time::Duration;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const DAY: Duration = Duration::from_secs(86_400);

/// What the file streams together may reserve, in bytes: the server's `max_file`. The sum of their
/// `max_bytes` is reserved at creation, so it must stay below.
pub const FILE_LIMIT: u64 = 20_000_000_000;
/// The same for memory streams.
pub const MEMORY_LIMIT: u64 = 512_000_000;
/// The server refuses longer messages, in bytes. Artifacts are cut into chunks below it.
pub const MAX_PAYLOAD: u64 = MIB;
/// The shortest the server allows. Nobody here sends message ids, but whoever does may silence
/// another's message with the same id for no longer than this.
pub const DUPLICATE_WINDOW: Duration = Duration::from_millis(100);
/// The one priority group of every pinned consumer.
pub const PIN_GROUP: &str = "hand";
/// A pin passes to another instance when its holder hasn't pulled for this long.
pub const PIN_TIMEOUT: Duration = Duration::from_secs(3);
/// What is delivered and not acknowledged comes again after this.
pub const ACK_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    File,
    Memory,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Messages stay until a limit removes them.
    Limits,
    /// Messages stay until their consumer acknowledges them.
    WorkQueue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// A full stream refuses what comes.
    New,
    /// A full stream forgets its oldest.
    Old,
}

/// A JetStream stream. Limits of `None` are no limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    pub name: &'static str,
    pub about: &'static str,
    pub subjects: &'static [&'static str],
    pub storage: Storage,
    pub retention: Retention,
    pub discard: Discard,
    /// With [`Discard::New`] a full subject refuses, else it forgets its oldest.
    pub messages_per_subject: Option<i64>,
    /// Reserved when the stream is created.
    pub max_bytes: u64,
    pub max_age: Option<Duration>,
    pub allow_direct: bool,
    pub deny_purge: bool,
    pub deny_delete: bool,
    /// Several messages may be stored together, or none of them.
    pub atomic: bool,
    /// Scheduled messages and per-message time to live. The server then allows roll-up too, so
    /// nothing that must last shares a stream with them.
    pub schedules: bool,
    /// From, to: stored messages are sent on as core messages.
    pub republish: Option<(&'static str, &'static str)>,
}

/// What most streams have in common.
const PLAIN: Stream = Stream {
    name: "",
    about: "",
    subjects: &[],
    storage: Storage::File,
    retention: Retention::Limits,
    discard: Discard::New,
    messages_per_subject: None,
    max_bytes: 0,
    max_age: None,
    allow_direct: true,
    deny_purge: true,
    deny_delete: true,
    atomic: false,
    schedules: false,
    republish: None,
};

pub const STREAMS: [Stream; 8] = [
    Stream {
        name: "MISSIONS",
        about: "The log: every word about every mission",
        subjects: &["stage7.mission.>"],
        max_bytes: 8 * GIB,
        // The librarian archives a finished mission by deleting message by message.
        deny_delete: false,
        // Under load many missions' words wait for the disk together.
        atomic: true,
        // `>` at the end: a pattern of fixed length would silently drop the longer answers.
        republish: Some(("stage7.mission.*.*.*.>", "stage7.view.{{wildcard(1)}}.{{wildcard(3)}}.>")),
        ..PLAIN
    },
    Stream {
        name: "GOALS",
        about: "Goals not yet taken up",
        subjects: &["stage7.goal.*"],
        retention: Retention::WorkQueue,
        messages_per_subject: Some(10_000),
        max_bytes: GIB,
        ..PLAIN
    },
    Stream {
        name: "REFUSALS",
        about: "Refused goals with their reason",
        subjects: &["stage7.refused.*"],
        discard: Discard::Old,
        messages_per_subject: Some(1_000),
        max_bytes: 128 * MIB,
        max_age: Some(Duration::from_secs(30 * DAY.as_secs())),
        ..PLAIN
    },
    Stream {
        name: "REGISTRY",
        about: "Plugins, models, roles, faults and archived missions, as events",
        subjects: &["stage7.registry.>"],
        max_bytes: 256 * MIB,
        ..PLAIN
    },
    Stream {
        name: crate::secret::STREAM,
        about: "Secrets, sealed to the worker that needs them; of each only the last word",
        subjects: &["stage7.secret.>"],
        // The second word on a secret takes the place of the first, which nobody is to find again.
        discard: Discard::Old,
        messages_per_subject: Some(1),
        max_bytes: 64 * MIB,
        ..PLAIN
    },
    Stream {
        name: "ARTIFACTS",
        about: "Files and long payloads in write-once chunks",
        subjects: &["stage7.artifact.*.*.*"],
        messages_per_subject: Some(1),
        max_bytes: 8 * GIB,
        deny_delete: false,
        ..PLAIN
    },
    Stream {
        name: "TIMERS",
        about: "Schedules and what came due",
        subjects: &["stage7.timer.>"],
        // A schedule lies here until it fires, what is due until the timekeeper has said so.
        retention: Retention::WorkQueue,
        // The server allows nothing else beside schedules.
        discard: Discard::Old,
        // A second message on a schedule's subject takes the schedule's place: that clears it.
        messages_per_subject: Some(1),
        max_bytes: GIB,
        deny_purge: false,
        deny_delete: false,
        schedules: true,
        allow_direct: false,
        ..PLAIN
    },
    Stream {
        name: "TELEMETRY",
        about: "Measurements, briefly",
        subjects: &["stage7.telemetry.>"],
        storage: Storage::Memory,
        discard: Discard::Old,
        max_bytes: 64 * MIB,
        max_age: Some(Duration::from_secs(600)),
        allow_direct: false,
        deny_purge: false,
        deny_delete: false,
        ..PLAIN
    },
];

/// How a consumer's instances share its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// One instance has them all, in order; it acknowledges a floor. The others stand by.
    Pinned,
    /// The same, each message acknowledged for itself, as a work queue requires.
    PinnedEach,
    /// Any instance pulls what it can do now and acknowledges it alone.
    Group,
}

/// A durable pull consumer. Each has exactly one filter: with two or more the server catches up
/// eighty times slower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub name: &'static str,
    pub stream: &'static str,
    pub filter: &'static str,
    pub share: Share,
    /// So many deliveries may wait for their acknowledgement.
    pub max_ack_pending: i64,
}

pub const CONSUMERS: [Consumer; 8] = [
    decider("mission-control"),
    decider("agent-steps"),
    decider("projector"),
    Consumer {
        name: "goals",
        stream: "GOALS",
        filter: "stage7.goal.*",
        share: Share::PinnedEach,
        max_ack_pending: 1_000,
    },
    group("llm-calls", "MISSIONS", "stage7.mission.*.*.*.*.llm.requested"),
    group("plugin-runs", "MISSIONS", "stage7.mission.*.*.*.*.plugin.requested"),
    // Answers are longer, so timer.fired isn't in it.
    group("timers", "MISSIONS", "stage7.mission.*.*.*.*.timer.*"),
    group("due", "TIMERS", "stage7.timer.due.>"),
];

const fn decider(name: &'static str) -> Consumer {
    Consumer { name, stream: "MISSIONS", filter: "stage7.mission.>", share: Share::Pinned, max_ack_pending: 20_000 }
}

const fn group(name: &'static str, stream: &'static str, filter: &'static str) -> Consumer {
    Consumer { name, stream, filter, share: Share::Group, max_ack_pending: 10_000 }
}

impl Consumer {
    /// Is it given to one instance at a time?
    pub fn is_pinned(&self) -> bool {
        self.share != Share::Group
    }
}

/// The consumer of that name.
pub fn consumer(name: &str) -> Option<&'static Consumer> {
    const TABLE: &[Consumer] = &CONSUMERS;
    TABLE.iter().find(|c| c.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_fit_the_limits() {
        let reserved = |storage| STREAMS.iter().filter(|s| s.storage == storage).map(|s| s.max_bytes).sum::<u64>();
        assert!(reserved(Storage::File) <= FILE_LIMIT);
        assert!(reserved(Storage::Memory) <= MEMORY_LIMIT);
    }

    #[test]
    fn every_consumer_reads_a_stream_that_holds_its_filter() {
        for consumer in &CONSUMERS {
            let stream = STREAMS.iter().find(|s| s.name == consumer.stream).expect("its stream is in the table");
            let family = |subject: &str| subject.split('.').take(2).collect::<Vec<_>>().join(".");
            assert_eq!(family(stream.subjects[0]), family(consumer.filter), "{}", consumer.name);
        }
    }

    #[test]
    fn what_lasts_cannot_be_rolled_up() {
        for stream in STREAMS.iter().filter(|s| s.schedules) {
            assert_eq!(stream.name, "TIMERS", "the server allows roll-up wherever it allows schedules");
        }
    }
}
