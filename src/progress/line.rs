//! Lines and figures as they are printed.

use schemas::Value;
use std::{fmt, io::Write};

/// A line on standard output. Whoever reads may have gone, as `head` does: that is no failure of ours,
/// where the standard macros panic.
macro_rules! out {
    ($($text:tt)*) => { $crate::progress::to_stdout(format_args!($($text)*)) };
}

/// The same on standard error.
macro_rules! err {
    ($($text:tt)*) => { $crate::progress::to_stderr(format_args!($($text)*)) };
}

pub(crate) use {err, out};

pub fn to_stdout(text: fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

pub fn to_stderr(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// An object on a line of its own.
pub fn say(object: &Value) {
    out!("{object}");
}

/// What others wrote, fit for a terminal: control characters could move its cursor or change its
/// title.
pub fn clean(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// `940 ms`, `3.2 s`, `2 min 5 s`.
pub fn took(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        _ => format!("{} min {} s", ms / 60_000, ms / 1_000 % 60),
    }
}

/// `12 B`, `3.4 KiB`, `60 MiB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// `$0.0120`; with `≈` where some of it is estimated.
pub fn usd(usd: f64, estimated: bool) -> String {
    let mark = if estimated { "≈" } else { "" };
    match usd {
        usd if usd > 0.0 && usd < 0.000_05 => format!("{mark}<$0.0001"),
        usd => format!("{mark}${usd:.4}"),
    }
}

/// `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!([took(940), took(3_240), took(125_000)], ["940 ms", "3.2 s", "2 min 5 s"]);
        assert_eq!([size(12), size(3_482), size(60 << 20)], ["12 B", "3.4 KiB", "60.0 MiB"]);
        assert_eq!([usd(0.0, false), usd(0.00001, true), usd(12.3, true)], ["$0.0000", "≈<$0.0001", "≈$12.3000"]);
        assert_eq!([999, 1_000, 1_234_567].map(grouped), ["999", "1,000", "1,234,567"]);
    }

    #[test]
    fn nobody_moves_the_cursor() {
        assert_eq!(clean("a\u{1b}[2J\tb\nc"), "a\u{fffd}[2J\tb\nc");
    }
}
