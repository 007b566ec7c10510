//! The rules: one for each clause of the table. A rule takes what it understands; whether that is
//! the whole clause is judged by its caller.

mod compared;
mod written;

use super::condition::{self, column};
use super::cursor::Cursor;
use super::deed::{Deed, Facet, Form, Key, MeasureKind, Operand, Order, Source, Take, Unit};
use super::measure::{facet, measure, narrowed, units};
use super::operand::{operand, operands, operands_or_it, operands_within, sink};
use super::order::{order, take};
use super::token::Kind;
use super::{phrase, question};
use compared::compare;
use written::write;

pub type Rule = fn(&mut Cursor, &str) -> Option<Deed>;

/// In the order in which they are tried.
pub const RULES: &[Rule] = &[
    question::ask,
    fetch,
    read,
    convert,
    query,
    count,
    compare,
    filter,
    sort,
    topmost,
    analyse,
    measured,
    columns,
    save,
    write,
];

const FINDERS: &[&str] = &[
    "find out",
    "find",
    "determine",
    "calculate",
    "compute",
    "work out",
    "get",
    "give me",
    "tell me",
    "show me",
    "show",
    "list",
    "report",
    "what is",
    "what are",
    "extract",
    "select",
    "detect",
    "return",
    "take",
    "keep",
    "count",
];

/// What a clause without a verb may go on with: `count the words in a.txt and the lines in b.txt`.
pub fn continuing(before: Option<&Deed>) -> Option<Rule> {
    match before {
        Some(Deed::Count { .. }) => Some(|cursor, _| counted(cursor)),
        Some(Deed::Convert { .. }) => Some(|cursor, _| converted(cursor)),
        _ => None,
    }
}

fn it() -> Vec<Operand> {
    vec![Operand { source: Source::It, lines: false }]
}

fn read(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    cursor.eat(&[
        "read",
        "open",
        "load",
        "take a look at",
        "take",
        "look at",
        "use",
        "get",
        "import",
        "given",
        "from",
    ])?;
    let what = operands(cursor);
    let named = |operand: &Operand| matches!(operand.source, Source::File(_) | Source::TheFile | Source::Quoted(_));
    (!what.is_empty() && what.iter().all(named)).then_some(Deed::Read(what))
}

fn fetch(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    cursor.eat(&["fetch", "download", "scrape", "read", "open", "get", "load", "visit"])?;
    cursor.skip(&["the", "text", "contents", "content", "page", "web", "website", "site", "url", "of", "from", "at"]);
    cursor.take(&Kind::Url).map(|url| Deed::Fetch(url.into()))
}

fn convert(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    cursor.eat(&["convert", "transform", "turn", "change", "translate", "export"])?;
    converted(cursor)
}

fn converted(cursor: &mut Cursor) -> Option<Deed> {
    let what = operands_or_it(cursor);
    let from = cursor.attempt(|cursor| {
        cursor.eat(&["from"])?;
        form(cursor)
    });
    let to = cursor.attempt(|cursor| {
        cursor.eat(&["to", "into", "as", "in"])?;
        cursor.skip(&["a", "an", "the"]);
        form(cursor)
    });
    let to = to.or_else(|| match sink(&mut cursor.clone())?.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
        "json" => Some(Form::Json),
        "csv" => Some(Form::Csv),
        _ => None,
    })?;
    Some(Deed::Convert { what, from, to })
}

fn form(cursor: &mut Cursor) -> Option<Form> {
    let form = match cursor.eat(&["json", "csv"])? {
        "json" => Form::Json,
        _ => Form::Csv,
    };
    cursor.eat(&["format", "array", "file", "table"]);
    Some(form)
}

fn query(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    let expression = |cursor: &mut Cursor| {
        cursor.skip(&["the", "jq", "query", "expression", "filter", "program"]);
        cursor.take(&Kind::Quoted).map(str::to_string)
    };
    if cursor.eat(&["query"]).is_some() {
        let what = operands_or_it(cursor).pop()?;
        cursor.eat(&["with", "using", "by", "for", "through"])?;
        return Some(Deed::Query { what, jq: expression(cursor)? });
    }
    cursor.eat(&["run", "apply", "evaluate", "execute", "use", "jq"])?;
    let jq = expression(cursor)?;
    let what = cursor.attempt(|cursor| {
        cursor.eat(&["on", "to", "over", "against", "in", "with"])?;
        operand(cursor)
    });
    Some(Deed::Query { what: what.or_else(|| it().pop())?, jq })
}

