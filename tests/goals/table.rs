//! Random tables, how they are written as CSV and JSON, and what filter, sort, count and compare
//! mean: computed here in plain Rust from the words of `docs/offline.md`.

use super::random::Random;
use serde_json::{Map, Value, json};

pub type Row = Map<String, Value>;

/// A table with the file that holds it.
#[derive(Clone)]
pub struct Table {
    pub file: String,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    /// The file's text.
    pub text: String,
}

const NAMES: &[&str] = &[
    "Ada",
    "Bob",
    "Zoë",
    "Łukasz",
    "O'Neil",
    "d'Arc, Jean",
    "\"Doc\" Brown",
    "東京",
    "ada",
    "Bob",
    "",
    "multi\nline",
    " lead",
    "007",
];
const CITIES: &[&str] = &["Paris", "Rome", "New York", "São Paulo", "", "Rome", "Köln", "Rome;Paris"];
const DATES: &[&str] = &["2023-12-31", "2024-01-05", "2024-05-01", "2024-05-02", "", "2025-02-28"];

/// A table in a CSV file: every value is text.
pub fn csv(random: &mut Random, file: &str) -> Table {
    let columns = columns(random);
    let many = random.below(12);
    let rows: Vec<Row> = (0..many)
        .map(|nth| columns.iter().map(|name| (name.clone(), Value::String(cell(random, name, nth)))).collect())
        .collect();
    let text = write_csv(random, &columns, &rows);
    Table { file: file.into(), columns, rows, text }
}

/// A table in a JSON file: numbers, true and false, null, and keys that are not in every row.
pub fn json(random: &mut Random, file: &str) -> Table {
    let columns = columns(random);
    let many = 1 + random.below(10);
    let mut rows: Vec<Row> = Vec::new();
    for nth in 0..many {
        let mut row = Row::new();
        for name in &columns {
            let value = match (name.as_str(), random.below(8)) {
                ("price" | "qty", 0) => Value::Null,
                ("price" | "qty", 1..6) => json!(random.below(40) as i64 - 5),
                ("name" | "city", 0) => json!(random.once_in(2)),
                // The first row has every key, so that every column is there.
                (_, 1) if nth > 0 => continue,
                _ => Value::String(cell(random, name, nth)),
            };
            row.insert(name.clone(), value);
        }
        rows.push(row);
    }
    let value = Value::Array(rows.iter().cloned().map(Value::Object).collect());
    let text =
        if random.once_in(2) { value.to_string() } else { serde_json::to_string_pretty(&value).expect("plain data") };
    Table { file: file.into(), columns, rows, text }
}

/// Like another table, some rows changed, dropped and added: something to compare with.
pub fn variant(random: &mut Random, of: &Table, file: &str) -> Table {
    let mut rows: Vec<Row> = of.rows.iter().filter(|_| !random.once_in(4)).cloned().collect();
    if random.once_in(3) && !rows.is_empty() {
        let again = random.pick(&rows).clone();
        rows.push(again);
    }
    if random.once_in(2) {
        rows.push(of.columns.iter().map(|name| (name.clone(), Value::String(cell(random, name, 99)))).collect());
    }
    let text = write_csv(random, &of.columns, &rows);
    Table { file: file.into(), columns: of.columns.clone(), rows, text }
}

fn columns(random: &mut Random) -> Vec<String> {
    let mut others = vec!["city", "qty", "day", "unit price", "Größe", "value", "a.b", "q\"x"];
    let mut columns = vec!["name".to_string(), "price".into()];
    for _ in 0..1 + random.below(3) {
        columns.push(random.draw(&mut others).into());
    }
    columns
}

