//! Reading `where price > 10 and name starts with "A"`.

use super::cursor::Cursor;
use super::deed::{Condition, Relation, Test};
use super::phrase;
use super::token::Kind;

const WHERE: &[&str] = &[
    "where the",
    "where",
    "whose",
    "for which",
    "in which",
    "that have a",
    "that have",
    "which have",
    "having",
    "with a",
    "with",
    "when",
    "that",
    "which",
    "by",
    "for",
    "on",
];

/// A condition with its opening word. `lines`: tests are about the line, no column is named.
pub fn clause(cursor: &mut Cursor, lines: bool) -> Option<Condition> {
    cursor.attempt(|cursor| {
        let opened = cursor.eat(WHERE).is_some();
        // `filter a.txt containing x`: without an opening word only these can't mean anything else.
        let plain = cursor.sees_any(&[
            "containing",
            "including",
            "starting with",
            "beginning with",
            "ending with",
            "ending in",
        ]);
        if opened || lines || plain { condition(cursor, lines) } else { None }
    })
}

/// Tests joined by `and` or by `or`. Where both are used the rest is left over, and refused.
fn condition(cursor: &mut Cursor, lines: bool) -> Option<Condition> {
    let mut tests = vec![test(cursor, lines, None)?];
    let mut any = None;
    loop {
        let last = tests.last().and_then(|test| test.column.clone());
        let more = cursor.attempt(|cursor| {
            let or = matches!(cursor.eat(&["and where", "and whose", "and", "or where", "or"])?, "or" | "or where");
            if any.is_some_and(|any| any != or) {
                return None;
            }
            any = Some(or);
            test(cursor, lines, last.as_deref())
        });
        match more {
            Some(more) => tests.push(more),
            None => return Some(Condition { tests, any: any == Some(true) }),
        }
    }
}

fn test(cursor: &mut Cursor, lines: bool, last: Option<&str>) -> Option<Test> {
    cursor.attempt(|cursor| {
        let column = if lines || starts_relation(cursor) {
            cursor.skip(&["that", "which", "they", "it", "the line", "line"]);
            last.map(str::to_string)
        } else {
            cursor.skip(&["the", "value of"]);
            Some(column(cursor)?)
        };
        let (relation, negated) = relation(cursor)?;
        Some(Test { column, relation, negated })
    })
}

/// Does a column with a relation come next? Deliberately shallow: a list of values asks this at
/// each of them.
fn test_follows(cursor: &Cursor) -> bool {
    const STARTS: &[&str] = &[
        "is",
        "are",
        "isn't",
        "aren't",
        "does not",
        "doesn't",
        "not",
        "contains",
        "contain",
        "containing",
        "starts with",
        "begins with",
        "ends with",
        "equals",
        "exceeds",
        "over",
        "above",
        "under",
        "below",
        "at least",
        "at most",
        "more than",
        "less than",
        "greater than",
        "between",
    ];
    let mut cursor = cursor.clone();
    column(&mut cursor).is_some() && (cursor.is(&Kind::Sign) || cursor.sees_any(STARTS))
}

fn starts_relation(cursor: &Cursor) -> bool {
    cursor.is(&Kind::Sign) || relation(&mut cursor.clone()).is_some()
}

/// A column's name: a word, or several in quotation marks.
pub fn column(cursor: &mut Cursor) -> Option<String> {
    cursor.attempt(|cursor| {
        cursor.skip(&["the", "its", "their", "column", "field", "called", "named"]);
        let token = cursor.next().filter(|token| matches!(token.kind, Kind::Word | Kind::Quoted | Kind::File))?;
        cursor.eat(&["column", "field"]);
        Some(token.text.clone())
    })
}

fn relation(cursor: &mut Cursor) -> Option<(Relation, bool)> {
    cursor.attempt(|cursor| {
        let denied = cursor.eat(&[
            "is not", "isn't", "are not", "aren't", "was not", "wasn't", "does not", "doesn't", "do not", "don't",
            "not",
        ]);
        let copula = denied.is_some_and(|word| word.starts_with(['i', 'a', 'w']))
            || (denied.is_none() && cursor.eat(&["is", "are", "was", "were"]).is_some());
        let (relation, flipped) = related(cursor).or_else(|| {
            // `colour is red`: a bare value only after a copula.
            if copula { value(cursor).map(|value| (Relation::Equals(value), false)) } else { None }
        })?;
        Some((relation, denied.is_some() != flipped))
    })
}

