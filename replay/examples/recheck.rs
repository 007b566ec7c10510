//! Checks exports and nothing else: what a scratch copy of the code with another rule is built for.
//!
//!     cargo run -p replay --example recheck -- replay/recordings/*.jsonl
//!
//! Prints a line for each difference; exits with 1 if there is one.

use replay::{History, check_all};
use std::{env, fs, process::ExitCode};

fn main() -> ExitCode {
    let mut same = true;
    for path in env::args().skip(1) {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let history = History::parse(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        for report in check_all(&history) {
            same &= report.is_same();
            for difference in report.differences {
                println!("{path} {} at {}: {}", report.decider, difference.at, difference.message);
            }
        }
    }
    if same { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
