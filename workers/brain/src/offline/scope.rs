//! What the words that refer back mean: the values that a goal has spoken of so far.

use schemas::plan::Input;

/// Something a step gives, or a text that stands in the goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Thing {
    pub input: Input,
    pub shape: Shape,
    /// What a person would call it, or what it was made from: `a.csv`.
    pub label: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text,
    /// Text that is a table.
    Csv,
    /// Text that is JSON.
    Json,
    /// A JSON value that came out of a table or of JSON.
    Data,
    /// A number or the like.
    Scalar,
    /// An analysis or a comparison: an end in itself.
    Report,
}

impl Shape {
    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Csv | Self::Json)
    }
    pub fn is_data(self) -> bool {
        matches!(self, Self::Csv | Self::Json | Self::Data)
    }
}

/// What a clause can work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Text,
    Data,
    /// Either of these.
    Material,
    Any,
}

impl Wanted {
    pub fn fits(self, shape: Shape) -> bool {
        match self {
            Self::Text => shape.is_text(),
            Self::Data => shape.is_data(),
            Self::Material => shape.is_text() || shape.is_data(),
            Self::Any => true,
        }
    }
    /// For a person.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Data => "a table or JSON",
            Self::Material => "a text or a table",
            Self::Any => "something",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It was named.
    Mentioned,
    /// A clause made it.
    Made,
    /// A person's answer.
    Answer,
}

#[derive(Debug)]
struct Entry {
    thing: Thing,
    role: Role,
    clause: usize,
    /// Rows or lines: several things in one.
    plural: bool,
}

/// Values in the order in which they came up.
#[derive(Debug, Default)]
pub struct Scope {
    entries: Vec<Entry>,
}

impl Scope {
    pub fn mention(&mut self, thing: &Thing, clause: usize) {
        if self.entries.last().is_none_or(|last| last.thing != *thing) {
            self.entries.push(Entry { thing: thing.clone(), role: Role::Mentioned, clause, plural: false });
        }
    }
    pub fn made(&mut self, thing: Thing, clause: usize, plural: bool) {
        self.entries.push(Entry { thing, role: Role::Made, clause, plural });
    }
    pub fn answered(&mut self, thing: Thing, clause: usize) {
        self.entries.push(Entry { thing, role: Role::Answer, clause, plural: false });
    }

    /// `it`: the latest value, or for a clause that needs a text or a table the latest of that
    /// kind, where only numbers and reports lie between.
    ///
    /// # Errors
    /// There is none, or another kind of value lies between, so that it could mean either.
    pub fn it(&self, wanted: Wanted) -> Result<Thing, String> {
        for entry in self.entries.iter().rev() {
            if wanted.fits(entry.thing.shape) {
                return Ok(entry.thing.clone());
            }
            if !matches!(entry.thing.shape, Shape::Scalar | Shape::Report) {
                return Err(format!(
                    "{} is needed, and what was spoken of last ({}) is none; name it",
                    wanted.noun(),
                    entry.thing.label
                ));
            }
        }
        Err(format!(
            "{} is needed and nothing before it is one; name a file or put a text in quotation marks",
            wanted.noun()
        ))
    }

    /// `the result`: what a clause made last.
    ///
    /// # Errors
    /// No clause has made anything.
    pub fn result(&self) -> Result<Thing, String> {
        let made = self.entries.iter().rev().find(|entry| entry.role != Role::Mentioned);
        made.map(|entry| entry.thing.clone()).ok_or_else(|| "there is no result yet".into())
    }

    /// `the text`: the latest text, whatever came after it; tables count when there is no other.
    ///
    /// # Errors
    /// There is none.
    pub fn text(&self) -> Result<Thing, String> {
        let latest = |fits: fn(Shape) -> bool| self.entries.iter().rev().find(|entry| fits(entry.thing.shape));
        latest(|shape| shape == Shape::Text)
            .or_else(|| latest(Shape::is_text))
            .map(|entry| entry.thing.clone())
            .ok_or_else(|| "there is no text yet; name a file or put the text in quotation marks".into())
    }

    /// `the data`, `the table`, `the rows`: the latest of that kind.
    ///
    /// # Errors
    /// There is none.
    pub fn data(&self) -> Result<Thing, String> {
        let found = self.entries.iter().rev().find(|entry| entry.thing.shape.is_data());
        found.map(|entry| entry.thing.clone()).ok_or_else(|| "there is no table yet; name a file".into())
    }

    /// # Errors
    /// Nothing was asked.
    pub fn answer(&self) -> Result<Thing, String> {
        let found = self.entries.iter().rev().find(|entry| entry.role == Role::Answer);
        found.map(|entry| entry.thing.clone()).ok_or_else(|| "nothing was asked before".into())
    }

    /// `both`: the two values that the last clause made, or those of the last two clauses.
    ///
    /// # Errors
    /// There are fewer, or it could mean others too.
    pub fn both(&self) -> Result<[Thing; 2], String> {
        let mut made = self.entries.iter().filter(|entry| entry.role != Role::Mentioned).rev();
        match (made.next(), made.next(), made.next()) {
            (Some(second), Some(first), third) if third.is_none_or(|third| third.clause != first.clause) => {
                Ok([first.thing.clone(), second.thing.clone()])
            }
            (Some(_), Some(_), _) => Err("“both” could mean several things here; name them".into()),
            _ => Err("there are not two things before it; name them".into()),
        }
    }

    /// `them`: the rows or lines that the last clause made, if that is all it made; otherwise both.
    ///
    /// # Errors
    /// As [`Scope::both`].
    pub fn them(&self) -> Result<Vec<Thing>, String> {
        let mut made = self.entries.iter().filter(|entry| entry.role != Role::Mentioned).rev();
        match (made.next(), made.next()) {
            (Some(last), before) if last.plural && before.is_none_or(|before| before.clause != last.clause) => {
                Ok(vec![last.thing.clone()])
            }
            _ => self.both().map(Vec::from),
        }
    }
}