/// A field that suits its column. No number is written with a fraction of zeros, so that the
/// lowest and highest of a column have one form.
fn cell(random: &mut Random, column: &str, nth: usize) -> String {
    match column {
        "name" => (*random.pick(NAMES)).into(),
        "city" => (*random.pick(CITIES)).into(),
        "day" => (*random.pick(DATES)).into(),
        "value" => format!("v{nth}"),
        _ => match random.below(10) {
            0 => String::new(),
            1 => (*random.pick(&["n/a", "007", "1e3", "+5", " 7", "1,5", "-", "0x1"])).into(),
            2 | 3 => format!("{}.{}", random.below(20), random.pick(&["5", "25", "75", "125"])),
            4 => format!("-{}", 1 + random.below(9)),
            _ => random.below(30).to_string(),
        },
    }
}

fn write_csv(random: &mut Random, columns: &[String], rows: &[Row]) -> String {
    let end = *random.pick(&["\n", "\r\n"]);
    let lavish = random.once_in(4);
    let line = |fields: Vec<String>| {
        let fields: Vec<String> =
            fields.into_iter().map(|field| if lavish { quoted(&field) } else { necessary(&field) }).collect();
        fields.join(",")
    };
    let mut lines = vec![line(columns.to_vec())];
    lines.extend(rows.iter().map(|row| line(columns.iter().map(|name| text(row.get(name))).collect())));
    let last = if random.once_in(4) { "" } else { end };
    lines.join(end) + last
}

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}
fn necessary(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) { quoted(field) } else { field.into() }
}

/// Rows as the CSV that is delivered: the header is every key in order of appearance.
pub fn as_csv(rows: &[Row]) -> String {
    let mut header: Vec<&String> = Vec::new();
    for key in rows.iter().flat_map(Map::keys) {
        if !header.contains(&key) {
            header.push(key);
        }
    }
    if header.is_empty() {
        return String::new();
    }
    let mut lines = vec![header.iter().map(|key| necessary(key)).collect::<Vec<_>>().join(",")];
    for row in rows {
        let fields: Vec<String> = header.iter().map(|key| necessary(&text(row.get(*key)))).collect();
        // A line with nothing in it would be no row.
        lines.push(if fields == [""] { "\"\"".into() } else { fields.join(",") });
    }
    lines.join("\n") + "\n"
}

pub fn as_value(rows: &[Row]) -> Value {
    Value::Array(rows.iter().cloned().map(Value::Object).collect())
}

/// A field as text: missing and null are empty, what is no string is its JSON.
pub fn text(field: Option<&Value>) -> String {
    match field {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A field as a number: an optional minus, digits without leading zeros, an optional fraction.
pub fn number(field: Option<&Value>) -> Option<f64> {
    match field {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let mut parts = digits.splitn(2, '.');
            let whole = parts.next().unwrap_or_default();
            let fraction = parts.next();
            let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
            let fits = plain(whole) && (whole.len() == 1 || !whole.starts_with('0')) && fraction.is_none_or(plain);
            if fits { text.parse().ok() } else { None }
        }
        _ => None,
    }
}

/// Rows by a column: numbers by size, then texts by code points, then what is empty; rows that are
/// equal keep their order, also when descending.
pub fn sort(rows: &mut Vec<Row>, column: &str, descending: bool) {
    let (mut full, empty): (Vec<Row>, Vec<Row>) = rows.drain(..).partition(|row| !text(row.get(column)).is_empty());
    full.sort_by(|a, b| {
        let (a, b) = (a.get(column), b.get(column));
        let order = match (number(a), number(b)) {
            (Some(a), Some(b)) => a.partial_cmp(&b).expect("no field is NaN"),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => text(a).cmp(&text(b)),
        };
        if descending { order.reverse() } else { order }
    });
    rows.extend(full);
    rows.extend(empty);
}

/// What `compare` says of two lists.
pub fn compare<T: PartialEq + Clone + Into<Value>>(first: &[T], second: &[T]) -> Value {
    let only = |these: &[T], those: &[T]| {
        these.iter().filter(|item| !those.contains(item)).cloned().map(Into::into).collect::<Vec<Value>>()
    };
    let (left, right) = (only(first, second), only(second, first));
    json!({
        "same": first == second, "first": first.len(), "second": second.len(), "in_both": first.len() - left.len(),
        "only_in_first": left, "only_in_second": right,
    })
}
