//! The grammar of stage7: how words become subjects and records, which streams hold them, and
//! what a log of them adds up to.
//!
//! Pure: no clock, no randomness, no environment, no network.

pub mod archive;
pub mod budget;
pub mod decide;
pub mod record;
pub mod registry;
pub mod secret;
pub mod subject;
pub mod submission;
pub mod topology;

pub mod agent;
pub mod control;
pub mod overview;
