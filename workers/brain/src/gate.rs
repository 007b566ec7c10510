//! How many calls a provider gets: at once, and in a minute. Over all brains that share a Redis, else of each alone.

use crate::shared::Redis;
use redis::Script;
use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout, timeout_at},
};
use uuid::Uuid;

const MINUTE: Duration = Duration::from_secs(60);
/// A place that its brain does not speak of for so long is free again: the brain was killed.
const LEASE: Duration = Duration::from_secs(30);
/// Between two looks at what other brains have done.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes a place, or says in how many milliseconds there may be one. By the server's clock: brains' may differ.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local parallel, per_minute, pause, lease = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
        if parallel > 0 then
            redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
            if redis.call('ZCARD', KEYS[1]) >= parallel then return pause end
        end
        if per_minute > 0 then
            redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 60000)
            if redis.call('ZCARD', KEYS[2]) >= per_minute then
                local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
                return math.max(1, first[2] + 60000 - now)
            end
            redis.call('ZADD', KEYS[2], now, ARGV[1])
            redis.call('PEXPIRE', KEYS[2], 60000)
        end
        if parallel > 0 then
            redis.call('ZADD', KEYS[1], now + lease, ARGV[1])
            redis.call('PEXPIRE', KEYS[1], lease)
        end
        return 0
        ",
    )
});

/// Keeps a place that was taken.
static KEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local time = redis.call('TIME')
        redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2], ARGV[1])
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        ",
    )
});

/// What the calls of a provider pass.
pub struct Gate {
    name: &'static str,
    parallel: Option<usize>,
    per_minute: Option<usize>,
    /// Whose turn it is; the others queue, in their order.
    turn: tokio::sync::Mutex<()>,
    own: Arc<Own>,
    redis: Option<Arc<Redis>>,
}

/// What this brain does by itself.
#[derive(Default)]
struct Own {
    calls: Mutex<Calls>,
    freed: Notify,
}

#[derive(Default)]
struct Calls {
    running: usize,
    /// When those of the last minute began.
    begun: VecDeque<Instant>,
}

impl Own {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one call.
pub struct Place {
    own: Option<Arc<Own>>,
    /// When it is dropped, the place in Redis is given back.
    lease: Option<oneshot::Sender<()>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            own.calls().running -= 1;
            // Only whoever waits now: a place that was given up for want of another is no news to its own call.
            own.freed.notify_waiters();
        }
    }
}

impl Gate {
    pub fn new(name: &'static str, parallel: Option<usize>, per_minute: Option<usize>) -> Self {
        Self { name, parallel, per_minute, turn: Default::default(), own: Arc::default(), redis: None }
    }

    pub fn sharing(self, redis: Option<Arc<Redis>>) -> Self {
        Self { redis, ..self }
    }

    /// A place.
    ///
    /// # Errors
    /// A sentence: there is none within that time.
    pub async fn enter(&self, patience: Duration) -> Result<Place, String> {
        if self.parallel.is_none() && self.per_minute.is_none() {
            return Ok(Place { own: None, lease: None });
        }
        let until = Instant::now() + patience;
        let entering = async {
            let _turn = self.turn.lock().await;
            loop {
                let wait = match self.take() {
                    Ok(mut place) => match self.lease().await {
                        Ok(lease) => {
                            place.lease = lease;
                            return Ok(place);
                        }
                        Err(wait) => {
                            self.own.calls().begun.pop_back();
                            wait
                        }
                    },
                    Err(wait) => wait,
                };
                if Instant::now() + wait > until {
                    return Err(());
                }
                // Redis may come back, or forget: it is looked again every second at the least.
                let _ = timeout(wait.min(Duration::from_secs(1)), self.own.freed.notified()).await;
            }
        };
        let entered = timeout_at(until, entering).await.unwrap_or(Err(()));
        entered.map_err(|()| {
            let name = self.name.to_uppercase();
            let at_once = self.parallel.map(|n| format!("{n} at once ({name}_PARALLEL)"));
            let minute = self.per_minute.map(|n| format!("{n} a minute ({name}_PER_MINUTE)"));
            let both: Vec<_> = at_once.into_iter().chain(minute).collect();
            format!("it may be asked {}, and there is no place within {} s", both.join(" and "), patience.as_secs())
        })
    }

    /// A place as far as this brain knows; else in how long there may be one.
    fn take(&self) -> Result<Place, Duration> {
        let (mut calls, now) = (self.own.calls(), Instant::now());
        if self.parallel.is_some_and(|most| calls.running >= most) {
            return Err(PAUSE);
        }
        if let Some(most) = self.per_minute {
            while calls.begun.front().is_some_and(|begun| now.duration_since(*begun) >= MINUTE) {
                calls.begun.pop_front();
            }
            if let Some(first) = calls.begun.front().filter(|_| calls.begun.len() >= most) {
                return Err(MINUTE - now.duration_since(*first));
            }
        }
        calls.begun.extend(self.per_minute.map(|_| now));
        calls.running += 1;
        Ok(Place { own: Some(Arc::clone(&self.own)), lease: None })
    }

    /// The same among all brains; none where there is no Redis, or it is away.
    async fn lease(&self) -> Result<Option<oneshot::Sender<()>>, Duration> {
        let Some(redis) = &self.redis else { return Ok(None) };
        let key = |what: &str| format!("stage7:{{{}}}:{what}", self.name);
        #[expect(clippy::disallowed_methods, reason = "a place is this brain's alone")]
        let id = Uuid::now_v7().to_string();
        let mut take = TAKE.key(key("places"));
        take.key(key("minute")).arg(&id).arg(self.parallel.unwrap_or(0)).arg(self.per_minute.unwrap_or(0));
        take.arg(PAUSE.as_millis() as u64).arg(LEASE.as_millis() as u64);
        match redis.run::<u64>(&take).await {
            None => Ok(None),
            Some(0) if self.parallel.is_none() => Ok(None),
            Some(0) => Ok(Some(keep(Arc::clone(redis), key("places"), id))),
            Some(wait) => Err(Duration::from_millis(wait)),
        }
    }
}

/// Keeps a place in Redis until what is given is dropped.
fn keep(redis: Arc<Redis>, places: String, id: String) -> oneshot::Sender<()> {
    let (sender, mut dropped) = oneshot::channel();
    tokio::spawn(async move {
        while timeout(LEASE / 3, &mut dropped).await.is_err() {
            let mut keep = KEEP.key(&places);
            keep.arg(&id).arg(LEASE.as_millis() as u64);
            let _ = redis.run::<()>(&keep).await;
        }
        let _ = redis.ask::<()>(redis::cmd("ZREM").arg(&places).arg(&id)).await;
    });
    sender
}
