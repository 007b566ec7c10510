//! What somebody can do who has the key of a worker.

use crate::{stage7::Stage7, wait::eventually};
use nats::{
    connect::connect,
    jetstream::JetStream,
    key::Seed,
    log::{AppendError, Guard, Log},
};
use schemas::{MissionId, Tenant, Writer};
use streams::{record::Record, subject};
use tokio::runtime::{Builder, Runtime};

pub struct Key {
    pub runtime: Runtime,
    pub log: JetStream,
}

impl Key {
    /// A connection as that NATS user.
    pub fn of(stage7: &Stage7, user: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (url, key) = stage7.address();
        let seed = Seed::read(&key.with_file_name(format!("{user}.nk"))).unwrap();
        let log = runtime.block_on(async { JetStream::new(connect(&url, user, &seed).await.unwrap()) });
        Self { runtime, log }
    }

    /// The last record of a mission whose subject ends like this, once there is one.
    pub fn last(&self, mission: &str, ending: &str) -> Record {
        let filter = format!("{}.{ending}", subject::mission_prefix(&Tenant::default(), id(mission)));
        eventually(&filter, String::new, || self.runtime.block_on(self.log.last(&filter)).ok().flatten())
    }

    /// Appends a record as it is, under the guard of a writer's family; gives its sequence.
    pub fn append(&self, mission: &str, writer: Writer, record: &Record) -> u64 {
        let filter = subject::family(&Tenant::default(), id(mission), writer);
        eventually("a record is stored", String::new, || {
            self.runtime.block_on(async {
                let last = self.log.last(&filter).await.ok()?.map_or(0, |record| record.seq);
                match self.log.append(record, &Guard { filter: filter.clone(), last }).await {
                    Err(AppendError::Conflict) => None,
                    stored => Some(stored.unwrap()),
                }
            })
        })
    }

    /// Asks JetStream itself.
    pub fn request(&self, subject: String, body: String) -> serde_json::Value {
        let answer = self.runtime.block_on(self.log.client().request(subject, body.into())).unwrap();
        serde_json::from_slice(&answer.payload).unwrap()
    }
}

pub fn id(mission: &str) -> MissionId {
    mission.parse().unwrap()
}

/// The record with another header of that name.
pub fn with(like: &Record, name: &str, value: &str) -> Record {
    let mut record = like.clone();
    record.headers.retain(|(header, _)| !header.eq_ignore_ascii_case(name));
    record.headers.push((name.into(), value.into()));
    record
}
