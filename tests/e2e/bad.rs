//! Whatever comes from outside and is wrong: it is told what and where, and everything goes on.

mod file;
mod goal;
mod place;
mod plan;
