//! The shipped plugins: one folder each with manifest, code, tests and a README.
//!
//! A native plugin is a function from a run to what it gives. It touches neither disk nor clock, and
//! the network through [`web::Web`] only. How a plugin is found, checked and contained is not known here.

mod html;
mod run;
mod shipped;
pub mod web;

#[path = "api-client/plugin.rs"]
mod api_client;
#[path = "data-toolkit/plugin.rs"]
mod data_toolkit;
#[path = "file-ops/plugin.rs"]
mod file_ops;
#[path = "scrape/plugin.rs"]
mod scrape;
#[path = "search/plugin.rs"]
mod search;
#[path = "task-manager/plugin.rs"]
mod task_manager;
#[path = "text-analysis/plugin.rs"]
mod text_analysis;
#[path = "transform/plugin.rs"]
mod transform;
#[path = "weather/plugin.rs"]
mod weather;

pub use run::{Class, Done, Failure, File, Run, Secret};
pub use shipped::{SHIPPED, Shipped};

use futures::future::BoxFuture;
use web::Web;

/// What a native plugin is.
#[derive(Debug, Clone, Copy)]
pub enum Native {
    /// It computes.
    Plain(Plain),
    /// It asks the internet, in the time that its manifest gives it.
    Online(Online),
}

/// Code that computes.
pub type Plain = fn(&Run) -> Result<Done, Failure>;
/// Code that waits for others.
pub type Online = for<'a> fn(&'a Run, &'a Web) -> BoxFuture<'a, Result<Done, Failure>>;

impl Native {
    /// The code, where it only computes.
    pub fn plain(self) -> Option<Plain> {
        match self {
            Self::Plain(code) => Some(code),
            Self::Online(_) => None,
        }
    }
}

/// The code of a native verb.
pub fn native(verb: &str) -> Option<Native> {
    match verb {
        "API_CLIENT" => Some(Native::Online(api_client::run)),
        "DATA_TOOLKIT" => Some(Native::Plain(data_toolkit::run)),
        "FILE_OPS" => Some(Native::Plain(file_ops::run)),
        "SCRAPE" => Some(Native::Online(scrape::run)),
        "SEARCH" => Some(Native::Online(search::run)),
        "TASK_MANAGER" => Some(Native::Plain(task_manager::run)),
        "TEXT_ANALYSIS" => Some(Native::Plain(text_analysis::run)),
        "TRANSFORM" => Some(Native::Plain(transform::run)),
        "WEATHER" => Some(Native::Online(weather::run)),
        _ => None,
    }
}
