//! Waiting for what must come: looked for again and again, never slept for.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// After so long it will not come any more.
pub const LONG: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(50);

/// What `look` gives once it gives something; fails the test with `logs` when that takes too long.
#[track_caller]
pub fn eventually<T>(what: &str, logs: impl Fn() -> String, look: impl FnMut() -> Option<T>) -> T {
    within(LONG, what, logs, look)
}

/// The same with a bound of its own.
#[track_caller]
pub fn within<T>(bound: Duration, what: &str, logs: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + bound;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within {bound:?}\n{}", logs());
        sleep(PAUSE);
    }
}
