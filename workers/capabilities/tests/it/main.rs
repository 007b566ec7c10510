//! Plugins in the places where they really run.

mod develop;
mod environment;
mod given;
mod javascript;
mod native;
mod network;
mod online;
mod sandbox;

/// What every plugin of these tests has; its runtime, outputs and limits follow.
const TRIAL: &str = r#"
name = "TRIAL"
version = "1.0.0"
description = "Whatever a test needs."
publisher = "test"
input = { type = "object" }
"#;
