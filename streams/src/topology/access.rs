//! Who may do what: one NATS user per kind of worker, one account per zone of trust.
//!
//! Rights within one account aren't enough: the server doesn't check the rights of a message's
//! *reply* subject, so whoever may ask JetStream anything could have the answer land among
//! another's words. Hence accounts, joined by exact subjects ([`crossings`]).

use super::{Consumer, consumer};

/// A NATS account. Tenants have one each, named as the tenant: lower case, so that they never meet
/// these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zone {
    Sys,
    Log,
    Brain,
    Capability,
}

impl Zone {
    /// The zones that see the world and so aren't trusted with the log.
    pub const EFFECTS: [Self; 2] = [Self::Brain, Self::Capability];

    pub const fn account(self) -> &'static str {
        match self {
            Self::Sys => "SYS",
            Self::Log => "LOG",
            Self::Brain => "BRAIN",
            Self::Capability => "CAPABILITY",
        }
    }
}

/// A NATS user of ours: its name is also its key file's and its inbox's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: &'static str,
    pub zone: Zone,
    pub about: &'static str,
    /// Its name as a micro-service.
    pub service: &'static str,
    /// Whose messages it may take.
    pub consumers: &'static [&'static str],
    /// `None`: all that its account holds.
    pub grants: Option<Grants>,
}

/// What a user may do besides taking from its consumers and answering as a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grants {
    pub publish: &'static [&'static [&'static str]],
    pub subscribe: &'static [&'static str],
}

const READ_LOG: &[&str] = &["$JS.API.DIRECT.GET.MISSIONS", "$JS.API.STREAM.INFO.MISSIONS"];
const READ_REGISTRY: &[&str] = &["$JS.API.DIRECT.GET.REGISTRY", "$JS.API.DIRECT.GET.REGISTRY.>"];
const ARTIFACTS: &[&str] = &["stage7.artifact.*.*.*", "$JS.API.DIRECT.GET.ARTIFACTS.stage7.artifact.>"];

pub const USERS: [User; 9] = [
    User { name: "sys", zone: Zone::Sys, about: "reload and statistics, for the program that manages the server", service: "", consumers: &[], grants: None },
    User { name: "setup", zone: Zone::Log, about: "creates and changes streams and consumers, at start and upgrade only", service: "", consumers: &[], grants: None },
    User {
        name: "control", zone: Zone::Log, about: "decider: what is to be done and by whom", service: "mission-control",
        consumers: &["mission-control", "goals"],
        grants: Some(Grants {
            publish: &[
                &["stage7.mission.*.*.*.control.>", "stage7.registry.control.>", "stage7.telemetry.control.>", "stage7.refused.*"],
                READ_LOG, READ_REGISTRY, ARTIFACTS,
            ],
            subscribe: &["stage7.registry.>"],
        }),
    },
    User {
        name: "agent", zone: Zone::Log, about: "decider: how an assigned step is done", service: "agents",
        consumers: &["agent-steps"],
        grants: Some(Grants {
            publish: &[
                &["stage7.mission.*.*.*.agent.>", "stage7.registry.agent.>", "stage7.telemetry.agent.>"],
                READ_LOG, READ_REGISTRY, ARTIFACTS,
            ],
            subscribe: &["stage7.registry.>"],
        }),
    },
    User {
        name: "timekeeper", zone: Zone::Log, about: "effect: timers; the server doesn't check a schedule's target, so nobody else may publish to TIMERS", service: "timekeeper",
        consumers: &["timers", "due"],
        grants: Some(Grants {
            publish: &[&[
                "stage7.timer.>", "stage7.mission.*.*.*.timer.>", "stage7.telemetry.timer.>",
                "$JS.API.DIRECT.GET.MISSIONS.stage7.mission.*.*.*.timer.>",
            ]],
            subscribe: &[],
        }),
    },
    User {
        name: "librarian", zone: Zone::Log, about: "effect: read models; archives, so it sees every consumer's floor and deletes single messages", service: "librarian",
        consumers: &["projector"],
        grants: Some(Grants {
            publish: &[
                &["stage7.mission.*.*.*.librarian.>", "stage7.registry.librarian.>", "stage7.telemetry.librarian.>"],
                READ_LOG, READ_REGISTRY, ARTIFACTS,
                &[
                    "$JS.API.DIRECT.GET.ARTIFACTS", "$JS.API.STREAM.INFO.ARTIFACTS", "$JS.API.CONSUMER.INFO.MISSIONS.*",
                    "$JS.API.STREAM.MSG.DELETE.MISSIONS", "$JS.API.STREAM.MSG.DELETE.ARTIFACTS",
                ],
            ],
            subscribe: &["stage7.query.>", "stage7.registry.>", "stage7.telemetry.>"],
        }),
    },
    User {
        name: "door", zone: Zone::Log, about: "post-office: answers people, writes user words and goals in their name", service: "post-office",
        consumers: &[],
        grants: Some(Grants {
            publish: &[
                // Answers to tenants: a reload forgets what allow_responses had granted.
                &["_R_.>", "stage7.mission.*.*.*.user.>", "stage7.registry.user.>", "stage7.telemetry.user.>", "stage7.goal.*", "stage7.query.>"],
                READ_LOG, READ_REGISTRY, ARTIFACTS,
                &[
                    "$JS.API.DIRECT.GET.GOALS", "$JS.API.DIRECT.GET.REFUSALS", "$JS.API.DIRECT.GET.REFUSALS.stage7.refused.*",
                    "$SRV.PING", "$SRV.INFO", "$SRV.STATS", "$SRV.PING.>", "$SRV.INFO.>", "$SRV.STATS.>", "$SRV.brain.>", "$SRV.capability.>",
                ],
            ],
            subscribe: &[
                "stage7.submit.*", "stage7.user.*.*.*.*", "stage7.command.*.*.*", "stage7.read.*", "stage7.put.*.*.*", "stage7.get.*.*.*",
                "stage7.view.>", "stage7.live.>", "stage7.registry.>", "stage7.telemetry.>",
            ],
        }),
    },
    User { name: "brain", zone: Zone::Brain, about: "effect: language models", service: "brain", consumers: &["llm-calls"], grants: None },
    User { name: "capability", zone: Zone::Capability, about: "effect: plugins", service: "capabilities", consumers: &["plugin-runs"], grants: None },
];

