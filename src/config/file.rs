//! The TOML file, flat: dotted names with values as text, each with its place.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One value of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `table.key`
    pub name: String,
    pub value: String,
    /// File and line.
    pub place: String,
}

/// # Errors
/// What is no TOML, with its place.
pub fn parse(name: &str, text: &str) -> Result<Vec<Entry>, String> {
    let line = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(1, |span| line(span.start));
        format!("{name} line {at}: {}", error.message())
    })?;
    let mut entries = Vec::new();
    flatten("", table.get_ref(), &mut |key, value: &Spanned<DeValue<'_>>| {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(yes) => yes.to_string(),
            DeValue::Array(items) => listed(items).unwrap_or_else(|| "an array".into()),
            other => format!("a {}", other.type_str()),
        };
        entries.push(Entry { name: key, value: text, place: format!("{name} line {}", line(value.span().start)) });
    });
    Ok(entries)
}

/// Texts, with commas between.
fn listed(items: &[Spanned<DeValue<'_>>]) -> Option<String> {
    let texts: Option<Vec<_>> = items.iter().map(|item| item.get_ref().as_str()).collect();
    texts.map(|texts| texts.join(","))
}

fn flatten<'a>(prefix: &str, table: &DeTable<'a>, put: &mut impl FnMut(String, &Spanned<DeValue<'a>>)) {
    for (key, value) in table.iter() {
        let name = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) => flatten(&name, inner, put),
            _ => put(name, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_names_and_lines() {
        let entries = parse("s.toml", "data = \"d\"\n[limits]\nslots = 1_000\nbackoff = 0.5\n").unwrap();
        let all: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.value.as_str(), e.place.as_str())).collect();
        assert_eq!(
            all,
            [
                ("data", "d", "s.toml line 1"),
                ("limits.slots", "1000", "s.toml line 3"),
                ("limits.backoff", "0.5", "s.toml line 4")
            ]
        );
    }

    #[test]
    fn what_is_no_toml_says_where() {
        assert!(parse("s.toml", "a = 1\nb = \n").unwrap_err().starts_with("s.toml line 2: "));
    }
}
