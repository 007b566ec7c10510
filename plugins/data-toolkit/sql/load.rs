//! Values to tables.

use super::kind;
use crate::{Failure, data_toolkit::format::parsed};
use rusqlite::{Connection, Statement, types::Value as Cell};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a table is called whose name nobody says, and the column of values that are no objects.
const TABLE: &str = "data";
const COLUMN: &str = "value";
const MOST_COLUMNS: usize = 2_000;
const MOST_TABLES: usize = 1_000;

/// A database with the data in it, and its tables in words.
///
/// # Errors
/// The data is no table, and no object of tables.
pub fn load(data: Value) -> Result<(Connection, String), Failure> {
    let broken = |e: rusqlite::Error| Failure::permanent(format!("SQLite can't hold the data: {e}"));
    let mut database = Connection::open_in_memory().map_err(broken)?;
    // There is no disk for it to use.
    database.pragma_update(None, "temp_store", "MEMORY").map_err(broken)?;
    let tables = match data {
        Value::Array(rows) => vec![(TABLE.to_owned(), rows)],
        Value::Object(tables) => tables.into_iter().map(table).collect::<Result<_, _>>()?,
        other => {
            let found = kind(&other);
            return Err(Failure::input(format!(
                "`sql` needs a list of objects, or an object of such lists, not {found}"
            )));
        }
    };
    if tables.is_empty() || tables.len() > MOST_TABLES {
        return Err(Failure::input(format!(
            "`data` has {} tables; from 1 to {MOST_TABLES} can be queried",
            tables.len()
        )));
    }
    unlike(tables.iter().map(|(name, _)| name), "tables")?;
    let mut said = Vec::new();
    let all = database.transaction().map_err(broken)?;
    for (name, rows) in tables {
        let columns = columns(&name, &rows)?;
        let listed = |columns: &[&str]| columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        // Columns without a type keep each value as it is.
        all.execute(&format!("CREATE TABLE {} ({})", quoted(&name), listed(&columns)), []).map_err(broken)?;
        let places = vec!["?"; columns.len()].join(", ");
        let mut insert = all.prepare(&format!("INSERT INTO {} VALUES ({places})", quoted(&name))).map_err(broken)?;
        for row in &rows {
            fill(&mut insert, &columns, row).map_err(broken)?;
        }
        said.push(format!("{} ({})", quoted(&name), listed(&columns)));
    }
    all.commit().map_err(broken)?;
    Ok((database, said.join(", ")))
}

/// A text is parsed, as elsewhere.
fn table((name, value): (String, Value)) -> Result<(String, Vec<Value>), Failure> {
    match parsed(&value, None).map_err(|e| Failure::input(format!("table {name:?}: {e}")))? {
        Value::Array(rows) if !name.is_empty() && !name.contains('\0') => Ok((name, rows)),
        Value::Array(_) => Err(Failure::input(format!("{name:?} can't be the name of a table"))),
        other => Err(Failure::input(format!("table {name:?} must be a list of objects, not {}", kind(&other)))),
    }
}

/// Every key in order of first appearance.
fn columns<'r>(table: &str, rows: &'r [Value]) -> Result<Vec<&'r str>, Failure> {
    let mut columns = Vec::new();
    let mut seen = BTreeSet::new();
    let objects = rows.first().is_some_and(Value::is_object);
    for (at, row) in rows.iter().enumerate() {
        match row {
            Value::Object(fields) if objects => {
                columns.extend(fields.keys().map(String::as_str).filter(|name| seen.insert(*name)));
            }
            other if objects != other.is_object() => {
                let wanted = if objects { "an object as the first one" } else { "a plain value as the first one" };
                return Err(Failure::input(format!("table {table:?}: item {at} is {}, not {wanted}", kind(other))));
            }
            _ => {}
        }
    }
    if columns.len() > MOST_COLUMNS {
        let found = columns.len();
        return Err(Failure::input(format!("table {table:?} has {found} columns; {MOST_COLUMNS} are the most")));
    }
    if let Some(name) = columns.iter().find(|name| name.contains('\0')) {
        return Err(Failure::input(format!("table {table:?}: {name:?} can't be the name of a column")));
    }
    unlike(columns.iter(), &format!("columns of {table:?}"))?;
    Ok(if columns.is_empty() { vec![COLUMN] } else { columns })
}

/// To SQL, `Name` and `name` are one.
fn unlike<T: AsRef<str>>(names: impl Iterator<Item = T>, what: &str) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for name in names {
        let name = name.as_ref();
        if !seen.insert(name.to_ascii_lowercase()) {
            return Err(Failure::input(format!("two {what} are called {name:?} but for capital letters: rename one")));
        }
    }
    Ok(())
}

fn fill(insert: &mut Statement<'_>, columns: &[&str], row: &Value) -> rusqlite::Result<()> {
    for (column, at) in columns.iter().zip(1..) {
        let value = match row {
            Value::Object(fields) => fields.get(*column).unwrap_or(&Value::Null),
            plain => plain,
        };
        insert.raw_bind_parameter(at, cell(value))?;
    }
    insert.raw_execute().map(drop)
}

/// True is 1 and false is 0, as SQL has it; what is nested is the text of its JSON.
fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(b) => Cell::Integer((*b).into()),
        Value::Number(n) => match n.as_i64() {
            Some(integer) => Cell::Integer(integer),
            None => n.as_f64().map_or(Cell::Null, Cell::Real),
        },
        Value::String(text) => Cell::Text(text.clone()),
        nested => Cell::Text(nested.to_string()),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
