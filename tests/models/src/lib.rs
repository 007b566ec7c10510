//! Servers of this machine that speak as the providers of language models do, for tests.
//!
//! Nothing of the providers can be had offline, so what they send is written down here, each shape
//! with where it comes from, and each server is first driven by the provider's own client library
//! (`tests/it`, `sdk`). What is answered is up to the test, be it a text, a call of a tool, or a fault;
//! what was asked is kept.
//!
//! ```
//! use model_servers::{Dialect, Reply, Server};
//! let server = Server::start(Dialect::OpenAi, |call| Reply::text(format!("You said: {}", call.text)));
//! assert!(server.url.ends_with("/v1") && server.calls().is_empty());
//!
//! // The rest of a stream waits until the test has seen its beginning.
//! let held = server.hold();
//! drop(held);
//! ```
//!
//! Of each fault there is what the provider makes of it: a wrong key is 401 here and 400 there, and what a
//! provider has no word for is said by the proxy before it, with a page in place of JSON.

mod server;

mod call;
mod dialect;
mod fault;
mod reply;

mod line;
mod vector;

pub use call::{Call, Image, Purpose};
pub use dialect::Dialect;
pub use fault::{ApiError, Fault, HUGE, Point, RetryAfter};
pub use reply::{Content, Filter, Reply, Tool, Usage};
pub use server::{Held, Server, Setup};
