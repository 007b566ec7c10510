//! Random conditions: as a person says them, and as a test in plain Rust.

use super::random::Random;
use super::table::{Row, Table, number, text};

pub struct Condition {
    pub said: String,
    pub holds: Box<dyn Fn(&Row) -> bool>,
}

/// One to three tests, joined by `and` or by `or`.
pub fn condition(random: &mut Random, table: &Table) -> Condition {
    let mut all = vec![test(random, table)];
    while all.len() < 3 && random.once_in(3) {
        all.push(test(random, table));
    }
    let any = random.once_in(3);
    let said: Vec<&str> = all.iter().map(|test| test.said.as_str()).collect();
    let said = said.join(if any { " or " } else { " and " });
    let holds: Vec<_> = all.into_iter().map(|test| test.holds).collect();
    Condition {
        said,
        holds: Box::new(
            move |row| if any { holds.iter().any(|holds| holds(row)) } else { holds.iter().all(|holds| holds(row)) },
        ),
    }
}

fn test(random: &mut Random, table: &Table) -> Condition {
    let column = random.pick(&table.columns).clone();
    match (column.as_str(), random.below(3)) {
        ("price" | "qty" | "unit price" | "Größe" | "a.b", 0 | 1) => by_size(random, column),
        ("day", 0 | 1) => by_date(random, column),
        _ => by_text(random, column, table),
    }
}

fn by_size(random: &mut Random, column: String) -> Condition {
    let limit = match random.below(4) {
        0 => format!("{}.5", random.below(15)),
        1 => format!("-{}", random.below(4) + 1),
        _ => random.below(25).to_string(),
    };
    let value: f64 = limit.parse().expect("a number");
    let (words, compare): (&str, fn(f64, f64) -> bool) = *random.pick(&[
        (">", (|a, b| a > b) as fn(f64, f64) -> bool),
        ("is greater than", |a, b| a > b),
        ("is over", |a, b| a > b),
        (">=", |a, b| a >= b),
        ("is at least", |a, b| a >= b),
        ("<", |a, b| a < b),
        ("is less than", |a, b| a < b),
        ("is below", |a, b| a < b),
        ("<=", |a, b| a <= b),
        ("is at most", |a, b| a <= b),
        ("is not over", |a, b| a <= b),
    ]);
    if random.once_in(6) {
        let top = value + 8.0;
        let said = format!("{} is between {limit} and {top}", named(random, &column));
        return Condition {
            said,
            holds: Box::new(move |row| number(row.get(&column)).is_some_and(|n| n >= value && n <= top)),
        };
    }
    // `not over` is true of what is no number at all.
    let otherwise = words == "is not over";
    let said = format!("{} {words} {limit}", named(random, &column));
    Condition { said, holds: Box::new(move |row| number(row.get(&column)).map_or(otherwise, |n| compare(n, value))) }
}

fn by_date(random: &mut Random, column: String) -> Condition {
    let limit = *random.pick(&["2024-01-05", "2024-03-01", "2025-01-01"]);
    let after = random.once_in(2);
    let said = format!("{column} is {} {limit}", if after { "after" } else { "before" });
    Condition {
        said,
        holds: Box::new(move |row| {
            let field = text(row.get(&column));
            !field.is_empty() && if after { field.as_str() > limit } else { field.as_str() < limit }
        }),
    }
}

fn by_text(random: &mut Random, column: String, table: &Table) -> Condition {
    let known = if table.rows.is_empty() { "Rome".to_string() } else { text(random.pick(&table.rows).get(&column)) };
    let name = named(random, &column);
    let is = if random.once_in(2) { "is" } else { "=" };
    match random.below(8) {
        0 => Condition {
            said: format!("{name} is empty"),
            holds: Box::new(move |row| text(row.get(&column)).is_empty()),
        },
        1 => Condition {
            said: format!("{name} is not empty"),
            holds: Box::new(move |row| !text(row.get(&column)).is_empty()),
        },
        2 => {
            let part: String = known.chars().take(2).collect();
            Condition {
                said: format!("{name} starts with {}", quoted(&part)),
                holds: Box::new(move |row| text(row.get(&column)).starts_with(&part)),
            }
        }
        3 => {
            let part: String = known.chars().skip(1).take(2).collect();
            Condition {
                said: format!("{name} contains {}", quoted(&part)),
                holds: Box::new(move |row| text(row.get(&column)).contains(&part)),
            }
        }
        4 => {
            let part: String = known.chars().skip(known.chars().count().saturating_sub(1)).collect();
            Condition {
                said: format!("{name} does not end with {}", quoted(&part)),
                holds: Box::new(move |row| !text(row.get(&column)).ends_with(&part)),
            }
        }
        5 => {
            let said = format!("{name} is one of {}, Paris or {}", value(&known), quoted("New York"));
            let others = [known, "Paris".into(), "New York".into()];
            Condition { said, holds: Box::new(move |row| others.iter().any(|other| equal(row, &column, other))) }
        }
        6 => Condition {
            said: format!("{name} is not {}", value(&known)),
            holds: Box::new(move |row| !equal(row, &column, &known)),
        },
        _ => Condition {
            said: format!("{name} {is} {}", value(&known)),
            holds: Box::new(move |row| equal(row, &column, &known)),
        },
    }
}

/// The same text, or the same number however it is written.
fn equal(row: &Row, column: &str, value: &str) -> bool {
    let wanted = number(Some(&value.into()));
    text(row.get(column)) == value || (wanted.is_some() && number(row.get(column)) == wanted)
}

/// A column's name: in quotation marks where it is no plain word, and sometimes where it is.
pub fn named(random: &mut Random, column: &str) -> String {
    let plain = column.chars().all(|c| c.is_alphanumeric() || c == '.');
    if plain && !random.once_in(5) { column.into() } else { quoted(column) }
}

fn value(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.'));
    if plain { text.into() } else { quoted(text) }
}

pub fn quoted(text: &str) -> String {
    if text.contains('"') { format!("“{text}”") } else { format!("\"{text}\"") }
}
