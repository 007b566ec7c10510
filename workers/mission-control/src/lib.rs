//! mission-control
