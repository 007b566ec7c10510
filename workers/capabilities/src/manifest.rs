//! Reading the text of a `plugin.toml`: every fault with the line and the column it stands at.

use schemas::{Fault, manifest::Manifest, value::Value};
use std::fmt;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What the file is called.
pub const FILE: &str = "plugin.toml";

/// A fault and where it stands in the text; both count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    pub line: usize,
    pub column: usize,
    pub fault: Fault,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FILE}:{}:{}: {}", self.line, self.column, self.fault)
    }
}

/// A text that is TOML, and what it says.
pub struct Source<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

impl<'t> Source<'t> {
    /// Reads TOML.
    ///
    /// # Errors
    /// Everything that keeps it from being TOML.
    pub fn new(text: &'t str) -> Result<Self, Vec<Located>> {
        let (root, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(Self { text, root });
        }
        let at = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        Err(errors.iter().map(|error| located(text, at(error), Fault::new("", error.message()))).collect())
    }

    /// The manifest.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn manifest(&self) -> Result<Manifest, Vec<Located>> {
        let value: Value = toml::from_str(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            vec![located(self.text, at, Fault::new("", error.message()))]
        })?;
        Manifest::from_value(&value).map_err(|faults| self.locate(faults))
    }

    /// Puts faults to their places, in the order of the text.
    pub fn locate(&self, faults: Vec<Fault>) -> Vec<Located> {
        let mut all: Vec<_> =
            faults.into_iter().map(|fault| located(self.text, self.offset(&fault.at), fault)).collect();
        all.sort_by_key(|one| (one.line, one.column));
        all
    }

    /// Where a JSON pointer leads: the key, the element, or, where something is missing, what it is
    /// missing from.
    fn offset(&self, pointer: &str) -> usize {
        let mut at = self.root.span().start;
        let mut here = Some(Here::Table(self.root.get_ref()));
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = match here {
                Some(Here::Table(table)) => {
                    let found = table.iter().find(|(key, _)| key.get_ref().as_ref() == token);
                    found.map(|(key, value)| (key.span().start, value))
                }
                Some(Here::Array(array)) => {
                    let found = token.parse().ok().and_then(|n: usize| array.get(n));
                    found.map(|value| (value.span().start, value))
                }
                None => None,
            };
            let Some((start, value)) = next else { break };
            at = start;
            here = match value.get_ref() {
                DeValue::Table(table) => Some(Here::Table(table)),
                DeValue::Array(array) => Some(Here::Array(array)),
                _ => None,
            };
        }
        at
    }
}

enum Here<'a, 't> {
    Table(&'a DeTable<'t>),
    Array(&'a [Spanned<DeValue<'t>>]),
}

fn located(text: &str, offset: usize, fault: Fault) -> Located {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Located { line, column, fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"name = "COUNT_WORDS"
version = "1.0.0"
description = "Counts."
publisher = "me"
runtime = "python"
entry = "main.py"

[input]
type = "object"
[input.properties]
text = { type = "string" }

[output]
type = "object"
properties.words.type = "integer"

[[examples]]
description = "one"
inputs = { text = "a" }
outputs = { words = 1 }
"#;

    fn faults(text: &str) -> Vec<String> {
        let read = Source::new(text).and_then(|source| source.manifest());
        read.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_fault_stands_where_it_is() {
        assert_eq!(faults(GOOD), [""; 0]);
        for (from, to, wanted) in [
            ("name = \"COUNT_WORDS\"", "name = \"count\"", "plugin.toml:1:1: /name: "),
            ("type = \"string\"", "type = \"strin\"", "plugin.toml:11:10: /input/properties/text/type: "),
            ("words = 1", "words = \"é\"", "plugin.toml:20:13: /examples/0/outputs/words: "),
            ("[input]\ntype = \"object\"\n", "[input]\n", "plugin.toml:8:2: /input/type: "),
            ("entry = \"main.py\"\n", "", "plugin.toml:1:1: /entry: "),
            ("runtime = \"python\"", "runtime = \"python\"\nsurprise = 1", "plugin.toml:6:1: /surprise: "),
            ("[input]", "limits = { seconds = 1, secnds = 2 }\n[input]", "plugin.toml:8:25: /limits/secnds: "),
            ("publisher = \"me\"", "publisher = me", "plugin.toml:4:13: "),
            ("publisher = \"me\"", "äöü = 1", "plugin.toml:4:1: "),
            ("version = \"1.0.0\"", "version = \"1.0.0\"\nversion = \"1.0.1\"", "plugin.toml:3:1: "),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let found = faults(&GOOD.replacen(from, to, 1));
            assert!(found.iter().any(|fault| fault.starts_with(wanted)), "{to}: {found:#?}");
        }
    }

    #[test]
    fn all_of_them_are_told_in_the_order_of_the_text() {
        let found = faults(&GOOD.replace("COUNT_WORDS", "x").replace("1.0.0", "1").replace("python", "perl"));
        let lines: Vec<_> = found.iter().filter_map(|fault| fault.split(':').nth(1)).collect();
        assert_eq!(lines, ["1", "2", "5"], "{found:#?}");
        let found = faults("name = x\nversion = y\n");
        let lines: Vec<_> = found.iter().filter_map(|fault| fault.split(':').nth(1)).collect();
        assert_eq!(lines, ["1", "2"], "{found:#?}");
    }
}
