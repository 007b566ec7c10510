//! The figures: what each is, what it must be, and the values of all runs.

use nats::config::Sync;
use std::collections::BTreeMap;

/// One figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Hops,
    BareHops,
    HopAlone,
    HopCpu,
    HopServerCpu,
    Steps,
    Events,
    EventsOfHops,
    EventsAMission,
    StepCpu,
    StepServerCpu,
    Alone,
    FirstStep50,
    FirstStep99,
    Lag,
    Drain,
    ControlOfDrain,
    AgentsOfDrain,
    ProjectorOfDrain,
    FoldControl,
    FoldAgents,
    FoldOverview,
    FromLog,
    Idle,
    After,
}

/// What a figure is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    Least(f64),
    Most(f64),
}

impl Bound {
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::Least(least) => value >= least,
            Self::Most(most) => value <= most,
        }
    }

    pub fn text(self) -> String {
        match self {
            Self::Least(least) => format!("≥ {}", number(least)),
            Self::Most(most) => format!("≤ {}", number(most)),
        }
    }
}

/// What a figure is.
pub struct Kind {
    pub name: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
}

impl Key {
    pub const fn kind(self) -> Kind {
        let (name, title, unit) = match self {
            Self::Hops => ("hops", "raw log, 1,000 chains of words like a mission's", "/s"),
            Self::BareHops => ("bare_hops", "raw log, 1,000 chains of 128 bytes without headers", "/s"),
            Self::HopAlone => ("hop_alone", "raw log, one chain alone: a hop", "µs"),
            Self::HopCpu => ("hop_cpu", "raw log, CPU of its client for a hop", "µs"),
            Self::HopServerCpu => ("hop_server_cpu", "raw log, CPU of nats-server for a hop", "µs"),
            Self::Steps => ("steps", "mission steps, 1,000 missions × 10 at once", "/s"),
            Self::Events => ("events", "events of these", "/s"),
            Self::EventsOfHops => ("events_of_hops", "events to raw hops", "×"),
            Self::EventsAMission => ("events_a_mission", "events of a mission of 10 steps", ""),
            Self::StepCpu => ("step_cpu", "CPU of stage7 for a step", "µs"),
            Self::StepServerCpu => ("step_server_cpu", "CPU of nats-server for a step", "µs"),
            Self::Alone => ("alone", "a mission of 10 steps alone, goal to completed", "ms"),
            Self::FirstStep50 => ("first_step_p50", "goal to the first step's request, p50", "ms"),
            Self::FirstStep99 => ("first_step_p99", "goal to the first step's request, p99", "ms"),
            Self::Lag => ("lag", "lists behind when the last of 1,000 missions ends", "ms"),
            Self::Drain => ("drain", "raw log, one filter, from the beginning", "/s"),
            Self::ControlOfDrain => ("control_of_drain", "mission-control catching up, to raw", "×"),
            Self::AgentsOfDrain => ("agents_of_drain", "agents catching up, to raw", "×"),
            Self::ProjectorOfDrain => ("projector_of_drain", "librarian catching up, to raw", "×"),
            Self::FoldControl => ("fold_control", "fold of decoded events, mission-control", "/s"),
            Self::FoldAgents => ("fold_agents", "fold of decoded events, agents", "/s"),
            Self::FoldOverview => ("fold_overview", "fold of decoded events, the mission's view", "/s"),
            Self::FromLog => ("from_log", "mission after mission read from the log and folded", "/s"),
            Self::Idle => ("idle", "memory of `up`, idle", "MB"),
            Self::After => ("after", "memory of `up` after these missions", "MB"),
        };
        Kind { name, title, unit }
    }

    /// What it must be, and what it should be.
    pub const fn bounds(self, sync: Sync) -> (Option<Bound>, Option<Bound>) {
        let always = matches!(sync, Sync::Always);
        match self {
            Self::EventsOfHops if always => (Some(Bound::Least(0.6)), Some(Bound::Least(0.9))),
            Self::EventsOfHops => (Some(Bound::Least(0.4)), Some(Bound::Least(0.7))),
            Self::Alone if always => (Some(Bound::Most(50.0)), Some(Bound::Most(20.0))),
            Self::Alone => (Some(Bound::Most(30.0)), Some(Bound::Most(10.0))),
            Self::Lag => (Some(Bound::Most(1_000.0)), Some(Bound::Most(10.0))),
            Self::ControlOfDrain | Self::AgentsOfDrain | Self::ProjectorOfDrain => (Some(Bound::Least(0.333)), None),
            Self::FoldControl | Self::FoldAgents | Self::FoldOverview => (None, Some(Bound::Least(1_000_000.0))),
            Self::Idle => (None, Some(Bound::Most(60.0))),
            _ => (None, None),
        }
    }
}

/// The values of every run, by figure and setting.
#[derive(Debug, Default)]
pub struct Figures(BTreeMap<(Key, bool), Vec<f64>>);

/// The figures of one setting.
pub struct Of<'a>(&'a mut Figures, bool);

impl Figures {
    pub fn of(&mut self, sync: Sync) -> Of<'_> {
        Of(self, sync == Sync::Always)
    }

    /// All that were measured, in the order of the table.
    pub fn all(&self) -> impl Iterator<Item = (Key, Sync, &[f64])> {
        self.0.iter().map(|((key, always), values)| {
            (*key, if *always { Sync::Always } else { Sync::Default }, values.as_slice())
        })
    }
}

impl Of<'_> {
    pub fn put(&mut self, key: Key, value: f64) {
        self.0.0.entry((key, self.1)).or_default().push(value);
    }

    /// The ratio of what this run measured last, if it measured both.
    pub fn ratio(&mut self, key: Key, of: Key, to: Key) {
        let last = |key| self.0.0.get(&(key, self.1)).and_then(|values| values.last().copied());
        if let (Some(of), Some(to)) = (last(of), last(to)) {
            self.put(key, of / to);
        }
    }
}

pub const fn name(sync: Sync) -> &'static str {
    match sync {
        Sync::Default => "default sync",
        Sync::Always => "sync_interval: always",
    }
}

/// The value below which the `part` smallest lie; 0 of nothing.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or(0.0)
}

pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Three digits that say something.
pub fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => {
            let digits = format!("{value:.0}");
            let mut all = String::new();
            for (n, digit) in digits.chars().enumerate() {
                if n > 0 && (digits.len() - n) % 3 == 0 && all != "-" {
                    all.push(',');
                }
                all.push(digit);
            }
            all
        }
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!((quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.99), median(&[])), (5.0, 0.0));
    }

    #[test]
    fn numbers_are_as_long_as_they_say_something() {
        assert_eq!([1_234_567.4, 123.4, 12.34, 0.4567].map(number), ["1,234,567", "123", "12.3", "0.46"]);
    }

    #[test]
    fn bounds_are_held_from_their_side() {
        assert!(Bound::Least(0.4).holds(0.4) && !Bound::Least(0.4).holds(0.39));
        assert!(Bound::Most(30.0).holds(30.0) && !Bound::Most(30.0).holds(30.1));
    }
}