/// What follows the copula; true when the sign itself denies.
fn related(cursor: &mut Cursor) -> Option<(Relation, bool)> {
    cursor.attempt(|cursor| {
        if let Some(sign) = cursor.take(&Kind::Sign) {
            let value = value(cursor)?;
            return Some(match sign {
                "=" => (Relation::Equals(value), false),
                "!=" => (Relation::Equals(value), true),
                _ if matches!(sign, ">" | ">=" | "<" | "<=") => {
                    (Relation::Beyond { above: sign.starts_with('>'), equal: sign.ends_with('='), value }, false)
                }
                _ => return None,
            });
        }
        let relation = if cursor.eat(&["empty", "blank", "missing"]).is_some() {
            Relation::Empty
        } else if cursor.eat(&["between"]).is_some() {
            let low = value(cursor)?;
            cursor.eat(&["and", "to"])?;
            Relation::Between(low, value(cursor)?)
        } else if cursor.eat(&["one of the", "one of", "any of", "among", "either"]).is_some() {
            Relation::OneOf(values(cursor)?)
        } else if cursor
            .eat(&["greater than or equal to", "more than or equal to", "at least", "no less than", "no fewer than"])
            .is_some()
        {
            Relation::Beyond { above: true, equal: true, value: value(cursor)? }
        } else if cursor
            .eat(&["less than or equal to", "at most", "no more than", "no greater than", "up to"])
            .is_some()
        {
            Relation::Beyond { above: false, equal: true, value: value(cursor)? }
        } else if cursor
            .eat(&[
                "greater than",
                "more than",
                "larger than",
                "bigger than",
                "higher than",
                "later than",
                "over",
                "above",
                "after",
                "exceeding",
                "exceeds",
            ])
            .is_some()
        {
            Relation::Beyond { above: true, equal: false, value: value(cursor)? }
        } else if cursor
            .eat(&["less than", "smaller than", "lower than", "fewer than", "earlier than", "under", "below", "before"])
            .is_some()
        {
            Relation::Beyond { above: false, equal: false, value: value(cursor)? }
        } else if cursor.eat(&["containing", "contains", "contain", "including", "includes", "include"]).is_some() {
            cursor.eat(&["the word", "the text"]);
            Relation::Contains(value(cursor)?)
        } else if cursor
            .eat(&["starting with", "starts with", "start with", "beginning with", "begins with", "begin with"])
            .is_some()
        {
            Relation::Starts(value(cursor)?)
        } else if cursor.eat(&["ending with", "ends with", "end with", "ending in", "ends in", "end in"]).is_some() {
            Relation::Ends(value(cursor)?)
        } else if cursor.eat(&["equal to", "equals", "equal", "exactly", "the same as"]).is_some() {
            Relation::Equals(value(cursor)?)
        } else if cursor.eat(&["of"]).is_some() {
            // `with a price of 10`; `the rows with a name of a.csv` is something else.
            Relation::Equals(value(cursor).filter(|value| is_number(value))?)
        } else {
            return None;
        };
        Some((relation, false))
    })
}

/// One word, or anything in quotation marks.
fn value(cursor: &mut Cursor) -> Option<String> {
    if cursor.sees_any(&["the", "a", "an", "and", "or", "not", "then", "it"]) {
        return None;
    }
    let token = cursor.peek().filter(|token| matches!(token.kind, Kind::Word | Kind::Quoted | Kind::File))?;
    cursor.next();
    Some(token.text.clone())
}

/// Values joined by commas and `or`.
fn values(cursor: &mut Cursor) -> Option<Vec<String>> {
    let mut found = vec![value(cursor)?];
    while let Some(more) = cursor.attempt(|cursor| {
        if phrase::clause_follows(cursor) {
            return None;
        }
        let comma = cursor.take(&Kind::Comma).is_some();
        let or = cursor.eat(&["or"]).is_some();
        // `… or price > 10` is the next test, not one more value.
        if (comma || or) && !(or && test_follows(cursor)) { value(cursor) } else { None }
    }) {
        found.push(more);
    }
    Some(found)
}

/// Is this text a number: an optional minus, digits without leading zeros, an optional fraction?
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let all = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(all)
}

/// May `<` and `>` compare with this as text: only where code-point order is what was meant, a
/// date (`2024-05-01`) or a text in quotation marks, which the parser can't tell apart any more
/// from a word; so a word that merely looks like an amount (`$10`, `10%`, `1e5`) is refused.
pub fn is_comparable(text: &str) -> bool {
    is_number(text) || !text.contains(|c: char| c.is_ascii_digit()) || is_date(text)
}

fn is_date(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    ["0000-00", "0000-00-00", "0000-00-00T00:00", "0000-00-00T00:00:00", "0000-00-00T00:00:00Z", "00:00", "00:00:00"]
        .contains(&shape.as_str())
}
