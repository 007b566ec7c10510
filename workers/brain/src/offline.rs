//! The offline provider: a planner and writer that needs no model.
//!
//! Planning is a grammar over the installed verbs, described in `docs/offline.md`: a goal is cut
//! into tokens, read clause by clause into deeds, and each deed is drafted as steps. The same goal,
//! files and catalogue always give the same plan. What the grammar doesn't know is refused, never
//! guessed.

mod clause;
mod compose;
mod condition;
mod cursor;
mod data;
mod deed;
mod deliverable;
mod draft;
mod gather;
mod instance;
mod jq;
mod measure;
mod operand;
mod order;
mod phrase;
mod prose;
mod question;
mod rule;
mod scope;
pub mod table;
mod tally;
mod template;
mod token;

use schemas::{catalogue::Catalogue, plan::Plan};

pub use instance::instance;
pub use template::{Format, write};

/// A goal and all that planning may look at.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    pub goal: &'a str,
    /// Text that goes with the goal; the goal may call it `the context`.
    pub context: Option<&'a str>,
    /// The files of the mission's folder.
    pub files: Vec<FileInfo>,
    pub catalogue: &'a Catalogue,
}

/// A file as the planner sees it: never its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    pub path: String,
    /// Bytes.
    pub size: u64,
    pub media_type: String,
}

/// Why a goal can't be planned without a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the offline provider can't plan “{clause}”: {reason}.\nIt knows these clauses:\n- {}", known.join("\n- "))]
pub struct Refusal {
    /// The part of the goal that was not understood, as the person wrote it.
    pub clause: String,
    pub reason: String,
    /// The clauses that would be understood; those whose verb isn't installed say so.
    pub known: Vec<String>,
}

/// Plans a goal made of clauses.
///
/// # Errors
/// The first clause that the grammar, the files or the installed verbs don't allow.
pub fn plan(ask: &Ask) -> Result<Plan, Refusal> {
    let refuse =
        |fault: deed::Fault| Refusal { clause: fault.clause, reason: fault.reason, known: table::known(ask.catalogue) };
    let clauses = clause::parse(ask.goal, &ask.files).map_err(refuse)?;
    compose::compose(&clauses, ask).map_err(refuse)
}
