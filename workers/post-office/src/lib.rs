//! post-office
