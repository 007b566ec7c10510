//! What this crate promises to others: its schemas, its old events, and CloudEvents from anywhere.
//!
//! `STAGE7_REGENERATE=1 cargo test -p schemas` writes `json/` anew and adds the hashes of new
//! samples; what is hashed already stays.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod cloudevent;
mod sample;
mod schema;

/// Are the generated files to be written rather than compared?
fn regenerate() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test is told by its caller to write instead of compare")]
    std::env::var("STAGE7_REGENERATE").is_ok_and(|value| value == "1")
}
