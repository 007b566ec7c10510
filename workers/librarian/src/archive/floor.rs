//! Has everybody heard of a mission what concerns them?

use nats::{jetstream::JetStream, log::ReadError, memory::matches};
use streams::{
    record::Record,
    topology::{CONSUMERS, Consumer},
};

const STREAM: &str = "MISSIONS";

/// How far each consumer of the log has acknowledged.
pub struct Floors(Vec<(&'static Consumer, u64)>);

impl Floors {
    /// Asks for them.
    ///
    /// # Errors
    /// When the server doesn't answer.
    pub async fn ask(js: &JetStream) -> Result<Self, ReadError> {
        let stream = js.ask_api(&format!("STREAM.INFO.{STREAM}"), Default::default()).await?;
        let end = stream["state"]["last_seq"].as_u64();
        let end = end.ok_or_else(|| ReadError::Unknown(format!("no stream {STREAM}: {}", stream["error"])))?;
        let mut floors = Vec::new();
        for consumer in CONSUMERS.iter().filter(|consumer| consumer.stream == STREAM) {
            let info = js.ask_api(&format!("CONSUMER.INFO.{STREAM}.{}", consumer.name), Default::default()).await?;
            let number = |at: &str| info.pointer(at).and_then(schemas::Value::as_u64);
            let (Some(acknowledged), Some(waiting), Some(pending)) =
                (number("/ack_floor/stream_seq"), number("/num_ack_pending"), number("/num_pending"))
            else {
                return Err(ReadError::Unknown(format!("no consumer {}: {}", consumer.name, info["error"])));
            };
            // The floor of a consumer stays where it was while nothing comes that it asks for. One
            // that has nothing before it has all that there was when the stream was asked.
            let floor = if waiting == 0 && pending == 0 { acknowledged.max(end) } else { acknowledged };
            floors.push((consumer, floor));
        }
        Ok(Self(floors))
    }

    /// For a mission that was found to be below all of them before.
    pub fn any() -> Self {
        Self(Vec::new())
    }

    /// Why a mission's records must stay: its last word isn't its end, or somebody hasn't
    /// acknowledged all that concerns them.
    pub fn obstacle(&self, mission: &[Record]) -> Option<&'static str> {
        if self.0.is_empty() {
            return Some("it is not known who has heard of it");
        }
        let life = mission.iter().rev().find_map(|record| record.subject.split_once(".control.mission."));
        if !matches!(life, Some((_, "completed" | "failed" | "aborted"))) {
            return Some("it has not ended");
        }
        let heard = |(consumer, floor): &(&Consumer, u64)| {
            let last = mission.iter().rev().find(|record| matches(consumer.filter, &record.subject));
            last.is_none_or(|last| last.seq <= *floor)
        };
        if self.0.iter().all(heard) { None } else { Some("not everybody has heard of all of it") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streams::topology::consumer;

    fn mission(words: &[(u64, &str)]) -> Vec<Record> {
        let prefix = "stage7.mission.default.1.00000000000000000000000000000001";
        let record =
            |(seq, word): &(u64, &str)| Record { seq: *seq, subject: format!("{prefix}.{word}"), ..Record::default() };
        words.iter().map(record).collect()
    }

    #[test]
    fn a_mission_stays_until_everybody_has_acknowledged_what_concerns_them() {
        let floors = |control, calls, runs| {
            let of = |name| consumer(name).unwrap();
            Floors(vec![(of("mission-control"), control), (of("llm-calls"), calls), (of("plugin-runs"), runs)])
        };
        let ended = mission(&[
            (3, "control.mission.created"),
            (5, "agent.plugin.requested"),
            (6, "capability.plugin.completed.agent.00000000000000000000000000000002"),
            (9, "control.mission.completed"),
        ]);
        assert_eq!(floors(9, 0, 5).obstacle(&ended), None, "no call of a model was asked for");
        assert!(floors(8, 9, 9).obstacle(&ended).is_some());
        assert!(floors(9, 9, 4).obstacle(&ended).is_some(), "its request is not acknowledged");
        assert!(floors(9, 9, 9).obstacle(&ended[..3]).is_some(), "it has not ended");
        let retried =
            mission(&[(3, "control.mission.created"), (4, "control.mission.failed"), (6, "control.mission.retried")]);
        assert!(floors(9, 9, 9).obstacle(&retried).is_some());
        assert!(Floors::any().obstacle(&ended).is_some());
    }
}
