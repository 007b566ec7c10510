//! The shipped plugins: one folder each with manifest, code, tests and a README.
//!
//! A native plugin is a plain function from a run to what it gives; it touches neither disk nor
//! network nor clock. How a plugin is found, checked and contained is not known here.

mod run;
mod shipped;

#[path = "data-toolkit/plugin.rs"]
mod data_toolkit;
#[path = "file-ops/plugin.rs"]
mod file_ops;
#[path = "task-manager/plugin.rs"]
mod task_manager;
#[path = "text-analysis/plugin.rs"]
mod text_analysis;
#[path = "transform/plugin.rs"]
mod transform;

pub use run::{Class, Done, Failure, File, Run, Secret};
pub use shipped::{SHIPPED, Shipped};

/// What a native plugin is.
pub type Native = fn(&Run) -> Result<Done, Failure>;

/// The code of a native verb.
pub fn native(verb: &str) -> Option<Native> {
    match verb {
        "FILE_OPS" => Some(file_ops::run),
        "TEXT_ANALYSIS" => Some(text_analysis::run),
        "DATA_TOOLKIT" => Some(data_toolkit::run),
        "TASK_MANAGER" => Some(task_manager::run),
        "TRANSFORM" => Some(transform::run),
        _ => None,
    }
}
