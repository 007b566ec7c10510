//! Who reads a word: deciders by what they fold, effects by their consumer's filter, the zones of
//! effects by what LOG lends them.

use schemas::{
    EventId, Writer,
    fact::{Ending, Tail, Word},
};
use streams::{
    agent, control,
    topology::{
        CONSUMERS, Share,
        access::{USERS, Way, crossings},
    },
};

/// The user who speaks under a writer's token; writers without a worker have none.
pub fn speaker(writer: Writer) -> Option<&'static str> {
    let family = format!("stage7.mission.*.*.*.{writer}.>");
    let of_log = USERS.iter().find(|u| u.may_publish().is_some_and(|all| all.contains(&family)));
    let lent = crossings().into_iter().find(|c| c.subject == family && c.way == Way::Request);
    let of_effects = lent.and_then(|c| USERS.iter().find(|u| c.zones.contains(&u.zone)));
    of_log.or(of_effects).map(|u| u.name)
}

/// The consumer's or the subscription's pattern by which a user reads a word.
pub struct Reader {
    pub user: &'static str,
    /// The durable consumer, when it is one.
    pub consumer: Option<&'static str>,
}

/// Everybody who acts on the word of this writer. The librarian and the door read all words and are
/// left out.
pub fn readers(writer: Writer, word: &Word) -> Vec<Reader> {
    let request: EventId = "00f067aa0ba902b700f067aa0ba902b7".parse().unwrap();
    let tails: Vec<Tail> = match word.ending {
        Ending::Bare => vec![Tail::Bare],
        Ending::Step => vec![Tail::Step("a".into())],
        Ending::Answer => Writer::ALL.into_iter().map(|requester| Tail::Answer { requester, request }).collect(),
    };
    let mut all = Vec::new();
    let folds = |fold: fn(Writer, &str, &Tail) -> bool| tails.iter().any(|tail| fold(writer, word.kind, tail));
    if folds(control::folds) {
        all.push(Reader { user: "control", consumer: Some("mission-control") });
    }
    if folds(agent::folds) {
        all.push(Reader { user: "agent", consumer: Some("agent-steps") });
    }
    let ending = match word.ending {
        Ending::Bare => "",
        Ending::Step => ".a",
        Ending::Answer => ".agent.c1",
    };
    let subject = format!("stage7.mission.t.0.m.{writer}.{}{ending}", word.kind);
    for consumer in CONSUMERS.iter().filter(|c| c.share == Share::Group && matches(c.filter, &subject)) {
        let user = USERS.iter().find(|u| u.consumers.contains(&consumer.name)).unwrap();
        all.push(Reader { user: user.name, consumer: Some(consumer.name) });
    }
    let lent = crossings();
    for user in USERS.iter().filter(|u| Some(u.name) != speaker(writer)) {
        let heard = lent
            .iter()
            .filter(|c| c.zones.contains(&user.zone))
            .any(|c| matches(c.subject.strip_prefix("$JS.API.DIRECT.GET.MISSIONS.").unwrap_or(&c.subject), &subject));
        if heard {
            all.push(Reader { user: user.name, consumer: None });
        }
    }
    all
}

/// Does the pattern take the subject?
pub fn matches(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
    loop {
        match (pattern.next(), subject.next()) {
            (Some(">"), Some(_)) => return true,
            (Some(p), Some(s)) if p == "*" || p == s => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

#[test]
fn the_known_readers_of_known_words() {
    let of = |writer, kind: &str| -> Vec<&str> {
        readers(writer, schemas::fact::word(kind).unwrap()).into_iter().map(|r| r.user).collect()
    };
    assert_eq!(of(Writer::Agent, "llm.requested"), ["agent", "brain"]);
    assert_eq!(of(Writer::Control, "mission.aborted"), ["control", "agent", "brain", "capability"]);
    assert_eq!(of(Writer::Timer, "timer.fired"), ["control", "agent"]);
    assert_eq!(of(Writer::Control, "timer.set"), ["control", "timekeeper"]);
    assert_eq!(speaker(Writer::User), Some("door"));
    assert_eq!(speaker(Writer::Brain), Some("brain"));
    assert_eq!(speaker(Writer::Engineer), None);
}
