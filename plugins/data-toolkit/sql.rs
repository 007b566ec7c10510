//! SQL over tables that lie in memory, by SQLite. The tables are filled first; from then on nothing but
//! reading is allowed.

mod load;

use super::describe::kind;
use crate::Failure;
use rusqlite::{
    Connection, Error, Row, Statement,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    types::ValueRef,
};
use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;

/// Instructions of SQLite's machine that a query may take: some ten seconds.
const FUEL: u64 = 1_000_000_000;
/// Instructions between two looks at the fuel.
const SIP: u16 = 10_000;
const MOST_ROWS: usize = 1_000_000;
/// Bytes of a text, and of a row.
const LONGEST: i32 = 64 << 20;
const LIMITS: [(Limit, i32); 6] = [
    (Limit::SQLITE_LIMIT_LENGTH, LONGEST),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
    // Beyond it, a pattern can take for ever, and no fuel is counted meanwhile.
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// The rows that one SELECT gives, as a list of objects.
pub fn run(query: &str, data: Value) -> Result<Value, Failure> {
    with_fuel(query, data, FUEL)
}

fn with_fuel(query: &str, data: Value, fuel: u64) -> Result<Value, Failure> {
    let (connection, tables) = load::load(data)?;
    let failed = |error: Error| wrong(&error, &tables);
    let connection = guarded(connection, fuel).map_err(failed)?;
    let mut statement = connection.prepare(query).map_err(failed)?;
    rows(&mut statement).map_err(|why| match why {
        Why::Sqlite(error) => failed(error),
        Why::Other(message) => Failure::input(message),
    })
}

fn guarded(mut connection: Connection, fuel: u64) -> rusqlite::Result<Connection> {
    for (limit, most) in LIMITS {
        connection.set_limit(limit, most)?;
    }
    let mut left = fuel / u64::from(SIP);
    connection.progress_handler(
        SIP.into(),
        Some(move || {
            left = left.saturating_sub(1);
            left == 0
        }),
    )?;
    connection.authorizer(Some(allowed))?;
    Ok(connection)
}

fn allowed(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Function { function_name } if function_name != "load_extension" => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

/// Why there are no rows.
enum Why {
    Sqlite(Error),
    Other(String),
}

impl From<Error> for Why {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

fn rows(statement: &mut Statement<'_>) -> Result<Value, Why> {
    let wrong = |message: &str| Err(Why::Other(message.to_owned()));
    if statement.column_count() == 0 || statement.is_explain() != 0 || !statement.readonly() {
        return wrong("`query` must be one SELECT, with or without WITH");
    }
    if statement.parameter_count() > 0 {
        return wrong("`query` has parameters (?, :name), and nothing fills them: write the values into it");
    }
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(Why::Other(format!("two columns of the result are called `{twice}`: name them with AS")));
    }
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        if rows.len() == MOST_ROWS {
            return Err(Why::Other(format!("the result has more than {MOST_ROWS} rows: use LIMIT")));
        }
        rows.push(object(row, &names)?);
    }
    Ok(rows.into())
}

fn object(row: &Row<'_>, names: &[String]) -> Result<Value, Why> {
    let field = |(at, name): (usize, &String)| {
        let value = match row.get_ref(at)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(n) => n.into(),
            // Infinity becomes null, as in jq.
            ValueRef::Real(n) => Number::from_f64(n).map_or(Value::Null, Value::Number),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
            ValueRef::Blob(_) => {
                let message = format!("the column `{name}` holds raw bytes; JSON has text only: use hex() or CAST");
                return Err(Why::Other(message));
            }
        };
        Ok((name.clone(), value))
    };
    names.iter().enumerate().map(field).collect::<Result<Map<_, _>, _>>().map(Value::Object)
}

/// What SQLite says, and what would be right.
fn wrong(error: &Error, tables: &str) -> Failure {
    let message = match error {
        Error::MultipleStatement => return Failure::input("`query` must be one statement, a SELECT"),
        Error::SqlInputError { msg, .. } | Error::SqliteFailure(_, Some(msg)) => msg.clone(),
        other => other.to_string(),
    };
    let hint = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => {
            return Failure::input("the query was stopped, it runs for too long: join on fewer rows, or use LIMIT");
        }
        _ if message.contains("not authorized") => {
            "; a query may only read: one SELECT, with or without WITH".to_owned()
        }
        _ if message.contains("no such column") || message.contains("no such table") => format!("; there are {tables}"),
        _ => String::new(),
    };
    Failure::input(format!("SQLite does not take the query: {message}{hint}"))
}

#[cfg(test)]
mod tests;
