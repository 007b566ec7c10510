//! Reading what is counted or measured: `the words and lines`, `the sum of price`.

use super::condition::{self, column};
use super::cursor::Cursor;
use super::deed::{Facet, Measure, MeasureKind, Unit};
use super::token::Kind;

/// Words for the numbers of TEXT_ANALYSIS, longest first.
const STATISTICS: &[(&str, &str)] = &[
    ("characters without spaces", "characters_no_spaces"),
    ("characters without blanks", "characters_no_spaces"),
    ("unique words", "unique_words"),
    ("different words", "unique_words"),
    ("distinct words", "unique_words"),
    ("words", "words"),
    ("word", "words"),
    ("lines", "lines"),
    ("line", "lines"),
    ("characters", "characters"),
    ("character", "characters"),
    ("chars", "characters"),
    ("sentences", "sentences"),
    ("sentence", "sentences"),
    ("paragraphs", "paragraphs"),
    ("paragraph", "paragraphs"),
];
const ROWS: &[&str] =
    &["data rows", "rows", "row", "records", "record", "entries", "entry", "items", "elements", "objects"];

/// One or more units, joined by commas and `and`.
pub fn units(cursor: &mut Cursor) -> Vec<Unit> {
    let mut found: Vec<Unit> = unit(cursor).into_iter().collect();
    while !found.is_empty() {
        let more = cursor.attempt(|cursor| {
            let comma = cursor.take(&Kind::Comma).is_some();
            let and = cursor.eat(&["and also", "and"]).is_some();
            cursor.skip(&["the", "number of"]);
            if comma || and { unit(cursor) } else { None }
        });
        match more {
            Some(more) => found.push(more),
            None => break,
        }
    }
    found
}

fn unit(cursor: &mut Cursor) -> Option<Unit> {
    cursor.attempt(|cursor| {
        cursor.skip(&["the", "all", "of"]);
        let unique = cursor.attempt(|cursor| {
            cursor.eat(&["unique values", "distinct values", "different values"])?;
            cursor.eat(&["of", "in", "for"])?;
            column(cursor)
        });
        if let Some(column) = unique {
            return Some(Unit::Distinct(column));
        }
        if let Some((_, name)) = STATISTICS.iter().find(|(words, _)| cursor.eat(&[words]).is_some()) {
            return Some(Unit::Statistic(name));
        }
        if cursor.eat(ROWS).is_some() {
            return Some(Unit::Rows { condition: None, by: None });
        }
        if cursor.eat(&["columns", "column", "fields"]).is_some() {
            return Some(Unit::Columns);
        }
        if cursor.eat(&["occurrences of", "times", "how often"]).is_some() {
            cursor.eat(&["the word", "the text"]);
            return cursor.take(&Kind::Quoted).map(|text| Unit::Occurrences(text.into()));
        }
        None
    })
}

/// `where …` and `by COLUMN` after the rows that are counted.
pub fn narrowed(cursor: &mut Cursor, units: &mut [Unit]) {
    let [Unit::Rows { condition, by }] = units else { return };
    if condition.is_none() {
        *condition = cursor.attempt(|cursor| {
            cursor
                .sees_any(&["where", "whose", "with", "that", "which", "having", "for"])
                .then(|| condition::clause(cursor, false))
                .flatten()
        });
    }
    if by.is_none() {
        *by = cursor.attempt(|cursor| {
            cursor.eat(&["grouped by", "group by", "by", "per", "for each", "for every"])?;
            column(cursor)
        });
    }
}

/// `sum of price`, `average price`, `unique values of city`.
pub fn measure(cursor: &mut Cursor) -> Option<Measure> {
    cursor.attempt(|cursor| {
        cursor.skip(&["the"]);
        let kind = if cursor.eat(&["unique values", "distinct values", "different values"]).is_some() {
            MeasureKind::Distinct
        } else {
            match cursor.eat(&[
                "sum", "total", "average", "mean", "lowest", "smallest", "minimum", "highest", "largest", "maximum",
                "min", "max",
            ])? {
                "sum" | "total" => MeasureKind::Sum,
                "average" | "mean" => MeasureKind::Average,
                "lowest" | "smallest" | "minimum" | "min" => MeasureKind::Lowest,
                _ => MeasureKind::Highest,
            }
        };
        cursor.eat(&["value of", "values of", "of", "in column", "for"]);
        Some(Measure { kind, column: column(cursor)? })
    })
}

/// A part of a text's analysis.
pub fn facet(cursor: &mut Cursor) -> Option<Facet> {
    cursor.attempt(|cursor| {
        cursor.skip(&["the", "a", "its", "main", "most important", "short"]);
        Some(
            match cursor.eat(&[
                "text statistics",
                "statistics",
                "stats",
                "keywords",
                "key words",
                "sentiment",
                "mood",
                "language",
                "readability",
                "summary",
            ])? {
                "text statistics" | "statistics" | "stats" => Facet::Statistics,
                "keywords" | "key words" => Facet::Keywords,
                "sentiment" | "mood" => Facet::Sentiment,
                "language" => Facet::Language,
                "readability" => Facet::Readability,
                _ => Facet::Summary,
            },
        )
    })
}
