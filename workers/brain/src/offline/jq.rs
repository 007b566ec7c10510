//! The jq programs that filter, sort, count and compare. Their exact meaning is in
//! `docs/offline.md`.

use super::condition::is_number;
use super::deed::{Condition, Key, MeasureKind, Order, Relation, Take, Test, Unit};

/// What programs may be made of, each part after those that it uses. Only what is used is put in.
const DEFINITIONS: &[(&str, &str)] = &[
    ("txt", r#"def txt: if . == null then "" elif type == "string" then . else tojson end;"#),
    (
        "num",
        r#"def num: if type == "number" then . elif type == "string" and test("^-?(0|[1-9][0-9]*)([.][0-9]+)?$") then tonumber else null end;"#,
    ),
    ("rank", "def rank: num as $n | if $n != null then [0, $n] else [1, txt] end;"),
    ("up", r#"def up(f): (map(select((f | txt) != "")) | sort_by(f | rank)) + map(select((f | txt) == ""));"#),
    // Reversed before and after: rows with equal keys keep their order.
    (
        "down",
        r#"def down(f): (map(select((f | txt) != "")) | reverse | sort_by(f | rank) | reverse) + map(select((f | txt) == ""));"#,
    ),
    (
        "rows",
        r#"def rows: if type == "array" and all(.[]; type == "object") then . else error("this is no table: a list of objects is needed") end;"#,
    ),
    ("list", r#"def list: if type == "array" then . else error("this is no list") end;"#),
    (
        "column",
        r#"def column($c): if length == 0 or any(.[]; has($c)) then . else error("there is no column " + ($c | tojson)) end;"#,
    ),
    ("lines", r#"def lines: (. / "\r\n" | join("\n")) / "\n" | if .[-1] == "" then .[:-1] else . end;"#),
    ("unlines", r#"def unlines: if length == 0 then "" else join("\n") + "\n" end;"#),
];

/// A program with the definitions that it uses.
fn program(body: String) -> String {
    DEFINITIONS.iter().rev().fold(body, |program, (name, definition)| {
        let used = program.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == *name);
        if used { format!("{definition} {program}") } else { program }
    })
}

/// A text as jq writes it. No backslash stays bare, so nothing in it is computed.
pub fn literal(text: &str) -> String {
    serde_json::to_string(text).expect("a string serialises")
}

fn at(column: Option<&str>) -> String {
    column.map_or_else(|| ".".into(), |name| format!(".[{}]", literal(name)))
}

/// `rows`, or `lines` of a text, and the columns that must be there.
fn source<'c>(lines: bool, columns: impl Iterator<Item = Option<&'c str>>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    columns.flatten().for_each(|column| {
        if !seen.contains(&column) {
            seen.push(column)
        }
    });
    seen.iter().fold(if lines { "lines" } else { "rows" }.into(), |program, column| {
        format!("{program} | column({})", literal(column))
    })
}

fn finish(lines: bool) -> &'static str {
    if lines { " | unlines" } else { "" }
}

pub fn filter(condition: &Condition, keep: bool, lines: bool) -> String {
    let columns = condition.tests.iter().map(|test| test.column.as_deref());
    let holds = if keep { holds(condition) } else { format!("({}) | not", holds(condition)) };
    program(format!("{} | map(select({holds})){}", source(lines, columns), finish(lines)))
}

fn holds(condition: &Condition) -> String {
    let tests: Vec<String> = condition.tests.iter().map(test).collect();
    tests.join(if condition.any { " or " } else { " and " })
}

fn test(test: &Test) -> String {
    let field = at(test.column.as_deref());
    let relation = match &test.relation {
        Relation::Equals(value) => equals(&field, value),
        Relation::OneOf(values) => values.iter().map(|value| equals(&field, value)).collect::<Vec<_>>().join(" or "),
        Relation::Beyond { above, equal, value } => {
            let sign = match (above, equal) {
                (true, true) => ">=",
                (true, false) => ">",
                (false, true) => "<=",
                (false, false) => "<",
            };
            if is_number(value) {
                format!("{field} | num | . != null and . {sign} {value}")
            } else {
                format!("{field} | txt | . != \"\" and . {sign} {}", literal(value))
            }
        }
        Relation::Between(low, high) if is_number(low) && is_number(high) => {
            format!("{field} | num | . != null and . >= {low} and . <= {high}")
        }
        Relation::Between(low, high) => {
            format!("{field} | txt | . != \"\" and . >= {} and . <= {}", literal(low), literal(high))
        }
        Relation::Contains(value) => format!("{field} | txt | contains({})", literal(value)),
        Relation::Starts(value) => format!("{field} | txt | startswith({})", literal(value)),
        Relation::Ends(value) => format!("{field} | txt | endswith({})", literal(value)),
        Relation::Empty => format!("{field} | txt | . == \"\""),
    };
    format!("({relation}{})", if test.negated { " | not" } else { "" })
}

/// A number equals a field that is the same number however it is written; anything else equals
/// the same text only.
fn equals(field: &str, value: &str) -> String {
    let text = format!("({field} | txt) == {}", literal(value));
    if is_number(value) { format!("{text} or ({field} | num) == {value}") } else { text }
}

pub fn sort(order: &Order, take: Option<Take>, lines: bool) -> String {
    let cut = take.map(|take| format!(" | {}", slice(take))).unwrap_or_default();
    if lines {
        let down = order.keys.first().is_some_and(|key| key.descending);
        return program(format!("lines | sort{}{cut} | unlines", if down { " | reverse" } else { "" }));
    }
    let columns = order.keys.iter().map(|key| key.column.as_deref());
    // The first key last: each sort is stable.
    let sorts = order.keys.iter().rev().map(|Key { column, descending }| {
        format!(" | {}({})", if *descending { "down" } else { "up" }, at(column.as_deref()))
    });
    program(format!("{}{}{cut}", source(false, columns), sorts.collect::<String>()))
}

pub fn take(take: Take, lines: bool) -> String {
    let list = if lines { "lines" } else { "list" };
    program(format!("{list} | {}{}", slice(take), finish(lines)))
}

fn slice(take: Take) -> String {
    match take {
        Take::First(number) => format!(".[:{number}]"),
        Take::Last(number) => format!(".[-{number}:]"),
    }
}

pub fn columns(columns: &[String]) -> String {
    let fields: Vec<String> = columns.iter().map(|name| format!("{0}: .[{0}]", literal(name))).collect();
    let source = source(false, columns.iter().map(|name| Some(name.as_str())));
    program(format!("{source} | map({{{}}})", fields.join(", ")))
}

/// What a unit counts in a table, or in a text for [`Unit::Occurrences`].
pub fn count(unit: &Unit) -> String {
    program(match unit {
        Unit::Statistic(name) => return format!(".{name}"),
        Unit::Rows { condition: None, by: None } => "list | length".into(),
        Unit::Rows { condition, by } => {
            let tested = condition.iter().flat_map(|condition| &condition.tests).map(|test| test.column.as_deref());
            let source = source(false, tested.chain([by.as_deref()]));
            let chosen =
                condition.as_ref().map(|condition| format!(" | map(select({}))", holds(condition))).unwrap_or_default();
            let counted = by.as_ref().map_or_else(
                || "length".into(),
                |by| {
                    let field = at(Some(by));
                    format!(
                        "group_by({field} | txt) | map({{key: (.[0] | {field} | txt), value: length}}) | from_entries"
                    )
                },
            );
            format!("{source}{chosen} | {counted}")
        }
        Unit::Columns => "rows | map(keys_unsorted[]) | unique | length".into(),
        Unit::Distinct(column) => format!("{} | length", distinct(column)),
        Unit::Occurrences(text) => format!("if . == \"\" then 0 else . / {} | length - 1 end", literal(text)),
    })
}

/// Several numbers of TEXT_ANALYSIS statistics as one object.
pub fn statistics(names: &[&str]) -> String {
    let fields: Vec<String> = names.iter().map(|name| format!("{name}: .{name}")).collect();
    format!("{{{}}}", fields.join(", "))
}

fn distinct(column: &str) -> String {
    let field = at(Some(column));
    format!("{} | map({field} | txt | select(. != \"\")) | unique", source(false, [Some(column)].into_iter()))
}

pub fn measure(kind: MeasureKind, column: &str) -> String {
    let numbers =
        format!("{} | map({} | num | select(. != null))", source(false, [Some(column)].into_iter()), at(Some(column)));
    let some =
        format!("if length == 0 then error(\"there are no numbers in column \" + ({} | tojson))", literal(column));
    program(match kind {
        MeasureKind::Sum => format!("{numbers} | add // 0"),
        MeasureKind::Average => format!("{numbers} | {some} else add / length end"),
        MeasureKind::Lowest => format!("{numbers} | {some} else min end"),
        MeasureKind::Highest => format!("{numbers} | {some} else max end"),
        MeasureKind::Distinct => distinct(column),
    })
}

/// Two values compared; texts by their lines.
pub fn compare(texts: bool) -> String {
    let lists = "{same: ($a == $b), first: ($a | length), second: ($b | length), in_both: (($a | length) - ($a - $b | length)), \
                 only_in_first: ($a - $b), only_in_second: ($b - $a)}";
    let numbers = "{same: ($a == $b), first: $a, second: $b, difference: ($b - $a)}";
    let read = if texts { "map(lines) | " } else { "" };
    program(format!(
        "{read}. as [$a, $b] | map(type) | if . == [\"array\", \"array\"] then {lists} elif . == [\"number\", \"number\"] then {numbers} \
         else {{same: ($a == $b)}} end"
    ))
}
