//! The crate against a real nats-server, each test with one of its own.

mod loops;
mod authority;
mod fixture;
mod server;
mod timer;
