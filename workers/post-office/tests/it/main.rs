//! The door before a real nats-server, asked by a client with a tenant's rights.

mod command;
mod file;
mod fixture;
mod read;
mod submit;
