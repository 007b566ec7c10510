//! The shipped configuration with two tenants in it, and everybody connected by the bare protocol.

use super::{
    attempt::{Attempt, Outcome, Tally, attempt},
    wire::Wire,
};
use crate::fixture::Server;
use nats::{
    config::{People, TENANTS_FILE, tenants},
    key::{Seed, TENANT},
};
use schemas::Tenant;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Command, Output},
};
use streams::topology::{CONSUMERS, STREAMS, access};

/// The second tenant.
pub const OTHER: &str = "acme";
/// The tenants' users and whose they are: the owners, and one who owns nothing.
pub const PEOPLE: [(&str, &str); 3] = [(TENANT, TENANT), ("bob", TENANT), ("eve", OTHER)];

pub struct World {
    pub server: Server,
    people: BTreeMap<&'static str, Seed>,
}

impl World {
    pub async fn start() -> Self {
        let server = Server::start().await;
        let own = server.managed.ring().seed(TENANT).unwrap().clone();
        let people = BTreeMap::from([(TENANT, own), ("bob", Seed::new()), ("eve", Seed::new())]);
        let world = Self { server, people };
        let text = tenants(&world.tenants());
        assert!(world.check(&text).status.success(), "{}", String::from_utf8_lossy(&world.check(&text).stderr));
        world.install(&text);
        world
    }

    /// Both tenants, as the product writes them.
    pub fn tenants(&self) -> BTreeMap<Tenant, People> {
        let key = |name: &str| self.people[name].public();
        let first = People::of(&key(TENANT)).unwrap().with("bob", &key("bob")).unwrap();
        BTreeMap::from([(Tenant::default(), first), (OTHER.parse().unwrap(), People::of(&key("eve")).unwrap())])
    }

    /// The public key of one of the people.
    pub fn key(&self, name: &str) -> String {
        self.people[name].public()
    }

    fn dir(&self) -> PathBuf {
        self.server.dir().join("nats")
    }

    /// What the server says of a tenants' file, laid aside so that it changes nothing.
    pub fn check(&self, text: &str) -> Output {
        let dir = self.dir();
        let config = std::fs::read_to_string(dir.join("nats-server.conf")).unwrap();
        std::fs::write(dir.join("accounts/aside.conf"), text).unwrap();
        std::fs::write(dir.join("aside.conf"), config.replace(TENANTS_FILE, "accounts/aside.conf")).unwrap();
        let mut check = Command::new(self.server.binary());
        check.args(["-t", "-c", "aside.conf"]).current_dir(&dir).output().unwrap()
    }

    /// Puts a tenants' file in force. Twice: a new account's service imports work from the second
    /// reload on.
    pub fn install(&self, text: &str) {
        let path = self.dir().join(TENANTS_FILE);
        let aside = path.with_extension("new");
        std::fs::write(&aside, text).unwrap();
        std::fs::rename(aside, path).unwrap();
        self.reload();
        self.reload();
    }

    pub fn reload(&self) {
        let mut sys = self.wire("sys");
        let answer = sys.ask(&format!("$SYS.REQ.SERVER.{}.RELOAD", sys.server_id.clone()), "").json();
        assert!(answer["error"].is_null(), "{answer}");
    }

