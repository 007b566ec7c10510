//! Subjects of the log, built and parsed here and nowhere else.

use schemas::{
    fact::{Ending, Fact, Tail, word},
    id::{EventId, MissionId, Tenant, Writer, is_token},
};
use std::fmt;

/// `stage7.mission.{tenant}.{shard}.{mission}.{writer}.{noun}.{verb}[.{requester}.{request}|.{step}]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub tenant: Tenant,
    pub mission: MissionId,
    pub writer: Writer,
    /// `noun.verb`
    pub kind: String,
    pub tail: Tail,
}

/// Not a subject of a mission's log; says which part is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{subject}` is not a subject of the log: {why}")]
pub struct Malformed {
    pub subject: String,
    pub why: String,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", mission_prefix(&self.tenant, self.mission), self.writer, self.kind)?;
        match &self.tail {
            Tail::Bare => Ok(()),
            Tail::Step(step) => write!(f, ".{step}"),
            Tail::Answer { requester, request } => write!(f, ".{requester}.{request}"),
        }
    }
}

impl Subject {
    pub fn new(tenant: Tenant, mission: MissionId, writer: Writer, fact: &Fact, tail: Tail) -> Self {
        Self { tenant, mission, writer, kind: fact.kind().into(), tail }
    }

    /// # Errors
    /// When a part is missing, too many, or not of its form.
    pub fn parse(subject: &str) -> Result<Self, Malformed> {
        let fail = |why: &str| Malformed { subject: subject.into(), why: why.into() };
        let parts: Vec<&str> = subject.split('.').collect();
        let [first, second, tenant, shard, mission, writer, noun, verb, rest @ ..] = parts.as_slice() else {
            return Err(fail("it has fewer than eight parts"));
        };
        if (*first, *second) != ("stage7", "mission") {
            return Err(fail("it does not begin with stage7.mission"));
        }
        let tenant = tenant.parse().map_err(|e| fail(&format!("{e}")))?;
        let mission: MissionId = mission.parse().map_err(|e| fail(&format!("{e}")))?;
        if shard.chars().ne([mission.shard()]) {
            return Err(fail("the shard is not the last digit of the mission"));
        }
        let writer = writer.parse().map_err(|e| fail(&format!("{e}")))?;
        let kind = format!("{noun}.{verb}");
        if !is_token(noun) || !is_token(verb) {
            return Err(fail("noun or verb is not a plain token"));
        }
        // Of a word that this version does not know only the shape can be read.
        let ending = word(&kind).map(|word| word.ending);
        let tail = match (rest, ending) {
            ([], None | Some(Ending::Bare)) => Tail::Bare,
            ([step], None | Some(Ending::Step)) => Tail::Step((*step).into()),
            ([requester, request], None | Some(Ending::Answer)) => Tail::Answer {
                requester: requester.parse().map_err(|e| fail(&format!("{e}")))?,
                request: request.parse().map_err(|e| fail(&format!("{e}")))?,
            },
            _ => return Err(fail(&format!("`{kind}` does not end like this"))),
        };
        Ok(Self { tenant, mission, writer, kind, tail })
    }
}

/// Whose a record is, and of which mission, as far as a subject tells that may be no good otherwise.
pub fn owner(subject: &str) -> (Option<Tenant>, Option<MissionId>) {
    let mut parts = subject.split('.').skip(2);
    let tenant = parts.next().and_then(|part| part.parse().ok());
    (tenant, parts.nth(1).and_then(|part| part.parse().ok()))
}

/// `stage7.mission.{tenant}.{shard}.{mission}`
pub fn mission_prefix(tenant: &Tenant, mission: MissionId) -> String {
    format!("stage7.mission.{tenant}.{}.{mission}", mission.shard())
}

/// Everything of one mission.
pub fn mission(tenant: &Tenant, mission: MissionId) -> String {
    format!("{}.>", mission_prefix(tenant, mission))
}

/// All that one writer said in one mission: the filter of every guarded append.
pub fn family(tenant: &Tenant, mission: MissionId, writer: Writer) -> String {
    format!("{}.{writer}.>", mission_prefix(tenant, mission))
}

/// Both possible last words on one request: the filter that lets only one of them stand.
pub fn answers(
    tenant: &Tenant,
    mission: MissionId,
    writer: Writer,
    noun: &str,
    requester: Writer,
    request: EventId,
) -> String {
    format!("{}.{writer}.{noun}.*.{requester}.{request}", mission_prefix(tenant, mission))
}

/// Every word on any mission's life.
pub const MISSION_STATUSES: &str = "stage7.mission.*.*.*.control.mission.*";

