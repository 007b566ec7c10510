//! mission-control's decisions: cases told in words, and properties over random missions.

mod mission;
mod property;
mod story;
mod walk;
mod world;
