//! Faults as they are found, and the words in which they quote a plan.

use schemas::Fault;

/// More than these help nobody, and all go into one event.
const MOST: usize = 100;
/// Characters of a message.
const LONGEST: usize = 500;
/// Characters quoted of a plan.
const QUOTED: usize = 64;

#[derive(Debug, Default)]
pub struct Faults {
    found: Vec<Fault>,
    more: usize,
}

impl Faults {
    pub fn add(&mut self, at: impl Into<String>, message: impl Into<String>) {
        if self.found.len() == MOST {
            self.more += 1;
            return;
        }
        self.found.push(Fault::new(at, cut(message.into(), LONGEST)));
    }

    /// The result, if nothing is wrong.
    pub fn or<T>(mut self, result: impl FnOnce() -> T) -> Result<T, Vec<Fault>> {
        if self.found.is_empty() {
            return Ok(result());
        }
        if self.more > 0 {
            self.found.push(Fault::new("", format!("and {} more", self.more)));
        }
        Err(self.found)
    }
}

/// A name from the plan, in backquotes, shortened and without control characters.
pub fn shown(text: &str) -> String {
    format!("`{}`", cut(text.escape_debug().take(QUOTED + 1).collect(), QUOTED))
}

/// `a, b, c`
pub fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| cut(name.as_ref().to_string(), QUOTED)).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// A key as a part of a JSON pointer.
pub fn token(key: &str) -> String {
    cut(key.replace('~', "~0").replace('/', "~1"), QUOTED)
}

fn cut(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}
