//! How selectors are written.

use super::{Is, Lies, Part, Selector, Test};
use std::str::FromStr;

const KNOWN: &str = ":first-child, :last-child, :only-child, :nth-child(), :nth-last-child(), the same -of-type, \
                     :not(), :is(), :where(), :has(), :root, :empty";

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut cursor = Cursor { rest: text };
        let selector = cursor.selector()?;
        match cursor.rest {
            "" => Ok(selector),
            _ => Err(cursor.fault("this belongs to no selector")),
        }
    }
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn fault(&self, why: impl Into<String>) -> String {
        let (why, rest) = (why.into(), self.rest.chars().take(20).collect::<String>());
        if rest.is_empty() { format!("at its end: {why}") } else { format!("at `{rest}`: {why}") }
    }

    fn eat(&mut self, wanted: &str) -> bool {
        self.rest.strip_prefix(wanted).map(|rest| self.rest = rest).is_some()
    }

    fn must(&mut self, wanted: &str) -> Result<(), String> {
        if self.eat(wanted) { Ok(()) } else { Err(self.fault(format!("`{wanted}` is missing"))) }
    }

    /// Were there spaces?
    fn space(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start();
        self.rest.len() < before
    }

    fn selector(&mut self) -> Result<Selector, String> {
        let mut all = Vec::new();
        loop {
            all.push(self.parts()?);
            if !self.eat(",") {
                return Ok(Selector(all));
            }
        }
    }

    fn parts(&mut self) -> Result<Vec<Part>, String> {
        self.space();
        let mut parts = vec![Part { lies: Lies::Anywhere, tests: self.tests()? }];
        loop {
            let spaced = self.space();
            let marks = [(">", Lies::Child), ("+", Lies::Next), ("~", Lies::After)];
            let lies = match marks.into_iter().find(|(mark, _)| self.eat(mark)) {
                Some((_, lies)) => lies,
                None if spaced && !self.rest.is_empty() && !self.rest.starts_with([',', ')']) => Lies::Inside,
                None => return Ok(parts),
            };
            self.space();
            parts.push(Part { lies, tests: self.tests()? });
        }
    }

    fn tests(&mut self) -> Result<Vec<Test>, String> {
        let before = self.rest.len();
        let mut tests = Vec::new();
        if !self.eat("*") && self.rest.starts_with(begins_name) {
            tests.push(Test::Tag(self.name()?));
        }
        loop {
            if self.eat("#") {
                tests.push(attribute("id", Is::Equal, self.name()?));
            } else if self.eat(".") {
                tests.push(attribute("class", Is::Word, self.name()?));
            } else if self.eat("[") {
                tests.push(self.attribute()?);
            } else if self.rest.starts_with(':') {
                self.pseudo(&mut tests)?;
            } else if self.rest.len() == before {
                return Err(self.fault("an element, `.class`, `#id`, `[attribute]` or `:pseudo-class` is missing"));
            } else {
                return Ok(tests);
            }
        }
    }

    fn name(&mut self) -> Result<String, String> {
        let mut name = String::new();
        while let Some(next) = self.rest.chars().next() {
            if next == '\\' {
                self.rest = &self.rest[1..];
                name.push(self.escaped()?);
            } else if begins_name(next) || next.is_ascii_digit() {
                name.push(next);
                self.rest = &self.rest[next.len_utf8()..];
            } else {
                break;
            }
        }
        if name.is_empty() { Err(self.fault("a name is missing")) } else { Ok(name) }
    }

    /// After a backslash: a character by its number, or one that means nothing else.
    fn escaped(&mut self) -> Result<char, String> {
        let digits = self.rest.bytes().take(6).take_while(u8::is_ascii_hexdigit).count();
        let (hex, rest) = self.rest.split_at(digits);
        let first = rest.chars().next();
        let (character, rest) = match u32::from_str_radix(hex, 16) {
            Ok(number) => (char::from_u32(number), rest.strip_prefix(' ').unwrap_or(rest)),
            Err(_) => (first, first.map_or(rest, |first| &rest[first.len_utf8()..])),
        };
        let character = character.ok_or_else(|| self.fault("this is no character"))?;
        self.rest = rest;
        Ok(character)
    }

    /// After `[`.
    fn attribute(&mut self) -> Result<Test, String> {
        self.space();
        let name = self.name()?.to_ascii_lowercase();
        self.space();
        let marks = [
            ("=", Is::Equal),
            ("~=", Is::Word),
            ("|=", Is::Dashed),
            ("^=", Is::Begin),
            ("$=", Is::End),
            ("*=", Is::Hold),
        ];
        let Some((_, is)) = marks.into_iter().find(|(mark, _)| self.eat(mark)) else {
            self.must("]")?;
            return Ok(attribute(&name, Is::There, String::new()));
        };
        self.space();
        let value = match self.rest.chars().next().filter(|quote| ['"', '\''].contains(quote)) {
            Some(quote) => {
                let end = self.rest[1..].find(quote).ok_or_else(|| self.fault("the quote is not closed"))?;
                let value = &self.rest[1..=end];
                self.rest = &self.rest[end + 2..];
                value.to_string()
            }
            None => self.name()?,
        };
        self.space();
        let folds = self.eat("i") || self.eat("I");
        let _ = !folds && (self.eat("s") || self.eat("S"));
        self.space();
        self.must("]")?;
        Ok(Test::Attribute { name, is, value, folds })
    }

    fn pseudo(&mut self, tests: &mut Vec<Test>) -> Result<(), String> {
        let whole = Self { rest: self.rest };
        self.must(":")?;
        if self.eat(":") {
            return Err(whole.fault("pseudo-elements select nothing"));
        }
        let name = self.name()?.to_ascii_lowercase();
        let (kind, same) = match (name.strip_suffix("-child"), name.strip_suffix("-of-type")) {
            (Some(kind), _) => (kind, false),
            (_, Some(kind)) => (kind, true),
            _ => (&*name, false),
        };
        let nth = |(step, first), from_end| Test::Nth { step, first, same, from_end };
        let has_end = kind != name;
        match kind {
            "first" if has_end => tests.push(nth((0, 1), false)),
            "last" if has_end => tests.push(nth((0, 1), true)),
            "only" if has_end => tests.extend([nth((0, 1), false), nth((0, 1), true)]),
            "nth" if has_end => tests.push(nth(self.place()?, false)),
            "nth-last" if has_end => tests.push(nth(self.place()?, true)),
            "not" => tests.push(Test::Not(self.inner()?)),
            "is" | "where" => tests.push(Test::Any(self.inner()?)),
            "has" => tests.push(Test::Has(self.inner()?)),
            "root" => tests.push(Test::Root),
            "empty" => tests.push(Test::Empty),
            _ => return Err(whole.fault(format!("`:{name}` is not known; known are {KNOWN}"))),
        }
        Ok(())
    }

    fn inner(&mut self) -> Result<Selector, String> {
        self.must("(")?;
        let selector = self.selector()?;
        self.must(")")?;
        Ok(selector)
    }

    /// `odd`, `even`, `3`, `2n+1`: the step and the first.
    fn place(&mut self) -> Result<(i32, i32), String> {
        self.must("(")?;
        let no_place = self.fault("this is no place, as `odd`, `even`, `3` or `2n+1`");
        let end = self.rest.find(')').ok_or_else(|| self.fault("`)` is missing"))?;
        let text: String = self.rest[..end].chars().filter(|c| !c.is_whitespace()).collect();
        self.rest = &self.rest[end + 1..];
        let number = |text: &str, none: i32| match text {
            "" | "+" => Some(none),
            "-" => Some(-none),
            _ => text.parse().ok().filter(|n| (-100_000..=100_000).contains(n)),
        };
        let place = match (text.to_ascii_lowercase().as_str(), text.split_once(['n', 'N'])) {
            ("odd", _) => Some((2, 1)),
            ("even", _) => Some((2, 0)),
            ("", _) => None,
            (_, Some((step, first))) => number(step, 1).zip(number(first, 0)),
            (only, None) => number(only, 0).map(|first| (0, first)),
        };
        place.ok_or(no_place)
    }
}

fn attribute(name: &str, is: Is, value: String) -> Test {
    Test::Attribute { name: name.into(), is, value, folds: false }
}

fn begins_name(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '-' | '_' | '\\') || !c.is_ascii()
}
