//! Plugins in the places where they really run.

mod develop;
mod javascript;
mod native;
mod sandbox;
