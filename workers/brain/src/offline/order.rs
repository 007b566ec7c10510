//! Reading `by price descending, then by name` and `the top 5`.

use super::condition::column;
use super::cursor::Cursor;
use super::deed::{Key, Order, Take};
use super::phrase;
use super::token::Kind;

const DOWN: &[&str] = &[
    "in descending order",
    "descending",
    "desc",
    "in decreasing order",
    "decreasing",
    "from high to low",
    "from highest to lowest",
    "from largest to smallest",
    "highest first",
    "largest first",
    "biggest first",
    "newest first",
    "latest first",
    "from z to a",
    "in reverse order",
    "in reverse",
    "reversed",
];
const UP: &[&str] = &[
    "in ascending order",
    "ascending",
    "asc",
    "in increasing order",
    "increasing",
    "from low to high",
    "from lowest to highest",
    "from smallest to largest",
    "lowest first",
    "smallest first",
    "oldest first",
    "earliest first",
    "from a to z",
];

fn direction(cursor: &mut Cursor) -> Option<bool> {
    cursor.attempt(|cursor| {
        cursor.take(&Kind::Comma);
        if cursor.eat(DOWN).is_some() { Some(true) } else { cursor.eat(UP).map(|_| false) }
    })
}

/// Keys with their directions; without `by` the order of whole lines.
pub fn order(cursor: &mut Cursor) -> Order {
    let early = direction(cursor);
    let mut keys = Vec::new();
    if cursor.eat(&["by", "on"]).is_some() {
        while let Some(column) = column(cursor) {
            let descending = direction(cursor).or(early).unwrap_or(false);
            keys.push(Key { column: Some(column), descending });
            let more = cursor.attempt(|cursor| {
                if phrase::clause_follows(cursor) {
                    return None;
                }
                let comma = cursor.take(&Kind::Comma).is_some();
                let joined = cursor.eat(&["and then by", "then by", "and by", "and", "then"]);
                (joined.is_some() || (comma && cursor.eat(&["by"]).is_some())).then_some(())
            });
            if more.is_none() {
                break;
            }
        }
    }
    if keys.is_empty() {
        let descending = early.or_else(|| direction(cursor)).unwrap_or(false);
        cursor.eat(&["alphabetically"]);
        keys.push(Key { column: None, descending });
    }
    Order { keys }
}

/// `top 5`, `first ten rows`, `last 3`.
pub fn take(cursor: &mut Cursor) -> Option<(Take, &'static str)> {
    cursor.attempt(|cursor| {
        cursor.skip(&["only", "the"]);
        let word = cursor.eat(&["top", "first", "last", "bottom", "lowest", "highest"])?;
        let number = match cursor.next().filter(|token| token.kind == Kind::Word)?.text.to_lowercase().as_str() {
            "one" => 1,
            "two" => 2,
            "three" => 3,
            "four" => 4,
            "five" => 5,
            "six" => 6,
            "seven" => 7,
            "eight" => 8,
            "nine" => 9,
            "ten" => 10,
            digits => digits.parse().ok().filter(|n| *n > 0)?,
        };
        Some((if word == "last" { Take::Last(number) } else { Take::First(number) }, word))
    })
}
