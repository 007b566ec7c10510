//! Reading what a clause works on: files, quoted text, URLs and words that refer back.

use super::cursor::Cursor;
use super::deed::{Operand, Source};
use super::token::Kind;

const ARTICLES: &[&str] = &[
    "the",
    "this",
    "that",
    "these",
    "those",
    "my",
    "our",
    "all",
    "a",
    "an",
    "of",
    "each",
    "every",
    "whole",
    "entire",
    "given",
    "attached",
    "uploaded",
    "filtered",
    "sorted",
    "converted",
    "remaining",
    "resulting",
    "only",
    "two",
    "local",
];
const BOTH: &[&str] =
    &["both of them", "both files", "both texts", "both tables", "both results", "both", "the two", "each of them"];
const WITHIN: &[&str] = &["of", "in", "from", "inside", "within", "on", "for"];

/// A noun that may stand before an operand (`the text of a.txt`) or alone (`the text`).
fn noun(cursor: &mut Cursor) -> Option<Source> {
    let groups: [(&[&'static str], Source); 6] = [
        (&["text", "contents", "content", "lines", "page"], Source::Text),
        (
            &[
                "results",
                "result",
                "outcome",
                "output",
                "report",
                "analysis",
                "comparison",
                "difference",
                "differences",
                "number",
                "numbers",
                "count",
                "counts",
                "summary",
                "statistics",
                "keywords",
                "total",
                "sum",
                "average",
            ],
            Source::Result,
        ),
        (
            &[
                "table",
                "data",
                "rows",
                "row",
                "records",
                "record",
                "csv file",
                "json file",
                "csv",
                "json",
                "list",
                "array",
                "entries",
                "items",
                "dataset",
                "spreadsheet",
            ],
            Source::Data,
        ),
        (&["answers", "answer", "reply", "response", "choice"], Source::Answer),
        (&["context"], Source::Context),
        (&["text file", "file", "document", "attachment", "markdown file", "files"], Source::TheFile),
    ];
    // `text file` before `text`.
    let order = [5, 2, 0, 1, 3, 4];
    order.into_iter().find_map(|nth: usize| cursor.eat(groups[nth].0).map(|_| groups[nth].1.clone()))
}

/// `the text of the file of …`: so many nouns may stand before a name.
const NOUNS: usize = 4;

/// One operand, if the next tokens are one.
pub fn operand(cursor: &mut Cursor) -> Option<Operand> {
    nested(cursor, NOUNS)
}

fn nested(cursor: &mut Cursor, depth: usize) -> Option<Operand> {
    let depth = depth.checked_sub(1)?;
    cursor.attempt(|cursor| {
        if cursor.eat(BOTH).is_some() {
            // `both a.csv and b.csv` names them.
            return if cursor.is(&Kind::File) || cursor.is(&Kind::Quoted) {
                named_source(cursor).and_then(plain)
            } else {
                plain(Source::Both)
            };
        }
        if cursor.eat(&["them"]).is_some() {
            return plain(Source::Them);
        }
        if cursor.sees_any(&["it", "this", "that"]) {
            let alone = cursor.attempt(|cursor| {
                cursor.next();
                (!named(cursor) && noun(&mut cursor.clone()).is_none() && !cursor.sees_any(ARTICLES)).then_some(())
            });
            if alone.is_some() {
                return plain(Source::It);
            }
        }
        cursor.skip(ARTICLES);
        let lines = cursor.sees("lines") || cursor.sees("line");
        if cursor.eat(&["line"]).is_some() {
            return within(cursor, lines, depth);
        }
        match noun(cursor) {
            // `the keywords of a.txt` is not a.txt: only what the file itself is may go before its name.
            Some(alone @ (Source::Result | Source::Answer | Source::Context)) => plain(alone),
            Some(alone) => within(cursor, lines, depth).or(Some(Operand { source: alone, lines })),
            None => named_source(cursor).and_then(plain),
        }
    })
}

/// Operands joined by `and`, commas or `with`.
pub fn operands(cursor: &mut Cursor) -> Vec<Operand> {
    let mut found: Vec<Operand> = operand(cursor).into_iter().collect();
    while !found.is_empty() {
        let more = cursor.attempt(|cursor| {
            let comma = cursor.take(&Kind::Comma).is_some();
            let and = cursor.eat(&["and also", "and", "as well as"]).is_some();
            cursor.skip(&["the", "file", "text", "of", "table", "in"]);
            // Only a name goes on with the list: `and it …` would be a clause of its own.
            ((comma || and) && named(cursor)).then(|| operand(cursor)).flatten()
        });
        match more {
            Some(more) => found.push(Operand { lines: found[0].lines, ..more }),
            None => break,
        }
    }
    found
}

/// Operands, or `it` when nothing is said.
pub fn operands_or_it(cursor: &mut Cursor) -> Vec<Operand> {
    let found = operands(cursor);
    if found.is_empty() { vec![Operand { source: Source::It, lines: false }] } else { found }
}

/// `in X`, `of X`, `from X`: what something is looked for in.
pub fn operands_within(cursor: &mut Cursor) -> Option<Vec<Operand>> {
    cursor.attempt(|cursor| {
        cursor.eat(WITHIN)?;
        Some(operands(cursor)).filter(|found| !found.is_empty())
    })
}

fn within(cursor: &mut Cursor, lines: bool, depth: usize) -> Option<Operand> {
    cursor.attempt(|cursor| {
        cursor.eat(WITHIN);
        if named(cursor) {
            return named_source(cursor).map(|source| Operand { source, lines });
        }
        nested(cursor, depth).map(|inner| Operand { lines: lines || inner.lines, ..inner })
    })
}

fn plain(source: Source) -> Option<Operand> {
    Some(Operand { source, lines: false })
}

fn named(cursor: &Cursor) -> bool {
    [Kind::File, Kind::Quoted, Kind::Url].iter().any(|kind| cursor.is(kind))
}

fn named_source(cursor: &mut Cursor) -> Option<Source> {
    let token = cursor.peek()?;
    let source = match token.kind {
        Kind::File => Source::File(token.text.clone()),
        Kind::Quoted => Source::Quoted(token.text.clone()),
        Kind::Url => Source::Url(token.text.clone()),
        _ => return None,
    };
    cursor.next();
    Some(source)
}

/// `to|as|into NAME.ext`.
pub fn sink(cursor: &mut Cursor) -> Option<String> {
    cursor.attempt(|cursor| {
        cursor.eat(&["to", "as", "into", "in", "under", "called", "named", "giving", "at"])?;
        cursor.skip(&["a", "the", "new", "file", "json", "csv", "text", "markdown", "called", "named", "name", "as"]);
        file_name(cursor)
    })
}

/// A name with an ending, quoted or not.
pub fn file_name(cursor: &mut Cursor) -> Option<String> {
    cursor.attempt(|cursor| {
        let token = cursor.next()?;
        let fits = token.kind == Kind::File || (token.kind == Kind::Quoted && super::token::has_ending(&token.text));
        fits.then(|| token.text.clone())
    })
}

/// `it`, `both`, `the result`…: a word that refers back, whatever follows.
pub fn reference(cursor: &mut Cursor) -> Option<Operand> {
    cursor.attempt(|cursor| {
        if cursor.eat(BOTH).is_some() {
            return plain(Source::Both);
        }
        if cursor.eat(&["them"]).is_some() {
            return plain(Source::Them);
        }
        if cursor.eat(&["it"]).is_some() {
            return plain(Source::It);
        }
        cursor.skip(ARTICLES);
        noun(cursor).and_then(plain)
    })
}