/// The user of that name.
pub fn user(name: &str) -> Option<&'static User> {
    const TABLE: &[User] = &USERS;
    TABLE.iter().find(|u| u.name == name)
}

impl User {
    /// Where its answers arrive; nobody else may listen there.
    pub fn inbox(&self) -> String {
        format!("_INBOX.{}", self.name)
    }

    /// What it may publish, or `None` for all that its account holds.
    pub fn may_publish(&self) -> Option<Vec<String>> {
        let grants = self.grants?;
        let mut all: Vec<String> = grants.publish.iter().copied().flatten().map(ToString::to_string).collect();
        if !all.iter().any(|s| s == "$SRV.PING") {
            all.push(format!("$SRV.PING.{}", self.service));
        }
        for consumer in self.takes() {
            all.extend(requests(consumer));
            all.extend(acks(consumer));
        }
        Some(all)
    }

    /// What it may subscribe to, or `None` for all that its account holds.
    pub fn may_subscribe(&self) -> Option<Vec<String>> {
        let grants = self.grants?;
        let service = self.service;
        let mut all = vec![format!("{}.>", self.inbox())];
        all.extend(grants.subscribe.iter().map(ToString::to_string));
        all.extend(["$SRV.PING", "$SRV.INFO", "$SRV.STATS"].map(String::from));
        all.extend([format!("$SRV.*.{service}"), format!("$SRV.*.{service}.>")]);
        Some(all)
    }

    fn takes(&self) -> impl Iterator<Item = &'static Consumer> {
        self.consumers.iter().filter_map(|name| consumer(name))
    }
}

fn requests(consumer: &Consumer) -> Vec<String> {
    let verbs: &[&str] = if consumer.is_pinned() { &["MSG.NEXT", "INFO", "RESET", "UNPIN"] } else { &["MSG.NEXT", "INFO"] };
    verbs.iter().map(|verb| format!("$JS.API.CONSUMER.{verb}.{}.{}", consumer.stream, consumer.name)).collect()
}

/// Both forms of the acknowledgement subject, of this consumer only.
fn acks(consumer: &Consumer) -> [String; 2] {
    let Consumer { stream, name, .. } = consumer;
    [format!("$JS.ACK.{stream}.{name}.>"), format!("$JS.ACK.*.*.{stream}.{name}.>")]
}

/// How a subject crosses from LOG into another zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Asked over there, answered here once.
    Request,
    /// Asked over there, answered here with many messages.
    RequestMany,
    /// Published here, heard over there.
    Stream,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    pub subject: String,
    pub way: Way,
    pub zones: Vec<Zone>,
}

