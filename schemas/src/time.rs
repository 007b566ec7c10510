//! Points in time as events carry them. Nothing here reads a clock.

use jiff::{Timestamp, civil};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt, str::FromStr};

/// Milliseconds since the Unix epoch, UTC; written as RFC 3339 with milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

impl Time {
    /// This time and so many seconds, saturating at the ends of the calendar.
    pub fn after_seconds(self, seconds: f64) -> Self {
        Self(self.0.saturating_add((seconds * 1000.0) as i64))
    }
    /// Milliseconds from `earlier` to this, never negative.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}
impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self(at.as_millisecond())
    }
}
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}
impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for Time {
    type Err = jiff::Error;
    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<Timestamp>().map(Self::from)
    }
}
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// A day, UTC; written as `2026-01-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// Since the Unix epoch.
    days: i64,
}

/// It is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no day: write it like 2026-01-31")]
pub struct NoDay(String);

impl Day {
    const MS: i64 = 86_400_000;

    /// Its first moment.
    pub const fn begin(self) -> Time {
        Time(self.days * Self::MS)
    }
    /// The first moment after it.
    pub const fn end(self) -> Time {
        Time((self.days + 1) * Self::MS)
    }
}
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.begin().to_string().split('T').next().unwrap_or_default())
    }
}
impl FromStr for Day {
    type Err = NoDay;
    fn from_str(text: &str) -> Result<Self, NoDay> {
        // A date with a time of day would be taken for its day.
        let date = text.parse::<civil::Date>().ok().filter(|date| date.to_string() == text);
        let days = date.and_then(|date| date.since(civil::date(1970, 1, 1)).ok()).map(|span| span.get_days().into());
        days.map(|days| Self { days }).ok_or_else(|| NoDay(text.into()))
    }
}
impl Serialize for Day {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_all_of_its_moments() {
        let day: Day = "2026-01-31".parse().unwrap();
        assert_eq!(day.to_string(), "2026-01-31");
        assert_eq!(
            [day.begin(), day.end()].map(|at| at.to_string()),
            ["2026-01-31T00:00:00.000Z", "2026-02-01T00:00:00.000Z"]
        );
        for wrong in ["", "today", "2026-1-31", "2026-02-30", "20260131", "2026-01-31T10:00:00Z"] {
            assert_eq!(
                wrong.parse::<Day>().unwrap_err().to_string(),
                format!("`{wrong}` is no day: write it like 2026-01-31")
            );
        }
    }
}
