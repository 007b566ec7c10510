//! Names: tenants, missions, events and the writers who say them.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt, str::FromStr};
use uuid::Uuid;

/// The text is not a name of that kind; says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct Malformed {
    pub text: String,
    pub expected: &'static str,
}

macro_rules! hex_id {
    ($name:ident, $expected:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.as_simple())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                let hex = text.len() == 32
                    && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                match Uuid::try_parse(text) {
                    Ok(uuid) if hex => Ok(Self(uuid)),
                    _ => Err(Malformed { text: text.into(), expected: $expected }),
                }
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": "^[0-9a-f]{32}$"})
            }
        }
    };
}

hex_id!(
    MissionId,
    "a mission id (32 lower-case hexadecimal digits)",
    "A mission: UUIDv5 of the tenant and the goal event's source and id, 32 lower-case hex digits."
);
hex_id!(
    EventId,
    "an event id (32 lower-case hexadecimal digits)",
    "An event, and whatever it brings into being: calls, runs, questions and timers are named by \
     the event that asks for them."
);

impl MissionId {
    /// The same goal event is the same mission.
    pub fn of_goal(tenant: &Tenant, source: &str, id: &str) -> Self {
        // Lengths first: no two (tenant, source, id) triples share a name.
        let name = format!("{}:{}:{}:{tenant}{source}{id}", tenant.as_str().len(), source.len(), id.len());
        Self(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()))
    }

    /// The last hex digit: a cluster may give shards to different decider instances.
    pub fn shard(&self) -> char {
        char::from_digit(u32::from(self.0.as_bytes()[15] & 0x0f), 16).expect("a nibble is a hex digit")
    }
}

impl EventId {
    /// An id says what the event is: deciding the same thing twice gives the same id, and the
    /// second pause of a mission is another event than the first because `nth` differs.
    ///
    /// `entity` names the thing within the mission (a step and attempt, an agent, …); `nth` is how
    /// often the deciding state already held this word for this entity.
    pub fn of_word(mission: MissionId, writer: Writer, kind: &str, entity: &str, nth: u32) -> Self {
        Self(Uuid::new_v5(&mission.0, format!("{writer}/{kind}/{entity}/{nth}").as_bytes()))
    }
}

/// Who owns a mission. One token of a subject and the name of a NATS account:
/// `[a-z0-9][a-z0-9-]{0,62}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Tenant(String);

impl Tenant {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl Default for Tenant {
    fn default() -> Self {
        Self("default".into())
    }
}
impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl FromStr for Tenant {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = (1..=63).contains(&text.len())
            && text.bytes().next().is_some_and(plain)
            && text.bytes().all(|b| plain(b) || b == b'-');
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(Malformed { text: text.into(), expected: "a tenant ([a-z0-9][a-z0-9-]{0,62})" })
        }
    }
}
impl<'de> Deserialize<'de> for Tenant {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Who says a word. A worker publishes under its own token and no other; the server enforces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Writer {
    User,
    Control,
    Traffic,
    Agent,
    Brain,
    Capability,
    Engineer,
    Reflector,
    Timer,
    Librarian,
}

impl Writer {
    pub const ALL: [Self; 10] = [
        Self::User,
        Self::Control,
        Self::Traffic,
        Self::Agent,
        Self::Brain,
        Self::Capability,
        Self::Engineer,
        Self::Reflector,
        Self::Timer,
        Self::Librarian,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Control => "control",
            Self::Traffic => "traffic",
            Self::Agent => "agent",
            Self::Brain => "brain",
            Self::Capability => "capability",
            Self::Engineer => "engineer",
            Self::Reflector => "reflector",
            Self::Timer => "timer",
            Self::Librarian => "librarian",
        }
    }
}
impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl FromStr for Writer {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::ALL
            .into_iter()
            .find(|w| w.as_str() == text)
            .ok_or_else(|| Malformed { text: text.into(), expected: "a writer (user, control, agent, …)" })
    }
}

/// Is this a step id a planner may use: `[A-Za-z0-9_-]{1,64}`, no leading `_` (those are ours).
pub fn is_step_id(text: &str) -> bool {
    is_token(text) && !text.starts_with('_')
}

/// `[A-Za-z0-9_-]{1,64}`: fits a subject token, a file name and a JSON key alike.
pub fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
