//! The workers by name, and how each is run.

use super::WORKER_VERSION;
use crate::config::Config;
use anyhow::Result;
use nats::{decider, jetstream::JetStream, key::Seed, registry::announce, seal::Opener, service::present};
use schemas::Writer;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What `stage7 worker` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker {
    MissionControl,
    Agents,
    Brain,
    Capabilities,
    Timekeeper,
    Librarian,
    PostOffice,
}

/// What is run and restarted by itself, under one NATS user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Control,
    Intake,
    Agents,
    Brain,
    Capabilities,
    Timekeeper,
    Librarian,
    PostOffice,
}

impl Worker {
    pub const ALL: [Self; 7] = [
        Self::MissionControl,
        Self::Agents,
        Self::Brain,
        Self::Capabilities,
        Self::Timekeeper,
        Self::Librarian,
        Self::PostOffice,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::MissionControl => "mission-control",
            Self::Agents => "agents",
            Self::Brain => "brain",
            Self::Capabilities => "capabilities",
            Self::Timekeeper => "timekeeper",
            Self::Librarian => "librarian",
            Self::PostOffice => "post-office",
        }
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|worker| worker.name() == text);
        found.ok_or_else(|| format!("there is no worker `{text}`; there are {}", Self::ALL.map(Self::name).join(", ")))
    }

    pub const fn parts(self) -> &'static [Part] {
        match self {
            Self::MissionControl => &[Part::Control, Part::Intake],
            Self::Agents => &[Part::Agents],
            Self::Brain => &[Part::Brain],
            Self::Capabilities => &[Part::Capabilities],
            Self::Timekeeper => &[Part::Timekeeper],
            Self::Librarian => &[Part::Librarian],
            Self::PostOffice => &[Part::PostOffice],
        }
    }
}

impl Part {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "mission-control",
            Self::Intake => "intake",
            Self::Agents => "agents",
            Self::Brain => "brain",
            Self::Capabilities => "capabilities",
            Self::Timekeeper => "timekeeper",
            Self::Librarian => "librarian",
            Self::PostOffice => "post-office",
        }
    }

    /// Under which NATS user it speaks.
    pub const fn user(self) -> &'static str {
        match self {
            Self::Control | Self::Intake => "control",
            Self::Agents => "agent",
            Self::Brain => "brain",
            Self::Capabilities => "capability",
            Self::Timekeeper => "timekeeper",
            Self::Librarian => "librarian",
            Self::PostOffice => "door",
        }
    }

    /// Its name as a micro-service, where nothing in it is one already.
    const fn shown_as(self) -> Option<&'static str> {
        match self {
            // One worker, shown once; those who answer requests show themselves.
            Self::Intake | Self::Librarian | Self::PostOffice => None,
            part => Some(part.name()),
        }
    }

    /// Runs until `stop`, shown to whoever looks for workers.
    pub async fn run(self, log: JetStream, seed: &Seed, config: &Config, stop: CancellationToken) -> Result<()> {
        let shown = match self.shown_as() {
            Some(name) => Some(present(&log, name, WORKER_VERSION).await?),
            None => None,
        };
        let ended = self.work(log, seed, config, stop).await;
        if let Some(shown) = shown {
            shown.leave().await;
        }
        ended
    }

    async fn work(self, log: JetStream, seed: &Seed, config: &Config, stop: CancellationToken) -> Result<()> {
        let version = WORKER_VERSION.to_string();
        let options = || decider::Options::new(version.clone());
        match self {
            Self::Control => decider::run::<mission_control::Control>(Arc::new(log), options(), stop).await?,
            Self::Intake => {
                let options =
                    mission_control::intake::Options { limits: config.limits.clone(), worker_version: version };
                mission_control::intake::run(log, options, stop).await?;
            }
            Self::Agents => {
                let host = config.capabilities.host();
                let own: Vec<_> = capabilities::shipped().into_iter().filter(capabilities::Plugin::is_agents).collect();
                announce(&log, Writer::Agent, &capabilities::registered(&own, &host).await).await?;
                decider::run::<agents::Agents>(Arc::new(log), options(), stop).await?;
            }
            Self::Brain => brain::run(log, &config.brain, version, stop).await?,
            Self::Capabilities => {
                capabilities::run(log, config.capabilities.clone(), Opener::of(seed), version, stop).await?;
            }
            Self::Timekeeper => timekeeper::run(log, version, stop).await?,
            Self::Librarian => librarian::run(log, &config.data, config.archive_after, version, stop).await?,
            Self::PostOffice => post_office::run(log, stop).await?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streams::topology::{CONSUMERS, access};

    #[test]
    fn every_part_has_its_user_and_every_consumer_its_part() {
        let parts: Vec<Part> = Worker::ALL.iter().flat_map(|worker| worker.parts()).copied().collect();
        for consumer in &CONSUMERS {
            let taker =
                |part: &&Part| access::user(part.user()).is_some_and(|user| user.consumers.contains(&consumer.name));
            assert!(parts.iter().any(|part| taker(&part)), "{}", consumer.name);
        }
        assert!(parts.iter().all(|part| access::user(part.user()).is_some()));
    }

    #[test]
    fn a_part_is_shown_under_the_name_that_its_user_may_use() {
        for part in Worker::ALL.iter().flat_map(|worker| worker.parts()) {
            let user = access::user(part.user()).expect("checked above");
            assert!(part.shown_as().is_none_or(|name| name == user.service), "{}", part.name());
        }
    }

    #[test]
    fn names_parse_to_what_they_name() {
        assert!(Worker::ALL.iter().all(|worker| Worker::parse(worker.name()) == Ok(*worker)));
        assert!(Worker::parse("baker").unwrap_err().contains("mission-control"));
    }
}
