//! Who may do what: one NATS user per kind of worker, one account per zone of trust.
//!
//! Rights within one account aren't enough: the server doesn't check the rights of a message's
//! *reply* subject, so whoever may ask JetStream anything could have the answer land among
//! another's words. Hence accounts, joined by exact subjects ([`crossings`]).

mod crossing;
mod roster;

pub use crossing::{Crossing, Way, crossings};
pub use roster::USERS;

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
    /// Its name as a micro-service; empty for what is none.
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
        if !self.service.is_empty() && !all.iter().any(|s| s == "$SRV.PING") {
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
        if !service.is_empty() {
            all.extend(["$SRV.PING", "$SRV.INFO", "$SRV.STATS"].map(String::from));
            all.extend([format!("$SRV.*.{service}"), format!("$SRV.*.{service}.>")]);
        }
        Some(all)
    }

    fn takes(&self) -> impl Iterator<Item = &'static Consumer> {
        self.consumers.iter().filter_map(|name| consumer(name))
    }
}

fn requests(consumer: &Consumer) -> Vec<String> {
    let verbs: &[&str] =
        if consumer.is_pinned() { &["MSG.NEXT", "INFO", "RESET", "UNPIN"] } else { &["MSG.NEXT", "INFO"] };
    verbs.iter().map(|verb| format!("$JS.API.CONSUMER.{verb}.{}.{}", consumer.stream, consumer.name)).collect()
}

/// Both forms of the acknowledgement subject, of this consumer only.
fn acks(consumer: &Consumer) -> [String; 2] {
    let Consumer { stream, name, .. } = consumer;
    [format!("$JS.ACK.{stream}.{name}.>"), format!("$JS.ACK.*.*.{stream}.{name}.>")]
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

/// What a tenant's users may hear: from which account, and the subject without `stage7.`, cut at the
/// tenant's token. Live lines come from where they are said, because LOG doesn't pass on what another
/// account published into it.
pub const TENANT_STREAMS: [(Zone, &str, &str); 4] = [
    (Zone::Log, "view", ".>"),
    (Zone::Log, "refused", ""),
    (Zone::Brain, "live", ".>"),
    (Zone::Capability, "live", ".>"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_setup_is_unbounded_in_the_trusted_zones() {
        for user in USERS.iter().filter(|u| u.grants.is_none() && !Zone::EFFECTS.contains(&u.zone)) {
            assert_eq!(user.name, "setup");
        }
    }

    #[test]
    fn every_family_of_words_has_one_writer() {
        let mut families: Vec<String> = USERS
            .iter()
            .filter_map(User::may_publish)
            .flatten()
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
