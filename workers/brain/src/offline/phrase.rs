//! Words around and between clauses.

use super::cursor::Cursor;
use super::token::Kind;

const FILLERS: &[&str] = &[
    "please",
    "now",
    "first",
    "firstly",
    "next",
    "finally",
    "lastly",
    "also",
    "then",
    "afterwards",
    "after that",
    "can you",
    "could you",
    "would you",
    "i want you to",
    "i want to",
    "i would like you to",
    "i would like to",
    "i'd like you to",
    "i'd like to",
    "i need you to",
    "i need to",
    "you should",
    "let's",
    "just",
    "and",
];
const TRAILERS: &[&str] = &[
    "for me",
    "please",
    "too",
    "as well",
    "afterwards",
    "instead",
    "again",
    "at the end",
    "into a file",
    "to a file",
    "in a file",
];

/// Skips what says nothing at the start of a clause.
pub fn opening(cursor: &mut Cursor) {
    cursor.skip(FILLERS);
}

/// Skips what says nothing at the end of a clause.
pub fn closing(cursor: &mut Cursor) {
    cursor.skip(TRAILERS);
}

/// Takes what separates two clauses: commas, stops, `and`, `then`. False when nothing does.
pub fn separator(cursor: &mut Cursor) -> bool {
    let mut found = false;
    while cursor.take(&Kind::Stop).is_some()
        || cursor.take(&Kind::Comma).is_some()
        || cursor.eat(&["and", "then", "also", "afterwards", "finally", "but"]).is_some()
    {
        found = true;
    }
    found
}

/// Does a clause start here: a verb, and after it something that the verb could take? Free text
/// (`create a list of pros and cons`) goes on where none does. Deliberately shallow, so that long
/// goals are read in linear time.
pub fn begins(cursor: &Cursor) -> bool {
    const VERBS: &[&str] = &[
        "read",
        "open",
        "load",
        "convert",
        "transform",
        "turn",
        "change",
        "count",
        "analyse",
        "analyze",
        "examine",
        "study",
        "inspect",
        "describe",
        "summarise",
        "summarize",
        "query",
        "run",
        "apply",
        "filter",
        "keep",
        "select",
        "find",
        "show",
        "list",
        "get",
        "give me",
        "remove",
        "drop",
        "exclude",
        "sort",
        "order",
        "rank",
        "compare",
        "diff",
        "fetch",
        "download",
        "scrape",
        "ask me",
        "ask the user",
        "ask",
        "write",
        "create",
        "generate",
        "draft",
        "compose",
        "make",
        "produce",
        "prepare",
        "save",
        "store",
        "put",
        "export",
        "deliver",
        "output",
        "sum",
        "determine",
        "calculate",
        "compute",
        "extract",
        "detect",
        "add up",
    ];
    const OBJECTS: &[&str] = &[
        "the",
        "a",
        "an",
        "it",
        "this",
        "that",
        "these",
        "them",
        "both",
        "all",
        "only",
        "me",
        "some",
        "how",
        "as",
        "by",
        "rows",
        "lines",
        "words",
        "characters",
        "text",
        "everything",
        "to",
        "my",
        "its",
    ];
    let mut cursor = cursor.clone();
    opening(&mut cursor);
    if cursor.sees("how many") {
        return true;
    }
    cursor.eat(VERBS).is_some()
        && ([Kind::File, Kind::Quoted, Kind::Url].iter().any(|kind| cursor.is(kind)) || cursor.sees_any(OBJECTS))
}

/// At a comma, `and` or `then` after which a clause starts.
pub fn clause_follows(cursor: &Cursor) -> bool {
    let mut cursor = cursor.clone();
    separator(&mut cursor) && begins(&cursor)
}