fn count(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    let times = cursor.attempt(|cursor| {
        cursor.skip(&["count", "find out", "tell me"]);
        cursor.eat(&["how often does", "how often", "how many times does", "how many times"])?;
        cursor.skip(&["the", "word", "text"]);
        let text = cursor.take(&Kind::Quoted)?.to_string();
        cursor.eat(&["occurs", "occur", "appears", "appear", "is", "comes up"]);
        Some(Deed::Count { units: vec![Unit::Occurrences(text)], what: operands_within(cursor).unwrap_or_else(it) })
    });
    if times.is_some() {
        return times;
    }
    let quoted = cursor.attempt(|cursor| {
        cursor.eat(&["count the word", "count"])?;
        let text = cursor.take(&Kind::Quoted)?.to_string();
        Some(Deed::Count { units: vec![Unit::Occurrences(text)], what: operands_within(cursor)? })
    });
    if quoted.is_some() {
        return quoted;
    }
    let verb = cursor.eat(FINDERS);
    cursor.skip(&["the", "total", "me"]);
    // Only `count` counts without `number of`: `list the lines` wants the lines themselves.
    let nominal = cursor.eat(&["number of", "how many"]).is_some();
    if !nominal && let Some(found) = short(cursor) {
        return Some(found);
    }
    if nominal || verb == Some("count") { counted(cursor) } else { None }
}

fn short(cursor: &mut Cursor) -> Option<Deed> {
    cursor.attempt(|cursor| {
        let units = units(cursor);
        cursor.eat(&["count", "counts"])?;
        Some(Deed::Count { units, what: operands_within(cursor).unwrap_or_else(it) })
            .filter(|deed| !matches!(deed, Deed::Count { units, .. } if units.is_empty()))
    })
}

fn counted(cursor: &mut Cursor) -> Option<Deed> {
    let mut units = units(cursor);
    if units.is_empty() {
        return None;
    }
    narrowed(cursor, &mut units);
    cursor.eat(&["are there", "there are", "are"]);
    let what = if cursor.eat(&["does", "do", "has", "have"]).is_some() {
        let what = operands_or_it(cursor);
        cursor.eat(&["have", "contain", "hold"]);
        what
    } else {
        operands_within(cursor).unwrap_or_else(it)
    };
    narrowed(cursor, &mut units);
    Some(Deed::Count { what, units })
}

fn filter(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    let said = cursor.eat(&[
        "filter out",
        "filter",
        "keep",
        "find",
        "show me",
        "show",
        "list",
        "select",
        "get",
        "extract",
        "give me",
        "return",
        "remove",
        "drop",
        "delete",
        "exclude",
        "discard",
    ]);
    // `the rows of a.csv where …` says what is wanted without a verb.
    let verb = said.or_else(|| {
        cursor
            .sees_any(&[
                "the rows",
                "all rows",
                "rows",
                "the records",
                "all records",
                "the lines",
                "all lines",
                "lines",
            ])
            .then_some("keep")
    })?;
    let keep = !matches!(verb, "filter out" | "remove" | "drop" | "delete" | "exclude" | "discard");
    cursor.skip(&["only"]);
    let mut what = operands(cursor);
    if what.is_empty() && verb != "filter" {
        return None;
    }
    cursor.skip(&["for", "to", "keeping", "keep", "only", "and", "show"]);
    let shown = cursor.attempt(|cursor| {
        cursor.skip(&["the", "only", "those"]);
        cursor.eat(&["rows", "records", "entries", "items", "lines", "ones"])
    });
    if shown == Some("lines") {
        what = what.into_iter().map(|operand| Operand { lines: true, ..operand }).collect();
    }
    let lines = shown == Some("lines") || what.first().is_some_and(|operand| operand.lines);
    let condition = condition::clause(cursor, lines)?;
    let unnamed = what.first().is_none_or(|operand| matches!(operand.source, Source::Data | Source::Text));
    if unnamed && let Some(within) = operands_within(cursor) {
        what = within.into_iter().map(|operand| Operand { lines, ..operand }).collect();
    }
    let what = if what.is_empty() { vec![Operand { source: Source::It, lines }] } else { what };
    Some(Deed::Filter { what, condition, keep })
}

fn sort(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    cursor.eat(&["sorted", "ordered", "sort", "order", "rank", "arrange"])?;
    let what = operands_or_it(cursor);
    Some(Deed::Sort { what, order: order(cursor), take: None })
}

