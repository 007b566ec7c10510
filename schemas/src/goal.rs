//! goal
