//! The agents' decisions, over the log alone.

mod agents {
    mod decision;
    mod log;
    mod property;
}
