//! Plugins in the places where they really run.

mod develop;
mod environment;
mod javascript;
mod native;
mod network;
mod sandbox;
