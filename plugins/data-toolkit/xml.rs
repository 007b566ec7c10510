//! XML as JSON, and back: attributes are `@name`, text beside them `#text`, elements of one name a list.

mod read;
mod write;

pub use read::read;
pub use write::write;

/// What an attribute's name begins with.
const ATTRIBUTE: char = '@';
/// The text of an element that holds more than text.
const TEXT: &str = "#text";

/// May XML hold this character, however it is written?
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests;