    /// Everybody who might try something: all but `setup`, which may do anything to the streams.
    pub fn names() -> Vec<&'static str> {
        let ours = access::USERS.iter().map(|u| u.name).filter(|name| *name != "setup");
        ours.chain(PEOPLE.map(|(name, _)| name)).collect()
    }

    pub fn wire(&self, name: &str) -> Wire {
        let seed = self.people.get(name).unwrap_or_else(|| self.server.managed.ring().seed(name).unwrap());
        Wire::connect(self.server.managed.url(), seed, inbox(name))
    }

    /// All streams and consumers as they are: what is stored, what was delivered and acknowledged,
    /// every setting. Not the pin, which passes by itself when its holder is slow.
    pub fn look(&self) -> BTreeMap<String, Value> {
        let mut setup = self.wire("setup");
        let mut all = BTreeMap::new();
        for stream in setup.ask("$JS.API.STREAM.LIST", "").json()["streams"].as_array().unwrap() {
            let name = stream["config"]["name"].as_str().unwrap();
            let state = &stream["state"];
            let state = ["messages", "bytes", "first_seq", "last_seq", "num_subjects", "num_deleted", "consumer_count"]
                .map(|key| state[key].clone());
            all.insert(format!("stream {name}"), json!({"config": stream["config"], "state": state}));
            let consumers = setup.ask(&format!("$JS.API.CONSUMER.LIST.{name}"), "").json();
            for consumer in consumers["consumers"].as_array().unwrap() {
                let position = |of: &str| [consumer[of]["consumer_seq"].clone(), consumer[of]["stream_seq"].clone()];
                let seen = json!({
                    "config": consumer["config"], "delivered": position("delivered"), "floor": position("ack_floor"),
                    "unacknowledged": consumer["num_ack_pending"], "pending": consumer["num_pending"],
                    "paused": consumer["paused"],
                });
                all.insert(format!("consumer {name} {}", consumer["name"].as_str().unwrap()), seen);
            }
        }
        assert!(all.len() >= STREAMS.len() + CONSUMERS.len(), "{:?}", all.keys());
        all
    }

    /// Runs `work` and holds that it changed nothing in any stream or consumer.
    pub fn unchanged<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        let before = self.look();
        let done = work();
        let after = self.look();
        for (name, was) in &before {
            assert_eq!(Some(was), after.get(name), "{what} changed {name}; new: {:?}", self.news(&before));
        }
        assert_eq!(before.len(), after.len(), "{what}: {:?}", after.keys());
        done
    }

    /// The subjects of all that was stored since.
    pub fn news(&self, before: &BTreeMap<String, Value>) -> Vec<String> {
        let mut setup = self.wire("setup");
        let mut subjects = Vec::new();
        for stream in STREAMS.iter().map(|s| s.name) {
            let first = before[&format!("stream {stream}")]["state"][3].as_u64().unwrap() + 1;
            let info = setup.ask(&format!("$JS.API.STREAM.INFO.{stream}"), "").json();
            for seq in first..=info["state"]["last_seq"].as_u64().unwrap() {
                let get = setup.ask(&format!("$JS.API.STREAM.MSG.GET.{stream}"), &json!({ "seq": seq }).to_string());
                subjects.extend(get.json()["message"]["subject"].as_str().map(String::from));
            }
        }
        subjects
    }

    /// Everybody tries what `of` gives them, all at once.
    pub fn all_try(&self, of: impl Fn(&str) -> Vec<Attempt> + Sync) -> Vec<(&'static str, Attempt, Outcome)> {
        let of = &of;
        std::thread::scope(|scope| {
            let run = |name: &'static str| {
                let mut wire = self.wire(name);
                scope.spawn(move || {
                    let attempts = of(name);
                    let outcomes = attempt(&mut wire, &inbox(name), &attempts);
                    attempts.into_iter().zip(outcomes).map(move |(attempt, outcome)| (name, attempt, outcome))
                })
            };
            let running: Vec<_> = Self::names().into_iter().map(run).collect();
            running.into_iter().flat_map(|run| run.join().unwrap()).collect()
        })
    }

    /// Everybody tries what `of` gives them; none of it gets past their account, and nothing changes.
    pub fn all_kept_out(&self, tally: &mut Tally, of: impl Fn(&str) -> Vec<Attempt> + Sync) {
        for (name, attempt, outcome) in self.unchanged("an attempt", || self.all_try(of)) {
            tally.outcome(name, &attempt, &outcome);
            assert!(outcome.is_kept_out(), "{name}: {attempt}: {outcome}");
        }
    }
}

/// Where a user's answers arrive.
pub fn inbox(name: &str) -> String {
    match access::user(name) {
        Some(user) => user.inbox(),
        None if name == "bob" => "_INBOX_bob".into(),
        None => "_INBOX".into(),
    }
}