/// The last word on a mission's life: created, pausing, paused, …, aborted.
pub fn mission_status(tenant: &Tenant, mission: MissionId) -> String {
    format!("{}.control.mission.*", mission_prefix(tenant, mission))
}

/// The first word of every mission, and the first to leave the log when it is archived.
pub fn mission_created(tenant: &Tenant, mission: MissionId) -> String {
    format!("{}.control.mission.created", mission_prefix(tenant, mission))
}

/// The librarian's word that a mission leaves the log: the last to leave it.
pub fn mission_archiving(tenant: &Tenant, mission: MissionId) -> String {
    format!("{}.librarian.mission.archiving", mission_prefix(tenant, mission))
}

/// Was this step called off?
pub fn step_cancelled(tenant: &Tenant, mission: MissionId, step: &str) -> String {
    format!("{}.control.step.cancelled.{step}", mission_prefix(tenant, mission))
}

/// The events of a mission as its tenant's users see them; `kind` may hold wildcards.
pub fn view(tenant: &Tenant, mission: MissionId) -> String {
    format!("stage7.view.{tenant}.{mission}.>")
}

/// Tokens and log lines, unstored.
pub fn live(tenant: &Tenant, mission: MissionId, rest: &str) -> String {
    format!("stage7.live.{tenant}.{mission}.{rest}")
}

/// One chunk of bytes in `ARTIFACTS`.
pub fn artifact(tenant: &Tenant, sha256: &str, chunk: u64) -> String {
    format!("stage7.artifact.{tenant}.{sha256}.{chunk}")
}

/// Goals waiting to be taken up.
pub fn goal(tenant: &Tenant) -> String {
    format!("stage7.goal.{tenant}")
}

/// Refused goals with their reason.
pub fn refused(tenant: &Tenant) -> String {
    format!("stage7.refused.{tenant}")
}

/// `stage7.timer.{set|due}.{tenant}.{shard}.{mission}.{requester}.{timer}`
pub fn timer(phase: &str, tenant: &Tenant, mission: MissionId, requester: Writer, timer: EventId) -> String {
    format!("stage7.timer.{phase}.{tenant}.{}.{mission}.{requester}.{timer}", mission.shard())
}

/// A word of the registry: `stage7.registry.{writer}.{noun}.{verb}[.{key}]`
pub fn registry(writer: Writer, kind: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => format!("stage7.registry.{writer}.{kind}.{key}"),
        None => format!("stage7.registry.{writer}.{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use schemas::fact::WORDS;
    use uuid::Uuid;

    prop_compose! {
        fn subject()(
            tenant in "[a-z0-9][a-z0-9-]{0,20}",
            mission: u128, request: u128,
            row in 0..WORDS.len(),
            step in "[A-Za-z0-9_-]{1,64}",
            requester in 0..Writer::ALL.len(),
        ) -> Subject {
            let word = &WORDS[row];
            Subject {
                tenant: tenant.parse().expect("a tenant by construction"),
                mission: MissionId(Uuid::from_u128(mission)),
                writer: word.writers[0],
                kind: word.kind.into(),
                tail: match word.ending {
                    Ending::Bare => Tail::Bare,
                    Ending::Step => Tail::Step(step),
                    Ending::Answer => Tail::Answer { requester: Writer::ALL[requester], request: EventId(Uuid::from_u128(request)) },
                },
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_built_parses_to_the_same(subject in subject()) {
            prop_assert_eq!(Subject::parse(&subject.to_string()), Ok(subject));
        }

        #[test]
        fn parsing_never_panics(text in ".{0,200}") {
            let _ = Subject::parse(&text);
        }
    }

    #[test]
    fn a_bad_subject_still_tells_whose_it_is() {
        let m = "00000000000000000000000000000002";
        let (tenant, mission) = owner(&format!("stage7.mission.acme.7.{m}.nobody"));
        assert_eq!((tenant, mission), ("acme".parse().ok(), m.parse().ok()));
        assert_eq!(owner("stage7.mission.Acme.7.x"), (None, None));
        assert_eq!(owner("stage7.mission"), (None, None));
    }

    #[test]
    fn a_wrong_shard_or_ending_is_refused() {
        let m = "00000000000000000000000000000002";
        for bad in [
            format!("stage7.mission.default.3.{m}.control.mission.created"),
            format!("stage7.mission.default.2.{m}.control.mission.created.x"),
            format!("stage7.mission.default.2.{m}.brain.llm.completed"),
            format!("stage7.mission.Default.2.{m}.control.mission.created"),
            format!("stage7.mission.default.2.{m}.nobody.mission.created"),
        ] {
            assert!(Subject::parse(&bad).is_err(), "{bad}");
        }
    }
}