/// `the top 5 rows of a.csv by price`, `the first 3 lines of a.txt`.
fn topmost(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    cursor.eat(FINDERS);
    let (take, word) = take(cursor)?;
    let noun = cursor.eat(&["rows", "records", "entries", "items", "elements", "lines", "row", "line"]);
    let lines = noun.is_some_and(|noun| noun.starts_with("line"));
    let by = |cursor: &mut Cursor| {
        cursor.attempt(|cursor| {
            cursor.eat(&["by", "with the highest", "with the lowest"])?;
            column(cursor)
        })
    };
    let early = by(cursor);
    let what = operands_within(cursor)
        .unwrap_or_else(it)
        .into_iter()
        .map(|operand| Operand { lines: lines || operand.lines, ..operand })
        .collect();
    match (early.or_else(|| by(cursor)), word) {
        (Some(column), "top" | "highest" | "bottom" | "lowest") => {
            let descending = matches!(word, "top" | "highest");
            Some(Deed::Sort {
                what,
                order: Order { keys: vec![Key { column: Some(column), descending }] },
                take: Some(take),
            })
        }
        (None, "bottom") => match take {
            Take::First(number) | Take::Last(number) => Some(Deed::Take { what, take: Take::Last(number) }),
        },
        (None, "top" | "first" | "last") => Some(Deed::Take { what, take }),
        _ => None,
    }
}

fn columns(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    let verb =
        cursor.eat(&["select", "pick", "keep", "extract", "get", "show me", "show", "list", "take", "give me"])?;
    cursor.skip(&["only", "the"]);
    let said = cursor.eat(&["columns", "column", "fields", "field"]).is_some();
    let mut columns = vec![column(cursor)?];
    while let Some(more) = cursor.attempt(|cursor| {
        if phrase::clause_follows(cursor) {
            return None;
        }
        let comma = cursor.take(&Kind::Comma).is_some();
        (cursor.eat(&["and"]).is_some() || comma).then(|| column(cursor)).flatten()
    }) {
        columns.push(more);
    }
    let said = cursor.eat(&["columns", "column", "fields", "field"]).is_some() || said;
    let what = operands_within(cursor);
    (said || (matches!(verb, "select" | "pick") && what.is_some()))
        .then(|| Deed::Columns { what: what.unwrap_or_else(it), columns })
}

fn measured(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    let spoken = cursor.eat(&["add up"]).is_some();
    if !spoken {
        cursor.eat(FINDERS);
    }
    let measure = if spoken {
        super::deed::Measure { kind: MeasureKind::Sum, column: column(cursor)? }
    } else {
        measure(cursor)?
    };
    Some(Deed::Measure { what: operands_within(cursor).unwrap_or_else(it), measure })
}

fn analyse(cursor: &mut Cursor, _: &str) -> Option<Deed> {
    if cursor.eat(&["analyse", "analyze", "examine", "study", "inspect", "describe"]).is_some() {
        let part = cursor.attempt(|cursor| {
            let facet = facet(cursor)?;
            operands_within(cursor).map(|what| (facet, what))
        });
        return Some(match part {
            Some((facet, what)) => Deed::Analyse { what, facet: Some(facet) },
            None => Deed::Analyse { what: operands_or_it(cursor), facet: None },
        });
    }
    if cursor.eat(&["summarise", "summarize"]).is_some() {
        return Some(Deed::Analyse { what: operands_or_it(cursor), facet: Some(Facet::Summary) });
    }
    cursor.eat(FINDERS).or_else(|| cursor.eat(&["write", "create", "make", "generate"]));
    let facet = facet(cursor)?;
    Some(Deed::Analyse { what: operands_within(cursor).unwrap_or_else(it), facet: Some(facet) })
}

fn save(cursor: &mut Cursor, goal: &str) -> Option<Deed> {
    cursor.eat(&["save", "store", "put", "write", "export", "deliver", "output", "keep", "call", "name"])?;
    let named = |cursor: &Cursor| sink(&mut cursor.clone()).is_some();
    // `save the number of lines in a.txt as n.txt`: what is to be saved is a clause itself.
    for rule in [count as Rule, measured, topmost, compare, analyse] {
        let deed = cursor.attempt(|cursor| rule(cursor, goal).filter(|_| named(cursor)));
        if deed.is_some() {
            return deed;
        }
    }
    // `save the text in b.txt`: `in` names the file here, not where the text is.
    let short = cursor.attempt(|cursor| {
        let reference = super::operand::reference(cursor);
        (reference.is_some() && named(cursor)).then_some(reference).flatten()
    });
    let what = match short {
        Some(reference) => vec![reference],
        None => operands_or_it(cursor),
    };
    named(cursor).then_some(Deed::Save(what))
}
