//! What was overheard about missions. A hint only: a word may be missed, and one that the log refused
//! is heard too; so whoever is told that a mission stands still asks the log.

use futures::{StreamExt, stream::BoxStream};
use schemas::MissionId;
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};
use streams::subject::Subject;

/// Missions remembered; when there are more, all are forgotten: their requests are then done in vain.
const MOST: usize = 10_000;

/// Missions that stand still, or have ended before everything in them was done.
#[derive(Default)]
pub struct Standing(Mutex<HashSet<MissionId>>);

impl Standing {
    pub async fn listen(&self, mut heard: BoxStream<'static, String>) {
        while let Some(subject) = heard.next().await {
            if let Ok(subject) = Subject::parse(&subject) {
                self.heard(subject.mission, &subject.kind);
            }
        }
    }

    fn heard(&self, mission: MissionId, kind: &str) {
        let mut still = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            "mission.pausing" | "mission.paused" | "mission.failed" | "mission.aborted" => {
                if still.len() >= MOST {
                    still.clear();
                }
                still.insert(mission);
            }
            "mission.resumed" | "mission.retried" => {
                still.remove(&mission);
            }
            _ => {}
        }
    }

    pub fn is_still(&self, mission: MissionId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&mission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mission_stands_still_until_it_goes_on() {
        let (standing, mission) = (Standing::default(), MissionId(uuid::Uuid::from_u128(1)));
        for (kind, still) in [
            ("mission.created", false),
            ("mission.pausing", true),
            ("mission.paused", true),
            ("mission.resumed", false),
            ("mission.aborted", true),
        ] {
            standing.heard(mission, kind);
            assert_eq!(standing.is_still(mission), still, "{kind}");
        }
    }
}
