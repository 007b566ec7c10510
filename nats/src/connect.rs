//! Connecting as one of the users, to a server that is new enough.

pub use async_nats::{Client, Request, RequestErrorKind, Subscriber};

use crate::{key, server::Version};
use async_nats::ConnectOptions;
use std::time::Duration;
use streams::topology::access;

/// An older server accepts what it doesn't know (schedules, guards, pins) and silently drops it.
pub const OLDEST: Version = Version { major: 2, minor: 14, patch: 0 };

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't reach nats-server at {url}")]
    Unreachable { url: String, source: async_nats::ConnectError },
    #[error("nats-server at {url} doesn't know the key of `{user}`")]
    Refused { url: String, user: String, source: async_nats::ConnectError },
    #[error("nats-server at {url} is version {version}; stage7 needs {OLDEST} or newer")]
    TooOld { url: String, version: String },
    #[error(transparent)]
    Key(#[from] key::Error),
}

/// Connects as `user`, once; a connection that is lost later is taken up again for ever, at most a
/// second apart. `url` is one server or several, separated by commas.
pub async fn connect(url: &str, user: &str, seed: &key::Seed) -> Result<Client, Error> {
    let servers: Vec<String> = url.split(',').map(|s| s.trim().to_string()).collect();
    let client = options(user, seed).connect(servers).await.map_err(|source| {
        use async_nats::ConnectErrorKind as Kind;
        let url = url.to_string();
        match source.kind() {
            Kind::Authentication | Kind::AuthorizationViolation => Error::Refused { url, user: user.into(), source },
            _ => Error::Unreachable { url, source },
        }
    })?;
    let version = client.server_info().version;
    match version.parse::<Version>() {
        Ok(found) if found >= OLDEST => Ok(client),
        _ => Err(Error::TooOld { url: url.into(), version }),
    }
}

/// How every user connects; for callers that add a callback of their own.
pub fn options(user: &str, seed: &key::Seed) -> ConnectOptions {
    // A tenant's owner has the plain inbox, so that any client works without settings.
    let inbox = access::user(user).map_or_else(|| "_INBOX".into(), access::User::inbox);
    ConnectOptions::with_nkey(seed.reveal().into())
        .name(format!("stage7 {user}"))
        .custom_inbox_prefix(inbox)
        .max_reconnects(None)
        .reconnect_delay_callback(pause)
        .connection_timeout(Duration::from_secs(5))
        .ping_interval(Duration::from_secs(10))
        // A batch is at most a few hundred, but several thousand answers may be on their way, and
        // a full subscription drops what comes.
        .subscription_capacity(200_000)
}

/// Before the nth try to reconnect: at once, then doubling from 10 ms to a second.
fn pause(attempt: usize) -> Duration {
    match attempt {
        0 | 1 => Duration::ZERO,
        n => Duration::from_millis(10 << (n - 2).min(7)).min(Duration::from_secs(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnecting_starts_at_once_and_never_waits_longer_than_a_second() {
        assert_eq!(pause(1), Duration::ZERO);
        assert_eq!(pause(2), Duration::from_millis(10));
        assert!((0..10_000).all(|n| pause(n) <= Duration::from_secs(1)));
        assert_eq!(pause(usize::MAX), Duration::from_secs(1));
    }
}
