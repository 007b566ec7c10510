//! Thousands of finished missions behind a new one, and their way into the archive.

use crate::{
    fill,
    plan::{goal, query},
    process::descendants,
    stage7::{Layout, Stage7},
    user::User,
    wait::within,
};
use nats::{
    config::Sync,
    connect::connect,
    jetstream::JetStream,
    key::Seed,
    log::Log,
    server::{Managed, Options, Places, find},
    service::store,
};
use schemas::{MissionId, Tenant, Time, Value};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    io::{Write, stderr},
    time::{Duration, Instant},
};
use streams::{archive, record::Record, subject};
use tokio::runtime::Runtime;

/// Missions that are timed, one after another.
const TIMED: usize = 15;
/// What archiving may add to a publisher's waiting.
const LONGER: Duration = Duration::from_millis(50);
const DAY: i64 = 86_400_000;

fn say(text: &str) {
    // Past the test harness, which keeps what a passing test prints to itself.
    stderr().write_all(format!("growth: {text}\n").as_bytes()).unwrap();
}

#[test]
fn thousands_of_finished_missions_are_no_burden_and_leave_without_anybody_waiting() {
    let (many, old) = if std::env::var_os("STAGE7_SOAK").is_some() { (100_000, 10_000) } else { (5_000, 1_000) };
    let stage7 = Stage7::prepared(Layout::One, &[]);
    archives(&stage7, "off");
    started(&stage7, "an empty system");
    let (empty, model) = timed(&stage7, "an empty system");
    stage7.stop();

    let begin = Instant::now();
    let copies = fill_up(&stage7, &model, many, old);
    say(&format!("{many} finished missions put into the log in {:?}", begin.elapsed()));
    started(&stage7, "the rows not made yet");
    stage7.stop();
    started(&stage7, &format!("{many} missions in the log"));
    let (full, _) = timed(&stage7, &format!("{many} missions behind it"));
    say(&format!("a new mission takes {:.2} of what it took in an empty system", full / empty));
    assert!(full <= 2.0 * empty, "a new mission takes {full} ms, {empty} ms in an empty system");

    let runtime = Runtime::new().unwrap();
    // About as long as archiving will take.
    let time = Duration::from_millis(old as u64 * 10);
    let without = runtime.block_on(async { Probe::new(&stage7).await.delays(time).await });
    stage7.stop();
    archives(&stage7, "1d");
    let begin = Instant::now();
    // Starting is something else, with its own figure.
    stage7.run();
    stage7.ready();
    let during = runtime.block_on(async {
        let probe = Probe::new(&stage7).await;
        let (log, mut gone, mut looked) = (probe.log.clone(), 0, Instant::now());
        let delays = probe.delays_until(async || {
            if looked.elapsed() > Duration::from_millis(200) {
                (gone, looked) = (archived(&log).await, Instant::now());
            }
            gone == old
        });
        delays.await
    });
    say(&format!("{old} missions archived in {:?}", begin.elapsed()));
    say(&format!("a publisher waited, without archiving: {}; meanwhile: {}", shown(&without), shown(&during)));
    // What else the machine does, its disk above all, may meet one in a thousand.
    let added = at(&during, 0.999).saturating_sub(at(&without, 0.999));
    assert!(added <= LONGER, "archiving makes a publisher wait {added:?} longer");
    let long = |all: &[Duration]| all.iter().filter(|took| **took > LONGER).count() as f64 / all.len() as f64;
    say(&format!("longer than {LONGER:?} waited {:.4} % and {:.4} %", 100.0 * long(&without), 100.0 * long(&during)));
    assert!(long(&during) <= long(&without) + 0.001, "archiving makes publishers wait");

    stage7.ready();
    stage7.stop();
    archives(&stage7, "off");
    started(&stage7, &format!("{old} of them archived"));
    let user = stage7.user();
    for (n, mission) in copies {
        let state = user.state(&mission);
        assert_eq!((&state["status"], &state["id"]), (&json!("completed"), &json!(mission)), "{state:#}");
        let row = user.read(&json!({"list": {"after": mission, "limit": 1}}));
        assert!(row["missions"].is_array(), "it is listed: {row}");
        let left = runtime.block_on(async { Probe::new(&stage7).await.left(&mission).await });
        assert_eq!(left == 0, n < old, "the {n}th has {left} records in the log");
    }
}

/// When missions are archived, from the next start on.
pub fn archives(stage7: &Stage7, after: &str) {
    stage7.file("stage7.toml", format!("[archive]\nafter = \"{after}\"\n"));
}

