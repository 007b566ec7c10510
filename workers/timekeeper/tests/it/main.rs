//! The timekeeper against a real nats-server.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and it sees the clock and the environment"
)]

use nats::{
    decider::append_event,
    jetstream::JetStream,
    log::{Guard, Log},
    server::{Managed, Options, Places, find},
    setup,
};
use schemas::{
    Event, EventId, Fact, MissionId, Tenant, Time, Writer,
    control::{Purpose, TimerCleared, TimerSet},
    fact::Tail,
};
use std::time::Duration;
use streams::{
    record::{Decoded, Record},
    subject,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const MISSION: MissionId = MissionId(Uuid::from_u128(2));

struct Server {
    managed: Managed,
    control: JetStream,
    stop: CancellationToken,
    _dir: TempDir,
}

impl Server {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::from_vars(|name| std::env::var_os(name));
        let binary = find(&places, &|line| eprintln!("{line}")).await.unwrap();
        let managed = Managed::start(Options::new(dir.path(), &binary)).await.unwrap();
        setup::ensure(&managed.connect("setup").await.unwrap()).await.unwrap();
        let control = JetStream::new(managed.connect("control").await.unwrap());
        Self { managed, control, stop: CancellationToken::new(), _dir: dir }
    }

    async fn keep(&self) -> tokio::task::JoinHandle<()> {
        let js = JetStream::new(self.managed.connect("timekeeper").await.unwrap());
        let stop = self.stop.clone();
        tokio::spawn(async move { timekeeper::run(js, "test0001".into(), stop).await.unwrap() })
    }

    async fn say(&self, name: &str, fact: impl Into<Fact>) -> EventId {
        self.say_at(self.control.now(), name, fact).await
    }

    /// The same by a clock that may be wrong.
    async fn say_at(&self, time: Time, name: &str, fact: impl Into<Fact>) -> EventId {
        let fact = fact.into();
        let event = Event {
            seq: 0,
            id: EventId::of_word(MISSION, Writer::Control, fact.kind(), name, 0),
            time,
            tenant: Tenant::default(),
            mission: MISSION,
            writer: Writer::Control,
            tail: Tail::Bare,
            fact,
            causation: None,
            basis: None,
            part: None,
            worker_version: "test0001".into(),
            traceparent: Some("00-1-2-01".into()),
            authid: None,
        };
        let filter = subject::family(&event.tenant, MISSION, Writer::Control);
        let last = self.control.last(&filter).await.unwrap().map_or(0, |record| record.seq);
        append_event(&self.control, &event, &[], &Guard { filter, last }).await.unwrap();
        event.id
    }

    /// A timer that is to fire in so many milliseconds.
    async fn set(&self, name: &str, ms: i64) -> (EventId, Time) {
        let at = Time(self.control.now().0 + ms);
        (self.say(name, TimerSet { at, purpose: Purpose::Deadline }).await, at)
    }

    async fn fired(&self) -> Vec<Event> {
        let records = self.control.load(&subject::family(&Tenant::default(), MISSION, Writer::Timer), 0).await.unwrap();
        let event = |record: Record| match record.decode().unwrap() {
            Decoded::Event(event) => event,
            other => panic!("{other:?}"),
        };
        records.into_iter().map(event).collect()
    }

    async fn fired_within(&self, ms: u64, wanted: usize) -> Vec<Event> {
        for _ in 0..ms / 20 {
            let fired = self.fired().await;
            if fired.len() >= wanted {
                return fired;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{wanted} timers within {ms} ms, got {}", self.fired().await.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_once_at_its_time_unless_it_is_cleared() {
    let server = Server::start().await;
    let keeper = server.keep().await;
    let (soon, at) = server.set("soon", 700).await;
    let (cleared, _) = server.set("cleared", 700).await;
    server.say("cleared", TimerCleared { timer: cleared }).await;
    let fired = server.fired_within(3_000, 1).await;
    assert_eq!(fired[0].request(), Some(soon));
    assert_eq!(fired[0].fact, Fact::TimerFired(schemas::timer::TimerFired { at }));
    assert!(fired[0].tail.is_for(Writer::Control));
    assert_eq!((fired[0].causation, fired[0].traceparent.as_deref()), (Some(soon), Some("00-1-2-01")));
    let late = fired[0].time.since(at);
    assert!(fired[0].time >= at && late < 500, "{late} ms late");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(server.fired().await.len(), 1, "what was cleared does not fire");
    server.stop.cancel();
    keeper.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_takes_its_time_whatever_the_clock_of_its_decider_says() {
    let server = Server::start().await;
    let keeper = server.keep().await;
    let now = server.control.now();
    for (name, hour) in [("behind", -3_600_000), ("ahead", 3_600_000)] {
        let wrong = Time(now.0 + hour);
        server.say_at(wrong, name, TimerSet { at: Time(wrong.0 + 1_500), purpose: Purpose::Deadline }).await;
    }
    let fired = server.fired_within(20_000, 2).await;
    assert!(fired.iter().all(|event| event.time.0 >= now.0 + 1_450), "{fired:?} from {now}");
    server.stop.cancel();
    keeper.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_due_while_nobody_kept_time_fires_at_once() {
    let server = Server::start().await;
    let (past, _) = server.set("past", -60_000).await;
    let (near, _) = server.set("near", 5).await;
    let keeper = server.keep().await;
    let mut ids: Vec<_> = server.fired_within(2_000, 2).await.iter().map(|event| event.request().unwrap()).collect();
    ids.sort();
    let mut wanted = vec![past, near];
    wanted.sort();
    assert_eq!(ids, wanted);
    server.stop.cancel();
    keeper.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_timekeepers_and_a_killed_server_fire_each_timer_once() {
    let server = Server::start().await;
    let keepers = [server.keep().await, server.keep().await];
    for n in 0..50 {
        server.set(&format!("timer {n}"), 300 + 40 * n).await;
    }
    let pid = rustix::process::Pid::from_raw(server.managed.pid() as i32).unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let mut pids = server.managed.pids();
    tokio::time::timeout(Duration::from_secs(20), pids.changed()).await.unwrap().unwrap();
    let mut fired = 0;
    for _ in 0..400 {
        let filter = subject::family(&Tenant::default(), MISSION, Writer::Timer);
        fired = server.control.load(&filter, 0).await.map_or(fired, |records| records.len());
        if fired == 50 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // What the server forgot that it was acknowledged comes again after five seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!((fired, server.fired().await.len()), (50, 50));
    server.stop.cancel();
    for keeper in keepers {
        keeper.await.unwrap();
    }
}
