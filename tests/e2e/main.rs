//! stage7 end to end: the real binary, a real nats-server, real files, and nothing known but what a
//! person or a program of theirs can see. The cases of `case` run twice: against one `up`, and
//! against a process for each worker, each with an empty directory of its own.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and it sees the clock and the environment"
)]

mod alone;
mod answer;
mod archive;
mod bad;
mod bench;
mod budget;
mod canary;
mod case;
mod cost;
mod dead;
mod develop;
mod escape;
mod fallback;
mod fill;
mod growth;
mod import;
mod key;
mod kill;
mod ledger;
mod live;
mod log;
mod logs;
mod long;
mod market;
mod model;
mod openai;
mod orphan;
mod package;
#[cfg(feature = "peers")]
mod peers;
mod plan;
mod process;
mod python;
mod random;
mod recording;
mod secret;
mod stage7;
mod standby;
mod stuck;
mod tool;
mod trouble;
mod user;
mod wait;
mod web;
mod witness;