/// Starts it, and tells how long that took and how much memory it has then.
fn started(stage7: &Stage7, with: &str) {
    let begin = Instant::now();
    stage7.run();
    let listed = || (stage7.cli(&["mission", "list", "--limit", "1"]).code == Some(0)).then_some(());
    within(Duration::from_secs(900), "missions are listed", || stage7.logs(), listed);
    stage7.ready();
    let took = begin.elapsed();
    let up = stage7.pid("up");
    let children = descendants(up);
    let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let server = children.into_iter().find(|pid| name(*pid).trim() == "nats-server").expect("its server");
    say(&format!("start with {with}: {took:?}; stage7 {} MB, nats-server {} MB", memory(up), memory(server)));
}

/// Resident, in MB.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// The median time of new missions, from their first word to their last (ms), and one of them.
fn timed(stage7: &Stage7, with: &str) -> (f64, String) {
    let user = stage7.user();
    let mut all: Vec<(f64, String)> = (0..TIMED).map(|_| one(stage7, &user)).collect();
    all.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let (median, mission) = all.swap_remove(TIMED / 2);
    say(&format!("a mission of three steps with {with}: {median} ms (median of {TIMED})"));
    (median, mission)
}

fn one(stage7: &Stage7, user: &User) -> (f64, String) {
    let mission = user.submit(&goal((0..3).map(|n| query(&format!("q{n}"), json!(n), ".")).collect()));
    stage7.until_is(user, &mission, "completed");
    let mut page = user.read(&json!({"mission": mission}));
    let Value::Array(events) = page["events"].take() else { panic!("{page}") };
    let time = |event: &Value| event["time"].as_str().unwrap().parse::<Time>().unwrap().0;
    ((time(events.last().unwrap()) - time(&events[0])) as f64, mission)
}

/// Copies of a mission that was really run, under other ids, and heard by everybody; the first `old`
/// of them ended two days ago. Gives some of them.
fn fill_up(stage7: &Stage7, model: &str, many: usize, old: usize) -> Vec<(usize, String)> {
    Runtime::new().unwrap().block_on(async {
        let places = Places::from_vars(|name| std::env::var_os(name));
        let binary = find(&places, &|line| eprintln!("{line}")).await.unwrap();
        let mut options = Options::new(stage7.path("data"), &binary);
        options.sync = Sync::Default;
        let server = Managed::start(options).await.unwrap();
        let log = JetStream::new(server.connect("setup").await.unwrap());
        let mission: MissionId = model.parse().unwrap();
        let model = log.load(&subject::mission(&Tenant::default(), mission), 0).await.unwrap();
        let (copies, ago) = (Copies::of(mission, &model), Time(log.now().0 - 2 * DAY));
        let mut end = 0;
        for from in (0..many).step_by(500) {
            let some = (from..many.min(from + 500)).flat_map(|n| copies.nth(n, (n < old).then_some(ago)));
            end = fill::records(&log, &some.collect::<Vec<_>>()).await;
        }
        for (user, consumer) in [("control", "mission-control"), ("agent", "agent-steps")] {
            hear(&JetStream::new(server.connect(user).await.unwrap()), consumer, end).await;
        }
        for (user, consumer) in [("capability", "plugin-runs"), ("timekeeper", "timers"), ("brain", "llm-calls")] {
            let log = JetStream::new(server.connect(user).await.unwrap());
            let mut work = log.work(consumer).await.unwrap();
            while let Some(job) = work.next(500).await.unwrap() {
                log.ack(&job.ack).await.unwrap();
            }
            log.client().flush().await.unwrap();
        }
        server.stop().await;
        [0, old / 2, old - 1, old, many - 1].map(|n| (n, nth_id(n, &mission.to_string()))).to_vec()
    })
}

/// A decider acknowledges all that there is.
async fn hear(log: &JetStream, consumer: &str, end: u64) {
    let mut deliveries = log.follow(consumer).await.unwrap();
    let mut unheard = 0;
    loop {
        let Some(delivery) = deliveries.next().await.unwrap() else { continue };
        unheard += 1;
        let last = delivery.seq >= end;
        if unheard == 1_000 || last {
            deliveries.ack_through(&delivery.ack).await.unwrap();
            unheard = 0;
        }
        if last {
            return deliveries.unpin().await.unwrap();
        }
    }
}

/// A mission's records, in which all its ids can be exchanged.
struct Copies(Vec<Model>);

/// One record, its texts cut at every id.
struct Model {
    subject: Vec<Piece>,
    headers: Vec<(String, Vec<Piece>)>,
    payload: Vec<Piece>,
}

enum Piece {
    Text(String),
    Id(String),
}

