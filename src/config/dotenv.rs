//! `.env`: variables, one a line, as shells have them.

/// One variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub name: String,
    pub value: String,
    /// From 1.
    pub number: usize,
}

/// Reads `NAME=value`, `export NAME="value"`, comments and empty lines.
///
/// # Errors
/// Every line that is none of these.
pub fn parse(text: &str) -> Result<Vec<Line>, Vec<String>> {
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let name = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        match name.filter(|(name, _)| is_name(name)) {
            Some((name, value)) => lines.push(Line { name: name.into(), value: unquoted(value), number }),
            // The line itself may be half a secret.
            None => faults.push(format!(".env line {number}: must be NAME=value")),
        }
    }
    if faults.is_empty() { Ok(lines) } else { Err(faults) }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Without its quotes, or without the comment behind it.
fn unquoted(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner.into();
        }
    }
    value.split_once(" #").map_or(value, |(value, _)| value).trim_end().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_and_this_agree() {
        let lines = parse("# keys\n\nexport A=\"x # y\"\nB='1'\nC = two # a comment\nD=\n").unwrap();
        let pairs: Vec<_> = lines.iter().map(|line| (line.name.as_str(), line.value.as_str(), line.number)).collect();
        assert_eq!(pairs, [("A", "x # y", 3), ("B", "1", 4), ("C", "two", 5), ("D", "", 6)]);
    }

    #[test]
    fn a_line_that_is_nothing_is_named_and_not_shown() {
        let faults = parse("A=1\nsk-secret\n").unwrap_err();
        assert_eq!(faults, [".env line 2: must be NAME=value"]);
    }
}