/// What the zones of effects may reach of LOG: reading by subject only, never a whole mission.
const SHARED: [(&str, Way); 9] = [
    // The last word on a mission is asked for with a literal `*` as the last token.
    ("$JS.API.DIRECT.GET.MISSIONS.stage7.mission.*.*.*.control.mission.*", Way::Request),
    ("$JS.API.DIRECT.GET.MISSIONS.stage7.mission.*.*.*.control.step.cancelled.*", Way::Request),
    ("stage7.mission.*.*.*.control.mission.*", Way::Stream),
    ("stage7.artifact.*.*.*", Way::Request),
    ("$JS.API.DIRECT.GET.ARTIFACTS.stage7.artifact.*.*.*", Way::Request),
    ("stage7.live.*.*.>", Way::Request),
    ("$JS.API.DIRECT.GET.REGISTRY", Way::RequestMany),
    ("$JS.API.DIRECT.GET.REGISTRY.>", Way::Request),
    ("stage7.registry.>", Way::Stream),
];

/// Everything that LOG lends to the zones of effects. No two overlap for one zone: the server takes
/// the first that matches, in random order.
pub fn crossings() -> Vec<Crossing> {
    let shared = SHARED.iter().map(|&(subject, way)| Crossing { subject: subject.into(), way, zones: Zone::EFFECTS.to_vec() });
    let own = USERS.iter().filter(|u| Zone::EFFECTS.contains(&u.zone)).flat_map(|user| {
        let writer = user.name;
        let mut subjects = vec![
            (format!("stage7.mission.*.*.*.{writer}.>"), Way::Request),
            (format!("stage7.registry.{writer}.>"), Way::Request),
            (format!("stage7.telemetry.{writer}.>"), Way::Request),
            (format!("$JS.API.DIRECT.GET.MISSIONS.stage7.mission.*.*.*.{writer}.>"), Way::Request),
        ];
        for consumer in user.takes() {
            subjects.extend(requests(consumer).into_iter().map(|subject| {
                let way = if subject.contains(".MSG.NEXT.") { Way::RequestMany } else { Way::Request };
                (subject, way)
            }));
            // The second form belongs to a feature that the configuration switches off.
            let [ack, _] = acks(consumer);
            subjects.push((ack, Way::Request));
        }
        subjects.into_iter().map(|(subject, way)| Crossing { subject, way, zones: vec![user.zone] })
    });
    shared.chain(own).collect()
}

/// What a tenant's users may ask: the subject without `stage7.`, cut at the tenant's token, and
/// whether the door is told who asks.
pub const TENANT_REQUESTS: [(&str, &str, bool); 7] = [
    // Captured by GOALS, answered by JetStream: nobody needs to know who asked.
    ("goal", "", false),
    ("submit", "", true),
    ("user", ".*.*.*", true),
    ("command", ".*.*", true),
    ("read", "", true),
    ("put", ".*.*", true),
    ("get", ".*.*", true),
];

/// What a tenant's users may hear, and from which account: live lines come from where they are
/// said, because LOG doesn't pass on what another account published into it.
pub const TENANT_STREAMS: [(Zone, &str); 3] = [(Zone::Log, "view"), (Zone::Brain, "live"), (Zone::Capability, "live")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_setup_and_sys_is_unbounded_in_the_trusted_zones() {
        for user in USERS.iter().filter(|u| u.grants.is_none() && !Zone::EFFECTS.contains(&u.zone)) {
            assert!(["setup", "sys"].contains(&user.name), "{}", user.name);
        }
    }

    #[test]
    fn every_family_of_words_has_one_writer() {
        let mut families: Vec<String> = USERS.iter().filter_map(User::may_publish).flatten()
            .chain(crossings().into_iter().filter(|c| c.way == Way::Request).map(|c| c.subject))
            .filter(|s| ["stage7.mission.", "stage7.registry.", "stage7.telemetry."].iter().any(|f| s.starts_with(f)))
            .collect();
        let all = families.len();
        families.sort();
        families.dedup();
        assert_eq!(families.len(), all, "{families:?}");
    }

    #[test]
    fn every_consumer_belongs_to_one_user() {
        for consumer in &super::super::CONSUMERS {
            let takers: Vec<_> = USERS.iter().filter(|u| u.consumers.contains(&consumer.name)).collect();
            assert_eq!(takers.len(), 1, "{}", consumer.name);
        }
    }
}