impl Copies {
    fn of(mission: MissionId, records: &[Record]) -> Self {
        let events = records.iter().map(|record| record.header("ce-id").unwrap().to_string());
        let ids: BTreeSet<String> = events.chain([mission.to_string()]).collect();
        let model = |record: &Record| Model {
            subject: cut(&record.subject, &ids),
            headers: record.headers.iter().map(|(name, value)| (name.clone(), cut(value, &ids))).collect(),
            payload: cut(std::str::from_utf8(&record.payload).unwrap(), &ids),
        };
        Self(records.iter().map(model).collect())
    }

    fn nth(&self, n: usize, time: Option<Time>) -> Vec<Record> {
        let header = |(name, value): &(String, Vec<Piece>)| match (name.as_str(), time) {
            ("ce-time", Some(time)) => (name.clone(), time.to_string()),
            _ => (name.clone(), joined(n, value)),
        };
        let copy = |model: &Model| Record {
            seq: 0,
            subject: joined(n, &model.subject),
            headers: model.headers.iter().map(header).collect(),
            payload: joined(n, &model.payload).into_bytes().into(),
        };
        self.0.iter().map(copy).collect()
    }
}

fn cut(text: &str, ids: &BTreeSet<String>) -> Vec<Piece> {
    let (mut pieces, mut from, mut at) = (Vec::new(), 0, 0);
    while at + 32 <= text.len() {
        match text.get(at..at + 32).filter(|id| ids.contains(*id)) {
            Some(id) => {
                pieces.extend([Piece::Text(text[from..at].into()), Piece::Id(id.into())]);
                (from, at) = (at + 32, at + 32);
            }
            None => at += 1,
        }
    }
    pieces.push(Piece::Text(text[from..].into()));
    pieces
}

fn joined(n: usize, pieces: &[Piece]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Id(id) => nth_id(n, id),
    };
    pieces.iter().map(text).collect()
}

fn nth_id(n: usize, id: &str) -> String {
    format!("{:08x}{}", n + 1, &id[8..])
}

/// How many missions are in the archive, none of them on its way.
pub async fn archived(log: &JetStream) -> usize {
    let words = log.page_from("REGISTRY", archive::ALL, 0, 1).await;
    let fences = log.load("stage7.mission.*.*.*.librarian.mission.archiving", 0).await;
    // A server that is just starting knows nothing yet.
    let (Ok((page, more)), Ok(fences)) = (words, fences) else { return 0 };
    (page.len() + more as usize).saturating_sub(fences.len())
}

/// Somebody who publishes while others work.
pub struct Probe {
    pub log: JetStream,
}

impl Probe {
    /// Once the server is there.
    pub async fn new(stage7: &Stage7) -> Self {
        let begin = Instant::now();
        loop {
            let seed = Seed::read(&stage7.path("data/creds/setup.nk")).unwrap();
            let up =
                fs::read(stage7.path("data/up.json")).ok().and_then(|up| serde_json::from_slice::<Value>(&up).ok());
            if let Some(url) = up.as_ref().and_then(|up| up["nats_url"].as_str())
                && let Ok(client) = connect(url, "setup", &seed).await
            {
                return Self { log: JetStream::new(client) };
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "no server");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How long each of many words took to be in the log, for as long as `time`.
    async fn delays(&self, time: Duration) -> Vec<Duration> {
        let begin = Instant::now();
        self.delays_until(async || begin.elapsed() > time).await
    }

    /// The same until something is done.
    async fn delays_until(&self, mut done: impl AsyncFnMut() -> bool) -> Vec<Duration> {
        let subject = format!("stage7.mission.default.f.{}.librarian.probe.said", "f".repeat(32));
        let record = Record { subject, payload: "{}".into(), ..Record::default() };
        let (mut all, begin) = (Vec::new(), Instant::now());
        while !done().await {
            let sent = Instant::now();
            store(&self.log, &record).await.unwrap();
            all.push(sent.elapsed());
            assert!(begin.elapsed() < Duration::from_secs(900), "it is never done");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        all.sort();
        all
    }

    pub async fn left(&self, mission: &str) -> usize {
        let filter = subject::mission(&Tenant::default(), mission.parse().unwrap());
        self.log.load(&filter, 0).await.unwrap().len()
    }
}

fn at(sorted: &[Duration], part: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * part) as usize]
}

fn shown(sorted: &[Duration]) -> String {
    let [p50, p99, p999, most] = [0.5, 0.99, 0.999, 1.0].map(|part| at(sorted, part));
    format!("p50 {p50:?}, p99 {p99:?}, p999 {p999:?}, longest {most:?} of {}", sorted.len())
}
