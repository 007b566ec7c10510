//! Redis, where one is set: what the brains share beside the log. Nothing waits for it: while it is away each brain
//! goes by what it knows itself.

use crate::config::Key;
use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ScriptInvocation,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long it is left alone that did not.
const AWAY: Duration = Duration::from_secs(2);

/// A Redis that may be away.
pub struct Redis {
    manager: ConnectionManager,
    /// Until when it is left alone.
    away: Mutex<Option<Instant>>,
}

impl Redis {
    /// It is connected to when it is first asked.
    ///
    /// # Errors
    /// A sentence: the address is none.
    pub fn new(url: &Key) -> Result<Self, String> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let manager =
            Client::open(url.reveal()).and_then(|client| ConnectionManager::new_lazy_with_config(client, config));
        let manager = manager.map_err(|error| format!("redis.url (REDIS_URL) is no address of a Redis: {error}"))?;
        Ok(Self { manager, away: Mutex::default() })
    }

    /// Does it answer?
    ///
    /// # Errors
    /// A sentence: why not.
    pub async fn ping(&self) -> Result<(), String> {
        let ping = redis::cmd("PING").query_async::<String>(&mut self.manager.clone()).await;
        ping.map(drop).map_err(|error| error.to_string())
    }

    /// What it answers; none when it is away, or does not do it.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        if self.is_away() {
            return None;
        }
        self.heard(command.query_async(&mut self.manager.clone()).await)
    }

    /// The same of a script.
    pub async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Option<T> {
        if self.is_away() {
            return None;
        }
        self.heard(script.invoke_async(&mut self.manager.clone()).await)
    }

    fn is_away(&self) -> bool {
        self.away().is_some_and(|until| until > Instant::now())
    }

    fn heard<T>(&self, answer: RedisResult<T>) -> Option<T> {
        let answer = match answer {
            Err(error) if is_lost(&error) => {
                if self.away().replace(Instant::now() + AWAY).is_none() {
                    tracing::warn!(%error, "Redis is away: limits hold for each brain alone, and it remembers its own answers only");
                }
                return None;
            }
            answer => {
                if self.away().take().is_some() {
                    tracing::info!("Redis is back");
                }
                answer
            }
        };
        answer.map_err(|error| tracing::warn!(%error, "Redis does not do what it is asked for")).ok()
    }

    fn away(&self) -> MutexGuard<'_, Option<Instant>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is it Redis that fails, and not what lies in it?
fn is_lost(error: &RedisError) -> bool {
    error.code() != Some("WRONGTYPE") && error.kind() != ErrorKind::UnexpectedReturnType
}
