//! What the librarian says in a mission's log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The mission has ended and leaves the log: nothing that is said after this counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MissionArchiving {}
