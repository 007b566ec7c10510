//! How one model does: as all brains know it, and what this one saw since.

use crate::route::Measured;
use std::time::Duration;
use streams::registry::merit;
use tokio::time::Instant;

/// Between two words about a model: the registry never forgets.
const PAUSE: Duration = Duration::from_secs(60);
/// So much is worth a word: a success that moved so far, a pace that is so many times the old one or a part of it. Of a
/// model that is asked each second that is a handful a day; 17 where one call of a hundred fails, 300 where one of
/// twenty does.
const NOTABLE: (f64, f64) = (0.2, 2.0);
/// The same of the last word of a brain that stops.
const LAST: (f64, f64) = (0.01, 1.1);
/// Calls that are remembered one by one: what came before them hardly counts.
const SINCE: usize = 50;

/// Calls of one model.
#[derive(Debug, Default)]
pub struct Tally {
    /// As the registry has it.
    said: merit::Measured,
    /// What it rests on, and the calls since: when another brain says how the model does, these are put upon that.
    base: Measured,
    since: Vec<(Option<f64>, bool)>,
    /// When this brain last said something.
    told: Option<Instant>,
}

impl Tally {
    /// Takes in a call that went well, in so many milliseconds a token, or one that did not.
    pub fn add(&mut self, pace: Option<f64>, went_well: bool) {
        if self.since.len() == SINCE {
            let (pace, went_well) = self.since.remove(0);
            self.base.add(pace, went_well);
        }
        self.since.push((pace, went_well));
    }

    /// One among others again: nothing is held against it.
    pub fn forget(&mut self) {
        (self.base, self.since) = Default::default();
    }

    /// A brain said how the model does.
    pub fn hear(&mut self, heard: merit::Measured) {
        self.said = heard;
        self.base = Measured { success: heard.success, pace: heard.pace, ..Measured::default() };
    }

    pub fn now(&self) -> Measured {
        let mut all = self.base;
        self.since.iter().for_each(|(pace, went_well)| all.add(*pace, *went_well));
        all
    }

    /// What is to be said now, if anything is; it counts as said. The last word may be less of news.
    pub fn tell(&mut self, now: Instant, is_last: bool) -> Option<merit::Measured> {
        let Measured { success, pace, .. } = self.now();
        let (by, times) = if is_last { LAST } else { NOTABLE };
        let is_other = match (self.said.pace, pace) {
            (Some(old), Some(new)) => new > old * times || old > new * times,
            (old, new) => old.is_some() != new.is_some(),
        };
        let is_early = !is_last && self.told.is_some_and(|told| now.duration_since(told) < PAUSE);
        if is_early || !is_other && (self.said.success - success).abs() < by {
            return None;
        }
        let said = merit::Measured { success, pace };
        self.hear(said);
        self.since.clear();
        self.told = Some(now);
        Some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_said_and_not_often() {
        let (mut tally, begun) = (Tally::default(), Instant::now());
        let mut words = 0;
        let mut minute = |tally: &mut Tally, n: u64, went_well: &dyn Fn(u64) -> bool| {
            for call in 0..60 {
                tally.add(Some(10.0 + (call % 3) as f64), went_well(call));
                let now = begun + Duration::from_secs(n * 60 + call);
                words += u32::from(tally.tell(now, false).is_some());
            }
            words
        };
        assert_eq!((0..1_440).map(|n| minute(&mut tally, n, &|_| true)).max(), Some(1), "a day of good calls");
        let steady = minute(&mut tally, 1_440, &|call| call % 2 == 0);
        assert_eq!(steady, 2, "one in two fails from now on");
        let worst = (1_441..2_881).map(|n| minute(&mut tally, n, &|call| call < 30)).max().unwrap_or_default();
        assert!(worst <= steady + 1_440, "a word a minute at the most: {worst}");
    }

    #[test]
    fn what_another_brain_says_is_the_base_of_what_this_one_saw() {
        let (mut tally, now) = (Tally::default(), Instant::now());
        assert!(tally.tell(now, true).is_none(), "nothing is known");
        tally.add(Some(20.0), true);
        assert_eq!(tally.tell(now, false), Some(merit::Measured { success: 1.0, pace: Some(20.0) }));
        tally.add(None, false);
        assert_eq!(tally.tell(now, false), None, "too soon");
        tally.hear(merit::Measured { success: 0.5, pace: Some(40.0) });
        let seen = tally.now();
        assert_eq!((seen.success, seen.pace), (0.45, Some(40.0)), "its own call is not lost");
        assert_eq!(
            tally.tell(now, true).map(|said| said.success),
            Some(0.45),
            "a brain that stops says it all the same"
        );
        assert_eq!(tally.tell(now, true), None);
        tally.forget();
        assert_eq!(tally.now(), Measured::default());
    }
}
