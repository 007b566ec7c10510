//! A place among the tokens of a goal, and how to move on.

use super::token::{Kind, Token};

#[derive(Debug, Clone)]
pub struct Cursor<'t> {
    tokens: &'t [Token],
    at: usize,
}

impl<'t> Cursor<'t> {
    pub fn new(tokens: &'t [Token]) -> Self {
        Self { tokens, at: 0 }
    }
    pub fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }
    pub fn next(&mut self) -> Option<&'t Token> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }
    pub fn is(&self, kind: &Kind) -> bool {
        self.peek().is_some_and(|token| token.kind == *kind)
    }
    /// At the end of the goal or of a sentence.
    pub fn ends(&self) -> bool {
        self.peek().is_none_or(|token| token.kind == Kind::Stop)
    }

    /// Takes the next token if it is of this kind.
    pub fn take(&mut self, kind: &Kind) -> Option<&'t str> {
        if self.is(kind) { self.next().map(|token| token.text.as_str()) } else { None }
    }

    /// Takes the first of these phrases (words with blanks between, lower case) that comes next.
    pub fn eat(&mut self, phrases: &[&'static str]) -> Option<&'static str> {
        let phrase = phrases.iter().find(|phrase| self.sees(phrase))?;
        self.at += phrase.split(' ').count();
        Some(phrase)
    }
    /// Takes any of these as often as they come.
    pub fn skip(&mut self, phrases: &[&'static str]) {
        while self.eat(phrases).is_some() {}
    }
    pub fn sees(&self, phrase: &str) -> bool {
        phrase.split(' ').enumerate().all(|(nth, word)| {
            self.tokens.get(self.at + nth).is_some_and(|token| token.kind == Kind::Word && same(&token.text, word))
        })
    }
    pub fn sees_any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.sees(phrase))
    }

    /// Tries a reading; if it fails nothing was taken.
    pub fn attempt<T>(&mut self, reading: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let found = reading(self);
        if found.is_none() {
            self.at = start;
        }
        found
    }

    /// The byte at which the next token starts (`end` of the goal when there is none).
    pub fn place(&self, end: usize) -> usize {
        self.peek().map_or(end, |token| token.start)
    }
    /// The byte at which the last taken token ends.
    pub fn behind(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |last| self.tokens[last].end)
    }
}

/// Equal but for case, straight or curly apostrophes.
fn same(text: &str, word: &str) -> bool {
    text.to_lowercase().replace('’', "'") == word
}
